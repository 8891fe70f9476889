"""Both drivers take the steps of a flow, and a flow that is broken off gives its locks back."""

from __future__ import annotations

import asyncio
import threading

import pytest

from m3ter_provider.call_steps import Acquire, Flow, Sleep, Step, StepLock, run, run_async


def taken(kind: str, flow: Flow[str], results: list[object]) -> tuple[str, list[Step]]:
    """Run a flow on prepared results, the errors among them raised; return its result and the steps it took."""
    steps: list[Step] = []

    def take(step: Step) -> object:
        steps.append(step)
        result = results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    async def take_later(step: Step) -> object:
        await asyncio.sleep(0)
        return take(step)

    return (run(flow, take) if kind == "sync" else asyncio.run(run_async(flow, take_later))), steps


def test_a_flow_is_sent_results_and_errors_and_returns_its_own(kind: str) -> None:
    def flow() -> Flow[str]:
        first = yield Sleep(1)
        try:
            yield Sleep(2)
        except ValueError as error:
            return f"{first}, {error}, {(yield Sleep(3))}"
        return "no error"

    assert taken(kind, flow(), ["one", ValueError("two"), "three"]) == (
        "one, two, three",
        [Sleep(1), Sleep(2), Sleep(3)],
    )


def test_an_error_that_a_flow_does_not_handle_is_the_callers(kind: str) -> None:
    def flow() -> Flow[str]:
        yield Sleep(1)
        return "never"

    with pytest.raises(KeyboardInterrupt):
        taken(kind, flow(), [KeyboardInterrupt()])


def holding(lock: StepLock) -> Flow[str]:
    yield Acquire(lock)
    try:
        yield Sleep(1)
        return "slept"
    finally:
        lock.release()


def test_a_thread_that_is_interrupted_releases_its_locks() -> None:
    lock = threading.Lock()

    def take(step: Step) -> object:
        if isinstance(step, Acquire):
            return step.lock.acquire()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(holding(lock), take)
    assert not lock.locked()


def test_a_coroutine_that_is_cancelled_releases_its_locks_and_one_that_waited_holds_none() -> None:
    async def cancelled() -> bool:
        lock, asleep = asyncio.Lock(), asyncio.Event()

        async def take(step: Step) -> object:
            if isinstance(step, Acquire):
                return await step.lock.acquire()
            asleep.set()
            return await asyncio.Event().wait()

        tasks = [asyncio.create_task(run_async(holding(lock), take)) for _ in range(2)]
        await asleep.wait()
        for task in reversed(tasks):
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}
        return lock.locked()

    assert not asyncio.run(cancelled())
