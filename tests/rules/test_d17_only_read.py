"""D17: a warehouse that may only be read: nothing but the publication fails, and where none is wanted, nothing does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from sqlalchemy import insert, text

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.reporting.erasure_everywhere import ErasureContext, erase_person
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import airflow_connection_named, engine_of, sqlite_connection
from tests.support.hire_table import HIRES
from tests.support.postgresql import PostgresServer
from tests.support.recording_notifier import RecordingNotifier
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import DAY, WINDOW, World, world_database_on

NOTIFIER = "tests.support.recording_notifier.RecordingNotifier"


@pytest.fixture
def only_read(postgres_server: PostgresServer, m3ter: SandboxServer, tmp_path: Path) -> Iterator[World]:
    """Return a world whose warehouse is a PostgreSQL with a role that may only read."""
    database = postgres_server.new_database()
    owner = engine_of(database.url())
    HIRES.create(owner)
    reader = f"reader_of_{database.name}"
    with owner.begin() as connection:
        for employee in ("e1", "e2"):
            row = {"employee_id": employee, "email": f"{employee}@example.com", "first_name": "G", "last_name": "F"}
            connection.execute(insert(HIRES), {**row, "loaded_at": DAY - timedelta(hours=12)})
        connection.execute(text(f"CREATE ROLE {reader} LOGIN"))
        connection.execute(text(f"GRANT SELECT ON hires TO {reader}"))
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    given = json.dumps({**json.loads(database.airflow_connection()), "login": reader})
    with (
        airflow_connection_named(given) as warehouse_conn_id,
        world_database_on(f"sqlite:///{tmp_path / 'ledger.db'}", sqlite_connection(tmp_path / "ledger.db")) as own,
    ):
        world = own.world(m3ter, ledger_conn_id=own.conn_id, alerts={"on_review": NOTIFIER})
        world.warehouse_conn_id = warehouse_conn_id
        m3ter.seed(invitations=[{"email": "e1@example.com", "dtCreated": "-45d"}])
        RecordingNotifier.messages.clear()
        with m3ter_connection(world):
            yield world
        RecordingNotifier.messages.clear()
    owner.dispose()


def test_d17_where_the_warehouse_may_only_be_read_nothing_else_fails(only_read: World) -> None:
    """Alerts, the report's own problems and the ledger's outcome do not wait for a publication."""
    run = TaskRun(only_read, "run-1", (WINDOW.start, WINDOW.end))
    with pytest.raises(AirflowFailException, match=r"permission denied.* set `publish: false`"):
        run.all()
    assert only_read.outcome("run-1") == "failed"
    assert only_read.emails()["e2@example.com"] == 1
    assert len(RecordingNotifier.messages) == 1
    with pytest.raises(AirflowFailException, match="could not be published"):
        run.report()  # cleared
    assert len(RecordingNotifier.messages) == 1, "who waits for a person was notified once"


def test_d17_a_runs_own_problems_are_raised_with_a_publication_that_failed(only_read: World) -> None:
    only_read.m3ter.faults(operation="CreateOrgUserInvitation", kind="status", status=400, count=1)
    run = TaskRun(only_read, "run-1", (WINDOW.start, WINDOW.end))
    with suppress(AirflowException):
        run.snapshot()
        run.plan()
        run.send()
    with pytest.raises(AirflowFailException) as caught:
        run.report()
    assert "refused" in str(caught.value)
    assert "could not be published" in str(caught.value)


def test_d17_where_nothing_is_to_be_published_the_warehouse_is_only_read(only_read: World) -> None:
    only_read.values["publish"] = False
    TaskRun(only_read, "run-1", (WINDOW.start, WINDOW.end)).all()
    assert only_read.outcome("run-1") == "success"
    assert len(RecordingNotifier.messages) == 1


def test_d17_people_are_erased_where_nothing_was_ever_published(
    only_read: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_M3TER_ONBOARDING_ERASURE_SECRET", "a long random text of a test")
    only_read.values["publish"] = False
    TaskRun(only_read, "run-1", (WINDOW.start, WINDOW.end)).all()
    context = ErasureContext(
        config=only_read.config(),
        db=only_read.db,
        org_id=only_read.m3ter.org_id,
        by="an operator",
        now=utc_now(),
        still_in_m3ter=True,
    )
    counts = erase_person(context, employee_id="e2")
    assert counts["invitations"] == 1
    assert "published" not in counts
