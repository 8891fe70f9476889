"""The site of ``docs/`` is whole, and asks no other host for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = [path.stem for path in (ROOT / "docs").glob("*.md")]

#: What a browser fetches by itself when it opens a page; a plain link (``a``) it does not.
FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "embed": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
    "link": "href",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as ``make docs`` does; a link that leads nowhere is an error."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "--keep-going",
            "-d",
            folder / "doctrees",
            "docs",
            folder / "html",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class _Fetched(HTMLParser):
    """Collects what a page fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in (FETCHED.get(tag), "srcset") if name in given]
        self.addresses += re.findall(r"url\(([^)]*)\)", given.get("style") or "")


def foreign(html: str) -> list[str]:
    """Name what a page fetches from another host."""
    page = _Fetched()
    page.feed(html)
    return [address for address in page.addresses if re.match(r"\s*[\"']?(https?:)?//", address)]


def test_every_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    contents = (site / "index.html").read_text(encoding="utf-8")
    assert len(PAGES) > 8
    for name in PAGES:
        assert (site / f"{name}.html").is_file(), name
        assert name == "index" or f'href="{name}.html"' in contents, name


def test_pages_fetch_nothing_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    assert {page.name: found for page in pages if (found := foreign(page.read_text(encoding="utf-8")))} == {}


def test_styles_and_scripts_fetch_nothing_from_another_host(site: Path) -> None:
    styles = list(site.rglob("*.css"))
    scripts = list(site.rglob("*.js"))
    assert styles
    assert scripts
    for style in styles:
        found = re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*", style.read_text(encoding="utf-8"))
        assert found == [], style.name
    for script in scripts:
        calls = (
            r"(?:fetch|import|importScripts|open|sendBeacon)\(\s*[\"'`](?:https?:)?//|\.src\s*=\s*[\"'`](?:https?:)?//"
        )
        assert re.findall(calls, script.read_text(encoding="utf-8")) == [], script.name


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example.com/a.js"></script>',
        '<link rel="stylesheet" href="//fonts.example.com/css">',
        '<img src="http://example.com/a.png">',
        "<p style=\"background: url('https://example.com/a.png')\">",
    ],
)
def test_a_foreign_request_would_be_found(html: str) -> None:
    assert foreign(html)
    assert not foreign('<a href="https://example.com">a link</a><img src="_static/a.png">')
