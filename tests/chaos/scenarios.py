"""Runs in which faults are injected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from tests.chaos.case_run import CaseRun
from tests.chaos.cases import Case
from tests.chaos.fault_points import FaultPoint, die
from tests.support.hire_table import HIRES
from tests.support.task_runs import TaskRun

CREATE = "CreateOrgUserInvitation"
#: Extras of the connection with which a lease is short: others wait for that of a killed sender in real time.
SHORT_LEASE = {"timeout_seconds": 1}


@dataclass(frozen=True)
class Scenario:
    """A run that does everything that a step can do.

    :param prepare: loads people and brings about what was before; returns the run.
    """

    name: str
    prepare: Callable[[CaseRun], TaskRun]
    values: Mapping[str, Any] = field(default_factory=dict)
    tables: bool = True
    connection: Mapping[str, Any] = field(default_factory=dict)

    def case(self, kind: str, name: str, database: str, act: Callable[[CaseRun, TaskRun], None]) -> Case:
        """Return a case that acts on this run."""

        def run(case: CaseRun) -> None:
            act(case, self.prepare(case))
            _expect_a_person_whose_refusal_was_lost(case)

        return Case(
            kind,
            f"{self.name}: {name}",
            database,
            run,
            self.values,
            self.tables,
            self.connection,
        )


def first_run(case: CaseRun) -> TaskRun:
    """Nothing is there yet, not even tables."""
    by_hand = {"invitingPrincipalId": "somebody", "createdBy": "somebody"}
    case.m3ter.seed(
        users=[{"email": "member@example.com", "dtCreated": "-100d"}],
        invitations=[
            {"email": "invited@example.com", **by_hand},
            {"email": "old@example.com", "dtCreated": "-45d", **by_hand},
        ],
    )
    case.hire("e1", "e2", "e3", "e4")
    case.hire("member", "invited", expected=0)
    case.hire("broken", expected=0, email="no address")
    return case.begin()


def after_a_dead_sender(case: CaseRun) -> TaskRun:
    """Yesterday's sender was killed between two POSTs; since then a refused row was corrected and somebody has left."""
    case.m3ter.seed(users=[{"email": "leaver@example.com", "dtCreated": "-100d", "dtEndAccess": "+30m"}])
    case.hire("d1", "d2", "d3", "d4", "d5")
    case.m3ter.faults(kind="status", status=400, email="d5@example.com", count=1)
    case.m3ter.faults(kind="hang", email="d2@example.com", count=1)
    yesterday = case.begin()
    case.task(yesterday, "snapshot")
    case.task(yesterday, "plan")
    case.task(yesterday, "send", {FaultPoint("COMMIT recording answers", 1): die})
    case.m3ter.clear_faults()
    case.world.correct("d5", first_name="Mended")
    case.pass_time(3600)
    case.day += 1
    case.hire("e1", "e2", "e3")
    return case.begin()


def without_answers(case: CaseRun) -> TaskRun:
    """M3ter answers some POSTs with 504 or not at all, refuses one, and revokes the token."""
    m3ter = case.m3ter
    case.hire("e1", "e2", "e3", "e4", "e5")
    case.hire("refused", expected=0)
    m3ter.faults(kind="status", status=504, when="after", operation=CREATE, email="e1@example.com", count=1)
    m3ter.faults(kind="reset", when="before", operation=CREATE, email="e2@example.com", count=1)
    m3ter.faults(kind="drop", when="after", operation=CREATE, email="e3@example.com", count=1)
    m3ter.faults(kind="revoke_token", operation=CREATE, email="e4@example.com", count=1)
    m3ter.faults(kind="status", status=400, operation=CREATE, email="refused@example.com")
    return case.begin()


def approved(case: CaseRun) -> TaskRun:
    """Somebody has to approve the plan, and does."""
    case.hire("e1", "e2", "e3")
    return case.begin()


def rejected(case: CaseRun) -> TaskRun:
    """Somebody rejects the plan; the next runs ask again, and then it is approved."""
    case.hire("e1", "e2", "e3")
    run = case.begin()
    run.answer_is = "Reject"
    return run


SCENARIOS = (
    Scenario("first run", first_run, tables=False),
    Scenario("after a dead sender", after_a_dead_sender, connection={"timeout_seconds": 1}),
    Scenario("without answers", without_answers),
)
#: Those in which a person is asked.
ASKED = (
    Scenario("approved", approved, values={"approval_above": 0}),
    Scenario("rejected", rejected, values={"approval_above": 0}),
)


def _expect_a_person_whose_refusal_was_lost(case: CaseRun) -> None:
    """Expect an e-mail for the person that m3ter refused, if that was never recorded: they are asked for again then."""
    with case.world.db.engine.connect() as connection:
        refused = connection.execute(select(HIRES.c.employee_id).where(HIRES.c.employee_id == "refused")).first()
    if refused and case.world.states().get("refused@example.com") != "failed":
        case.expected["refused@example.com"] = 1
