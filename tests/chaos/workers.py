"""Runs many cases on a few workers, each with a local m3ter and databases of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.chaos.cases import Case, Result, run_case
from tests.chaos.environment import Environment
from tests.chaos.recorded_points import Recording, record
from tests.support.postgresql import PostgresServer

#: Seconds after which a case that does not end is a failure.
CASE_LIMIT = 240.0


def record_points(folder: Path, postgres: PostgresServer) -> tuple[Recording, frozenset[str]]:
    """Find the fault points of every scenario, and what its tasks import, in a process of its own."""

    def work(pipe: Connection) -> None:
        with Environment(folder / "recorder", postgres, 0).running() as environment:
            pipe.send(record(environment))

    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    process.start()
    theirs.close()
    try:
        found: tuple[Recording, frozenset[str]] = ours.recv()
    except EOFError:
        raise SystemExit("The scenarios could not be run without a fault; see above.") from None
    finally:
        process.join()
    return found


class _Worker:
    """A process that runs one case after the other."""

    def __init__(
        self, number: int, cases: Sequence[Case], seed: int, folder: Path, postgres: PostgresServer, log: Path | None
    ) -> None:
        self._start = (number, cases, seed, folder, postgres, log)
        self.index: int | None = None
        self.since = 0.0
        self._begin()

    def _begin(self) -> None:
        number, cases, seed, folder, postgres, log = self._start
        context = get_context("fork")
        self.pipe, theirs = context.Pipe()

        parent = os.getpid()

        def work() -> None:
            os.setsid()
            environment = Environment(folder / f"worker-{number}-{os.getpid()}", postgres, os.getpid())
            with environment.running():
                while os.getppid() == parent:  # it may have been ended by force
                    if not theirs.poll(1.0):
                        continue
                    if (index := theirs.recv()) is None:
                        break
                    theirs.send(run_case(environment, cases[index], seed, log))
            environment.remove()

        self.process = context.Process(target=work)
        self.process.start()
        theirs.close()

    def give(self, index: int) -> None:
        """Let it run a case."""
        self.index, self.since = index, time.monotonic()
        self.pipe.send(index)

    def again(self) -> None:
        """End it and everything it forked, and start anew."""
        self.end()
        self._begin()

    def end(self) -> None:
        """End it at once."""
        if self.process.pid and self.process.is_alive():
            os.killpg(self.process.pid, 9)
        self.process.join()
        self.pipe.close()
        self.index = None

    def finish(self) -> None:
        """Let it end by itself."""
        self.pipe.send(None)
        self.process.join(20)
        self.end()


def run_cases(
    cases: Sequence[Case],
    *,
    seed: int,
    jobs: int,
    folder: Path,
    postgres: PostgresServer,
    on_result: Callable[[Result], None],
    log: Path | None = None,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Run cases, several at a time.

    :param until: asked before each case; True ends it.
    """
    workers = [_Worker(n + 1, cases, seed, folder, postgres, log) for n in range(min(jobs, len(cases)))]
    waiting = iter(range(len(cases)))

    def give_next(worker: _Worker) -> None:
        index = None if until() else next(waiting, None)
        worker.index = None
        if index is not None:
            worker.give(index)

    try:
        for worker in workers:
            give_next(worker)
        while busy := [worker for worker in workers if worker.index is not None]:
            ready: list[Any] = wait([worker.pipe for worker in busy], timeout=1.0)
            for worker in busy:
                case = cases[worker.index or 0]
                if worker.pipe in ready:
                    try:
                        on_result(worker.pipe.recv())
                    except EOFError:
                        on_result(Result(case.full_name, case.kind, 0.0, "the worker ended"))
                        worker.again()
                    give_next(worker)
                elif time.monotonic() - worker.since > CASE_LIMIT:
                    on_result(Result(case.full_name, case.kind, CASE_LIMIT, f"not over after {CASE_LIMIT:.0f} s"))
                    worker.again()
                    give_next(worker)
        for worker in workers:
            worker.finish()
    finally:
        for worker in workers:
            worker.end()
