"""The repository holds nothing of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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
def test_no_tracked_file_holds(what: str) -> None:
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


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {Requirement(line).name for line in lines}
    assert all(re.fullmatch(r"[a-z0-9._-]+==[^ ;]+( ; .+)?", line) for line in lines)
    assert {"apache-airflow", "pydantic", "sqlalchemy", "pytest"} <= pinned
