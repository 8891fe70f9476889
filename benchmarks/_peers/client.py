"""One peer, measured in a process of its own: ``python -m benchmarks._peers.client``, with a :class:`Work` as JSON.

Imports and preparations come before the clock starts; a token, connections and the ledger's commits count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

from benchmarks._organisation import WAREHOUSE, peak_mib
from benchmarks._peers.work import Work


def measure(work: Work) -> dict[str, Any]:
    """Do the work in this process, and return its seconds (wall and processor), and the peak of its memory."""
    from benchmarks._peers.senders import PEERS

    send = PEERS[work.peer](work)
    wall, cpu = time.monotonic(), time.process_time()
    told = send()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak_mib": peak_mib(), **(told or {})}


def run(work: Work) -> dict[str, Any]:
    """Let a fresh process do the work, and return its figures."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False"}
    environment |= {"AIRFLOW_CONN_M3TER_DEFAULT": work.connection(), "NO_PROXY": "127.0.0.1"}
    environment["AIRFLOW_CONN_BENCH_HTTP"] = json.dumps({"conn_type": "http", "host": work.url})
    if work.database:
        environment[f"AIRFLOW_CONN_{WAREHOUSE.upper()}"] = work.database
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks._peers.client"],
        input=json.dumps(asdict(work)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{work.peer} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    print(json.dumps(measure(Work(**json.load(sys.stdin)))))
