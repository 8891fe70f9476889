"""Wait for many invitations of one connection at once, with as few requests as they need.

All triggers of one triggerer process that wait for invitations of the same connection share one poller: it looks at the
earliest moment that one of them is due, and answers all of them. It lives as long as somebody waits.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from m3ter_provider.acceptance import acceptance
from m3ter_provider.errors import (
    M3terAuthenticationError,
    M3terConfigurationError,
    M3terError,
    M3terNotFoundError,
    M3terPermissionError,
    M3terResponseError,
)

if TYPE_CHECKING:
    from m3ter_provider.hooks.m3ter_async import M3terAsyncHook
    from m3ter_provider.models import Invitation

_log = logging.getLogger(__name__)

GIVE_UP_AFTER = 10
"""Looks in a row that failed; then the tasks fail, so that people notice."""

_LONGEST_BACKOFF = 3600.0
_GATHER_SECONDS = 5.0
_JITTER = 0.1

_PERMANENT = (M3terConfigurationError, M3terAuthenticationError, M3terPermissionError)

HookOf = Callable[[str], AbstractAsyncContextManager["M3terAsyncHook"]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the waiting for one invitation ended.

    :param what: ``missing``: m3ter knows no such invitation; ``failed``: a person must act first; ``unreachable``: too
        many looks failed.
    :param message: of the error, without personal data; empty where there was none.
    """

    what: Literal["accepted", "expired", "missing", "failed", "unreachable"]
    message: str = ""


@dataclass(eq=False, slots=True)
class _Waiter:
    """One trigger that waits.

    :param due: when the next look is due, by the loop's clock.
    :param result: of the waiting; cancelled with its trigger.
    """

    invitation_id: str
    interval: float
    due: float
    result: asyncio.Future[Outcome]


def _hook_of(m3ter_conn_id: str) -> M3terAsyncHook:
    from m3ter_provider.hooks.m3ter_async import M3terAsyncHook

    return M3terAsyncHook(m3ter_conn_id)


@dataclass(eq=False)
class AcceptancePoller:
    """The looks for all who wait for invitations of one connection, in one event loop.

    :param m3ter_conn_id: the connection; read anew for each look.
    :param hook_of: opens a hook for a connection's id.
    :param jitter: returns a number from 0 to 1, drawn anew each time.
    :param now: the time, aware.
    """

    m3ter_conn_id: str
    hook_of: HookOf = _hook_of
    jitter: Callable[[], float] = random.random
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    _waiters: set[_Waiter] = field(default_factory=set, init=False)
    _joined: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _looking: asyncio.Task[None] | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _rest_until: float = field(default=0.0, init=False)

    async def wait_for(self, invitation_id: str, *, interval: float, not_before: datetime) -> Outcome:
        """Return what became of an invitation, once it is accepted or cannot be any more.

        :param interval: the seconds between two looks.
        :param not_before: when the first look is due; one that has passed is due at once, as after a restart.
        """
        loop = asyncio.get_running_loop()
        wait = max(0.0, (not_before - self.now()).total_seconds())
        waiter = _Waiter(invitation_id, interval, loop.time() + wait, loop.create_future())
        self._waiters.add(waiter)
        self._joined.set()
        if self._looking is None or self._looking.done():
            # In a context of its own: its log lines are not those of the trigger that happened to be the first.
            self._looking = Context().run(loop.create_task, self._look_until_nobody_waits())
        try:
            return await waiter.result
        finally:
            self._waiters.discard(waiter)
            if not self._waiters and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look_until_nobody_waits(self) -> None:
        while self._waiters:
            await self._until_due()
            await self._look()

    async def _until_due(self) -> None:
        """Wait until a look is due, and a moment longer: after a restart many join within seconds."""
        loop = asyncio.get_running_loop()
        while True:
            self._joined.clear()
            gather = min(_GATHER_SECONDS, 0.1 * min(waiter.interval for waiter in self._waiters))
            due = max(self._rest_until, min(waiter.due for waiter in self._waiters) + gather)
            if due <= loop.time():
                return
            try:
                await asyncio.wait_for(self._joined.wait(), due - loop.time())
            except asyncio.TimeoutError:
                return

    async def _look(self) -> None:
        """Look once for all who wait, and decide when the next look is due."""
        looked_for = set(self._waiters)
        try:
            async with self.hook_of(self.m3ter_conn_id) as m3ter:
                await self._look_at_all(m3ter, {waiter.invitation_id for waiter in looked_for})
        except _PERMANENT as error:
            self._end_all(Outcome("failed", str(error)))
        except M3terError as error:
            self._failed(str(error), looked_for, getattr(error, "retry_after", None) or 0.0)
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever because one look broke
            _log.warning("A look at m3ter's invitations broke off (%s).", type(error).__name__)
            self._failed(f"A look at m3ter's invitations broke off ({type(error).__name__}).", looked_for)
        else:
            self._failures = 0
            self._next(looked_for)

    async def _look_at_all(self, m3ter: M3terAsyncHook, missing: set[str]) -> None:
        if len(missing) > 1:
            await self._look_in_the_list(m3ter, missing)
        for invitation_id in sorted(missing):
            try:
                self._seen(await m3ter.get_invitation(invitation_id), self.now())
            except M3terNotFoundError as error:
                self._end(invitation_id, Outcome("missing", str(error)))

    async def _look_in_the_list(self, m3ter: M3terAsyncHook, missing: set[str]) -> None:
        """Read pages while one may save requests, and take out of ``missing`` what they have."""
        pages = 0
        try:
            async for page in m3ter.iter_invitation_pages():
                pages += 1
                for invitation in page.items:
                    if invitation.id in missing:
                        missing.discard(invitation.id)
                        self._seen(invitation, page.server_time or self.now())
                if pages + 1 >= len(missing):
                    return
        except M3terResponseError as error:
            # One entry that makes no sense must not keep everybody waiting.
            _log.warning("%s The invitations are read one by one.", error)

    def _seen(self, invitation: Invitation, now: datetime) -> None:
        what = acceptance(invitation, now)
        if what != "pending":
            self._end(invitation.id, Outcome(what))

    def _end(self, invitation_id: str, outcome: Outcome) -> None:
        for waiter in [waiter for waiter in self._waiters if waiter.invitation_id == invitation_id]:
            self._waiters.discard(waiter)
            if not waiter.result.done():
                waiter.result.set_result(outcome)

    def _end_all(self, outcome: Outcome) -> None:
        for waiter in list(self._waiters):
            self._end(waiter.invitation_id, outcome)

    def _failed(self, message: str, looked_for: set[_Waiter], retry_after: float = 0.0) -> None:
        self._failures += 1
        _log.warning("%s Look %d in a row that failed.", message, self._failures)
        if self._failures >= GIVE_UP_AFTER:
            self._failures = 0
            self._end_all(Outcome("unreachable", message))
        self._next(looked_for, 2.0**self._failures, retry_after)

    def _next(self, looked_for: set[_Waiter], factor: float = 1.0, retry_after: float = 0.0) -> None:
        """Set when each one is due again: after its interval, longer after failures, and never all at one second."""
        now, spread = asyncio.get_running_loop().time(), 1.0 + _JITTER * self.jitter()
        for waiter in looked_for:
            wait = min(waiter.interval * factor, max(waiter.interval, _LONGEST_BACKOFF))
            waiter.due = now + max(wait * spread, retry_after)
        # Those who join now do not cut a rest short.
        self._rest_until = min((waiter.due for waiter in looked_for), default=0.0) if factor > 1.0 else 0.0


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, AcceptancePoller]] = WeakKeyDictionary()


def shared_poller(m3ter_conn_id: str) -> AcceptancePoller:
    """Return the poller that all triggers of the running event loop share for a connection."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    return pollers.setdefault(m3ter_conn_id, AcceptancePoller(m3ter_conn_id))
