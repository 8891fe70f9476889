"""Find and end every process that one run of the demo or of a test started, orphans included.

A process group is not enough: Airflow's task supervisors and their orphans leave it. Each process carries a marker
in its environment instead, which children inherit.
"""

from __future__ import annotations

import os
import time

import psutil

MARKER = "M3TER_PROCESS_FAMILY"
"""Name of the environment variable; its value names one family of processes."""


def marked_environment(environment: dict[str, str], family: str) -> dict[str, str]:
    """Return a copy of an environment whose processes belong to a family.

    :param environment: the environment to start from
    :param family: a value that no other family uses
    """
    # setproctitle overwrites the memory in which the kernel looks for a process's environment, unless it is set not to.
    return {**environment, MARKER: family, "SPT_NOENV": "1"}


def members(family: str) -> list[psutil.Process]:
    """List the running processes of a family, without the calling one.

    :param family: the value given to :func:`marked_environment`
    """
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.pid != os.getpid()
                and process.environ().get(MARKER) == family
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
    return found


def end_family(family: str, grace_seconds: float = 5.0) -> None:
    """End all processes of a family: ask, wait, then kill until none is left.

    :param family: the value given to :func:`marked_environment`
    :param grace_seconds: how long they may take to end by themselves
    """
    deadline = time.monotonic() + grace_seconds
    asked: set[int] = set()
    while running := members(family):
        overdue = time.monotonic() >= deadline
        for process in running:
            try:
                if overdue:
                    process.kill()
                elif process.pid not in asked:
                    asked.add(process.pid)
                    process.terminate()
            except psutil.Error:
                continue
        psutil.wait_procs(running, timeout=0.1)
        if time.monotonic() > deadline + 30:
            raise RuntimeError(f"{len(running)} processes could not be ended: {[p.pid for p in running]}")
