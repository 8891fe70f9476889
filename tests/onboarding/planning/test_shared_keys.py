"""Which rows are decided together."""

from __future__ import annotations

import psutil
import pytest

from m3ter_onboarding.planning.shared_keys import SharedKeys
from m3ter_onboarding.source.new_hire import validate_rows
from tests.support.hire_rows import NOW, row


def sharing(*people: tuple[str | None, str | None]) -> list[int]:
    """Return the numbers, from 0, of the rows that share something; each is an employee and an address."""
    rows = [row(number, employee_id=one, email=email) for number, (one, email) in enumerate(people, start=1)]
    keys = SharedKeys()
    for one in validate_rows(rows, default_time_zone="UTC", now=NOW):
        keys.note([one])
    keys.compare()
    return [number for number in range(len(keys)) if keys.has(number)]


@pytest.mark.parametrize(
    "other",
    [
        ("E1", "b@example.com"),
        ("e1", "b@example.com"),
        ("00E1", "b@example.com"),
        ("E2", "a@example.com"),
        ("E2", "A@EXAMPLE.com"),
        ("E2", "a+work@example.com"),
        ("E2", "a.@example.com"),
        (None, "a@example.com"),
        ("E1", None),
    ],
)
def test_rows_that_may_be_one_persons_share(other: tuple[str | None, str | None]) -> None:
    assert sharing(("E1", "a@example.com"), ("E3", "c@example.com"), other) == [0, 2]


def test_rows_without_address_or_employee_share_nothing() -> None:
    assert sharing((None, None), (None, "a@example.com"), (None, None), ("E1", None)) == []


def test_an_address_that_reads_like_an_employee_is_another_key() -> None:
    assert sharing(("a@example.com", "b@example.com"), ("E2", "a@example.com")) == []


def test_of_thousands_of_rows_only_those_that_share_are_found() -> None:
    people = [(f"E{number}", f"p{number}@example.com") for number in range(5_000)]
    assert sharing(*people, ("E77", "new@example.com")) == [77, 5_000]


def test_keys_of_few_rows_take_little_memory() -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    small = [SharedKeys() for _ in range(10)]
    assert process.memory_info().rss - before < 40 * 2**20
    assert len(small) == 10
