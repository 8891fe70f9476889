"""Sdist and wheel: their contents, their metadata, and that what they promise is there after an installation."""

from __future__ import annotations

import configparser
import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.project.conftest import ROOT, Distribution

PACKAGES = {"m3ter_provider", "m3ter_onboarding", "m3ter_sandbox"}

pytestmark = pytest.mark.slow


def metadata(distribution: Distribution) -> Message:
    with zipfile.ZipFile(distribution.wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_the_three_packages_and_nothing_else(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    assert any(name.endswith("licenses/LICENSE") for name in names)
    examples = {path.name for path in (ROOT / "include/m3ter_onboarding/examples").rglob("*.*") if path.is_file()}
    page = {path.name for path in (ROOT / "include/m3ter_onboarding/page/static").iterdir()}
    migrations = {path.name for path in (ROOT / "include/m3ter_onboarding/ledger/migrations").iterdir()}
    assert len(page) > 10
    assert len(migrations) > 3
    assert examples | page | migrations <= {Path(name).name for name in names}


def test_every_entry_point_exists(distribution: Distribution) -> None:
    parser = configparser.ConfigParser(delimiters="=")
    with zipfile.ZipFile(distribution.wheel) as archive:
        [entry_points] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        parser.read_string(archive.read(entry_points).decode())
    assert {"m3ter-onboarding", "m3ter-sandbox"} <= set(parser["console_scripts"])
    for group in parser.sections():
        for name, value in parser.items(group):
            assert EntryPoint(name, value, group).load()


def test_the_sdist_holds_sources_and_documents_and_nothing_of_this_machine(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as archive:
        files = [Path(name).relative_to(Path(name).parts[0]) for name in archive.getnames()]
    tops = {path.parts[0] for path in files}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "constraints.txt", "PKG-INFO"} <= tops
    assert tops <= {
        *("LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml", "constraints.txt", "PKG-INFO"),
        *("plugins", "include", "docs", ".gitignore"),
    }
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if tracked.returncode == 0:
        ours = {Path(name) for name in tracked.stdout.decode().split("\0")}
        others = subprocess.run(
            ["git", "ls-files", "-z", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        )
        ours |= {Path(name) for name in others.stdout.decode().split("\0")}
        assert set(files) - ours == {Path("PKG-INFO")}


def test_twine_finds_nothing_wrong(distribution: Distribution) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(distribution.sdist), str(distribution.wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_metadata_is_complete(distribution: Distribution) -> None:
    found = metadata(distribution)
    classifiers = found.get_all("Classifier", [])
    assert "Framework :: Apache Airflow :: Provider" in classifiers
    assert "Typing :: Typed" in classifiers
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Description-Content-Type"] == "text/markdown"
    assert found["Summary"]
    assert found["Keywords"]
    assert len(found.get_all("Project-URL", [])) >= 2
    extras = set(found.get_all("Provides-Extra", []))
    assert {"sqlite", "postgres", "snowflake", "bigquery", "redshift"} <= extras


def test_requirements_have_a_floor_and_no_cap(distribution: Distribution) -> None:
    requirements = [Requirement(text) for text in metadata(distribution).get_all("Requires-Dist", [])]
    assert len(requirements) > 10
    for requirement in requirements:
        assert {specifier.operator for specifier in requirement.specifier} == {">="}, str(requirement)
        assert requirement.url is None


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_it_does_what_it_promises(distribution: Distribution, kind: str, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    done = subprocess.run(
        [*uv, "--python", sys.executable, str(getattr(distribution, kind))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # Before the packages of the tests' own environment, where this project is installed too.
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def run(*command: str) -> str:
        ended = subprocess.run(
            [sys.executable, *command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    place = "import m3ter_onboarding, m3ter_provider, m3ter_sandbox as s; print(m3ter_onboarding.__file__, s.__file__)"
    assert run("-c", place).count(str(target)) == 2
    run("-m", "m3ter_onboarding", "init", "dags", "--warehouse", "snowflake", "--name", "acme")
    assert len(list((tmp_path / "dags").iterdir())) == 3
    assert "right" in run("-m", "m3ter_onboarding", "check", "dags/acme.yaml")
    for script in ("m3ter-onboarding", "m3ter-sandbox"):
        assert re.match(r"usage: ", run(str(target / "bin" / script), "--help"))
