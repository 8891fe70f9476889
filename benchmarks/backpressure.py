"""Backpressure: processes that know nothing of each other send to one organisation, each set to its whole limit.

The sandbox has the limit, and counts refusals (429) and e-mails. The ideal is the limit itself; the peer of each line
is one process alone in the same run.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import time
from multiprocessing.queues import Queue

from airflow.sdk import Connection

from m3ter_provider.hooks.m3ter import M3terAsyncHook
from m3ter_provider.models import InvitationRequest
from m3ter_sandbox.testing import SandboxServer

LIMIT = 50
EACH = 1000
AT_ONCE = 16


def send(connection: str, people: list[str], start: float, done: Queue[list[float]]) -> None:
    """Send from this process, beginning at a moment of :func:`time.monotonic`, and tell when each was sent."""
    logging.disable(logging.WARNING)
    times: list[float] = []

    async def all_of_them() -> None:
        waiting = iter(people)
        async with M3terAsyncHook(connection=Connection.from_json(connection, conn_id="m3ter_bench")) as hook:
            await asyncio.sleep(max(0.0, start - time.monotonic()))

            async def sender() -> None:
                for email in waiting:
                    await hook.create_invitation(InvitationRequest(email=email, first_name="New", last_name="Hire"))
                    times.append(time.monotonic())

            await asyncio.gather(*(sender() for _ in range(AT_ONCE)))

    asyncio.run(all_of_them())
    done.put(times)


def main() -> None:
    """Print a line for each number of processes, kind of window and time of an answer."""
    logging.disable(logging.WARNING)
    print(f"limit {LIMIT}/s, {EACH} people a process; ideal: the limit itself")
    print(
        f"{'processes':>9}  {'window':<10}{'answer after':>13}{'e-mails':>9}{'twice':>7}{'429s':>6}{'of all':>8}"
        f"{'of ideal':>10}{'all at work':>13}"
    )
    for window in ("calendar", "sliding"):
        for latency in (0.02, 0.1):
            for processes in (1, 2, 5):
                measure(processes, window, latency)


def measure(processes: int, window: str, latency: float) -> None:
    """Print what so many processes did together."""
    spawned = multiprocessing.get_context("spawn")
    with SandboxServer(window=window, requests_per_second=LIMIT) as sandbox:
        sandbox.faults(kind="latency", operation="CreateOrgUserInvitation", seconds=latency)
        connection = sandbox.airflow_connection(requests_per_second=LIMIT)
        start = time.monotonic() + 8.0  # after the imports of all of them
        done: Queue[list[float]] = spawned.Queue()
        workers = [
            spawned.Process(target=send, args=(connection, _people(number), start, done)) for number in range(processes)
        ]
        for worker in workers:
            worker.start()
        times = [done.get(timeout=600) for _ in workers]
        for worker in workers:
            worker.join()
        counts, emails = sandbox.counts(), sandbox.emails()
    refused, twice = counts["rate_limited"], sum(number > 1 for number in emails.values())
    began = min(map(min, times))
    together = min(map(max, times))  # from then on fewer are at work
    whole = len(emails) / (max(map(max, times)) - began)
    meanwhile = sum(one <= together for of in times for one in of) / (together - began)
    print(
        f"{processes:>9}  {window:<10}{latency * 1000:>10.0f} ms{len(emails):>9}{twice:>7}{refused:>6}"
        f"{refused / (refused + len(emails)):>8.2%}{whole / LIMIT:>10.3f}{meanwhile / LIMIT:>13.3f}",
        flush=True,
    )
    assert len(emails) == processes * EACH, "somebody was left out"


def _people(number: int) -> list[str]:
    return [f"person-{number}-{one}@example.com" for one in range(EACH)]
