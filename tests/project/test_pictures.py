"""The pictures of the documentation are those that the tests in the browser take, and each is used."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.documented_pictures import CHOSEN, LARGEST


def test_every_picture_is_taken_by_a_test_and_shown(project_root: Path) -> None:
    docs = project_root / "docs"
    pictures = {picture.stem: picture for picture in (docs / "images").glob("*")}
    shown = {name for page in docs.glob("*.md") for name in re.findall(r"\]\(images/([\w-]+)\.png\)", page.read_text())}
    taken = "".join(path.read_text() for path in (project_root / "tests" / "e2e").glob("test_*.py"))
    assert set(pictures) == set(CHOSEN) == shown
    for name, picture in pictures.items():
        assert f'"{name}"' in taken
        assert picture.stat().st_size <= LARGEST


def test_every_picture_says_what_it_shows(project_root: Path) -> None:
    for page in (project_root / "docs").glob("*.md"):
        for said in re.findall(r"!\[(.*?)\]\(images/", page.read_text()):
            assert len(said) > 10, page.name
