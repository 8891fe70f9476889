"""What was asked and how it was answered: never a body, never a header."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

__all__ = ["Entry", "Journal"]

KEPT = 100_000  # entries; the counts go on


@dataclass
class Entry:
    """One request.

    ``port`` is the client's, which tells one connection from the next; of the headers there are only the names.
    ``status`` is None while it is not answered, and stays so where the client got no complete answer.
    """

    number: int
    time: float
    method: str
    path: str
    kind: str
    query: str
    source: str
    port: int
    headers: tuple[str, ...]
    status: int | None = None
    outcome: str = "open"
    fault: str | None = None
    seconds: float | None = None
    era: int = 0


class Journal:
    """The latest requests, and counts of all of them."""

    def __init__(self) -> None:
        self._era = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything, and what is not yet answered as well."""
        self._era += 1
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._number = 0
        self._kinds: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._answers: dict[str, Counter[str]] = {}

    def open(
        self,
        time: float,
        method: str,
        path: str,
        kind: str,
        query: str,
        client: tuple[str, int],
        headers: tuple[str, ...] = (),
    ) -> Entry:
        """Write down that a request arrived.

        :param time: seconds since the epoch (the steady clock).
        :param kind: method and path with its parameters named, e.g. ``GET /organizations/{orgId}/users``.
        """
        self._number += 1
        entry = Entry(self._number, time, method, path, kind, query, *client, headers, era=self._era)
        self._entries.append(entry)
        self._kinds[kind] += 1
        return entry

    def close(self, entry: Entry, time: float, status: int | None, outcome: str) -> None:
        """Write down how it ended.

        :param outcome: ``answered``, ``dropped``, ``reset``, ``truncated`` or ``client left``.
        """
        entry.status, entry.outcome = status, outcome
        entry.seconds = round(time - entry.time, 6)
        if entry.era != self._era:
            return
        answer = str(status) if status is not None else outcome
        self._statuses[answer] += 1
        self._answers.setdefault(entry.kind, Counter())[answer] += 1

    def requests(self) -> list[dict[str, object]]:
        """Return the latest requests, oldest first."""
        return [{name: value for name, value in vars(entry).items() if name != "era"} for entry in self._entries]

    def counts(self) -> dict[str, object]:
        """Return counts by kind of request, by answer and by both."""
        return {
            "total": sum(self._kinds.values()),
            "requests": dict(self._kinds),
            "statuses": dict(self._statuses),
            "answers": {kind: dict(answers) for kind, answers in self._answers.items()},
            "token_requests": self._kinds["POST /oauth/token"],
            "rate_limited": self._statuses["429"],
        }
