"""Invitations by this project and by its peers: one run, one server, one table and one plot.

``python -m benchmarks peers [--short] [--case TEXT] [--minutes N] [--folder build/bench]``. Each measurement is a
process of its own; in each round every peer of every case has its turn, and ratios are taken within a round. Rounds end
when there is no time for another one; on a machine that is too busy for the first, its last cases are missing.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks._peers import cases, client, plot, table
from benchmarks._peers.cases import Case
from benchmarks._peers.figures import Measured, lines_of
from benchmarks._peers.server import Switches
from benchmarks._peers.server_process import Server, running_server
from benchmarks._peers.work import Work
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import sqlite_connection
from tests.support.postgresql import running_postgres

#: Gives a new database as an Airflow connection.
NewDatabase = Callable[[], str]


def main(options: Sequence[str] = ()) -> None:
    """Measure, print the table, and write table and plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks peers")
    parser.add_argument("--short", action="store_true", help="fewer cases; under two minutes")
    parser.add_argument("--case", default="", help="only cases whose title has this text, such as 'limit 50/s'")
    parser.add_argument("--minutes", type=float, help="nothing begins later (18; short: 1.5)")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where table and plot go")
    chosen = parser.parse_args(options)
    wanted = [case for case in (cases.short() if chosen.short else cases.full()) if chosen.case in case.title]
    with running_server() as server, _databases() as databases:
        machine = {**describe_machine(), **fastest_of_servers(server)}
        measured = measure(wanted, server, databases, seconds=60 * (chosen.minutes or (1.5 if chosen.short else 18)))
    lines = lines_of(measured)
    text = table.markdown(lines)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    (chosen.folder / "peers.md").write_text(text, encoding="utf-8")
    (chosen.folder / "peers.json").write_text(table.as_json(machine, measured, lines), encoding="utf-8")
    (chosen.folder / "peers.svg").write_text(plot.svg(lines), encoding="utf-8")
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    print(f"\n{text}\nwritten: {chosen.folder}/peers.md, peers.json, peers.svg")


def measure(
    wanted: Sequence[Case], server: Server, databases: dict[str, NewDatabase], *, seconds: float
) -> list[Measured]:
    """Run round after round, as long as another one fits into the time."""
    began, measured, took = time.monotonic(), list[Measured](), dict[tuple[str, str], float]()
    for number in range(max(case.rounds for case in wanted)):
        turns = [(case, peer) for case in wanted if number < case.rounds for peer in case.peers_of_round(number)]
        needed = sum(took.get((case.title, peer), 0.0) for case, peer in turns)
        if number and time.monotonic() - began + needed > seconds:
            break
        for case, peer in turns:
            since = time.monotonic()
            if since - began > seconds:
                break
            measured.append(measure_one(case, peer, number, server, databases))
            took[case.title, peer] = time.monotonic() - since
            print(f"round {number + 1}: {case.title}: {peer}", file=sys.stderr, flush=True)
    order = {(case.title, peer): place for place, (case, peer) in enumerate((c, p) for c in wanted for p in c.peers)}
    return sorted(measured, key=lambda one: (order[one.case, one.peer], one.round))


def measure_one(case: Case, peer: str, number: int, server: Server, databases: dict[str, NewDatabase]) -> Measured:
    """Measure one peer once."""
    work = Work(peer, server.url, case.peers[peer], case.switches.limit)
    if (new := databases.get(peer)) is not None:
        work = dataclasses.replace(work, database=new())
    if peer in (cases.SQLITE, cases.POSTGRESQL):
        server.reset(Switches())
        plan = client.run(dataclasses.replace(work, peer="plan", limit=0))
        work = dataclasses.replace(work, plan_id=str(plan["plan_id"]))
    server.reset(dataclasses.replace(case.switches, seed=number + 1))
    figures, counts = client.run(work), server.counts()
    return Measured(
        case=case.title,
        peer=peer,
        round=number,
        people=work.people,
        wall=figures["wall"],
        cpu=figures["cpu"],
        peak_mib=figures["peak_mib"],
        requests=counts["requests"],
        tokens=counts.get("POST token", 0),
        twice=counts["twice"],
        lost=work.people - counts["people"],
    )


def describe_machine() -> dict[str, Any]:
    """Return what figures depend on; no name and no path."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "Python": platform.python_version(),
        "load before": round(os.getloadavg()[0], 1),
    }


def fastest_of_servers(server: Server) -> dict[str, str]:
    """Return how quickly raw aiohttp sends to our server, and to the project's sandbox."""
    found = {}
    with SandboxServer(requests_per_second=0, requests_per_five_minutes=0) as sandbox:
        for name, url in (("this server", server.url), ("the sandbox", sandbox.url)):
            server.reset(Switches())
            figures = client.run(Work(cases.RAW, url, 1000))
            busy = figures["cpu"] / figures["wall"]
            found[f"raw aiohttp to {name}"] = f"{1000 / figures['wall']:,.0f}/s, the client busy {busy:.0%} of the time"
    return found


@contextmanager
def _databases() -> Iterator[dict[str, NewDatabase]]:
    """Give what makes a new database, for each peer that needs one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="m3ter-bench-")))
        folder.chmod(0o755)  # root's PostgreSQL runs as another user
        postgres = stack.enter_context(running_postgres(folder / "postgres"))
        numbers = iter(range(1_000_000))

        def sqlite() -> str:
            return sqlite_connection(folder / f"bench-{next(numbers)}.db")

        def postgresql() -> str:
            return postgres.new_database().airflow_connection()

        yield {cases.SQLITE: sqlite, cases.POSTGRESQL: postgresql, "our DAG, whole run": sqlite}
