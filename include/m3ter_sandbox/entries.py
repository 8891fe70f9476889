"""What all entries of m3ter's share: ids, dates, versions, lists and their pages."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from m3ter_sandbox.clock import Clock
from m3ter_sandbox.paging import PageRequest, Position
from m3ter_sandbox.store import Row, Store
from m3ter_sandbox.switches import Switches

__all__ = ["Entries", "ListKind", "Page", "RefusalError", "check_version", "email_key"]

ListKind = Literal["invitation", "user", "policy"]


class RefusalError(Exception):
    """M3ter does not do what was asked; nothing happened."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Page:
    """Entries of a list, and the position of the last of them where the list goes on."""

    rows: Sequence[Row]
    more_after: Position | None
    more_is_empty: bool = False


def email_key(address: str) -> str:
    """Return what two spellings of one address share: for counting, not a rule of m3ter's."""
    return address.strip().casefold()


def check_version(given: int | None, current: int) -> None:
    """Check the version of an update against that of the entry.

    :raises RefusalError: it is missing, or another.
    """
    if given is None:
        raise RefusalError(400, "version: is required for an update")
    if given != current:
        raise RefusalError(400, "version: does not match the existing version")


class Entries:
    """The entries of one organisation, made by its service user.

    :param seed: makes ids and shuffled pages repeatable; None for random ones.
    """

    def __init__(self, store: Store, clock: Clock, org_id: str, seed: int | None = None) -> None:
        self.store, self.clock, self.org_id = store, clock, org_id
        self._random = random.Random(seed)  # noqa: S311 - ids, no secrets
        self.service_user_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"m3ter-sandbox:{org_id}:service-user"))

    def new_id(self) -> str:
        """Return a new UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    @staticmethod
    def dates(now: int, by: str | None) -> dict[str, Any]:
        """Return the dates of an entry that is new at an instant (milliseconds since the epoch)."""
        return {"dt_created": now, "dt_last_modified": now, "created_by": by, "last_modified_by": by}

    def page(self, kind: ListKind, wanted: PageRequest, switches: Switches, ids: Sequence[str] = ()) -> Page:
        """Return one page of a list.

        :param ids: only these, where given.
        """
        if wanted.empty:
            return Page((), wanted.after)
        newest_first = switches.list_order != "oldest_first"
        where, values = self._visible(kind, switches)
        if ids:
            where.append(f"id IN ({', '.join('?' * len(ids))})")
            values.extend(ids)
        if wanted.after is not None:
            where.append(f"(dt_created, seq) {'<' if newest_first else '>'} (?, ?)")
            values.extend(wanted.after)
        order = "DESC" if newest_first else "ASC"
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        sql = f"SELECT * FROM {kind} {condition} ORDER BY dt_created {order}, seq {order} LIMIT ?"  # noqa: S608 - our own names
        rows = self.store.all(sql, [*values, wanted.size + 1])
        more = len(rows) > wanted.size
        rows = rows[: wanted.size]
        last = (int(rows[-1]["dt_created"]), int(rows[-1]["seq"])) if more else None
        if switches.list_order == "unstable":
            self._random.shuffle(rows)
        return Page(rows, last, more_is_empty=switches.sparse_pages)

    def _visible(self, kind: ListKind, switches: Switches) -> tuple[list[str], list[object]]:
        where: list[str] = []
        values: list[object] = []
        lag = {"invitation": switches.list_lag_seconds, "user": switches.user_list_lag_seconds}.get(kind, 0)
        if lag:
            where.append("stored_at <= ?")
            values.append(self.clock.now_ms() - int(lag * 1000))
        if kind == "invitation":
            if not switches.keep_accepted:
                where.append("NOT accepted")
            if not switches.keep_expired:
                where.append("(accepted OR dt_expiry > ?)")
                values.append(self.clock.now_ms())
        return where, values

    def everything(self, kind: ListKind) -> list[Row]:
        """Return all entries of a kind, newest first, also those that switches hide."""
        return self.store.all(f"SELECT * FROM {kind} ORDER BY dt_created DESC, seq DESC")  # noqa: S608 - our own names

    def get(self, kind: ListKind, entry_id: str) -> Row:
        """Return one entry.

        :raises RefusalError: 404.
        """
        row = self.store.one(f"SELECT * FROM {kind} WHERE id = ?", (entry_id,))  # noqa: S608 - our own names
        if row is None:
            raise RefusalError(404)
        return row
