"""Where a colon in SQL is just a colon: comments, quoted text and quoted names, by the rules of each dialect.

Only as much of SQL is read as tells these apart from the rest; nothing here knows what a statement means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

_DOLLARS = r"(?<!\w)(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?P=tag)"
_E_QUOTES = r"(?<!\w)[eE]'(?:[^'\\]|''|\\.)*'"
_ORACLES_QUOTES = r"(?<!\w)[nN]?[qQ]'(?:\[.*?\]|\{.*?\}|\(.*?\)|<.*?>|(?P<mark>[^\s\[{(<]).*?(?P=mark))'"


@dataclass(frozen=True)
class SqlSyntax:
    """What a dialect has beside standard SQL's ``--``, ``/* */``, ``'…'`` and ``"…"``.

    :param comments: regular expressions of comments, to the end of the line.
    :param nested: whether a comment may hold another one.
    :param backslash: the quotes in which a backslash keeps the next character from ending the text.
    :param quotes: regular expressions of further quoted text and names.
    """

    comments: tuple[str, ...] = ("--",)
    nested: bool = False
    backslash: str = ""
    quotes: tuple[str, ...] = ("`[^`]*`",)

    def parts(self, text: str) -> Iterator[tuple[bool, str]]:
        """Yield a text in parts, each with whether it is a comment or quoted."""
        at, plain_from = 0, 0
        while found := self._inert.search(text, at):
            begin, at = found.start(), found.end()
            if found["block"] is not None:
                at = self._end_of_comment(text, begin)
            yield False, text[plain_from:begin]
            yield True, text[begin:at]
            plain_from = at
        yield False, text[plain_from:]

    @cached_property
    def _inert(self) -> re.Pattern[str]:
        escaped, plain = r"(?:[^{0}\\]|{0}{0}|\\.)*", "(?:[^{0}]|{0}{0})*"
        inside = {quote: (escaped if quote in self.backslash else plain).format(quote) for quote in "'\""}
        # What never ends hides the rest, as it does from the database.
        quoted = (f"{quote}{inside[quote]}(?:{quote}|\\Z)" for quote in "'\"")
        lines = (f"{comment}[^\\n]*" for comment in self.comments)
        return re.compile("|".join(chain(lines, (r"(?P<block>/\*)",), self.quotes, quoted)), re.DOTALL)

    def _end_of_comment(self, text: str, begin: int) -> int:
        depth = 0
        for mark in re.finditer(r"/\*|\*/", text[begin:]):
            if mark.group() == "/*":
                depth += 1 if self.nested or depth == 0 else 0
            else:
                depth -= 1
            if depth == 0:
                return begin + mark.end()
        return len(text)


_STANDARD = SqlSyntax(quotes=("`[^`]*`", _DOLLARS))
_POSTGRESQL = SqlSyntax(nested=True, quotes=(_E_QUOTES, _DOLLARS))
_BOTH_QUOTES = "'\""  # where "…" is a text, too; where it is a name, a backslash is a character of it
# Without a space after it, two minus signs.
_MYSQL = SqlSyntax(comments=(r"--(?=\s|\Z)", "#"), backslash=_BOTH_QUOTES)
_SPARKS_RAW = r"(?<!\w)[rR](?:'[^']*'|\"[^\"]*\")"
_SPARK = SqlSyntax(nested=True, backslash=_BOTH_QUOTES, quotes=("`[^`]*`", _SPARKS_RAW))
_CLICKHOUSE = SqlSyntax(comments=("--", "#(?=[ !])"), nested=True, backslash=_BOTH_QUOTES, quotes=("`[^`]*`", _DOLLARS))
_BRACKETS = r"\[(?:[^\]]|\]\])*\]"
_TRIPLE = tuple(rf"{mark * 3}(?:\\.|.)*?{mark * 3}" for mark in "'\"")

#: By SQLAlchemy's name of a dialect.
SYNTAXES: dict[str, SqlSyntax] = {
    "postgresql": _POSTGRESQL,
    "cockroachdb": _POSTGRESQL,
    "redshift": SqlSyntax(nested=True, backslash="'", quotes=(_DOLLARS,)),
    "duckdb": SqlSyntax(nested=True, quotes=(_E_QUOTES, _DOLLARS)),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "bigquery": SqlSyntax(comments=("--", "#"), backslash=_BOTH_QUOTES, quotes=("`[^`]*`", *_TRIPLE)),
    "snowflake": SqlSyntax(comments=("--", "//"), backslash="'", quotes=(r"\$\$.*?\$\$",)),
    "databricks": _SPARK,
    "hive": SqlSyntax(backslash=_BOTH_QUOTES),
    "clickhouse": _CLICKHOUSE,
    "clickhousedb": _CLICKHOUSE,
    "mssql": SqlSyntax(nested=True, quotes=(_BRACKETS,)),
    "oracle": SqlSyntax(quotes=(_ORACLES_QUOTES,)),
    "sqlite": SqlSyntax(quotes=("`[^`]*`", r"\[[^\]]*\]")),
}


def syntax_of(dialect: str | None) -> SqlSyntax:
    """Return the rules of a dialect.

    :param dialect: SQLAlchemy's name; None, or one that is not known here: what most have in common.
    """
    return SYNTAXES.get(dialect or "", _STANDARD)


def all_syntaxes() -> Iterator[SqlSyntax]:
    """Return every set of rules once, what most have in common first."""
    yield from dict.fromkeys((_STANDARD, *SYNTAXES.values()))
