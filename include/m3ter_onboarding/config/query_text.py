"""The text of the new-hires query: which parameters it binds, and how SQLAlchemy's ``text()`` must see it.

``text()`` takes every ``:name`` for a parameter, also inside comments and quoted text ("-- uses :window_start").
Here the two are distinguished: a colon in a comment neither binds nor breaks anything.
"""

from __future__ import annotations

import re
from pathlib import Path

from m3ter_onboarding.errors import ConfigurationError

#: The parameters that a query may bind: the half-open window [start, end), UTC.
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
    """Escape colons that ``text()`` would mistake for a parameter, and drop a closing semicolon.

    :param query_text: the SQL as written.
    """

    def escape(match: re.Match[str]) -> str:
        return _PARAMETER.sub(r"\\:\1", match.group())

    return _INERT.sub(escape, query_text).rstrip().rstrip(";")


def check_unbound_query(path: Path, key: str, query: str, query_text: str, *, selects: str) -> None:
    """Check that a query is there and binds nothing: it reads everybody each time, whatever days a run is for.

    :param path: of the configuration; *query* is the value of *key*, all for messages.
    :param selects: what it must select, in words.
    :raises ConfigurationError: with the way to write it.
    """
    named = f"{path}, key '{key}': {query}"
    if not query_text.strip():
        raise ConfigurationError(f"{named} is empty; it must select {selects}.")
    if bound := sorted(bound_parameters(query_text)):
        raise ConfigurationError(
            f"{named} uses {', '.join(':' + name for name in bound)}, and no parameters are given: it must select"
            f" {selects}. A colon that is no parameter is written \\:."
        )


def check_query(path: Path, query: str, query_text: str) -> None:
    """Check that a query binds both ends of the window, and nothing else.

    :param path: of the configuration; *query* is its key's value, both for messages.
    :raises ConfigurationError: with the way to write it.
    """
    bound = bound_parameters(query_text)
    named = f"{path}, key 'query': {query}"
    if not query_text.strip():
        raise ConfigurationError(f"{named} is empty; it must select the new hires.")
    if unknown := sorted(bound.difference(WINDOW_PARAMETERS)):
        raise ConfigurationError(
            f"{named} uses {', '.join(':' + name for name in unknown)}; only :window_start and :window_end are given."
            " A colon that is no parameter is written \\:."
        )
    if missing := [name for name in WINDOW_PARAMETERS if name not in bound]:
        raise ConfigurationError(
            f"{named} does not use {' and '.join(':' + name for name in missing)}; without both it would read the same"
            " people whatever days a run is for. Write for example"
            " WHERE loaded_at >= :window_start AND loaded_at < :window_end."
        )
