from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import sqlglot
from sqlalchemy import text

from m3ter_onboarding.config.query_text import (
    bound_parameters,
    check_query,
    check_unbound_query,
    for_sqlalchemy,
    misread_parameters,
)
from m3ter_onboarding.errors import ConfigurationError


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("a = :window_start AND b < :window_end", {"window_start", "window_end"}),
        ("a::timestamptz >= :window_start", {"window_start"}),
        ("-- from :window_start\nSELECT ':x', \":y\", `:z`, $$ :q $$, $t$ :r $t$ /* :s\n:t */", set()),
        ("'it''s :x' = :y", {"y"}),
        ("a = '\\:x'", set()),
        ("a = 12:30", set()),
        ("a >= :window_start::timestamptz AND b < :window_end :: date", {"window_start", "window_end"}),
        ("a >= CAST(:window_start AS date)AND(b)<:window_end::text::date", {"window_start", "window_end"}),
        ("tags[1:2], tags[:2], tags[lo:hi], data:path::string, x := 1", set()),
        ("'at :10:30: :x:' = :y", {"y"}),
    ],
)
def test_parameters_are_found_where_sql_has_them(query: str, names: set[str]) -> None:
    assert bound_parameters(query) == names
    assert set(text(for_sqlalchemy(query))._bindparams) == names


#: Text of a dialect, and the parameters that it has there.
OF_DIALECTS = [
    ("postgresql", r"a = E'it\'s :x' AND b = :y", {"y"}),
    ("postgresql", r"a = '\' AND b = :y", {"y"}),
    ("postgresql", "a #> '{b}' = :y -- :x", {"y"}),
    ("postgresql", "/* a /* :b */ :x */ a = :y", {"y"}),
    ("postgresql", "a = $fn$ ':x $fn$ AND b = :y AND c = $1", {"y"}),
    ("redshift", r"a = 'it\'s :x' AND b = :y::timestamptz", {"y"}),
    ("mysql", r"a = 'it\'s :x' AND b = :y # isn't :z", {"y"}),
    ("mysql", 'a = "say \\":x" AND b = :y', {"y"}),
    ("bigquery", "a = 'it\\'s :x' # don't: :z\nAND b = :y", {"y"}),
    ("bigquery", "a = \"\"\"it's \" :x\"\"\" AND b = '''\n:x''' AND c = :y", {"y"}),
    ("bigquery", r"a = r'\d:x' AND b = :y", {"y"}),
    ("databricks", r"a = 'it\'s :x' AND b = :y", {"y"}),
    ("duckdb", "a = $$':x$$ AND b = :y::date", {"y"}),
    ("trino", "a = 'it''s :x' AND b = :y", {"y"}),
]
#: The tokens of sqlglot do not tell these apart: nested comments, names in brackets, Oracle's quotes, paths in JSON.
BEYOND_SQLGLOT = [
    ("mysql", "a = `:x` /* /* :z */ AND b = :y", {"y"}),
    ("snowflake", "a = 'it\\'s :x' // isn't :z\nAND b = :y AND c = $$ :x' $$ AND d = e:f::string", {"y"}),
    ("mssql", "a = [it's :x] AND b = :y", {"y"}),
    ("oracle", "a = q'[it's :x]' AND b = :y", {"y"}),
    ("sqlite", r"a = '\' AND b = :y AND c = [it's :x]", {"y"}),
    (
        "snowflake",
        r"""a["it's"]:x::string = 1 AND "SRC":x::int = 2 AND parse_json(c):x.z = :y AND d = "\" AND e""",
        {"y"},
    ),
    ("snowflake", r""""SRC"\:x::string = :y""", {"y"}),
    ("redshift", r"""a = "b\" AND c = :y AND d = '1'""", {"y"}),
    ("databricks", r"a = r'\' AND b:c:x = :y /* a /* b */ it's :x */", {"y"}),
    ("duckdb", "a = {'k':x, 'l': :y} /* a /* b */ it's :x */", {"y"}),
    ("clickhouse", "a = $doc$ it's :x $doc$ # it's :x\n AND b = :y #! it's", {"y"}),
    ("mssql", "a = [b]]it's :x] AND c = :y", {"y"}),
    ("mysql", "a = 5--1 AND b = :y -- it's :x", {"y"}),
    ("postgresql", "a = $tëxt$ it's :x $tëxt$ AND b = (:y)::timestamptz AND c[2:(1):z] = '1':x", {"y"}),
]


@pytest.mark.parametrize(("dialect", "query", "names"), [*OF_DIALECTS, *BEYOND_SQLGLOT])
def test_a_query_is_read_by_the_rules_of_its_dialect(dialect: str, query: str, names: set[str]) -> None:
    assert bound_parameters(query, dialect) == names
    statement = text(for_sqlalchemy(query, dialect))
    assert set(statement._bindparams) == names
    # text() itself takes a backslash before a colon away: it is how one writes a colon there.
    assert str(statement).replace("\\:", ":").replace(":y ::", ":y::") == query.replace("\\:", ":")


@pytest.mark.parametrize(("dialect", "query", "names"), OF_DIALECTS)
def test_sqlglot_finds_the_same_parameters(dialect: str, query: str, names: set[str]) -> None:
    known_as = {"postgresql": "postgres", "mssql": "tsql"}.get(dialect, dialect)
    tokens = sqlglot.tokenize(query, dialect=known_as)
    colon, word = sqlglot.TokenType.COLON, sqlglot.TokenType.VAR
    found = {
        after.text for before, after in pairwise(tokens) if before.token_type is colon and after.token_type is word
    }
    assert found == names


@pytest.mark.parametrize(
    "condition",
    [
        "a >= :window_start::timestamptz AND a < :window_end::timestamptz",
        "name <> 'O\\'Brien' AND a >= :window_start AND a < :window_end",
        "a >= :window_start # who isn't there: :nobody\nAND a < :window_end",
        "name = [it's] AND a >= :window_start AND a < :window_end",
    ],
)
def test_a_query_that_one_dialect_reads_rightly_is_accepted_until_its_own_is_known(condition: str) -> None:
    check_query(Path("acme.yaml"), "hires.sql", f"SELECT 1 WHERE {condition}")


def test_what_to_write_is_said_where_a_dialect_reads_other_parameters() -> None:
    query = "SELECT 1 WHERE name <> 'O\\'Brien' AND a >= :window_start AND a < :window_end"
    assert misread_parameters(query, "mysql") is None
    assert misread_parameters(query, "postgresql") == (
        "By the rules of postgresql its parameters are none; they must be :window_start, :window_end. Write a colon"
        " that is no parameter as \\:, and look where comments and quoted texts end: backslashes, '#' and '$$' do not"
        " mean the same in every dialect."
    )
    with pytest.raises(ConfigurationError, match="uses :x, and no parameters are given"):
        check_unbound_query(Path("acme.yaml"), "exclude.query", "x.sql", "SELECT :x::text", selects="people")


@pytest.mark.parametrize("end", [";", " ;\n", "; -- all :of them;", ";\n/* :x; */\n", " -- ;"])
def test_a_semicolon_before_the_last_comments_is_dropped(end: str) -> None:
    compiled = str(text(for_sqlalchemy(f"SELECT ';' AS a{end}")))
    assert compiled.replace("';'", "").split("--")[0].split("/*")[0].strip() == "SELECT  AS a"


def test_text_reaches_the_database_unchanged() -> None:
    query = "SELECT ':x', a::text -- :y\nFROM t WHERE a = 'b :c';\n"
    compiled = str(text(for_sqlalchemy(query)))
    assert compiled == query.rstrip().rstrip(";")
