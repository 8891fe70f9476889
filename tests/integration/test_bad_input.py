"""Mistakes of people: a sentence in the task's log, nothing sent, and once it is corrected the next run does the rest.

The next run is one for the next day: nobody has to repeat the day that failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from demo.ports import free_port
from m3ter_onboarding.ledger.database import LedgerDatabase
from tests.support.airflow_organisation import FIRST_NAME, LAST_NAME, Organisation
from tests.support.airflow_scenarios import AirflowScenario, RunningScenarios, cases, running_scenarios
from tests.support.databases import POSTGRESQL, SQLITE
from tests.support.world import QUERY

pytestmark = pytest.mark.slow

FEW_RETRIES: dict[str, Any] = {"dag": {"default_args": {"retries": 2, "retry_delay": "1s"}}}


def fails_and_says(org: Organisation, task_id: str, sentence: str, *, tries: int, day: int = 0) -> None:
    """Run one day, and check which task failed, what it says, how often it was tried, and that nothing was sent."""
    run_id = org.trigger(day)
    org.fails(run_id)
    org.assert_state(run_id, task_id, "failed")
    org.assert_logged(run_id, task_id, sentence)
    assert org.tries(run_id, task_id) == tries


def rest_is_done(org: Organisation, people: list[str], day: int = 1) -> None:
    """Run the next day, and check that everybody of the failed one got an e-mail."""
    org.run_once(day=day)
    org.assert_once(people)


def wrong_query(org: Organisation, sentence: str) -> None:
    people = org.hire(3)
    fails_and_says(org, "snapshot", sentence, tries=1)
    assert org.m3ter.requests() == []
    org.configure(FEW_RETRIES)
    rest_is_done(org, people)


def wrong_policy(org: Organisation) -> None:
    people = org.hire(3)
    fails_and_says(org, "plan", "No permission policy in m3ter has the name or id 'Veiwer'", tries=1)
    assert org.posts() == []
    org.m3ter.seed(policies=[{"name": "Veiwer"}])
    rest_is_done(org, people)


def wrong_connection(org: Organisation, task_id: str, sentence: str, **changes: Any) -> None:
    people = org.hire(3)
    org.connect_m3ter(**changes)
    fails_and_says(org, task_id, sentence, tries=1)
    assert org.posts() == []
    org.connect_m3ter()
    rest_is_done(org, people)


def wrong_organisation(org: Organisation) -> None:
    """Somebody changed the organisation, after a good day: what an organisation has had is counted for itself."""
    people = org.hire(2)
    org.run_once()
    people += org.hire(2, day=1, first=11)
    org.connect_m3ter(org_id="00000000-0000-4000-8000-000000000000")
    fails_and_says(org, "snapshot", "Correct the extra org_id", tries=1, day=1)
    assert len(org.posts()) == 2
    org.connect_m3ter()
    rest_is_done(org, people, day=2)


def m3ter_down(org: Organisation) -> None:
    people = org.hire(3)
    org.m3ter.stop()
    fails_and_says(org, "snapshot", "m3ter could not be reached", tries=3)
    org.m3ter.start()
    rest_is_done(org, people)


def no_connection(org: Organisation) -> None:
    """The connection to m3ter is not defined at all."""
    people = org.hire(3)
    org.stack.api.request("DELETE", f"/connections/{org.m3ter_conn_id}")
    run_id = org.trigger()
    org.fails(run_id)
    assert org.m3ter_conn_id in org.log(run_id, "snapshot")
    org.connect_m3ter()
    org.run_once()  # no run could be recorded: this one is for the same day
    org.assert_once(people)


def unreachable_warehouse(org: Organisation) -> None:
    """The ledger lives elsewhere here, so what was decided is published to the warehouse when that is there again."""
    people = org.hire(3)
    ledger = Path(org.connection_fields["host"]).with_name("ledger.db")
    org.ledger = LedgerDatabase(create_engine(f"sqlite:///{ledger}"), name="ledger")
    org.look_first()
    org.connect_warehouse("other_ledger", conn_type="sqlite", host=str(ledger))
    org.connect_warehouse(conn_type="postgres", host="127.0.0.1", port=free_port(), login="reader", schema="hr")
    fails_and_says(org, "snapshot", "The warehouse (postgresql) could not be reached", tries=3)
    assert org.posts() == []
    org.stack.api.request("DELETE", f"/connections/{org.warehouse_conn_id}")
    org.connect_warehouse()
    rest_is_done(org, people)
    with org.warehouse.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM m3ter_onboarding_decision")).scalar() == 3


def read_only_ledger(org: Organisation) -> None:
    """A failover to a read-only replica, after a good day."""
    people = org.hire(2)
    org.run_once()
    people += org.hire(2, day=1, first=11)

    def read_only(switch: str) -> None:
        with org.warehouse.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"ALTER DATABASE {org.name} SET default_transaction_read_only = {switch}"))

    read_only("on")
    fails_and_says(org, "snapshot", "mend the database and run again", tries=3, day=1)
    assert len(org.posts()) == 2
    with org.warehouse.connect() as connection:
        connection.execute(text("SELECT 1"))
    read_only("off")
    rest_is_done(org, people, day=2)


def wrong_rows(org: Organisation) -> None:
    """An empty table is a success that says so; rows with NULLs and wrong types are decided and never sent."""
    run_id = org.run_once()
    org.assert_logged(run_id, "plan", "0 rows in, 0 decisions out")
    wrong: list[dict[str, Any]] = [
        {"email": None},
        {"email": "nobody"},
        {"first_name": None},
        {"last_name": "  "},
        {"start_date": "soon"},
        {"employee_id": None},
        {"email": f"{LAST_NAME}.8@example.com,{LAST_NAME}.9@example.com"},
    ]
    for number, columns in enumerate(wrong, start=1):
        org.hire(1, first=number, **columns)
    good = org.hire(1, first=50)
    run_id = org.run_once()
    (plan,) = org.plans(run_id)
    decisions = org.decisions(plan["plan_id"])
    assert len(org.report(run_id)["decisions"]) > 1
    assert org.report(run_id)["rows"] == 8
    assert {decision.partition(":")[0] for employee, decision in decisions.items() if employee != "E-050"} == {
        "invalid"
    }
    org.assert_once(good)
    org.correct(first_name=FIRST_NAME, last_name=LAST_NAME, start_date=None)
    # Three of them are people now: E-003, E-004 and E-005.
    org.run_once()
    org.assert_once([*good, *(f"{LAST_NAME}.{number}@example.com" for number in (3, 4, 5))])


SCENARIOS = {
    "unreachable warehouse": AirflowScenario(
        unreachable_warehouse,
        (SQLITE,),
        {"values": {"ledger_conn_id": "other_ledger", **FEW_RETRIES}, "looked_at": False},
    ),
    "read-only ledger": AirflowScenario(read_only_ledger, (POSTGRESQL,), {"values": FEW_RETRIES}),
    "m3ter down": AirflowScenario(m3ter_down, (SQLITE,), {"values": FEW_RETRIES}),
    "missing column": AirflowScenario(
        partial(wrong_query, sentence="has 'emial' (did you mean email?)"),
        (POSTGRESQL,),
        {"query": QUERY.replace("email", "email AS emial", 1)},
    ),
    "misspelt column": AirflowScenario(
        partial(wrong_query, sentence="refused the new-hires query"),
        made_with={"query": QUERY.replace("email", "emial")},
    ),
    "wrong policy": AirflowScenario(wrong_policy, (SQLITE,), {"values": {"permission_policies": ["Veiwer"]}}),
    "wrong secret": AirflowScenario(
        partial(
            wrong_connection,
            task_id="snapshot",
            sentence="m3ter refused the access key id or the API secret",
            password="markersecret-that-is-wrong",
        ),
        (POSTGRESQL,),
    ),
    "wrong organisation": AirflowScenario(wrong_organisation, (SQLITE,)),
    "may not send": AirflowScenario(
        partial(
            wrong_connection,
            task_id="send",
            sentence="The m3ter connection does not allow invitations",
            allow_invitations=False,
        ),
        (POSTGRESQL,),
    ),
    "no connection": AirflowScenario(no_connection, (SQLITE,), {"values": FEW_RETRIES}),
    "wrong rows": AirflowScenario(wrong_rows),
}


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[RunningScenarios]:
    """Begin every scenario."""
    with running_scenarios(SCENARIOS, request) as scenarios:
        yield scenarios


@pytest.mark.parametrize(("name", "ledger"), cases(SCENARIOS))
def test_bad_input_is_said_and_mended(name: str, ledger: str, begun: RunningScenarios) -> None:
    begun.result(name, ledger)
