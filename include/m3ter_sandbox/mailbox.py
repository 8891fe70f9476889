"""The e-mails that m3ter would have sent."""

from __future__ import annotations

from typing import Any, Literal

from m3ter_sandbox.entries import Entries, email_key
from m3ter_sandbox.store import Row

__all__ = ["EmailKind", "Mailbox"]

EmailKind = Literal["invitation", "temporary_password"]

_SUBJECTS: dict[EmailKind, str] = {
    "invitation": "You have been invited to m3ter",
    "temporary_password": "Your temporary m3ter password",
}
# An e-mail in which the mailbox page's search finds something.
_WANTED = "(:wanted = '' OR instr(e.address_key, :wanted) OR instr(casefold(e.name), :wanted))"


class Mailbox:
    """Every e-mail, by the address that m3ter received."""

    def __init__(self, entries: Entries) -> None:
        self._entries, self._store, self._clock = entries, entries.store, entries.clock

    def send(
        self, kind: EmailKind, address: str, name: str, *, invitation_id: str | None = None, user_id: str | None = None
    ) -> None:
        """Send an e-mail."""
        row: dict[str, Any] = {"id": self._entries.new_id(), "kind": kind, "address": address, "name": name}
        row |= {"address_key": email_key(address), "subject": _SUBJECTS[kind], "sent_at": self._clock.now_ms()}
        self._store.insert("email", row | {"invitation_id": invitation_id, "user_id": user_id})

    def sent_to(self, kind: str = "invitation") -> dict[str, int]:
        """Return how many e-mails were sent to each address, case ignored."""
        rows = self._store.all(
            "SELECT address_key, count(*) AS sent FROM email WHERE kind = ? GROUP BY address_key ORDER BY 1", (kind,)
        )
        return {row["address_key"]: row["sent"] for row in rows}

    def list(self, wanted: str = "", *, newest_first: bool = False, limit: int = -1, skip: int = 0) -> list[Row]:
        """Return e-mails, each with what became of its invitation.

        :param wanted: a part of the address or the name, case ignored.
        :param limit: at most so many; -1 for all.
        """
        order = "DESC" if newest_first else "ASC"
        return self._store.all(
            f"SELECT e.*, i.accepted, i.dt_expiry FROM email e LEFT JOIN invitation i ON i.id = e.invitation_id"  # noqa: S608
            f" WHERE {_WANTED} ORDER BY e.seq {order} LIMIT :limit OFFSET :skip",
            {"wanted": wanted.strip().casefold(), "limit": limit, "skip": skip},
        )

    def size(self, wanted: str = "") -> int:
        """Return how many e-mails there are."""
        return self._store.count(f"SELECT count(*) FROM email e WHERE {_WANTED}", {"wanted": wanted.strip().casefold()})  # noqa: S608
