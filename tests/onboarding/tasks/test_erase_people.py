"""The task ``erase`` of the status DAG: skipped unless a run asks for it, and recorded."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from sqlalchemy import select

from m3ter_onboarding import invitation_status_dag
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger import erased_people
from m3ter_onboarding.ledger.known_hosts import Place, record_reading
from m3ter_onboarding.tasks.erase_people import ErasureOperator
from m3ter_provider.connection import connection_settings
from tests.support.task_runs import m3ter_connection
from tests.support.world import World

SECRET = "a long secret of tests, 0123456789"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW_VAR_{erased_people.ERASURE_VARIABLE.upper()}", SECRET)


def erase(world: World, *, admitted: bool = True, **params: Any) -> dict[str, int]:
    """Run the task.

    :param admitted: whether m3ter has let the DAG's connection read the organisation.
    """
    if admitted:
        place = Place(world.m3ter.org_id, connection_settings(world.connection()).base_url)
        record_reading(world.db, place, "m3ter_onboarding__test", utc_now())
    task = invitation_status_dag(world.config()).get_task("erase")
    assert isinstance(task, ErasureOperator)
    run = SimpleNamespace(dag_id=task.dag_id, run_id="run-1", triggering_user_name="ann")
    with m3ter_connection(world):
        counts = task.execute({"dag_run": run, "params": params})  # type: ignore[typeddict-item,typeddict-unknown-key]
    assert isinstance(counts, dict)
    return counts


def test_it_is_skipped_unless_it_is_asked_for(sqlite_world: World) -> None:
    for params in ({}, {"everything": True}, {"erase_employee": " ", "erase_before": ""}):
        with pytest.raises(AirflowSkipException):
            erase(sqlite_world, **params)


def test_it_erases_one_employee_who_is_never_invited_again(sqlite_world: World) -> None:
    world = sqlite_world
    world.hire("e1", "e2")
    world.whole_run()
    assert erase(world, erase_employee="e1", erase_still_in_m3ter=True)["decisions"] == 1
    with world.db.engine.connect() as connection:
        addresses = connection.execute(select(world.db.tables.decision.c.email)).scalars().all()
        recorded = connection.execute(select(world.db.tables.erasure.c.erased_by)).scalars().all()
    assert "e1@example.com" not in addresses
    assert "e2@example.com" in addresses
    assert recorded == ["ann"]
    world.snapshot()
    assert "skip:erased" in world.decisions(world.plan("next")).values()


def test_nobody_is_erased_for_a_connection_that_m3ter_never_let_in(sqlite_world: World) -> None:
    """Its org_id may be another team's, and its task `follow` marked successful by hand."""
    sqlite_world.hire("e1")
    sqlite_world.whole_run()
    with pytest.raises(AirflowFailException, match="No snapshot of m3ter_onboarding__test has read the organisation"):
        erase(sqlite_world, admitted=False, erase_employee="e1", erase_still_in_m3ter=True)
    assert sqlite_world.state("e1") == "sent"


def test_it_erases_what_is_older_than_a_day(sqlite_world: World) -> None:
    world = sqlite_world
    world.hire("e1")
    world.whole_run()
    with pytest.raises(AirflowFailException, match="newer than `max_age_days`"):
        erase(world, erase_before=f"{utc_now() + timedelta(days=1):%Y-%m-%d}")
    assert set(erase(world, erase_before="2001-01-31").values()) == {0}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"erase_employee": "ann@example.com"}, "is an address"),
        ({"erase_employee": "e1", "erase_before": "2001-01-31"}, "are both set"),
        ({"erase_before": "31.1.2001"}, "is no day"),
        ({"erase_employee": ["e1"]}, "is no employee_id"),
        ({"erase_still_in_m3ter": "perhaps"}, "must be true or false"),
        ({"erase_employe": "e1"}, "'erase_employe' is unknown"),
    ],
)
def test_wrong_parameters_erase_nothing_and_are_explained(
    sqlite_world: World, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(AirflowFailException, match=said) as failed:
        erase(sqlite_world, **params)
    assert "ann@example.com" not in str(failed.value)
