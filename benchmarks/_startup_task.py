"""One task of a run in a process of its own, as Airflow starts it: ``python -m benchmarks._startup_task TASK FILE``.

Before the clock starts: the interpreter, Airflow's task runner and the DAG file, which every task pays. Then the task
itself, and of it the imports. Results of earlier tasks come as JSON on the standard input. Prints its figures.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import logging
import runpy
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

END = datetime(2030, 1, 2, tzinfo=timezone.utc)


class Watch:
    """Counts what a task imports, which connections it reads and how often it connects to a database."""

    def __init__(self) -> None:
        self.import_seconds = 0.0
        self.connections: Counter[str] = Counter()
        self.databases = 0
        self._importing = False
        self._import = builtins.__import__

    def begin(self) -> None:
        """Begin to count."""
        from airflow.sdk import Connection
        from sqlalchemy import event
        from sqlalchemy.pool import Pool

        read: Callable[..., Any] = Connection.get

        def get(conn_id: str) -> Any:
            self.connections[conn_id] += 1
            return read(conn_id)

        Connection.get = get  # type: ignore[method-assign]
        event.listen(Pool, "connect", self._connected)
        builtins.__import__ = self._timed_import

    def end(self) -> None:
        """End the timing of imports."""
        builtins.__import__ = self._import

    def _connected(self, *_: object) -> None:
        self.databases += 1

    def _timed_import(self, *arguments: Any, **named: Any) -> Any:
        if self._importing:
            return self._import(*arguments, **named)
        self._importing, began = True, time.thread_time()
        try:
            return self._import(*arguments, **named)
        finally:
            self.import_seconds += time.thread_time() - began
            self._importing = False


def main() -> None:
    """Run a task, or load the DAG file alone where it has none of this name."""
    import airflow.sdk.execution_time.task_runner  # noqa: F401 - as in every process of a task

    logging.disable(logging.CRITICAL)
    name, file = sys.argv[1:]
    results: dict[str, Any] = json.load(sys.stdin)
    task = runpy.run_path(file)["dag"].get_task(name)
    before, modules = time.process_time(), len(sys.modules)
    watch = Watch()
    watch.begin()
    began, cpu = time.monotonic(), time.process_time()
    result = _execute(task, _context(results))
    figures = {
        "before_cpu": before,
        "cpu": time.process_time() - cpu,
        "wall": time.monotonic() - began,
        "modules": len(sys.modules) - modules,
        "import_cpu": watch.import_seconds,
        "connections": dict(watch.connections),
        "databases": watch.databases,
        "result": result,
    }
    watch.end()
    print(json.dumps(figures, default=str))


def _execute(task: Any, context: Any) -> Any:
    from airflow.sdk.exceptions import AirflowSkipException

    try:
        if hasattr(task, "aexecute"):
            return asyncio.run(task.aexecute(context))
        return task.execute(context)
    except AirflowSkipException:
        return None


def _context(results: dict[str, Any]) -> Any:
    run = {"dag_id": "m3ter_onboarding__bench", "run_id": "run", "run_type": "manual", "triggering_user_name": "bench"}
    return {
        "dag_run": SimpleNamespace(**run),
        "params": {},
        "data_interval_start": END.replace(day=1),
        "data_interval_end": END,
        "logical_date": None,
        "ti": SimpleNamespace(
            xcom_pull=lambda task_ids, key=None: None if key else results.get(task_ids),
            xcom_push=lambda key, value: None,
        ),
    }


if __name__ == "__main__":
    main()
