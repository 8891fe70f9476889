"""What a case is, and how one is run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.case_run import CaseRun
from tests.chaos.environment import Environment, rng_of

#: Configuration of every case, unless it says otherwise.
VALUES: Mapping[str, Any] = {
    "look_back_days": 0,
    "settle_after": "0.2s",
    "fail_on_refused": False,
    "max_invitations": None,
}


class NotReachedError(Exception):
    """The fault of a case was not reached, so it shows nothing."""


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong, once.

    :param kind: what it belongs to in the summary.
    :param name: says what goes wrong; unique.
    :param act: loads people and injects the fault; :class:`CaseRun` checks what must hold afterwards.
    :param values: configuration.
    :param tables: False: the ledger's tables do not exist yet.
    :param connection: extras of the connection to m3ter.
    """

    kind: str
    name: str
    database: str
    act: Callable[[CaseRun], None]
    values: Mapping[str, Any] = field(default_factory=dict)
    tables: bool = True
    connection: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The name by which it is run alone."""
        return f"{self.kind} / {self.name} / {self.database}"


@dataclass(frozen=True)
class Result:
    """How a case ended.

    :param failure: why the promise does not hold, or None.
    :param not_reached: the fault was not reached.
    """

    name: str
    kind: str
    seconds: float
    failure: str | None = None
    not_reached: bool = False


def start_case(environment: Environment, case: Case, seed: int, log: Path | None = None) -> CaseRun:
    """Make an empty world for a case, and connect it."""
    world = environment.world(case.database, tables=case.tables, **{**VALUES, **case.values})
    started = CaseRun(environment, case.database, world, rng_of(case.full_name, seed), log)
    started.connect(**case.connection)
    return started


def run_case(environment: Environment, case: Case, seed: int, log: Path | None = None) -> Result:
    """Run a case, and check at its end what is promised."""
    began = time.monotonic()
    failure, not_reached = None, False
    try:
        started = start_case(environment, case, seed, log)
        try:
            case.act(started)
            started.until_quiet()
            started.check_promise()
        finally:
            started.end_all()
    except NotReachedError:
        not_reached = True
    except Exception as error:  # the worker goes on with the next case
        failure = f"{type(error).__name__}: {error}"
        if not isinstance(error, AssertionError):
            failure += "\n" + traceback.format_exc()
    return Result(case.full_name, case.kind, time.monotonic() - began, failure, not_reached)
