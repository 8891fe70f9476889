"""The text of a query: which parameters it binds, and how SQLAlchemy's ``text()`` must see it.

``text()`` takes ``:name`` for a parameter also inside comments and quoted text ("-- uses :window_start"), and reads
``:window_start::date`` wrongly. Here a colon is a parameter where it is one by the rules of the query's dialect. While
a configuration is loaded nobody knows the dialect yet: then a query must be right by the rules of one of them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from m3ter_onboarding.config.sql_syntax import SYNTAXES, SqlSyntax, all_syntaxes, syntax_of
from m3ter_onboarding.errors import ConfigurationError

#: The parameters that a query may bind: the half-open window [start, end), UTC.
WINDOW_PARAMETERS = ("window_start", "window_end")
#: Bound too, where the configuration has the key ``organisation``; the query may use it.
ROUTING_PARAMETER = "organisation"
# Not after a colon (a cast), a value (a slice, a path in JSON) or a backslash, and whole: what follows may be a cast.
_COLON = re.compile(r"(?<!\\):(?:(?<![:\w)\]]:)(?P<parameter>[A-Za-z_]\w*))?")
# Quoted text and names end so; a comment does not, and a colon behind one may begin a parameter.
_END_OF_QUOTE = ("'", '"', "`", "]", "$")


def bound_parameters(query_text: str, dialect: str | None = None) -> frozenset[str]:
    """Name the parameters that a query binds, those in comments and quoted text left out.

    :param query_text: the SQL as written.
    :param dialect: SQLAlchemy's name of it; None: by the rules that most have in common.
    """
    return _parameters(query_text, syntax_of(dialect))


def misread_parameters(
    query_text: str, dialect: str, wanted: tuple[str, ...] = WINDOW_PARAMETERS, *, optional: tuple[str, ...] = ()
) -> str | None:
    """Return, as a sentence, which other parameters than it should a query binds in a dialect; None: it binds its own.

    None, too, where the rules of the dialect are not known here.

    :param query_text: the SQL as written.
    :param dialect: SQLAlchemy's name of it.
    :param wanted: the parameters that it should bind.
    :param optional: those that it may bind as well.
    """
    bound = bound_parameters(query_text, dialect)
    if bound.difference(optional) == frozenset(wanted) or dialect not in SYNTAXES:
        return None
    found, should = (", ".join(f":{name}" for name in names) or "none" for names in (sorted(bound), wanted))
    return (
        f"By the rules of {dialect} its parameters are {found}; they must be {should}. Write a colon that is no"
        " parameter as \\:, and look where comments and quoted texts end: backslashes, '#' and '$$' do not mean the"
        " same in every dialect."
    )


def for_sqlalchemy(query_text: str, dialect: str | None = None) -> str:
    """Escape colons that ``text()`` would mistake for a parameter, and drop a closing semicolon.

    :param query_text: the SQL as written.
    :param dialect: SQLAlchemy's name of it; None: by the rules that most have in common.
    """
    parts = list(syntax_of(dialect).parts(query_text.rstrip()))
    for position, (inert, part) in reversed(list(enumerate(parts))):
        if not inert and part.strip():
            parts[position] = (inert, re.sub(r"[\s;]*;\s*$", "", part))
            break  # only comments follow
    said = []
    for before, (inert, part) in pairwise([(False, ""), *parts]):
        said.append(_escaped(part) if inert else _without_other_colons(part, after=before))
    return "".join(said)


def _parameters(query_text: str, syntax: SqlSyntax) -> frozenset[str]:
    return frozenset(
        found["parameter"]
        for before, (inert, part) in pairwise([(False, ""), *syntax.parts(query_text)])
        if not inert
        for found in _COLON.finditer(part)
        if _is_parameter(found, after=before)
    )


def _is_parameter(found: re.Match[str], *, after: tuple[bool, str]) -> bool:
    """Return whether a colon begins a parameter.

    :param after: the part of the query before its own; a path into a quoted name follows at once.
    """
    inert, before = after
    return found["parameter"] is not None and not (found.start() == 0 and inert and before.endswith(_END_OF_QUOTE))


def _escaped(part: str) -> str:
    return re.sub(r"(?<!\\):", r"\:", part)


def _without_other_colons(part: str, *, after: tuple[bool, str]) -> str:
    r"""Escape each colon that begins no parameter; text() takes ``\:name`` for one only where no colon follows it."""
    return _COLON.sub(lambda found: found[0] if _is_parameter(found, after=after) else rf"\{found[0]}", part)


def check_unbound_query(path: Path, key: str, query: str, query_text: str, *, selects: str) -> None:
    """Check that a query is there and binds nothing: it reads everybody each time, whatever days a run is for.

    :param path: of the configuration; *query* is the value of *key*, all for messages.
    :param selects: what it must select, in words.
    :raises ConfigurationError: with the way to write it.
    """
    named = f"{path}, key '{key}': {query}"
    if not query_text.strip():
        raise ConfigurationError(f"{named} is empty; it must select {selects}.")
    if bound := sorted(_bound_by_some_dialect(query_text, frozenset())):
        raise ConfigurationError(
            f"{named} uses {', '.join(':' + name for name in bound)}, and no parameters are given: it must select"
            f" {selects}. A colon that is no parameter is written \\:."
        )


def check_query(path: Path, query: str, query_text: str, *, routed: bool = False) -> None:
    """Check that a query binds both ends of the window, and nothing else.

    :param path: of the configuration; *query* is its key's value, both for messages.
    :param routed: whether it may bind ``:organisation`` as well.
    :raises ConfigurationError: with the way to write it.
    """
    window = frozenset(WINDOW_PARAMETERS)
    bound = _bound_by_some_dialect(query_text, window, window | {ROUTING_PARAMETER})
    named = f"{path}, key 'query': {query}"
    if ROUTING_PARAMETER in bound and not routed:
        raise ConfigurationError(
            f"{named} uses :organisation, and the configuration has no key 'organisation': set it to the value of the"
            " column that is this configuration's."
        )
    if not query_text.strip():
        raise ConfigurationError(f"{named} is empty; it must select the new hires.")
    if unknown := sorted(bound.difference(WINDOW_PARAMETERS, (ROUTING_PARAMETER,))):
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


@lru_cache(maxsize=32)  # one query may be that of many configurations
def _bound_by_some_dialect(query_text: str, *wanted: frozenset[str]) -> frozenset[str]:
    """Name the parameters of a query: the first of those wanted that any dialect reads exactly."""
    read = [_parameters(query_text, syntax) for syntax in all_syntaxes()]
    return next((names for names in wanted if names in read), None) or bound_parameters(query_text)
