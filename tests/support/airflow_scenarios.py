"""Scenarios that one Airflow runs side by side: most of their time is waiting for leases and heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from demo.airflow_stack import AirflowStack
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.databases import POSTGRESQL, SQLITE
from tests.support.postgresql import PostgresServer


@dataclass(frozen=True)
class AirflowScenario:
    """What happens to an organisation of its own.

    :param act: acts and checks.
    :param ledgers: where the ledger is; one case each.
    :param made_with: for :func:`tests.support.airflow_organisation.organisation`.
    """

    act: Callable[[Organisation], None]
    ledgers: tuple[str, ...] = (SQLITE, POSTGRESQL)
    made_with: Mapping[str, Any] = field(default_factory=dict)


def cases(scenarios: Mapping[str, AirflowScenario]) -> list[tuple[str, str]]:
    """Return name and ledger of every case, for ``parametrize``."""
    return [(name, ledger) for name, scenario in scenarios.items() for ledger in scenario.ledgers]


class RunningScenarios:
    """Scenarios under way.

    :param begun: by name and ledger.
    """

    def __init__(self, begun: Mapping[tuple[str, str], Future[None]]) -> None:
        self._begun = begun

    def result(self, name: str, ledger: str) -> None:
        """Wait for a scenario, and raise what it raised."""
        self._begun[name, ledger].result()


@contextmanager
def running_scenarios(
    scenarios: Mapping[str, AirflowScenario], request: pytest.FixtureRequest, *, at_once: int = 6
) -> Iterator[RunningScenarios]:
    """Begin the scenarios of a module whose tests are selected, and wait at the end for those that have begun.

    :param request: of a fixture of that module, whose tests have the parameters ``name`` and ``ledger``.
    :param at_once: so many at a time.
    """
    stack: AirflowStack = request.getfixturevalue("airflow_postgres")
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")

    def run(name: str, ledger: str) -> None:
        scenario = scenarios[name]
        short = f"{name.replace(' ', '_').replace('-', '_')}_{ledger}"
        database = postgres if ledger == POSTGRESQL else None
        with organisation(stack, short, folders.mktemp(short), database, **scenario.made_with) as org:
            scenario.act(org)

    with ThreadPoolExecutor(at_once) as pool:
        futures = {case: pool.submit(run, *case) for case in _selected(request) if case[0] in scenarios}
        try:
            yield RunningScenarios(futures)
        finally:
            for future in futures.values():
                future.cancel()


def _selected(request: pytest.FixtureRequest) -> list[tuple[str, str]]:
    parameters = [
        item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec")
    ]
    return [(str(found["name"]), str(found["ledger"])) for found in parameters if {"name", "ledger"} <= set(found)]
