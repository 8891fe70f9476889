"""Where a query can forget people: plain cases are found, and no right query is warned about."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from m3ter_onboarding.cli.warehouses import WAREHOUSES
from m3ter_onboarding.config.query_gaps import way_to_forget

COLUMNS = "SELECT employee_id, email, first_name, last_name, begins AS start_date FROM hires WHERE "


@pytest.mark.parametrize("query", sorted({warehouse.query for warehouse in WAREHOUSES.values()}))
def test_no_example_is_warned_about_in_either_form(query: str) -> None:
    text = files("m3ter_onboarding").joinpath("examples", "new_hires", f"{query}.sql").read_text(encoding="utf-8")
    assert way_to_forget(text) is None
    head, _, tail = text.partition("\nWHERE ")
    offered = re.findall(r"^-- ((?:WHERE|  AND) .*)$", tail, re.MULTILINE)
    assert way_to_forget("\n".join([head, *offered])) is None


@pytest.mark.parametrize(
    "condition",
    [
        "start_date >= CAST(:window_start AS date) + 14 AND start_date < CAST(:window_end AS date) + 14",
        (
            "start_date >= DATEADD(day, 14, CAST(CAST(:window_start AS TIMESTAMP_TZ) AS DATE))"
            " AND start_date < DATEADD(day, 14, CAST(CAST(:window_end AS TIMESTAMP_TZ) AS DATE))"
        ),
        (
            "start_date >= DATE_ADD(CAST(:window_start AS DATE), INTERVAL 14 DAY)"
            " AND start_date < DATE_ADD(CAST(:window_end AS DATE), INTERVAL 14 DAY)"
        ),
        "date(begins) >= date(:window_start, '+14 days') AND date(begins) < date(:window_end, '+14 days')",
        "hires.begins BETWEEN :window_start AND :window_end",
        '"begins"::date >= :window_start AND "begins"::date < :window_end AND country = \'UK\' -- or loaded_at',
        "start_date >= :window_start AND loaded_at < :window_end",
    ],
)
def test_a_window_that_begins_on_the_start_date_is_found(condition: str) -> None:
    sentence = way_to_forget(COLUMNS + condition)
    assert sentence is not None
    assert "entered after" in sentence


def test_a_window_that_ends_on_the_start_date_is_found() -> None:
    sentence = way_to_forget(COLUMNS + "loaded_at >= :window_start AND start_date < CAST(:window_end AS date) + 14")
    assert sentence is not None
    assert "upper end" in sentence


@pytest.mark.parametrize(
    "condition",
    [
        "loaded_at >= :window_start AND loaded_at < :window_end",
        "loaded_at >= :window_start AND loaded_at < :window_end AND start_date IS NOT NULL",
        "greatest(loaded_at, start_date) >= :window_start AND greatest(loaded_at, start_date) < :window_end",
        "(loaded_at >= :window_start AND loaded_at < :window_end) OR start_date BETWEEN :window_start AND :window_end",
        "begins >= CAST(:window_start AS date) - INTERVAL '90 days' AND begins <= CAST(:window_end AS date) + 14",
        "date(begins) >= date(:window_start, '-90 days') AND date(begins) <= date(:window_end, '+14 days')",
        "hired_on >= :window_start AND hired_on < :window_end",
        "id IN (SELECT id FROM changes WHERE start_date >= :window_start AND start_date < :window_end)",
        "loaded_at BETWEEN :window_start AND :window_end -- start_date < :window_end",
    ],
)
def test_what_is_right_or_not_plain_gets_no_warning(condition: str) -> None:
    assert way_to_forget(COLUMNS + condition) is None
