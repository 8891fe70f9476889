"""The pace: 2,000 invitations against a strict limit of 50 requests a second, with the setting at 50.

The sandbox counts refusals (429) and e-mails; the rate is compared with the limit itself. Peers in the
same run: Airflow's own ``HttpHook`` in a loop, and the official ``m3ter`` SDK in eight threads. They are given fewer
people, since they do not get through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Connection
from m3ter import M3ter

from m3ter_provider.hooks.m3ter import M3terAsyncHook
from m3ter_provider.models import InvitationRequest
from m3ter_sandbox.testing import SandboxServer

LIMIT = 50
PEOPLE = 2000
PEOPLE_FOR_PEERS = 300
AT_ONCE = 20

Sender = Callable[[SandboxServer, list[str]], None]


def ours(sandbox: SandboxServer, people: list[str]) -> None:
    """Send with M3terAsyncHook, some at once."""
    document = sandbox.airflow_connection(requests_per_second=LIMIT)
    connection = Connection.from_json(document, conn_id="m3ter_bench")

    async def send() -> None:
        waiting = iter(people)
        async with M3terAsyncHook(connection=connection) as hook:

            async def sender() -> None:
                for email in waiting:
                    request = InvitationRequest(email=email, first_name="New", last_name="Hire")
                    await hook.create_invitation(request)

            await asyncio.gather(*(sender() for _ in range(AT_ONCE)))

    asyncio.run(send())


def http_hook(sandbox: SandboxServer, people: list[str]) -> None:
    """Send with HttpHook.run in a loop, as one would by hand; failures are counted by the sandbox."""
    import logging
    import os

    import requests

    logging.disable(logging.CRITICAL)
    os.environ["AIRFLOW_CONN_BENCH_HTTP"] = f'{{"conn_type": "http", "host": "{sandbox.url}"}}'
    answer = requests.post(
        f"{sandbox.url}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(sandbox.access_key_id, sandbox.api_secret),
        timeout=10,
    )
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    hook = HttpHook(method="POST", http_conn_id="bench_http")
    for email in people:
        hook.run(
            f"organizations/{sandbox.org_id}/invitations",
            headers=headers,
            json={"email": email, "firstName": "New", "lastName": "Hire"},
            extra_options={"check_response": False},
        )
    logging.disable(logging.NOTSET)


def official_sdk(sandbox: SandboxServer, people: list[str]) -> None:
    """Send with the official SDK in eight threads."""

    def invite(email: str) -> None:
        try:
            client.users.invitations.create(email=email, first_name="New", last_name="Hire")
        except Exception:  # noqa: BLE001 - the sandbox counts who got no e-mail
            return

    client = M3ter(
        api_key=sandbox.access_key_id,
        api_secret=sandbox.api_secret,
        org_id=sandbox.org_id,
        base_url=sandbox.url,
    )
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(invite, people))


def main() -> None:
    """Print a line for each sender and kind of window."""
    print(f"limit {LIMIT}/s, everything counted; ideal: the limit itself")
    print(
        f"{'sender':<22}{'window':<10}{'people':>7}{'e-mails':>9}{'left out':>10}{'twice':>7}{'429s':>6}"
        f"{'tokens':>8}{'per s':>8}{'of ideal':>10}"
    )
    for name, send, count in (
        ("M3terAsyncHook", ours, PEOPLE),
        ("HttpHook in a loop", http_hook, PEOPLE_FOR_PEERS),
        ("m3ter SDK, 8 threads", official_sdk, PEOPLE_FOR_PEERS),
    ):
        for window in ("calendar", "sliding"):
            measure(name, send, count, window)


def measure(name: str, send: Sender, count: int, window: str) -> None:
    """Print what one sender did in one kind of window."""
    people = [f"person-{number}@example.com" for number in range(count)]
    with SandboxServer(window=window, requests_per_second=LIMIT) as sandbox:
        began = time.monotonic()
        send(sandbox, people)
        seconds = time.monotonic() - began
        counts, emails = sandbox.counts(), sandbox.emails()
    rate = len(emails) / seconds
    twice = sum(1 for number in emails.values() if number > 1)
    # A burst that leaves people out has no rate worth comparing.
    of_ideal = f"{rate / LIMIT:.3f}" if len(emails) == count else "–"
    print(
        f"{name:<22}{window:<10}{count:>7}{len(emails):>9}{count - len(emails):>10}{twice:>7}"
        f"{counts['rate_limited']:>6}{counts['token_requests']:>8}{rate:>8.1f}{of_ideal:>10}",
        flush=True,
    )
