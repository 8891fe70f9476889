"""How each peer sends: a function prepares, imports included, and returns the rest, which is measured.

A peer is used as its documentation shows. It has the repeats that it brings along; a loop of a few lines has none
but after 429, without which it would leave nearly everybody out at a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks._peers.work import AT_ONCE, KEY, ORG_ID, SECRET, Work, body_of

Send = Callable[[], "dict[str, Any] | None"]

#: Requests a second of a pacer that never waits: the connection's own setting ends at 1,000.
_NO_PACE = 1e9


def raw_aiohttp(work: Work) -> Send:
    """Prepare aiohttp alone, with so many connections: the limit of what can be had in Python."""
    import aiohttp

    async def send() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
            authorization = {"Authorization": aiohttp.encode_basic_auth(KEY, SECRET)}
            form = {"grant_type": "client_credentials"}
            async with session.post(f"{work.url}/oauth/token", data=form, headers=authorization) as answer:
                headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

            async def invite(email: str) -> None:
                while True:
                    async with session.post(work.invitations_url, json=body_of(email), headers=headers) as answer:
                        await answer.json()
                    if answer.status != 429:
                        return
                    await asyncio.sleep(1.0)

            await _some_at_once(work, invite, aiohttp.ClientError, OSError)

    return lambda: asyncio.run(send())


def our_async_hook(work: Work) -> Send:
    """Prepare M3terAsyncHook."""
    from m3ter_provider.errors import M3terError
    from m3ter_provider.hooks.m3ter import M3terAsyncHook
    from m3ter_provider.models import InvitationRequest

    _release_pace(work)
    M3terAsyncHook.get_connection(M3terAsyncHook.default_conn_name)  # and imports what reads connections

    async def send() -> None:
        async with M3terAsyncHook() as hook:

            async def invite(email: str) -> None:
                await hook.create_invitation(InvitationRequest(email=email, first_name="New", last_name="Hire"))

            await _some_at_once(work, invite, M3terError)

    return lambda: asyncio.run(send())


def our_hook(work: Work) -> Send:
    """Prepare M3terHook, one call after the other."""
    from m3ter_provider.errors import M3terError
    from m3ter_provider.hooks.m3ter import M3terHook
    from m3ter_provider.models import InvitationRequest

    _release_pace(work)
    hook = M3terHook()
    hook.get_connection(hook.m3ter_conn_id)

    def invite(email: str) -> None:
        hook.create_invitation(InvitationRequest(email=email, first_name="New", last_name="Hire"))

    return lambda: _one_by_one(work, invite, M3terError)


def http_hook(work: Work) -> Send:
    """Prepare Airflow's HttpHook: :meth:`run` in a loop, with a token that was fetched once."""
    import requests
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.sdk.exceptions import AirflowException

    def send() -> None:
        form = {"grant_type": "client_credentials"}
        answer = requests.post(f"{work.url}/oauth/token", data=form, auth=(KEY, SECRET), timeout=10)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        hook = HttpHook(method="POST", http_conn_id="bench_http")

        def invite(email: str) -> None:
            hook.run(f"organizations/{ORG_ID}/invitations", headers=headers, json=body_of(email))

        _one_by_one(work, invite, requests.RequestException, AirflowException)

    return send


def sdk(work: Work) -> Send:
    """Prepare the official SDK, synchronous, one call after the other."""
    from m3ter import M3ter, M3terError

    def send() -> None:
        with M3ter(api_key=KEY, api_secret=SECRET, org_id=ORG_ID, base_url=work.url) as client:

            def invite(email: str) -> None:
                client.users.invitations.create(email=email, first_name="New", last_name="Hire")

            _one_by_one(work, invite, M3terError)

    return send


def async_sdk(work: Work) -> Send:
    """Prepare the official SDK, asynchronous, over httpx as it comes."""
    return _async_sdk(work, None)


def async_sdk_aiohttp(work: Work) -> Send:
    """Prepare the official SDK, asynchronous, over its aiohttp transport."""
    from m3ter import DefaultAioHttpClient

    return _async_sdk(work, DefaultAioHttpClient)


def _async_sdk(work: Work, transport: Callable[[], Any] | None) -> Send:
    from aiohttp import encode_basic_auth
    from m3ter import AsyncM3ter, M3terError

    async def send() -> None:
        http_client = transport() if transport else None
        async with AsyncM3ter(
            api_key=KEY, api_secret=SECRET, org_id=ORG_ID, base_url=work.url, http_client=http_client
        ) as client:
            # Unlike the synchronous one, it gets none by itself and refuses every call without.
            authorization = {"Authorization": encode_basic_auth(KEY, SECRET)}
            answer = await client.authentication.get_bearer_token(
                grant_type="client_credentials", extra_headers=authorization
            )
            client.token = answer.access_token

            async def invite(email: str) -> None:
                await client.users.invitations.create(email=email, first_name="New", last_name="Hire")

            await _some_at_once(work, invite, M3terError)

    return lambda: asyncio.run(send())


def plan(work: Work) -> Send:
    """Prepare nothing, and make the plan that a delivery sends; not a peer."""
    from benchmarks._peers import delivery

    return lambda: delivery.plan(work)


def delivery_of_plan(work: Work) -> Send:
    """Prepare the sending of a plan through the ledger."""
    from benchmarks._peers import delivery

    _release_pace(work)
    return delivery.sender(work)


def snapshot(work: Work) -> Send:
    """Prepare the reading of m3ter into the ledger."""
    from benchmarks._peers import delivery

    _release_pace(work)
    return delivery.snapshot()


def dag_run(work: Work) -> Send:
    """Prepare a whole run of the onboarding DAG, five tasks."""
    from benchmarks._peers.dag_run import onboarding_run

    return onboarding_run(work)


def mapped_tasks(work: Work) -> Send:
    """Prepare a run of a DAG with one mapped task a person."""
    from benchmarks._peers.dag_run import mapped_run

    return mapped_run(work)


def _release_pace(work: Work) -> None:
    """Where the server has no limit, measure the code and not the pace that a connection can be set to."""
    if work.limit:
        return
    from m3ter_provider.hooks import m3ter, m3ter_async
    from m3ter_provider.pacing import Pacer

    unbounded: dict[Any, Pacer] = {}
    for module in (m3ter, m3ter_async):
        setattr(module, "pacer", lambda _, clock: unbounded.setdefault(clock, Pacer(_NO_PACE, clock=clock)))  # noqa: B010


async def _some_at_once(work: Work, invite: Callable[[str], Awaitable[None]], *failures: type[Exception]) -> None:
    """Invite everybody, some at once; a failure leaves a person out, as a line in a log does."""
    waiting = iter(work.emails())

    async def worker() -> None:
        for email in waiting:
            try:
                await invite(email)
            except failures:
                continue

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def _one_by_one(work: Work, invite: Callable[[str], None], *failures: type[Exception]) -> None:
    """Invite everybody, one after the other."""
    for email in work.emails():
        try:
            invite(email)
        except failures:
            continue


PEERS: dict[str, Callable[[Work], Send]] = {
    "raw aiohttp, 16 connections": raw_aiohttp,
    "M3terAsyncHook, 16 at once": our_async_hook,
    "delivery, ledger on SQLite": delivery_of_plan,
    "delivery, ledger on PostgreSQL": delivery_of_plan,
    "m3ter SDK async, httpx": async_sdk,
    "m3ter SDK async, aiohttp": async_sdk_aiohttp,
    "M3terHook in a loop": our_hook,
    "m3ter SDK in a loop": sdk,
    "HttpHook.run in a loop": http_hook,
    "our DAG, whole run": dag_run,
    "one mapped task a person": mapped_tasks,
    "plan": plan,
    "snapshot": snapshot,
}
