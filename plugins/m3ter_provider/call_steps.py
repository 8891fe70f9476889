"""The steps of which a call consists, and their drivers: :func:`run` for a thread, :func:`run_async` for a coroutine.

A flow (see :mod:`m3ter_provider.call_flow`) is a generator that yields one step after the other and is sent the result
of each. It decides what is done, and makes no request itself. So every rule exists once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from m3ter_provider.api_calls import Call

T = TypeVar("T")


class StepLock(Protocol):
    """A :class:`threading.Lock` or an :class:`asyncio.Lock`, whichever fits the driver."""

    def acquire(self) -> Any:
        """Take the lock; asyncio's returns an awaitable."""

    def release(self) -> None:
        """Give the lock back. Neither kind waits for that, so it is no step."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one request, once, and read its answer whole. The result is an :class:`.Answer`, or an error is raised.

    :param call: the request.
    :param authorization: its header of this name.
    :param before_body: for a driver that can call it before the first byte is written; if it raises, none is.
    """

    call: Call
    authorization: str = field(repr=False)
    before_body: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Acquire:
    """Wait for a lock, first come first."""

    lock: StepLock


@dataclass(frozen=True, slots=True)
class Mask:
    """Register a secret with Airflow's masker."""

    secret: str = field(repr=False)


Step: TypeAlias = Send | Sleep | Acquire | Mask
Flow: TypeAlias = Generator[Step, Any, T]
"""Yields steps, is sent the result of each, and returns the result of all."""


def run(flow: Flow[T], take: Callable[[Step], object]) -> T:
    """Take every step of a flow, one after the other, and return the flow's result.

    :param take: takes one step and returns its result; an error is raised inside the flow.
    """
    try:
        step = next(flow)
        while True:
            try:
                result = take(step)
            except BaseException as error:  # noqa: BLE001 - the flow's to handle; it releases its locks
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def run_async(flow: Flow[T], take: Callable[[Step], Awaitable[object]]) -> T:
    """Take every step of a flow as :func:`run` does, in a coroutine."""
    try:
        step = next(flow)
        while True:
            try:
                result = await take(step)
            except BaseException as error:  # noqa: BLE001 - also a cancellation
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
