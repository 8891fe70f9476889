"""Faults at random times through Airflow's scheduler and its supervised tasks: still exactly one e-mail each.

Every case has an organisation of its own, so that a dozen of them run side by side on one Airflow; its random numbers
come from its seed. After the faults come ordinary daily runs with every fault off, and then the check, by the local
m3ter's own mailbox. ``M3TER_CHAOS_SEED`` chooses other random numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from tests.chaos.airflow import by_hand, faults, interrupted, many_runs
from tests.chaos.airflow.airflow_case import AirflowCase
from tests.chaos.airflow.interrupted import END, KILL
from tests.chaos.airflow.summary import SUMMARY, CompletedCase, Seed
from tests.support.airflow_organisation import FIRST_DAY, Organisation
from tests.support.airflow_scenarios import AirflowScenario, RunningScenarios, cases, running_scenarios
from tests.support.databases import POSTGRESQL, SQLITE

pytestmark = pytest.mark.chaos

BOTH = (SQLITE, POSTGRESQL)
#: So many organisations at a time: most of their time is waiting for leases.
AT_ONCE = 12


@dataclass(frozen=True)
class FaultCase:
    """What is done to an organisation.

    :param kind: what it belongs to in the summary.
    :param ledgers: where the ledger is; one case each.
    :param values: configuration.
    """

    kind: str
    act: Callable[[AirflowCase], None]
    ledgers: tuple[str, ...] = BOTH
    values: Mapping[str, Any] = field(default_factory=dict)
    paused: bool = False

    def scenario(self, name: str, patience: float) -> AirflowScenario:
        """Return it with the ordinary runs and the check after it.

        :param patience: how long it may take, in seconds.
        """
        values = {"settle_after": "2s", "fail_on_refused": False, **self.values}
        made_with = {
            "values": values,
            "extra": {"requests_per_second": 5, "timeout_seconds": 3},
            "paused": self.paused,
        }
        return AirflowScenario(partial(self._play, name, patience), self.ledgers, made_with)

    def _play(self, name: str, patience: float, org: Organisation) -> None:
        seed = Seed(name, org.ledger.engine.dialect.name)
        began, held = time.monotonic(), False
        case = AirflowCase(org, seed.rng(), deadline=began + patience)
        try:
            self.act(case)
            case.until_quiet()
            case.check_promise()
            held = True
        finally:
            SUMMARY.completed.append(
                CompletedCase(
                    kind=self.kind,
                    seed=seed,
                    people=len(case.expected),
                    faults_injected=case.faults_injected,
                    runs=len(org.stack.api.runs(org.dag_id)),
                    seconds=time.monotonic() - began,
                    held=held,
                )
            )


def backfilled(schedule: str) -> dict[str, Any]:
    """Return the configuration of an organisation whose days are backfilled."""
    return {
        "schedule": schedule,
        "start_date": FIRST_DAY.replace(year=FIRST_DAY.year - 1).date(),
        "max_age_days": 400,
        "dag": {"max_active_runs": 6},
    }


DAILY, WEEKLY = "0 0 * * *", "0 0 * * 1"

#: The longest first: the others run beside them.
FAULT_CASES = {
    "backfill of 90 days": FaultCase(
        "several runs",
        partial(many_runs.backfill, may_send=True, active_runs=5, each=1),
        (POSTGRESQL,),
        backfilled(DAILY),
        paused=True,
    ),
    "backfill of 90 days by weeks": FaultCase(
        "several runs",
        partial(many_runs.backfill, may_send=True, active_runs=3, each=7),
        (SQLITE,),
        backfilled(WEEKLY),
        paused=True,
    ),
    "backfill that may not send": FaultCase(
        "several runs",
        partial(many_runs.backfill, may_send=False, active_runs=3, each=7),
        BOTH,
        backfilled(WEEKLY),
        paused=True,
    ),
    "five runs at once": FaultCase(
        "several runs", partial(many_runs.at_once, count=5), BOTH, {"dag": {"max_active_runs": 6}}
    ),
    "two runs at once": FaultCase("several runs", partial(many_runs.at_once, count=2)),
    "send killed twice": FaultCase("interrupted", lambda case: interrupted.signalled(case, "send", KILL, KILL)),
    "send ended twice": FaultCase("interrupted", lambda case: interrupted.signalled(case, "send", END, END)),
    "snapshot killed twice": FaultCase("interrupted", lambda case: interrupted.signalled(case, "snapshot", KILL, KILL)),
    "plan killed twice": FaultCase("interrupted", lambda case: interrupted.signalled(case, "plan", KILL, KILL)),
    "every task struck": FaultCase("interrupted", interrupted.every_task_signalled),
    "supervisor killed": FaultCase("interrupted", interrupted.supervisor_killed),
    "stopped past its lease": FaultCase("interrupted", interrupted.stopped_past_its_lease),
    "stopped for moments": FaultCase("interrupted", interrupted.stopped_for_seconds),
    "mixed faults 1": FaultCase("m3ter", faults.mixed),
    "mixed faults 2": FaultCase("m3ter", faults.mixed),
    "mixed faults and kills": FaultCase("m3ter", faults.mixed_and_killed),
    "lists lag": FaultCase("m3ter", faults.lists_lag, values={"settle_after": "4s"}),
    "m3ter away": FaultCase("m3ter", faults.m3ter_down),
    "database away": FaultCase("database", faults.database_away),
    "every task cleared": FaultCase("by hand", by_hand.cleared),
    "send marked successful": FaultCase("by hand", by_hand.send_marked),
    "plan marked successful": FaultCase("by hand", by_hand.plan_marked),
    "run deleted": FaultCase("by hand", by_hand.deleted),
    "paused and released": FaultCase("by hand", by_hand.paused),
}


def scenarios(patience: float = 0.0) -> dict[str, AirflowScenario]:
    """Return all of them.

    :param patience: how long each may take, in seconds.
    """
    return {name: fault.scenario(name, patience) for name, fault in FAULT_CASES.items()}


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[RunningScenarios]:
    """Begin every case; each gives up before its test is ended by ``--timeout``."""
    patience = 0.85 * float(request.config.getoption("timeout") or 900)
    with running_scenarios(scenarios(patience), request, at_once=AT_ONCE) as all_of_them:
        yield all_of_them


@pytest.mark.parametrize(("name", "ledger"), cases(scenarios()))
def test_everybody_gets_exactly_one_email(
    name: str, ledger: str, begun: RunningScenarios, request: pytest.FixtureRequest
) -> None:
    seed = Seed(name, ledger)
    request.node.add_report_section("call", "seed", f"{seed.number}; alone: {seed.how_to_run()}")
    begun.result(name, ledger)
