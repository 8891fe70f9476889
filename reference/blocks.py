"""Blocks of the pages that are made from the source, between two comments that no reader sees::

    <!-- code: plugins/m3ter_provider/example_dags/example_m3ter_hook.py howto_hook -->
    <!-- table: OnboardingConfig -->
    <!-- command: init -->
    <!-- drawing: states -->
    <!-- statement: new postgresql -->
    …
    <!-- end -->

The pages hold the result, so that they read as well in a repository as on the site.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from reference import commands, drawings, statements, tables

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs"

_BLOCK = re.compile(
    r"(?P<begin><!-- (?P<kind>code|table|command|drawing|statement): (?P<what>[^\n]+?) -->\n).*?(?P<end><!-- end -->)",
    re.DOTALL,
)
_LANGUAGES = {".py": "python", ".sql": "sql", ".yaml": "yaml", ".json": "json"}
_MARKS = re.compile(r"^ *# \[(?:START|END) \w+\]\n", re.MULTILINE)


def renewed(text: str, *, page: Path) -> str:
    """Return a page's text with every block made anew.

    :param text: the page as it is.
    :param page: its file, for errors.
    :raises LookupError: for a block whose source is not there.
    """

    def block(match: re.Match[str]) -> str:
        try:
            made = _MAKERS[match["kind"]](match["what"])
        except (LookupError, OSError) as error:
            raise LookupError(f"{page.name}, block {match['what']!r}: {error}") from None
        return f"{match['begin']}\n{made}\n{match['end']}"

    return _BLOCK.sub(block, text)


def code(what: str) -> str:
    """Return a file, or a region of it, as a fenced block.

    :param what: its path in the repository, and the name of a region between ``# [START name]`` and ``# [END name]``;
        of a query also ``SELECT``, to leave out the comment at its head.
    :raises LookupError: when the file has no such region, or more than one.
    """
    name, _, region = what.partition(" ")
    text = (ROOT / name).read_text(encoding="utf-8")
    if region == "SELECT":
        text = text[text.index("\nSELECT") + 1 :]
    elif region:
        found = re.findall(rf"^ *# \[START {region}\]\n(.*?)^ *# \[END {region}\]$", text, re.DOTALL | re.MULTILINE)
        if len(found) != 1:
            raise LookupError(f"{name} has {len(found)} regions {region!r}")
        text = found[0]
    text = textwrap.dedent(_MARKS.sub("", text)).strip("\n")
    return f"```{_LANGUAGES.get(Path(name).suffix, 'text')}\n{text}\n```\n"


_MAKERS: Mapping[str, Callable[[str], str]] = {
    "code": code,
    "table": tables.table,
    "command": commands.described,
    "drawing": drawings.drawing,
    "statement": statements.statement,
}
