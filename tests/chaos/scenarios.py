"""Runs in which things go wrong at fault points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from tests.chaos.cases import Case
from tests.chaos.play import Play
from tests.chaos.points import Point, die
from tests.support.task_runs import TaskRun
from tests.support.world import HIRES

CREATE = "CreateOrgUserInvitation"
#: Extras of the connection with which a lease is short: others wait for that of a killed sender in real time.
SHORT_LEASE = {"timeout_seconds": 1}


@dataclass(frozen=True)
class Scenario:
    """A run that does everything that a step can do.

    :param prepare: loads people and brings about what was before; returns the run.
    """

    name: str
    prepare: Callable[[Play], TaskRun]
    values: Mapping[str, Any] = field(default_factory=dict)
    tables: bool = True
    connection: Mapping[str, Any] = field(default_factory=dict)

    def case(self, kind: str, name: str, database: str, act: Callable[[Play, TaskRun], None]) -> Case:
        """Return a case that acts on this run."""

        def run(play: Play) -> None:
            act(play, self.prepare(play))
            _expect_whoever_was_not_refused(play)

        return Case(
            kind,
            f"{self.name}: {name}",
            database,
            run,
            self.values,
            self.tables,
            self.connection,
        )


def first_run(play: Play) -> TaskRun:
    """Nothing is there yet, not even tables."""
    by_hand = {"invitingPrincipalId": "somebody", "createdBy": "somebody"}
    play.theatre.m3ter.seed(
        users=[{"email": "member@example.com", "dtCreated": "-100d"}],
        invitations=[
            {"email": "invited@example.com", **by_hand},
            {"email": "old@example.com", "dtCreated": "-45d", **by_hand},
        ],
    )
    play.hire("e1", "e2", "e3", "e4")
    play.hire("member", "invited", expected=0)
    play.hire("broken", expected=0, email="no address")
    return play.begin()


def after_a_dead_sender(play: Play) -> TaskRun:
    """Yesterday's sender was killed between two POSTs; since then a refused row was mended and somebody has left."""
    play.theatre.m3ter.seed(users=[{"email": "leaver@example.com", "dtCreated": "-100d", "dtEndAccess": "+30m"}])
    play.hire("d1", "d2", "d3", "d4", "d5")
    play.theatre.m3ter.faults(kind="status", status=400, email="d5@example.com", count=1)
    play.theatre.m3ter.faults(kind="hang", email="d2@example.com", count=1)
    yesterday = play.begin()
    play.task(yesterday, "snapshot")
    play.task(yesterday, "plan")
    play.task(yesterday, "send", {Point("COMMIT recording answers", 1): die})
    play.theatre.m3ter.clear_faults()
    play.world.correct("d5", first_name="Mended")
    play.pass_time(3600)
    play.day += 1
    play.hire("e1", "e2", "e3")
    return play.begin()


def without_answers(play: Play) -> TaskRun:
    """M3ter answers some POSTs with 504 or not at all, refuses one, and revokes the token."""
    m3ter = play.theatre.m3ter
    play.hire("e1", "e2", "e3", "e4", "e5")
    play.hire("refused", expected=0)
    m3ter.faults(kind="status", status=504, when="after", operation=CREATE, email="e1@example.com", count=1)
    m3ter.faults(kind="reset", when="before", operation=CREATE, email="e2@example.com", count=1)
    m3ter.faults(kind="drop", when="after", operation=CREATE, email="e3@example.com", count=1)
    m3ter.faults(kind="revoke_token", operation=CREATE, email="e4@example.com", count=1)
    m3ter.faults(kind="status", status=400, operation=CREATE, email="refused@example.com")
    return play.begin()


def approved(play: Play) -> TaskRun:
    """Somebody has to approve the plan, and does."""
    play.hire("e1", "e2", "e3")
    return play.begin()


def rejected(play: Play) -> TaskRun:
    """Somebody rejects the plan; the next runs ask again, and then it is approved."""
    play.hire("e1", "e2", "e3")
    run = play.begin()
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


def _expect_whoever_was_not_refused(play: Play) -> None:
    """Expect an e-mail for whom m3ter refused, where that was never recorded: she is asked for again without it."""
    with play.world.db.engine.connect() as connection:
        refused = connection.execute(select(HIRES.c.employee_id).where(HIRES.c.employee_id == "refused")).first()
    if refused and play.world.states().get("refused@example.com") != "failed":
        play.expected["refused@example.com"] = 1
