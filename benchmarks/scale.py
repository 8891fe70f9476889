"""The largest organisations: plans for up to a million people, 100,000 sent, and m3ter read again.

``python -m benchmarks scale [--people 10000,100000,1000000] [--invitations 1000000] [--members 100000] [--sent 100000]
[--database sqlite|postgresql] [--folder build/bench]``. The ledger has invitations of earlier years, and m3ter has
members, before anybody is planned. Writes ``scale.md``, ``scale.json`` and ``scale.svg``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import _scale_plot, planning
from benchmarks._peers import cases, client
from benchmarks._peers.server import Switches
from benchmarks._peers.server_process import Server, running_server
from benchmarks._peers.work import Work
from benchmarks.peers import describe_machine
from tests.support.databases import POSTGRESQL, SQLITE

Result = TypeVar("Result")

_DELIVERY = {SQLITE: cases.SQLITE, POSTGRESQL: cases.POSTGRESQL}


def main(options: Sequence[str] = ()) -> None:
    """Measure, print the tables, and write them with the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale")
    parser.add_argument("--people", default="10000,100000,1000000", help="numbers of people, with commas between")
    parser.add_argument(
        "--new", type=int, default=100, help="of the largest number, in a plan of people that are known"
    )
    parser.add_argument("--invitations", type=int, default=1_000_000, help="of earlier years, in the ledger")
    parser.add_argument("--members", type=int, default=100_000, help="users, and invitations, that m3ter has")
    parser.add_argument("--sent", type=int, default=100_000, help="invitations that are sent")
    parser.add_argument("--database", choices=[SQLITE, POSTGRESQL], action="append", help="may be given twice")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where tables and plot go")
    chosen = parser.parse_args(options)
    sizes = sorted(int(size) for size in chosen.people.split(","))
    machine, databases = describe_machine(), chosen.database or [SQLITE, POSTGRESQL]
    planned: list[dict[str, Any]] = []
    for database in databases:
        for people, new in (*((size, size) for size in sizes), (sizes[-1], min(chosen.new, sizes[-1]))):
            figures = planning.measure(database, people, new, invitations=chosen.invitations, members=chosen.members)
            planned.append(figures)
            print(planning.table([figures]), flush=True)
    delivered = [measure_delivery(database, chosen.sent) for database in databases] if chosen.sent else []
    read = [one for database in databases for one in measure_snapshots(database, chosen.members)]
    result = {"machine": machine, "planned": planned, "delivered": delivered, "read": read}
    text = markdown(result)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    (chosen.folder / "scale.md").write_text(text, encoding="utf-8")
    (chosen.folder / "scale.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (chosen.folder / "scale.svg").write_text(_scale_plot.svg(all_new(planned)), encoding="utf-8")
    print(f"{text}\nwritten: {chosen.folder}/scale.md, scale.json, scale.svg")


def measure_delivery(database: str, people: int) -> dict[str, Any]:
    """Plan for people, and send to all of them, without a limit; return the figures of the sending."""

    def work(server: Server, connection: str) -> dict[str, Any]:
        server.reset(Switches())
        plan = client.run(Work("plan", server.url, people, database=connection))
        sending = Work(_DELIVERY[database], server.url, people, database=connection, plan_id=str(plan["plan_id"]))
        figures, counts = client.run(sending), server.counts()
        if (counts["people"], counts["twice"]) != (people, 0):
            raise RuntimeError(f"{counts['people']} of {people} people have an e-mail, {counts['twice']} of them two")
        return {"database": database, "people": people, **figures, "requests": counts["requests"]}

    return _with_server(database, work)


def measure_snapshots(database: str, invitations: int) -> list[dict[str, Any]]:
    """Read m3ter twice: to the end, and once more when nothing has changed; return the figures of both."""

    def work(server: Server, connection: str) -> list[dict[str, Any]]:
        server.reset(Switches(invitations=invitations))
        found, before = [], 0
        for what in ("everything", "nothing changed"):
            figures = client.run(Work("snapshot", server.url, 0, database=connection))
            asked = server.counts().get("GET invitations", 0)
            found.append(
                {"database": database, "what": what, "invitations": invitations, "requests": asked - before, **figures}
            )
            before = asked
        return found

    return _with_server(database, work)


def _with_server(database: str, work: Callable[[Server, str], Result]) -> Result:
    with (
        running_server() as server,
        tempfile.TemporaryDirectory(prefix="m3ter-bench-") as folder,
        planning.database_for(database, Path(folder)) as connection,
    ):
        return work(server, connection)


def all_new(planned: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the plans in which nobody was known."""
    return [one for one in planned if one["new"] == one["people"]]


def markdown(result: dict[str, Any]) -> str:
    """Return what was measured as tables."""
    lines = [planning.table(result["planned"]), ""]
    for name, figure in (("time", "wall"), ("processor time", "cpu")):
        for database, slope in planning.slopes_of(all_new(result["planned"]), figure):
            lines.append(f"{database}: {name} grows as people to the power of {slope:.2f} (1: linear)  ")
    lines += ["", "| database | sent | wall s | CPU s | CPU µs each | peak MiB | requests |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {one['database']} | {one['people']:,} | {one['wall']:.1f} | {one['cpu']:.1f}"
        f" | {one['cpu'] / one['people'] * 1e6:,.0f} | {one['peak_mib']:.0f} | {one['requests']:,} |"
        for one in result["delivered"]
    ]
    lines += ["", "| database | m3ter's invitations | what changed | requests for them | wall s | CPU s | peak MiB |"]
    lines += ["| --- | ---: | --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {one['database']} | {one['invitations']:,} | {one['what']} | {one['requests']:,} | {one['wall']:.1f}"
        f" | {one['cpu']:.1f} | {one['peak_mib']:.0f} |"
        for one in result["read"]
    ]
    return "\n".join(lines) + "\n"
