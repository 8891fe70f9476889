"""A warehouse and a ledger with so many people, for benchmarks without m3ter; each step is a process of its own.

``python -m benchmarks._organisation STEP``, with what :class:`Organisation` says as JSON on the standard input.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import insert

from tests.support.hire_table import HIRES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from m3ter_onboarding.planning.decided_rows import PlanningRun

ORG_ID = "bench"
WAREHOUSE = "bench_warehouse"
_END = datetime(2030, 1, 2, tzinfo=timezone.utc)
QUERY = """
SELECT employee_id, email, first_name, last_name, start_date
FROM hires WHERE loaded_at >= :window_start AND loaded_at < :window_end
"""
_AT_ONCE = 10_000
_STEP, _PRIME = 7919, 1_000_003
_PAST = "'2025-01-01 00:00:00.000000'"


@dataclass(frozen=True)
class Organisation:
    """What a step needs to know.

    :param connection: to the database of warehouse and ledger, as Airflow's JSON.
    :param people: rows of the warehouse.
    :param new: how many of them m3ter does not know.
    :param invitations: rows of the ledger: of the people that m3ter knows, and then of others.
    :param members: users that m3ter has: the people that it knows, and then others.
    """

    connection: str
    people: int
    new: int
    invitations: int = 0
    members: int = 0

    def step(self, name: str) -> dict[str, Any]:
        """Run a step in a fresh process, and return its figures."""
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks._organisation", name],
            input=json.dumps(asdict(self)),
            env={**os.environ, f"AIRFLOW_CONN_{WAREHOUSE.upper()}": self.connection},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return figures


def load(organisation: Organisation) -> dict[str, Any]:
    """Make the tables, and write people, and what m3ter has of some of them, into them."""
    from m3ter_onboarding.clock import utc_now
    from m3ter_onboarding.ledger import mirror
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.ledger.schema import prepare_tables

    with closing(open_ledger(WAREHOUSE)) as db:
        HIRES.create(db.engine)
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
        began = mirror.begin_pass(db, ORG_ID)
        for rows in _parts(map(_hire, range(organisation.people))):
            db.write(lambda connection, rows=rows: connection.execute(insert(HIRES), rows), doing="loading")
        for rows in _parts(_member(number, began) for number in range(organisation.new, organisation.people)):
            db.write(
                lambda connection, rows=rows: connection.execute(insert(db.tables.mirror_user), rows), doing="loading"
            )
        with db.engine.begin() as connection:
            _write_history(connection, organisation, began)
        for kind in mirror.Kind:
            mirror.finish_full_pass(db, ORG_ID, kind, began, utc_now())
        mirror.mark_complete(db, ORG_ID, began)
        if db.engine.dialect.name == "postgresql":
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")
    return {}


def plan(organisation: Organisation) -> dict[str, Any]:
    """Make a plan, as the task does, and return what it cost."""
    from m3ter_onboarding.clock import utc_now
    from m3ter_onboarding.config.organisation import OnboardingConfig
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.planning.sealed_plan import make_plan

    config = OnboardingConfig.from_mapping(
        {"name": "bench", "warehouse_conn_id": WAREHOUSE, "query": "hires.sql", "max_age_days": 3000},
        query_text=QUERY,
    )
    with closing(open_ledger(WAREHOUSE)) as db:
        before, wall, cpu = peak_mib(), time.monotonic(), time.process_time()
        planned = make_plan(config, db, _run(), now=utc_now())
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    if (planned.rows, planned.invitations) != (organisation.people, organisation.new):
        raise RuntimeError(f"{planned.rows} rows and {planned.invitations} invitations were planned")
    return {"plan_id": planned.plan_id, "wall": wall, "cpu": cpu, "before_mib": before, "peak_mib": peak_mib()}


def claim(organisation: Organisation) -> dict[str, Any]:
    """Plan, and claim everybody, a chunk after the other, as a sender does; return the seconds of each tenth."""
    from sqlalchemy import update

    from m3ter_onboarding.clock import utc_now
    from m3ter_onboarding.ledger.claim_statements import ClaimRequest
    from m3ter_onboarding.ledger.claims import claim_chunk, last_new_row
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.ledger.sql_types import db_now_ms

    plan_id, run_key, chunk = str(plan(organisation)["plan_id"]), _run().key, 100
    tenths, claimed, last_row = [0.0] * 10, 0, -1
    with closing(open_ledger(WAREHOUSE)) as db:
        i = db.tables.invitation
        while claimed < organisation.new:
            wanted = ClaimRequest(run_key, plan_id, ORG_ID, str(uuid4()), 60_000, chunk, utc_now(), after_row=last_row)
            began = time.monotonic()
            rows = claim_chunk(db, wanted)
            tenths[claimed * 10 // organisation.new] += time.monotonic() - began
            claimed, last_row = claimed + len(rows), last_new_row(rows, last_row)
            sent = update(i).where(i.c.claim_token == wanted.token).values(state="sent", attempt_started_ms=db_now_ms())
            db.write(lambda connection, sent=sent: connection.execute(sent), doing="sending")
    return {"tenths": tenths}


def peak_mib() -> float:
    """Return the most memory that this process ever had, without what its parent had before it began."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _run() -> PlanningRun:
    from m3ter_onboarding.config.run_parameters import RunParameters
    from m3ter_onboarding.ledger.runs import RunKey
    from m3ter_onboarding.ledger.sealing import SealingKey
    from m3ter_onboarding.planning.decided_rows import PlanningRun
    from m3ter_onboarding.source.window import Window

    return PlanningRun(
        key=RunKey("m3ter_onboarding__bench", "run"),
        org_id=ORG_ID,
        window=Window(_END - timedelta(days=1), _END),
        parameters=RunParameters(),
        seals=SealingKey(b"bench"),
    )


def _hire(number: int) -> dict[str, Any]:
    scattered = number * _STEP % _PRIME  # no order of addresses or ids, as in a warehouse
    return {
        "employee_id": f"E{scattered:07}",
        "email": f"Person.{scattered}@example.com",
        "first_name": "Given",
        "last_name": f"Family-{number % 977}" if number % 5 == 0 else "O'Family",
        "start_date": "2029-12-01",
        "loaded_at": _END - timedelta(hours=12),
    }


def _member(number: int, seen_ms: int) -> dict[str, Any]:
    from m3ter_provider.email_identity import alias_key, email_key

    email = _hire(number)["email"]
    key = email_key(email)
    seen = {"first_seen_ms": seen_ms, "last_seen_ms": seen_ms, "gone": False}
    return {
        "org_id": ORG_ID,
        "m3ter_id": f"u{number}",
        "email": email,
        "email_key": key,
        "alias_key": alias_key(key),
    } | seen


def _write_history(connection: Connection, organisation: Organisation, seen_ms: int) -> None:
    """Write invitations of earlier years into the ledger, and members among those people who are not hired now."""
    postgresql = connection.dialect.name == "postgresql"
    known = organisation.people - organisation.new
    members = max(organisation.members, known)

    def numbers(first: int, end: int) -> str:
        if postgresql:
            return f"generate_series({first}::bigint, {end - 1}) AS numbers(n)"
        several = f"WITH RECURSIVE r(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM r WHERE n < {end - 1})"
        return f"({several} SELECT n FROM r WHERE n < {end})"

    scattered = f"((n + {organisation.new}) * {_STEP} % {_PRIME})"
    padded = f"lpad({scattered}::text, 7, '0')" if postgresql else f"substr('0000000' || {scattered}, -7)"
    address = f"CASE WHEN n < {known} THEN 'person.' || {scattered} ELSE 'history.' || n END || '@example.com'"
    employee = f"CASE WHEN n < {known} THEN 'E' || {padded} ELSE 'H' || n END"
    statements = [
        f"""
        INSERT INTO m3ter_invitation (org_id, email_key, email, generation, employee_id, state, origin, m3ter_id,
            dag_id, run_id, plan_id, row_no, sent_at, expires_at, created_at, updated_at)
        SELECT '{ORG_ID}', {address}, {address}, 1, {employee},
            CASE WHEN n < {members} THEN 'accepted' ELSE 'expired' END, 'claimed', 'i' || n,
            'm3ter_onboarding__bench', 'earlier', 'earlier', n, {_PAST}, {_PAST}, {_PAST}, {_PAST}
        FROM {numbers(0, organisation.invitations)}
        """,
        f"""
        INSERT INTO m3ter_mirror_user (org_id, m3ter_id, email_key, email, alias_key, first_seen_ms, last_seen_ms, gone)
        SELECT '{ORG_ID}', 'h' || n, 'history.' || n || '@example.com', 'history.' || n || '@example.com',
            'history' || n || '@example.com', {seen_ms}, {seen_ms}, {"false" if postgresql else 0}
        FROM {numbers(known, members)}
        """,
    ]
    for statement in statements:
        connection.exec_driver_sql(statement.replace("%", "%%") if postgresql else statement)


def _parts(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while part := list(itertools.islice(rows, _AT_ONCE)):
        yield part


if __name__ == "__main__":
    steps = {"load": load, "plan": plan, "claim": claim}
    print(json.dumps(steps[sys.argv[1]](Organisation(**json.load(sys.stdin)))))
