"""Erased people leave the tables that were published to another database than the ledger's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, create_engine, insert, text

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.personal_columns import People
from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.published_erasure import (
    PublishedPeople,
    delete_older,
    delete_people,
)
from m3ter_onboarding.reporting.published_tables import published_table

NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Engine]:
    """A warehouse with the published rows of two people, and of a namesake in another organisation."""
    engine = create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    metadata = MetaData()
    decision = published_table(tables_in(None).decision, metadata, "sqlite")
    invitation = published_table(tables_in(None).invitation, metadata, "sqlite")
    with engine.begin() as connection:
        metadata.create_all(connection)
        for number, (org, employee) in enumerate([("o", "ann"), ("o", "bob"), ("other", "ann")]):
            key = {"org_id": org, "employee_id": employee, "email_key": f"{employee}@example.com"}
            connection.execute(insert(decision), {**key, "plan_id": "p", "row_no": number, "decided_at": NOW})
            connection.execute(insert(invitation), {**key, "invitation_id": number, "state": "sent"})
    yield engine
    engine.dispose()


def rows(warehouse: Engine, table: str) -> list[tuple[Any, ...]]:
    with warehouse.connect() as connection:
        found = connection.execute(text(f"SELECT org_id, employee_id FROM {table} ORDER BY org_id, employee_id"))
        return [tuple(row) for row in found]


@pytest.mark.parametrize(
    "people", [People(employees=frozenset({"ann"})), People(addresses=frozenset({"ann@example.com"}))]
)
def test_a_person_leaves_every_table_of_their_organisation(warehouse: Engine, people: People) -> None:
    assert delete_people(warehouse, "o", people) == 2
    for table in ("m3ter_onboarding_decision", "m3ter_invitation"):
        assert rows(warehouse, table) == [("o", "bob"), ("other", "ann")]
    assert delete_people(warehouse, "o", people) == 0


def test_what_is_old_leaves_the_tables_that_know_their_age(warehouse: Engine) -> None:
    assert delete_older(warehouse, "o", NOW) == 0
    assert delete_older(warehouse, "o", NOW + timedelta(seconds=1)) == 2
    assert rows(warehouse, "m3ter_onboarding_decision") == [("other", "ann")]
    assert len(rows(warehouse, "m3ter_invitation")) == 3


def test_a_table_that_is_not_published_is_left_out_and_another_key_is_named(warehouse: Engine) -> None:
    with warehouse.begin() as connection:
        run = published_table(tables_in(None).run, MetaData(), "sqlite")
        run.create(connection)
        for employee in ("ann", "bob"):
            row = {"org_id": "o", "dag_id": "d", "run_id": employee, "only_employee": employee}
            connection.execute(insert(run), row)
    tables = (
        PublishedPeople("m3ter_onboarding_chase"),
        PublishedPeople("m3ter_onboarding_run", employee="only_employee", address=None),
    )
    assert delete_people(warehouse, "o", People(frozenset({"ann"}), frozenset({"ann@example.com"})), tables) == 1


def test_a_warehouse_that_refuses_is_named_and_nobody_in_it(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/no/such/folder.db")
    with pytest.raises(LedgerError, match="erase again") as error:
        delete_people(engine, "o", People(employees=frozenset({"ann"})))
    assert "ann" not in str(error.value).replace("cannot", "")
    engine.dispose()
