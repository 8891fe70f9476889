"""A row of the access review's query: what can be used of it, and that a flaw does not make somebody jobless."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest

from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.current_job import CurrentJob, current_job


def job(**values: Any) -> CurrentJob:
    return current_job(SourceRow(1, values), "UTC")


def test_a_row_of_an_address_alone_says_nothing_of_ends_and_policies() -> None:
    found = job(email=" Ada@EXAMPLE.com ")
    assert (found.email_key, found.employee_id, found.end_given, found.permission_policies) == (
        *("ada@example.com", None, False),
        None,
    )
    assert not found.flawed
    assert found.names_somebody
    assert "ada" not in repr(found)


def test_an_end_of_access_is_the_end_of_the_local_day_also_in_the_past() -> None:
    found = job(email="a@example.com", access_end_date=date(2020, 1, 31), time_zone="America/New_York")
    assert found.access_ends_at == datetime(2020, 2, 1, 4, 59, 59, 999000, tzinfo=timezone.utc)
    assert found.end_given
    assert not found.flawed


@pytest.mark.parametrize("no_end", [None, "", date(9999, 12, 31)])
def test_an_empty_end_is_access_without_an_end(no_end: Any) -> None:
    found = job(email="a@example.com", access_end_date=no_end)
    assert found.end_given
    assert found.access_ends_at is None


@pytest.mark.parametrize(
    "flaw",
    [
        {"access_end_date": "soon"},
        {"access_end_date": "2027-01-01", "time_zone": "Mars/Base"},
        {"permission_policies": 7},
        {"employee_id": 1.5},
    ],
)
def test_a_flawed_value_is_not_compared_and_the_person_keeps_the_job(flaw: dict[str, Any]) -> None:
    found = job(email="a@example.com", **flaw)
    assert found.flawed
    assert found.email_key == "a@example.com"
    assert not found.end_given
    assert found.permission_policies is None


def test_an_employee_without_a_usable_address_is_somebody_and_a_row_without_both_nobody() -> None:
    assert job(email=None, employee_id=7).names_somebody
    assert job(email=None, employee_id=7).flawed
    nobody = job(email=b"\xff", employee_id=None)
    assert nobody.flawed
    assert not nobody.names_somebody
