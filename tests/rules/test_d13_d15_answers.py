"""docs/delivery.md, rules 13 to 15: m3ter's answers, stopping in mid-send, and when a send is done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, select, update

from m3ter_onboarding.errors import DeliveryError, LedgerError
from m3ter_onboarding.ledger.answer_groups import record_answers
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.remaining import remaining
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.reporting.run_report import BesideTheLedger, Report, make_report
from m3ter_onboarding.sending.pause_switch import PauseSwitch, names_paused
from m3ter_onboarding.sending.progress import Delivered
from m3ter_onboarding.sending.right_to_send import Caps, NotAllowedError
from m3ter_onboarding.sending.sender import Sender
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_provider.errors import M3terError
from m3ter_provider.process_state import forget_all
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

POST = "CreateOrgUserInvitation"


def ready(world: World, *employees: str, run: str = "run-1", **config: Any) -> Planned:
    world.hire(*employees)
    world.snapshot()
    return world.plan(run, **config)


def people(count: int) -> list[str]:
    return [f"e{n}" for n in range(count)]


def one_each(names: list[str]) -> dict[str, int]:
    return {f"{name}@example.com": 1 for name in names}


def counted(world: World) -> dict[str, int]:
    states = list(world.states().values())
    return {state: states.count(state) for state in sorted(set(states))}


def after_posts(world: World, number: int, act: Callable[[Stop], None]) -> Callable[[], Stop]:
    """Return a Stop that acts once, in the middle of sending: when m3ter has had so many POSTs."""

    class Watching(Stop):
        acted = False

        @property
        def reason(self) -> str | None:
            if not self.acted and world.posts() >= number:
                self.acted = True
                act(self)
            return super().reason

    return Watching


# -- D13: answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 405, 451])
def test_d13_one_person_who_is_turned_away_each_time_keeps_nobody_waiting_for_long(world: World, status: int) -> None:
    """A firewall, or m3ter, that lets everybody through but one: the others are sent by the next try at the latest."""
    names = people(40)
    ready(world, *names)
    world.m3ter.faults(kind="status", status=status, operation=POST, email="e0@example.com", count=1000)
    for run in ("run-1", "run-2"):
        forget_all()
        with pytest.raises(DeliveryError):
            world.whole_run(run)
    assert world.emails() == one_each(names[1:])
    assert world.state("e0") == "unsent"
    world.m3ter.clear_faults()
    forget_all()
    world.whole_run("run-3")
    assert world.emails() == one_each(names)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_d13_refused_although_it_was_made_is_found(world: World, status: int) -> None:
    plan = ready(world, "e1", "e2")
    world.m3ter.faults(operation=POST, kind="status", status=status, when="after", email="e1@example.com")
    world.send(plan)
    assert world.emails() == one_each(["e1", "e2"])
    assert counted(world) == {"sent": 2}


def test_d13_refused_since_somebody_else_invited_is_adopted(world: World) -> None:
    world.m3ter.switches(pending_invitation="error_409")
    plan = ready(world, "e1", "e2")
    asked: list[bool] = []

    def invited_by_hand() -> None:
        if len(asked) == 1:  # after the look at the start
            world.m3ter.seed(invitations=[{"email": "e1@example.com"}])
        asked.append(True)

    world.send(plan, paused=invited_by_hand)
    assert world.emails() == one_each(["e2"])
    assert (world.state("e1"), world.state("e2")) == ("adopted", "sent")


def test_d13_refused_is_failed_with_m3ters_message_and_stops_nobody_else(world: World) -> None:
    plan = ready(world, *people(5))
    world.m3ter.faults(operation=POST, kind="status", status=400, message="no such person", email="e1@example.com")
    delivered = world.send(plan)
    assert world.emails() == one_each(["e0", "e2", "e3", "e4"])
    row = world.row("e1")
    assert (row["state"], row["http_status"], row["message"]) == ("failed", 400, "no such person")
    assert delivered.left is not None
    assert (delivered.left.failed, delivered.left.nothing_left) == (1, True)

    world.m3ter.clear_faults()
    again = world.plan("next")
    assert world.decisions(again)["e1"] == "skip:refused_before"
    world.send(again, "next")
    assert "e1@example.com" not in world.emails()
    world.correct("e1", first_name="Corrected")
    world.send(world.plan("mended"), "mended")
    assert world.emails() == one_each(people(5))


def test_d13_refused_and_not_looked_is_unknown(world: World) -> None:
    plan = ready(world, "e1", "e2")
    world.m3ter.faults(operation=POST, kind="status", status=400, when="after", email="e1@example.com")
    world.m3ter.faults(method="GET", path="/users$", kind="status", status=404, skip=1)  # after the look at the start
    with pytest.raises(DeliveryError):
        world.send(plan)
    assert world.state("e1") == "unknown"
    world.m3ter.clear_faults()
    world.pass_time(2)
    world.send(plan)
    assert world.emails() == one_each(["e1", "e2"])
    assert counted(world) == {"sent": 2}


@pytest.mark.parametrize("status", [401, 403])
def test_d13_right_lost_in_mid_batch(world: World, status: int) -> None:
    names = people(60)
    plan = ready(world, *names)
    world.m3ter.faults(operation=POST, kind="status", status=status, skip=10)
    before = world.m3ter.counts()["token_requests"]
    with pytest.raises(DeliveryError, match="allowed as much before") as caught:
        world.send(plan, requests_per_second=4)
    assert not isinstance(caught.value, NotAllowedError), "it was allowed a moment before: Airflow tries again"
    assert counted(world)["sent"] == 10
    assert set(world.states().values()) <= {"sent", "unsent"}, "what was not begun is unsent"
    assert world.posts() <= 10 + 30, "renewed once, told apart why, and then nothing more begins"
    assert world.m3ter.counts()["token_requests"] - before <= 3
    assert "10" in str(caught.value)
    world.m3ter.clear_faults()
    world.send(plan)
    assert world.emails() == one_each(names)


def test_d13_request_that_no_model_can_read_is_one_persons_failure(world: World) -> None:
    plan = ready(world, *people(6))
    world.store_request(plan.plan_id, "e3", {"email": 7})
    world.send(plan)
    assert counted(world) == {"sent": 5, "failed": 1}
    assert world.state("e3") == "failed"
    assert len(world.emails()) == 5


def test_d13_one_that_fails_does_not_cancel_its_siblings(world: World) -> None:
    plan = ready(world, *people(10))
    world.m3ter.faults(operation=POST, kind="latency", seconds=0.2)
    world.m3ter.faults(operation=POST, kind="status", status=500, when="after", email="e0@example.com")
    world.m3ter.faults(operation=POST, kind="status", status=418, email="e1@example.com")
    with contextlib.suppress(DeliveryError):
        world.send(plan)
    others = {name: world.state(name).value for name in people(10) if name not in ("e0", "e1")}
    begun = {name for name in others if ("sending", "unsent", "not_begun") not in world.events(name)}
    assert begun
    assert {others[name] for name in begun} == {"sent"}, "each that was posted got to its end"
    assert len(world.emails()) == 1 + len(begun)


def test_d13_answers_are_committed_while_others_are_under_way(world: World) -> None:
    plan = ready(world, *people(6))
    world.m3ter.faults(operation=POST, kind="latency", seconds=1.2, email="e5@example.com")
    seen: list[dict[str, int]] = []

    class Looking(Stop):
        @property
        def reason(self) -> str | None:
            seen.append(counted(world))
            return super().reason

    world.send(plan, stop=Looking)
    assert {"sending": 1, "sent": 5} in seen
    assert counted(world) == {"sent": 6}


# -- D14: stopping -----------------------------------------------------------------------------------------------------


def in_a_child(world: World, work: Callable[[], Any], then: Callable[[int], None]) -> int:
    """Do *work* in a process of its own and something to it from here; return its exit status."""
    world.db.close()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            world.db.engine.dispose(close=False)
            work()
            status = 0
        except DeliveryError:
            status = 3
        finally:
            os._exit(status)
    try:
        then(pid)
    finally:
        _, status = os.waitpid(pid, 0)
    return status


def once_posted(world: World, number: int, act: Callable[[int], None]) -> Callable[[int], None]:
    def then(pid: int) -> None:
        until = time.monotonic() + 20
        while world.posts() < number and time.monotonic() < until:
            time.sleep(0.005)
        act(pid)

    return then


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGALRM, signal.SIGKILL])
def test_d14_signals_in_mid_send(world: World, number: signal.Signals) -> None:
    names = people(40)
    world.hire(*names)
    world.m3ter.faults(operation=POST, kind="latency", seconds=0.05)
    interval = (WINDOW.start, WINDOW.end)
    with m3ter_connection(world, requests_per_second=100):
        run = TaskRun(world, "run-1", interval)
        run.snapshot()
        run.plan()
        status = in_a_child(world, run.send, once_posted(world, 5, lambda pid: os.kill(pid, number)))
        posted = world.posts()
        time.sleep(0.1)
        assert world.posts() == posted < 40, "no POST begins any more"
        if number == signal.SIGKILL:
            assert os.WIFSIGNALED(status)
            world.pass_time(120)
            world.settle()
            world.pass_time(1.1)
        else:
            assert os.waitstatus_to_exitcode(status) == 3
            assert counted(world)["sent"] == len(world.emails()), "those begun were waited for and recorded"
            assert set(world.states().values()) <= {"sent", "unsent"}
        run.send()
        run.report()
    assert world.emails() == one_each(names)
    assert counted(world) == {"sent": 40}


def test_d14_time_out_by_cancellation_finishes_what_has_begun(world: World) -> None:
    names = people(20)
    world.hire(*names)
    world.m3ter.faults(operation=POST, kind="latency", seconds=0.1)
    with m3ter_connection(world, requests_per_second=100):
        run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end))
        run.snapshot()
        run.plan()

        async def main() -> None:
            sending = asyncio.create_task(run.asend())
            while await asyncio.to_thread(world.posts) < 3:
                pass
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

        asyncio.run(main())
        posted = world.posts()
        assert counted(world)["sent"] == len(world.emails()) == posted < 20
        run.send()
    assert world.emails() == one_each(names)


def test_d14_short_grace_leaves_what_hangs_to_settling(world: World) -> None:
    world.values["settle_after"] = "0.1s"
    plan = ready(world, "e1", "e2")
    world.m3ter.faults(operation=POST, kind="latency", seconds=2, email="e2@example.com", count=1)
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="SIGTERM"):
        world.send(plan, stop=after_posts(world, 2, lambda stop: stop.request("SIGTERM", grace=0.1)))
    assert time.monotonic() - began < 2
    assert (world.state("e1"), world.state("e2")) == ("sent", "sending")
    time.sleep(max(0.0, began + 2.2 - time.monotonic()))
    world.pass_time(60)
    world.send(plan)
    assert world.emails() == one_each(["e1", "e2"])


def test_d14_a_plan_that_is_made_anew_waits_for_what_the_old_sender_has_begun(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # As when `plan` is cleared: Airflow starts it at once, and ends the old sender a little later.
    names = people(20)  # more than are begun before the first answer
    plan = ready(world, *names)
    world.m3ter.faults(operation=POST, kind="latency", seconds=2)
    again: list[Future[Planned]] = []

    class Cleared(Stop):
        @property
        def reason(self) -> str | None:
            if world.posts() and not again:
                again.append(pool.submit(world.plan, settles=True))
            if "are under way" in caplog.text and super().reason is None:
                self.request("SIGTERM")
            return super().reason

    with ThreadPoolExecutor(1) as pool, caplog.at_level("INFO"):
        with pytest.raises(DeliveryError, match="SIGTERM"):
            world.send(plan, stop=Cleared, requests_per_second=4, timeout_seconds=10)
        sent = len(world.emails())
        new = again[0].result()
    assert 0 < sent < len(names)
    assert new.counts == {"invite:new": len(names) - sent, "skip:already_invited": sent}
    world.m3ter.clear_faults()
    world.send(new)
    assert world.emails() == one_each(names)


def test_d14_parent_that_is_gone(world: World) -> None:
    names = people(30)
    plan = ready(world, *names)
    alive = [True]

    class Orphan(Stop):
        def __init__(self) -> None:
            super().__init__(parent=lambda: 4711 if alive[0] and world.posts() < 5 else 1)

    with pytest.raises(DeliveryError, match="supervises this task is gone"):
        world.send(plan, stop=Orphan, requests_per_second=8)
    assert 5 <= world.posts() < 20
    assert set(world.states().values()) <= {"sent", "unsent"}
    world.send(plan)
    assert world.emails() == one_each(names)


def test_d14_each_post_asks_whether_to_stop(world: World) -> None:
    # The stop comes while the sender's own round waits for an answer of Airflow, and a group waits for its pace.
    plan = ready(world, *people(20))
    senders: list[Sender] = []
    seen: list[int] = []

    def slow_answer() -> str:
        if world.posts() >= 1 and not seen:
            senders[0].stop.request("the test says so")
            seen.append(world.posts())
            time.sleep(0.4)
        return "none"

    def taken(sender: Sender) -> None:
        senders.append(sender)
        sender.clock = lambda: time.monotonic() * 20  # the switch is asked each second of this clock

    with pytest.raises(DeliveryError, match="the test says so"):
        world.send(plan, paused=slow_answer, before=taken, requests_per_second=0.6)  # 30 a second in haste
    assert world.posts() <= seen[0] + 1, "one may have been on the wire"


@pytest.mark.parametrize("value", ["all", "test", "other, TEST"])
def test_d14_pause_switch_in_mid_send(world: World, value: str) -> None:
    names = people(40)
    plan = ready(world, *names)
    world.m3ter.faults(operation=POST, kind="latency", seconds=0.02)

    def impatient(sender: Sender) -> None:
        sender.clock = lambda: time.monotonic() * 20  # the switch is asked each second of this clock

    with pytest.raises(DeliveryError, match="paused"):
        world.send(
            plan,
            paused=lambda: value if world.posts() >= 5 else "none",
            before=impatient,
            requests_per_second=8,
        )
    assert 5 <= world.posts() < 40
    assert set(world.states().values()) <= {"sent", "unsent"}
    world.send(plan, paused=lambda: "another")
    assert world.emails() == one_each(names)


def test_d14_paused_at_the_start(world: World) -> None:
    plan = ready(world, "e1")
    with pytest.raises(NotAllowedError, match="paused"):
        world.send(plan, paused=lambda: "test")
    assert (world.posts(), world.states()) == (0, {})


def cannot_be_asked() -> str | None:
    raise RuntimeError("the API server is gone")


def never_answers() -> str | None:
    time.sleep(0.3)
    return None


@pytest.mark.parametrize("read", [cannot_be_asked, never_answers])
def test_d14_pause_switch_that_cannot_be_asked_means_stop(read: Callable[[], str | None]) -> None:
    async def main() -> str | None:
        return await PauseSwitch("test", read=read, answer_within=0.05).reason()

    assert asyncio.run(main()) is not None


@pytest.mark.parametrize(
    "value",
    [
        "all",
        '"all"',
        "ALL",
        "acme",
        "Acme, other",
        '["acme"]',
        "m3ter_onboarding__acme",
        "1",
        "yes",
        "on",
        "*",
        "true",
        "y",
        "Y",
        "enabled",
        "ENABLE",
        "active",
        "True",
        "halt",
        "hold",
        "suspended",
        "everybody",
        "any",
        "t",
        "freeze",
        "all.",
        "ALL!",
        "yes!",
        "acme.",
        "acme:",
        "acme|other",
        "other/acme",
        "acme=true",
        "“acme”",
        "acme\u200b",
        "\ufeffall",
        "ＡＬＬ",
        "- other\n- acme",
        "ac*",
        "m3ter_onboarding__*",
    ],
)
def test_d14_every_way_to_write_a_pause_pauses(value: str) -> None:
    assert names_paused(value, "acme")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "none",
        "null",
        "false",
        "0",
        "off",
        "other",
        "acme2",
        "acme-2",
        "other*",
        "0.",
        "[]",
        '"none"',
        "No",
        "disabled",
    ],
)
def test_d14_other_values_pause_nobody_here(value: str | None) -> None:
    assert not names_paused(value, "acme")


def test_d14_pause_switch_that_vanished_means_stop() -> None:
    values: list[str | None] = ["none", None]

    async def main() -> list[str | None]:
        switch = PauseSwitch("test", read=lambda: values.pop(0))
        return [await switch.reason(), await switch.reason()]

    first, second = asyncio.run(main())
    assert first is None
    assert second is not None
    assert "not any more" in second


class Switch:
    """A database that goes away: no connection can be made, and those that exist are not used."""

    def __init__(self, world: World) -> None:
        self.lost = False
        url = world.db.engine.url
        if url.get_backend_name() == "sqlite":
            failure: Exception = sqlite3.OperationalError("unable to open database file")

            def connect() -> Any:
                return sqlite3.connect(str(url.database), check_same_thread=False)

        else:
            failure = psycopg.OperationalError("connection refused")
            parameters: dict[str, Any] = {"host": url.query["host"], "user": url.username, "dbname": url.database}

            def connect() -> Any:
                return psycopg.connect(**parameters)

        def creator() -> Any:
            if self.lost:
                raise failure
            return connect()

        engine = create_engine(url, creator=creator, poolclass=NullPool, hide_parameters=True)
        self.db = LedgerDatabase(engine, name="ledger", write_patience=0.2)


def test_d14_lost_database_in_mid_send(world: World) -> None:
    names = people(20)
    plan = ready(world, *names)
    switch = Switch(world)
    kept, world.db = world.db, switch.db

    def lose(_stop: Stop) -> None:
        switch.lost = True

    with pytest.raises((DeliveryError, LedgerError)):
        world.send(plan, stop=after_posts(world, 4, lose), requests_per_second=8)
    world.db = kept
    posted = world.posts()
    assert posted < 20, "no POST begins without a ledger"
    assert len(world.emails()) == posted
    world.pass_time(120)
    world.settle()
    world.pass_time(1.1)
    world.send(plan)
    assert world.emails() == one_each(names)
    assert counted(world) == {"sent": 20}


def test_d14_database_that_comes_back_before_the_end_loses_no_answer(world: World) -> None:
    plan = ready(world, *people(8))
    switch = Switch(world)
    kept, world.db = world.db, switch.db
    asked: list[bool] = []

    class Flickering(Stop):
        @property
        def reason(self) -> str | None:
            asked.append(True)
            switch.lost = 6 < len(asked) < 12 and world.posts() > 2
            return super().reason

    with contextlib.suppress(DeliveryError, LedgerError):
        world.send(plan, stop=Flickering, requests_per_second=8)
    switch.lost = False
    world.db = kept
    world.pass_time(120)
    with contextlib.suppress(M3terError):
        world.settle()
    world.pass_time(1.1)
    world.send(plan)
    assert world.emails() == one_each(people(8))


# -- D15: when a send is done ------------------------------------------------------------------------------------------


def report_of(world: World, run: str = "run-1", **values: Any) -> Report:
    arguments: dict[str, Any] = {
        "org_id": world.m3ter.org_id,
        "may_send": True,
        "mode": "normal",
        "fail_on_refused": True,
        "task_states": {},
        **values,
    }
    return make_report(world.db, world.run(run), BesideTheLedger(**arguments))


def test_d15_send_is_not_green_while_someone_on_their_way_falls_back(world: World) -> None:
    # This plan skipped e1 as on its way by another run; that run died without a POST.
    world.claim(ready(world, "e1", run="dead"), "dead", begin=False, lease_ms=300)
    world.hire("e2")
    plan = world.plan("next")
    assert world.decisions(plan)["e1"] == "skip:already_invited"
    with pytest.raises(DeliveryError, match="were not sent after all"):
        world.send(plan, "next")
    assert (world.state("e1"), world.state("e2")) == ("unsent", "sent")
    assert "1 invitation(s) of the plan were not sent" in " ".join(report_of(world, "next").problems)
    world.whole_run("last")
    assert world.emails() == one_each(["e1", "e2"])


def test_d15_send_waits_for_the_lease_of_another_and_sends_the_rest(world: World) -> None:
    plan = ready(world, "e1", "e2")
    world.claim(plan, begin=False, lease_ms=400)  # a first try of the same task that was killed
    world.send(plan)
    assert world.emails() == one_each(["e1", "e2"])


def test_d15_empty_chunk_is_not_the_end(world: World) -> None:
    # Room for two of three: the claim then comes back empty, and someone is left.
    plan = ready(world, "e1", "e2", "e3")

    def lowered(sender: Sender) -> None:
        sender.to_send = replace(sender.to_send, caps=Caps(per_day=3))

    asked: list[bool] = []

    def used_up_meanwhile() -> None:
        asked.append(True)
        if len(asked) == 2:
            table = world.db.tables.invitation
            now = datetime.now(timezone.utc)
            with world.db.engine.begin() as connection:
                connection.execute(
                    table.insert().values(
                        org_id=world.m3ter.org_id,
                        email_key="x@example.com",
                        email="x@example.com",
                        generation=1,
                        state="sent",
                        origin="claimed",
                        attempt_started_ms=world.db.now_ms(),
                        created_at=now,
                        updated_at=now,
                    )
                )

    with pytest.raises(NotAllowedError, match="max_invitations_per_day"):
        world.send(plan, paused=used_up_meanwhile, before=lowered)
    assert len(world.emails()) == 2
    assert report_of(world).problems


def test_d15_report_leaves_a_live_lease_alone(world: World) -> None:
    plan = ready(world, "e1", "e2")
    world.claim(plan)
    before = world.invitations()
    report = report_of(world)
    assert report.states == {"sending": 2}
    assert "2 invitation(s) are still open" in " ".join(report.problems)
    assert world.invitations() == before, "the killed sender may still post: not lost, and not settled here"
    left = remaining(world.db, plan.plan_id, world.m3ter.org_id)
    assert (left.held, left.open, left.unsent) == (2, 0, 0)
    world.pass_time(61)
    left = remaining(world.db, plan.plan_id, world.m3ter.org_id)
    assert (left.held, left.open) == (0, 2)


@pytest.mark.parametrize("state", ["sending", "unknown", "unsent", "failed", "sent", "adopted", "accepted", "review"])
def test_d15_report_takes_its_colour_from_the_ledger(world: World, state: str) -> None:
    plan = ready(world, "e1", "e2")
    world.claim(plan)
    table = world.db.tables.invitation
    with world.db.engine.begin() as connection:
        connection.execute(update(table).values(state="sent"))
        connection.execute(update(table).where(table.c.email_key == "e1@example.com").values(state=state))
    red = state in ("sending", "unknown", "unsent", "failed", "review")
    assert bool(report_of(world, task_states={"send": "success"}).problems) is red
    if state == "failed":
        assert not report_of(world, fail_on_refused=False).problems


def test_d15_report_of_a_run_without_a_plan_is_red(world: World) -> None:
    world.begin_run(world.run("run-1"))
    assert report_of(world).problems
    assert report_of(world, task_states={"snapshot": "failed"}).problems


def test_d15_report_of_a_plan_that_was_never_sent_is_red(world: World) -> None:
    ready(world, "e1", "e2")
    report = report_of(world, task_states={"send": "success"})
    assert "2 invitation(s) of the plan were not sent" in " ".join(report.problems)


def test_d15_retry_of_a_send_that_is_done_asks_nothing_of_m3ter(world: World) -> None:
    plan = ready(world, "e1")
    world.send(plan)
    before = world.m3ter.counts()["total"]
    delivered = world.send(plan)
    assert isinstance(delivered, Delivered)
    assert world.m3ter.counts()["total"] == before


def test_d15_late_answer_of_a_killed_sender_turns_open_into_sent(world: World) -> None:
    plan = ready(world, "e1")
    [claimed] = world.claim(plan)
    token = world.row("e1")["claim_token"]
    assert report_of(world).problems
    answer = Outcome(claimed.invitation_id, InvitationState.SENT, "answered", m3ter_id="one", http_status=200)
    record_answers(world.db, token, [answer], datetime.now(timezone.utc))
    assert not report_of(world).problems
    table = world.db.tables.event
    with world.db.engine.connect() as connection:
        whys = connection.execute(select(table.c.why).order_by(table.c.event_id)).scalars().all()
    assert whys == ["claimed", "answered"]


DYING = {
    "after each request": {"token_good_for_requests": 1},
    "after three": {"token_good_for_requests": 3},
    "after seven": {"token_good_for_requests": 7},
    "after forty": {"token_good_for_requests": 40},
    "after half a second": {"token_ends_after_seconds": 0.5},
}


@pytest.mark.parametrize("switches", DYING.values(), ids=DYING)
def test_d13_tokens_that_end_early_leave_nobody_unsent(world: World, switches: dict[str, Any]) -> None:
    world.m3ter.switches(requests_per_second=0, **switches)
    names = people(30)
    world.hire(*names)
    assert world.whole_run().sent == 30
    assert world.emails() == one_each(names)
    counts = world.m3ter.counts()
    assert counts["token_requests"] <= counts["total"] / 2


def test_d13_one_404_to_a_post_stops_nobody(world: World) -> None:
    names = people(6)
    plan = ready(world, *names)
    world.m3ter.faults(operation=POST, kind="status", status=404, count=1)
    assert world.send(plan).sent == 6
    assert world.emails() == one_each(names)
