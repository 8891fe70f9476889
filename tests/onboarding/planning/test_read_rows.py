"""Rows on their way from the warehouse to a decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.planning import read_rows
from m3ter_onboarding.planning.read_rows import ReadRows
from m3ter_onboarding.source.columns import SourceRow
from tests.support.hire_rows import NOW, row
from tests.support.world import WINDOW

Chunks = Iterable[list[SourceRow]]


def config() -> OnboardingConfig:
    query = "SELECT :window_start, :window_end"
    values = {"name": "test", "warehouse_conn_id": "warehouse", "query": "hires.sql"}
    return OnboardingConfig.from_mapping(values, query_text=query)


def reading(monkeypatch: pytest.MonkeyPatch, *tries: Chunks) -> None:
    """Let the warehouse give rows; each try but the last fails at its end."""

    def read_new_hires(_conn_id: str, _query: str, _window: Any, take: Callable[[Chunks], Any], **_: Any) -> Any:
        for chunks in tries[:-1]:
            with pytest.raises(ValueError, match="unreadable"):
                take(failing(chunks))
        return take(tries[-1])

    def failing(chunks: Chunks) -> Iterator[list[SourceRow]]:
        yield from chunks
        raise ValueError("unreadable")

    monkeypatch.setattr(read_rows, "read_new_hires", read_new_hires)


def test_rows_come_in_parts_and_those_that_share_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_rows, "AT_ONCE", 2)
    chunks = [[row(number) for number in range(first, first + 2)] for first in (1, 3, 5)]
    reading(monkeypatch, [*chunks, [row(7, email="person2@example.com")]])
    with ReadRows(config(), None, NOW) as rows:
        rows.read(WINDOW)
        assert len(rows) == 7
        assert [[one.row_no for one in part] for part in rows.parts()] == [[1], [3, 4], [5, 6], [2, 7]]


def test_what_a_failed_reading_gave_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_rows, "AT_ONCE", 1)
    reading(monkeypatch, [[row(1)], [row(2)]], [[row(1)], [row(2)], [row(3)]])
    with ReadRows(config(), None, NOW) as rows:
        rows.read(WINDOW)
        assert len(rows) == 3
        assert [[one.row_no for one in part] for part in rows.parts()] == [[1], [2], [3], []]


def test_no_rows_are_one_empty_part(monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, [])
    with ReadRows(config(), None, NOW) as rows:
        rows.read(WINDOW)
        assert list(rows.parts()) == [[]]


def test_of_one_employee_the_rows_of_others_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, [[row(1), row(2)], [row(3, employee_id="E2"), row(4)]])
    with ReadRows(config(), "E2", NOW) as rows:
        rows.read(WINDOW)
        assert [[one.row_no for one in part] for part in rows.parts()] == [[2, 3]]
