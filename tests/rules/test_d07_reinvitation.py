"""D7: how often somebody is invited again after an invitation that expired, on m3ter's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.organisation import MOST_REINVITATIONS
from m3ter_onboarding.config.run_parameters import Mode
from tests.support.console import Console
from tests.support.world import World

LIFE = timedelta(days=31)


class Months:
    """A world whose clocks, m3ter's, the worker's and the ledger's, a test moves together."""

    def __init__(self, world: World) -> None:
        self._ahead, self._runs = timedelta(), 0
        self.world = replace(world, now=lambda: utc_now() + self._ahead)

    def go_on(self, distance: timedelta) -> None:
        self._ahead += distance
        self.world.m3ter.advance(distance.total_seconds())
        self.world.pass_time(distance.total_seconds())

    def run(self, **values: object) -> dict[str, str]:
        """Run the whole, and return the decisions."""
        self._runs += 1
        run = f"run-{self._runs}"
        self.world.snapshot()
        plan = self.world.plan(run, **values)
        self.world.send(plan, run)
        return self.world.decisions(plan)


@pytest.fixture
def months(sqlite_world: World) -> Months:
    return Months(sqlite_world)


def expiries(months: Months, times: int, after: Callable[[], None] = lambda: None, **values: object) -> list[str]:
    """Return what is decided about one person at each of so many months' ends."""
    decided = [months.run(**values)["e1"]]
    for _ in range(times):
        months.go_on(LIFE)
        after()
        decided.append(months.run(**values)["e1"])
    return decided


def test_d07_a_seventh_email_in_nine_expiries_is_impossible(months: Months) -> None:
    months.world.hire("e1")
    decided = expiries(months, 9, reinvite=MOST_REINVITATIONS, cool_off_days=0)
    assert decided == ["invite:new", *["invite:expired"] * 5, *["review:expired"] * 4]
    assert months.world.emails() == {"e1@example.com": 6}


def test_d07_an_invitation_that_m3ter_alone_had_is_made_again_when_a_person_asks(months: Months) -> None:
    """The ledger has no invitation of theirs; a run for their employee_id alone invites them, once."""
    Console(months.world.m3ter).invite("e1@example.com")
    months.go_on(LIFE)
    months.world.hire("e1", "e2")
    assert months.run(reinvite="never") == {"e1": "review:expired", "e2": "invite:new"}
    assert months.run(reinvite="never", mode=Mode.RETRY_FAILED, only_employee="e1") == {"e1": "invite:requested"}
    assert months.world.emails() == {"e1@example.com": 1, "e2@example.com": 1}, "beside that of the console"
    assert months.run(reinvite="never", mode=Mode.RETRY_FAILED, only_employee="e1") == {"e1": "skip:already_invited"}


def test_d07_the_bound_holds_across_the_addresses_of_an_employee(months: Months) -> None:
    months.world.hire("e1")
    addresses = iter("abcd")
    expiries(
        months,
        4,
        lambda: months.world.correct("e1", email=f"{next(addresses)}@example.com"),
        reinvite=2,
        cool_off_days=0,
    )
    assert sum(months.world.emails().values()) == 3


def test_d07_the_bound_holds_across_the_employees_of_an_address(months: Months) -> None:
    months.world.hire("e1")
    decided = [months.run()["e1"]]
    for number in range(2, 6):
        months.go_on(LIFE)
        months.world.correct(f"e{number - 1}", employee_id=f"e{number}")
        decided.append(months.run(reinvite="once", cool_off_days=0)[f"e{number}"])
    assert decided == ["invite:new", "invite:expired", *["review:expired"] * 3]
    assert months.world.emails() == {"e1@example.com": 2}


def test_d07_the_bound_holds_for_a_rehire(months: Months) -> None:
    months.world.hire("e1")
    months.world.m3ter.seed(users=[{"email": "e1@example.com", "dtEndAccess": "-5d"}])
    decided = expiries(months, 3, if_rehire="invite", reinvite="once", cool_off_days=0)
    assert decided == ["invite:rehire", "invite:expired", *["review:expired"] * 2]
    assert months.world.emails() == {"e1@example.com": 2}


def test_d07_invitations_by_hand_count(months: Months) -> None:
    months.world.hire("e1")
    months.world.m3ter.seed(
        invitations=[{"email": "e1@example.com", "dtCreated": f"-{days}d"} for days in (200, 100, 50)]
    )
    assert months.run(reinvite=2) == {"e1": "review:expired"}
    assert months.run(reinvite=3) == {"e1": "invite:expired"}


def test_d07_nobody_is_invited_again_before_they_cooled_off(months: Months) -> None:
    months.world.hire("e1")
    months.run()
    months.go_on(timedelta(days=30, hours=1))
    assert months.run(reinvite="once", cool_off_days=3) == {"e1": "skip:cooling_off"}
    months.go_on(timedelta(days=2))
    assert months.run(reinvite="once", cool_off_days=3) == {"e1": "skip:cooling_off"}
    months.go_on(timedelta(days=1))
    assert months.run(reinvite="once", cool_off_days=3) == {"e1": "invite:expired"}
    assert months.world.emails() == {"e1@example.com": 2}


def test_d07_the_detail_says_how_often_somebody_was_invited(months: Months) -> None:
    months.world.hire("e1")
    expiries(months, 2, reinvite="once", cool_off_days=0)
    table = months.world.db.tables.decision
    with months.world.db.engine.connect() as connection:
        details = connection.execute(table.select().order_by(table.c.decided_at)).all()
    assert "Invited 2 times" in details[-1].detail
    assert "reinvite allows no more" in details[-1].detail
    assert "@" not in details[-1].detail


def test_d07_nobody_who_accepted_is_invited_again(months: Months) -> None:
    months.world.hire("e1")
    months.run()
    months.world.m3ter.accept("e1@example.com")
    months.go_on(LIFE)
    assert months.run(reinvite=5, cool_off_days=0) == {"e1": "skip:already_member"}


def test_d07_nobody_who_started_too_long_ago_or_has_left_the_source_is_invited_again(months: Months) -> None:
    months.world.hire("e1", "e2", start_date=utc_now().date())
    months.run()
    months.go_on(LIFE)
    months.world.correct("e2", loaded_at=utc_now() + timedelta(days=4000))
    assert months.run(reinvite=5, cool_off_days=0, max_age_days=20) == {"e1": "skip:too_old"}
    assert months.world.emails() == {"e1@example.com": 1, "e2@example.com": 1}
