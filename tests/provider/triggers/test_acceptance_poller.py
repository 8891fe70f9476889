"""Many who wait for invitations of one connection share their looks; none of them waits for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from airflow.sdk import Connection

from m3ter_provider.hooks.m3ter_async import M3terAsyncHook
from m3ter_provider.triggers.acceptance_poller import GIVE_UP_AFTER, AcceptancePoller, Outcome, shared_poller
from tests.support.hook_clients import connection_to
from tests.support.scripted_server import Received, ScriptedServer, answer

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer

T = TypeVar("T")

#: Short enough for a test, long enough that looks do not run into each other.
INTERVAL = 0.05
PAST = datetime(2025, 1, 1, tzinfo=timezone.utc)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(coroutine, 20)

    return asyncio.run(bounded())


def hook_of(connection: Connection) -> Callable[[str], M3terAsyncHook]:
    async def no_sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    return lambda conn_id: M3terAsyncHook(connection=connection, sleep=no_sleep)


def poller_of(sandbox: SandboxServer) -> AcceptancePoller:
    sandbox.switches(requests_per_second=0)
    document = sandbox.airflow_connection(requests_per_second=500, allow_invitations=False)
    connection = Connection.from_json(document, conn_id="m3ter_test")
    return AcceptancePoller("m3ter_test", hook_of=hook_of(connection), jitter=lambda: 0.0)


async def wait(poller: AcceptancePoller, *ids: str, interval: float = INTERVAL) -> list[Outcome]:
    looks = (poller.wait_for(one, interval=interval, not_before=PAST) for one in ids)
    return list(await asyncio.gather(*looks))


async def until(condition: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what it waits for is in the sandbox's process
        await asyncio.sleep(INTERVAL / 5)


def reads(sandbox: SandboxServer) -> list[str]:
    return [request["path"].rpartition("/")[2] for request in sandbox.requests() if request["method"] == "GET"]


def invited(sandbox: SandboxServer, count: int, **fields: Any) -> list[str]:
    people = [{"email": f"p{number}@example.com", **fields} for number in range(count)]
    return sandbox.seed(invitations=people)["invitations"]


def test_twenty_tasks_cost_one_request(m3ter_sandbox: SandboxServer) -> None:
    ids = invited(m3ter_sandbox, 20, accepted=True)
    assert run(wait(poller_of(m3ter_sandbox), *ids)) == [Outcome("accepted")] * 20
    assert reads(m3ter_sandbox) == ["invitations"]


def test_one_task_reads_its_invitation_and_not_the_list(m3ter_sandbox: SandboxServer) -> None:
    wanted = invited(m3ter_sandbox, 20, accepted=True)[3]
    assert run(wait(poller_of(m3ter_sandbox), wanted)) == [Outcome("accepted")]
    assert reads(m3ter_sandbox) == [wanted]


def test_two_tasks_do_not_read_a_long_list_to_its_end(m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.switches(default_page_size=5)
    ids = invited(m3ter_sandbox, 1000, accepted=True)
    poller = poller_of(m3ter_sandbox)
    assert run(wait(poller, ids[0], ids[1])) == [Outcome("accepted")] * 2
    assert len(reads(m3ter_sandbox)) <= 3


def test_each_gets_its_own_outcome(m3ter_sandbox: SandboxServer) -> None:
    (accepted,) = invited(m3ter_sandbox, 1, accepted=True)
    (expired,) = invited(m3ter_sandbox, 1, dtExpiry="-1h")
    outcomes = run(wait(poller_of(m3ter_sandbox), accepted, expired, "no-such-invitation", accepted))
    assert [outcome.what for outcome in outcomes] == ["accepted", "expired", "missing", "accepted"]


def test_it_looks_again_until_it_is_accepted(m3ter_sandbox: SandboxServer) -> None:
    ids = invited(m3ter_sandbox, 2)
    poller = poller_of(m3ter_sandbox)

    async def accepted_meanwhile() -> list[Outcome]:
        waiting = asyncio.ensure_future(wait(poller, *ids))
        await until(lambda: len(reads(m3ter_sandbox)) >= 2)
        assert not waiting.done()
        for number in range(2):
            await asyncio.to_thread(m3ter_sandbox.accept, f"p{number}@example.com")
        return await waiting

    assert [outcome.what for outcome in run(accepted_meanwhile())] == ["accepted"] * 2


def test_one_who_joins_during_a_look_is_looked_for_soon(m3ter_sandbox: SandboxServer) -> None:
    first, second = invited(m3ter_sandbox, 2)
    m3ter_sandbox.accept("p1@example.com")
    poller = poller_of(m3ter_sandbox)

    async def joined() -> Outcome:
        waiting = asyncio.ensure_future(poller.wait_for(first, interval=1, not_before=PAST))
        await until(lambda: bool(reads(m3ter_sandbox)))
        outcome = await poller.wait_for(second, interval=INTERVAL, not_before=PAST)
        waiting.cancel()
        return outcome

    assert run(joined()).what == "accepted"


def test_nobody_is_looked_for_before_its_time(m3ter_sandbox: SandboxServer) -> None:
    (one,) = invited(m3ter_sandbox, 1, accepted=True)
    poller = poller_of(m3ter_sandbox)

    async def later() -> None:
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(poller.wait_for(one, interval=INTERVAL, not_before=soon), 0.2)

    run(later())
    assert reads(m3ter_sandbox) == []


def test_no_look_goes_on_when_nobody_waits_any_more(m3ter_sandbox: SandboxServer) -> None:
    ids = invited(m3ter_sandbox, 2)
    poller = poller_of(m3ter_sandbox)

    async def cancelled() -> set[asyncio.Task[Any]]:
        waiting = asyncio.ensure_future(wait(poller, *ids))
        await asyncio.sleep(INTERVAL)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        for _ in range(50):
            await asyncio.sleep(0)
        return {task for task in asyncio.all_tasks() if "_look_until_nobody" in repr(task.get_coro())}

    assert run(cancelled()) == set()


def outcome_of(get: Callable[[Received], bytes], *, interval: float = INTERVAL) -> Outcome:
    with ScriptedServer(get=get) as server:
        poller = AcceptancePoller("m3ter_test", hook_of=hook_of(connection_to(server.url)), jitter=lambda: 0.0)
        (outcome,) = run(wait(poller, "inv-1", interval=interval))
        return outcome


def test_it_looks_less_often_while_m3ter_fails_and_gives_up_at_last() -> None:
    looks: list[float] = []

    def failing(request: Received) -> bytes:
        looks.append(time.monotonic())
        return answer(503)

    outcome = outcome_of(failing, interval=0.001)
    assert outcome.what == "unreachable"
    assert "503" in outcome.message
    # The hook repeats within a look.
    per_look = len(looks) // GIVE_UP_AFTER
    begins = looks[::per_look]
    waits = [later - earlier for earlier, later in pairwise(begins)]
    assert waits[-1] > 5 * waits[0] or waits[-1] > 0.2


def test_refused_access_ends_the_waiting_at_once() -> None:
    assert outcome_of(lambda request: answer(401)).what == "failed"


def test_a_list_that_makes_no_sense_is_read_one_by_one() -> None:
    def get(request: Received) -> bytes:
        path = request.path.partition("?")[0]
        if path.endswith("/invitations"):
            return answer(200, {"data": [{"id": 5}]})
        return answer(200, {"id": path.rpartition("/")[2], "email": "a@example.com", "accepted": True})

    with ScriptedServer(get=get) as server:
        poller = AcceptancePoller("m3ter_test", hook_of=hook_of(connection_to(server.url)))
        assert run(wait(poller, "inv-1", "inv-2")) == [Outcome("accepted")] * 2


def test_a_look_that_breaks_is_no_end() -> None:
    def broken(conn_id: str) -> M3terAsyncHook:
        raise RuntimeError("ann@example.com")

    poller = AcceptancePoller("m3ter_test", hook_of=broken, jitter=lambda: 0.0)
    (outcome,) = run(wait(poller, "inv-1", interval=0.001))
    assert outcome == Outcome("unreachable", "A look at m3ter's invitations broke off (RuntimeError).")


def test_triggers_of_one_loop_share_a_poller_for_a_connection() -> None:
    async def pollers() -> list[AcceptancePoller]:
        return [shared_poller("a"), shared_poller("a"), shared_poller("b")]

    one, same, other = asyncio.run(pollers())
    assert one is same
    assert one is not other
    assert asyncio.run(pollers())[0] is not one
