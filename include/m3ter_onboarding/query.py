"""The text of the new-hires query: which parameters it binds, and how SQLAlchemy's ``text()`` must see it.

``text()`` takes every ``:name`` for a parameter, also inside comments and quoted text ("-- uses :window_start").
Here those are told apart, so a colon in a comment neither binds nor breaks anything.
"""

from __future__ import annotations

import re

#: What the query may bind: the half-open window [start, end), UTC.
WINDOW_PARAMETERS = ("window_start", "window_end")

# Comments, quoted text and quoted names: here a colon is just a colon.
_INERT = re.compile(
    r"--[^\n]*"
    r"|/\*.*?\*/"
    r"|'(?:[^']|'')*'"
    r'|"(?:[^"]|"")*"'
    r"|`[^`]*`"
    r"|(?P<tag>\$\w*\$).*?(?P=tag)",
    re.DOTALL,
)

# The rule of sqlalchemy.sql.elements.TextClause: not after a colon (a PostgreSQL cast), a word or a backslash.
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


def bound_parameters(query_text: str) -> frozenset[str]:
    """Name the parameters that a query binds, those in comments and quoted text left out.

    :param query_text: the SQL as written.
    """
    return frozenset(_PARAMETER.findall(_INERT.sub(" ", query_text)))


def for_sqlalchemy(query_text: str) -> str:
    """Escape what ``text()`` would mistake for a parameter, and drop a closing semicolon.

    :param query_text: the SQL as written.
    """

    def escape(match: re.Match[str]) -> str:
        return _PARAMETER.sub(r"\\:\1", match.group())

    return _INERT.sub(escape, query_text).rstrip().rstrip(";")
