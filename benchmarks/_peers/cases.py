"""Who is measured with which numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks._peers.server import Switches

RAW, HOOK = "raw aiohttp, 16 connections", "M3terAsyncHook, 16 at once"
SQLITE, POSTGRESQL = "delivery, ledger on SQLite", "delivery, ledger on PostgreSQL"
_SDKS = ("m3ter SDK async, httpx", "m3ter SDK async, aiohttp")
_LOOPS = ("M3terHook in a loop", "m3ter SDK in a loop", "HttpHook.run in a loop")
_RUNS = ("our DAG, whole run", "one mapped task a person")
_OURS = (HOOK, SQLITE, POSTGRESQL)
_MANY = (RAW, *_OURS, *_SDKS)


@dataclass(frozen=True)
class Case:
    """Some peers under the same conditions, one after the other.

    :param people: invitations.
    :param switches: of the server.
    :param peers: each one, with the number of people that it is given instead where it is too slow for all of them.
    :param rounds: the most that are run.
    :param once: peers that are slow enough to be measured in the first round alone.
    """

    people: int
    switches: Switches
    peers: Mapping[str, int]
    rounds: int
    once: tuple[str, ...] = ()

    def peers_of_round(self, number: int) -> list[str]:
        """Return who has a turn in a round, from 0, in order: another first one each time."""
        peers = [peer for peer in self.peers if not number or peer not in self.once]
        first = number % len(peers)
        return peers[first:] + peers[:first]

    @property
    def title(self) -> str:
        """The conditions, for people."""
        parts = [f"{self.people:,} people", f"{self.switches.latency * 1000:.0f} ms"]
        if self.switches.limit:
            parts.append(f"limit {self.switches.limit}/s")
        if faults := self.switches.lost_before + self.switches.lost_after:
            parts.append(f"{faults:.0%} of answers lost")
        return ", ".join(parts)


def full() -> Iterator[Case]:
    """Yield the cases of a full run, those first that should be there when time ends early."""
    loops, runs = dict.fromkeys(_LOOPS, 500), dict.fromkeys(_RUNS, 10)
    few = dict.fromkeys(_LOOPS, 100)
    yield Case(500, Switches(), _peers(_MANY, 500) | loops | runs, 5, once=_RUNS)
    yield Case(2000, Switches(lost_before=0.005, lost_after=0.005), _peers((*_MANY, *_LOOPS), 2000), 1)
    yield Case(500, Switches(latency=0.02, limit=50), _peers(_MANY, 500) | dict.fromkeys(_LOOPS, 250), 1)
    for people, latency, rounds in ((2000, 0.0, 5), (500, 0.02, 3), (500, 0.1, 3), (2000, 0.02, 3), (2000, 0.1, 1)):
        yield Case(people, Switches(latency=latency), _peers(_MANY, people) | few, rounds, once=_LOOPS)
    yield Case(2000, Switches(latency=0.02, limit=50), _peers((RAW, *_OURS), 2000), 1)


def short() -> Iterator[Case]:
    """Yield the cases of a short run, likewise."""
    yield Case(500, Switches(), _peers(_MANY, 500) | dict.fromkeys(_LOOPS, 100), 2, once=_LOOPS)
    yield Case(400, Switches(lost_before=0.005, lost_after=0.005), _peers((RAW, HOOK, SQLITE, _SDKS[1]), 400), 1)
    yield Case(100, Switches(latency=0.02, limit=50), _peers((RAW, HOOK, SQLITE), 100), 1)
    yield Case(500, Switches(latency=0.02), _peers((RAW, HOOK, SQLITE), 500), 1)
    yield Case(5, Switches(), _peers((RAW, *_RUNS), 5), 1)


def _peers(names: tuple[str, ...], people: int) -> dict[str, int]:
    return dict.fromkeys(names, people)
