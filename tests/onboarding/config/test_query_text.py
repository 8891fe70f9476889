from __future__ import annotations

import pytest
from sqlalchemy import text

from m3ter_onboarding.config.query_text import bound_parameters, for_sqlalchemy


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("a = :window_start AND b < :window_end", {"window_start", "window_end"}),
        ("a::timestamptz >= :window_start", {"window_start"}),
        ("-- from :window_start\nSELECT ':x', \":y\", `:z`, $$ :q $$, $t$ :r $t$ /* :s\n:t */", set()),
        ("'it''s :x' = :y", {"y"}),
        ("a = '\\:x'", set()),
        ("a = 12:30", set()),
    ],
)
def test_parameters_are_found_where_sql_has_them(query: str, names: set[str]) -> None:
    assert bound_parameters(query) == names
    assert set(text(for_sqlalchemy(query))._bindparams) == names


def test_text_reaches_the_database_unchanged() -> None:
    query = "SELECT ':x', a::text -- :y\nFROM t WHERE a = 'b :c';\n"
    compiled = str(text(for_sqlalchemy(query)))
    assert compiled == query.rstrip().rstrip(";")
