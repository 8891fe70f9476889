"""Both hooks behind one face, so that one test holds for both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from airflow.sdk import Connection

from m3ter_provider.errors import M3terError
from m3ter_provider.hooks.m3ter import M3terAsyncHook, M3terHook
from m3ter_provider.models import Invitation, InvitationRequest

T = TypeVar("T")


class FakeClock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)


class Client:
    """Runs one or many calls through one of the hooks, on a fake clock unless told otherwise."""

    def __init__(self, kind: str, connection: Connection) -> None:
        self.kind = kind
        self.connection = connection
        self.clock = FakeClock()

    def sync_hook(self) -> M3terHook:
        hook = M3terHook(clock=self.clock, sleep=self.clock.sleep)
        hook.__dict__["_read_connection"] = self.connection
        return hook

    def async_hook(self) -> M3terAsyncHook:
        return M3terAsyncHook(connection=self.connection, clock=self.clock, sleep=self.clock.asleep)

    def run(self, sync: Callable[[M3terHook], T], concurrent: Callable[[M3terAsyncHook], Awaitable[T]]) -> T:
        if self.kind == "sync":
            return sync(self.sync_hook())

        async def entered() -> T:
            async with self.async_hook() as hook:
                return await concurrent(hook)

        return asyncio.run(entered())

    def invite(
        self, email: str = "ann.example@example.com", before_post: Callable[[], None] | None = None
    ) -> Invitation:
        return self.run(
            lambda hook: hook.create_invitation(person(email), before_post),
            lambda hook: hook.create_invitation(person(email), before_post),
        )

    def invite_all(self, emails: list[str]) -> list[Invitation | M3terError]:
        def one_by_one(hook: M3terHook) -> list[Invitation | M3terError]:
            results: list[Invitation | M3terError] = []
            for email in emails:
                try:
                    results.append(hook.create_invitation(person(email)))
                except M3terError as error:
                    results.append(error)
            return results

        async def at_once(hook: M3terAsyncHook) -> list[Any]:
            calls = (hook.create_invitation(person(email)) for email in emails)
            return list(await asyncio.gather(*calls, return_exceptions=True))

        return self.run(one_by_one, at_once)

    def invitations(self) -> list[Invitation]:
        async def collected(hook: M3terAsyncHook) -> list[Invitation]:
            return [item async for item in hook.iter_invitations()]

        return self.run(lambda hook: list(hook.iter_invitations()), collected)

    def test_connection(self) -> tuple[bool, str]:
        return self.run(lambda hook: hook.test_connection(), lambda hook: hook.test_connection())


def person(email: str = "ann.example@example.com") -> InvitationRequest:
    return InvitationRequest(email=email, first_name="Annabella", last_name="Marker-Surname")


def connection_to(url: str, **extra: Any) -> Connection:
    """Return a connection to a scripted server; fast, and allowed to send."""
    return Connection(
        conn_id="m3ter_test",
        conn_type="m3ter",
        host=url,
        login="test-access-id",
        password="test-api-secret",
        extra=json.dumps({"org_id": "org-1", "allow_invitations": True, "requests_per_second": 500, **extra}),
    )
