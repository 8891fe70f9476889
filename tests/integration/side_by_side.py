"""Scenarios that one Airflow runs side by side: most of their time is waiting for leases and heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

Scenario = Callable[[], None]


class SideBySide:
    """Scenarios under way.

    :param begun: by name.
    """

    def __init__(self, begun: Mapping[str, Future[None]]) -> None:
        self._begun = begun

    def result(self, name: str) -> None:
        """Wait for a scenario, and raise what it raised."""
        self._begun[name].result()


@contextmanager
def side_by_side(scenarios: Mapping[str, Scenario], at_once: int) -> Iterator[SideBySide]:
    """Begin scenarios and wait for all of them at the end.

    :param at_once: so many at a time.
    """
    with ThreadPoolExecutor(at_once) as pool:
        futures = {name: pool.submit(scenario) for name, scenario in scenarios.items()}
        try:
            yield SideBySide(futures)
        finally:
            for future in futures.values():
                future.cancel()
