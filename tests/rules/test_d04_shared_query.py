"""One query of several organisations: each configuration invites the people of its own, and of nobody else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import select

from m3ter_onboarding.errors import ConfigurationError
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

QUERY = """
SELECT employee_id, email, first_name, 'Family' AS last_name, last_name AS organisation
FROM hires WHERE loaded_at >= :window_start AND loaded_at < :window_end ORDER BY employee_id
"""
FILTERED = QUERY.replace("ORDER BY", "AND (last_name = :organisation OR last_name IS NULL) ORDER BY")
#: A column of fixed width: the database pads each value with spaces.
PADDED = QUERY.replace("last_name AS organisation", "CAST(last_name AS CHAR(40)) AS organisation")
HOSTILE = [
    "o'neill",
    "' OR '1'='1",
    "acme'; DROP TABLE hires; --",
    ":window_start",
    "%",
    "a\\",
    "株式会社",
    "${x}",
    "🦊",
]


@pytest.fixture
def org(world: World) -> Iterator[World]:
    """An organisation whose query has the column, connected."""
    world.query_text = QUERY
    with m3ter_connection(world):
        yield world


def run(org: World, organisation: str, **values: Any) -> TaskRun:
    """Run the tasks of the configuration of one organisation."""
    number = len(org.emails())
    settings = {"organisation": organisation, **values}
    return TaskRun(org, f"run of {organisation} {number}", (WINDOW.start, WINDOW.end), values=settings)


@pytest.mark.parametrize("query", [QUERY, FILTERED, PADDED], ids=["whole", "filtered", "padded"])
def test_d04_each_organisation_invites_its_own_people(org: World, query: str) -> None:
    org.query_text = query
    acme = org.hire("a1", "a2", last_name="acme")
    globex = org.hire("g1", last_name="globex")
    run(org, "acme").all()
    assert set(org.emails()) == set(acme)
    run(org, "globex").all()
    assert org.emails() == dict.fromkeys(acme + globex, 1)


@pytest.mark.parametrize("query", [QUERY, FILTERED], ids=["whole", "filtered"])
@pytest.mark.parametrize("name", HOSTILE)
def test_d04_the_name_of_an_organisation_is_a_value_and_no_sql(org: World, name: str, query: str) -> None:
    org.query_text = query
    own = org.hire("o1", last_name=name)
    org.hire("x1", last_name="another")
    run(org, name).all()
    assert org.emails() == dict.fromkeys(own, 1)


def test_d04_a_row_that_may_be_anybodys_is_pointed_out_and_not_invited(
    org: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    own = org.hire("a1", last_name="acme")
    for number, name in enumerate([None, " ", "N/A", "ACME", "ac me", "acm\u200be"]):
        org.hire(f"u{number}", last_name=name)
    org.hire("g1", "g2", last_name="globex")
    done = run(org, "acme").all()
    assert org.emails() == dict.fromkeys(own, 1)
    assert done.xcoms["plan"]["counts"] == {"invite:new": 1, "invalid:organisation": 6}
    assert "1 row(s) are of organisation 'acme', and 2 of others" in caplog.text
    assert "3 row(s) have an organisation that differs from 'acme' only in case" in caplog.text
    assert "3 row(s) have no organisation, or none that is known" in caplog.text
    assert "u1@" not in caplog.text
    assert "g1" not in caplog.text
    decision = org.db.tables.decision
    with org.db.engine.connect() as connection:
        unclear = connection.execute(select(decision).where(decision.c.reason == "organisation")).all()
    assert {row.employee_id for row in unclear} == {f"u{number}" for number in range(6)}
    assert {(row.email, row.email_key, row.extra) for row in unclear} == {(None, None, None)}


def test_d04_a_row_that_was_mended_is_invited_by_the_next_run(org: World) -> None:
    org.hire("a1", last_name="Acme")
    run(org, "acme").all()
    assert org.emails() == {}
    org.correct("a1", last_name="acme")
    TaskRun(org, "next", (WINDOW.start, WINDOW.end), values={"organisation": "acme"}).all()
    assert org.emails() == {"a1@example.com": 1}


def test_d04_a_name_that_is_none_of_those_known_is_pointed_out(org: World, caplog: pytest.LogCaptureFixture) -> None:
    org.hire("a1", last_name="acme")
    org.hire("g1", last_name="globex")
    org.hire("g2", last_name="Globex ")
    org.hire("x1", last_name="initech")
    done = run(org, "acme", organisations=["globex", "acme"]).all()
    assert done.xcoms["plan"]["counts"] == {"invite:new": 1, "invalid:organisation": 1}
    assert "1 row(s) have no organisation, or none that is known" in caplog.text


def test_d04_an_organisation_without_a_row_beside_others_is_warned_about(
    org: World, caplog: pytest.LogCaptureFixture
) -> None:
    org.hire("g1", last_name="globex")
    done = run(org, "acme-inc").all()
    assert done.xcoms["plan"]["counts"] == {}
    assert "No row of the query is of organisation 'acme-inc', and 1 are of others" in caplog.text


def test_d04_the_least_number_of_rows_counts_ones_own(org: World) -> None:
    org.hire("g1", "g2", last_name="globex")
    with pytest.raises(AirflowFailException, match="returned 0 rows"):
        run(org, "acme", min_expected_rows=1).all()


def test_d04_a_query_without_the_column_is_refused_before_a_row_is_read(org: World) -> None:
    org.query_text = QUERY.replace(", last_name AS organisation", "")
    org.hire("a1", last_name="acme")
    with pytest.raises(AirflowFailException, match="The query lacks organisation"):
        run(org, "acme").all()
    assert org.emails() == {}


def test_d04_the_column_without_the_key_is_refused(org: World) -> None:
    org.hire("a1", last_name="acme")
    with pytest.raises(AirflowFailException, match="whose row it is can be told by the column organisation only"):
        TaskRun(org, "run", (WINDOW.start, WINDOW.end)).all()
    assert org.emails() == {}
    org.query_text = FILTERED
    with pytest.raises(ConfigurationError, match="uses :organisation, and the configuration has no key 'organisation'"):
        org.config()


def test_d04_versions_of_one_person_are_told_apart_within_the_organisation(org: World) -> None:
    org.query_text = QUERY.replace("AS organisation", "AS organisation, start_date AS updated_at")
    org.hire("a1", last_name="acme", start_date="2029-12-01")
    org.hire("a1", last_name=None, start_date="2029-12-02")
    done = run(org, "acme").all()
    assert done.xcoms["plan"]["counts"] == {"invalid:duplicate_in_batch": 1, "invalid:organisation": 1}
    assert org.emails() == {}
