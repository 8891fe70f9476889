"""The page's JavaScript by rules that its formatter, linter and type check (`make check`) do not have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.project.conftest import ROOT

STATIC = ROOT / "include" / "m3ter_onboarding" / "page" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
LONGEST_LINE, MOST_LINES = 120, 400


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_short_and_checked(script: Path) -> None:
    lines = script.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES
    assert [number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE] == []
    assert [line for line in lines if "@ts-" in line] == []  # no line is left out of the type check


def test_the_reading_order_names_every_script() -> None:
    order = (STATIC / "page.js").read_text(encoding="utf-8").partition("*/")[0]
    assert [script.name for script in SCRIPTS if script.name not in order] == []


def test_the_lock_file_holds_versions_and_hashes_and_no_addresses() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    declared = packages.pop("")["devDependencies"]
    assert declared == json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert [name for name, package in packages.items() if "resolved" in package] == []
