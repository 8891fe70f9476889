"""The repository holds nothing of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent.parent

# In pieces, so that this file does not find itself.
FORBIDDEN = {
    "a host of a package registry": "|".join(["pypi" + r"\.org", "python" + "hosted", "npm" + "js"]),
    "a path of one machine": "|".join(["/" + "work/", "/opt/" + "(pypi|wheels)", "/" + "root/", "/" + "home/"]),
    "a folder beside the repository": r"\.\./" + "shared",
}


def tracked() -> list[Path]:
    """List the files under version control, or every file where there is none (an unpacked archive)."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("not a git repository")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_tracked_files_hold_none_of_these(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line.strip()}" for n, line in enumerate(lines, 1) if pattern.search(line)
        ]
    assert not found


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-floors.txt"])
def test_constraints_are_names_and_versions_only(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pinned = {Requirement(line).name for line in lines}
    assert all(re.fullmatch(r"[a-z0-9._-]+==[^ ;]+( ; .+)?", line) for line in lines)
    assert {"apache-airflow", "pydantic", "sqlalchemy"} <= pinned


@pytest.mark.parametrize("name", ["constraints-image.txt", "constraints-build.txt"])
def test_what_the_image_installs_is_pinned_by_hash_and_nothing_else(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pins = [line for line in lines if not line.startswith(" ")]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[^ ;]+( ; .+)? \\", line) for line in pins)
    hashes = [line for line in lines if line.startswith(" ")]
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)
    assert all(b.startswith("    --hash") for a, b in pairwise(lines) if a in pins)


def test_the_image_installs_what_was_tested() -> None:
    def pinned(name: str) -> dict[str, str]:
        environment = {"python_version": "3.12", "python_full_version": "3.12.9"}
        lines = (line.removesuffix("\\") for line in (ROOT / name).read_text().splitlines() if "==" in line[:80])
        found = [Requirement(line.strip()) for line in lines if not line.startswith(" ")]
        return {
            canonicalize_name(one.name): str(one.specifier)
            for one in found
            if one.marker is None or one.marker.evaluate(environment)
        }

    image, tested = pinned("constraints-image.txt"), pinned("constraints.txt")
    assert {name: version for name, version in image.items() if tested.get(name) != version} == {}, (
        "run `make image-constraints`"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["sqlite"], *extras["postgres"]]:
        assert canonicalize_name(Requirement(text).name) in image, text


def test_the_floors_that_the_matrix_installs_are_the_declared_ones() -> None:
    pinned = dict(
        line.partition(" ;")[0].split("==") for line in (ROOT / "constraints-floors.txt").read_text().splitlines()
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["sqlite"], *extras["postgres"]]:
        requirement = Requirement(text)
        [floor] = [clause.version for clause in requirement.specifier]
        version = pinned[canonicalize_name(requirement.name)]
        assert f"{version}.".startswith(f"{floor}."), f"{text}: {version}; run `make constraints`"
