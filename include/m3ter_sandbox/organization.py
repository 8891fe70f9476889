"""One m3ter organisation: its entries of every kind, and how it begins."""

from __future__ import annotations

import json
import uuid

from m3ter_sandbox.clock import Clock
from m3ter_sandbox.entries import Entries
from m3ter_sandbox.invitations import Invitations
from m3ter_sandbox.mailbox import Mailbox
from m3ter_sandbox.policies import Policies
from m3ter_sandbox.store import Store, StoreError
from m3ter_sandbox.users import Users

__all__ = ["Organization"]

_MANAGED_POLICIES = {
    "Administrator": [{"effect": "ALLOW", "action": ["ALL"], "resource": ["*"]}],
    "Read Only": [{"effect": "ALLOW", "action": ["CONFIG_RETRIEVE"], "resource": ["*"]}],
}


class Organization:
    """One organisation and its service user.

    :param seed: makes ids and shuffled pages repeatable; None for random ones.
    """

    def __init__(self, store: Store, clock: Clock, org_id: str, seed: int | None = None) -> None:
        self._store, self._clock, self.org_id = store, clock, org_id
        self.since_ms = clock.now_ms()
        self.entries = Entries(store, clock, org_id, seed)
        self.mailbox = Mailbox(self.entries)
        self.policies = Policies(self.entries)
        self.users = Users(self.entries, self.mailbox)
        self.invitations = Invitations(self.entries, self.mailbox, self.policies, self.users)

    def found(self) -> None:
        """Bring a new organisation into being: its managed policies. A known one stays as it is.

        :raises StoreError: the database is another organisation's.
        """
        known = self._store.setting("org_id")
        if known not in (None, self.org_id):
            raise StoreError(
                f"The database holds the organization {known}, not {self.org_id}. Name that one, or another file."
            )
        since = self._store.setting("since")
        if since is not None:
            self.since_ms = since
            return
        self.since_ms = self._clock.now_ms()
        with self._store as store:
            store.keep_setting("since", self.since_ms)
            store.keep_setting("org_id", self.org_id)
            for name, statements in _MANAGED_POLICIES.items():
                policy_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"m3ter-sandbox:{self.org_id}:policy:{name}"))
                row = self.entries.dates(self.since_ms, None) | {"id": policy_id, "version": 1, "name": name}
                store.insert("policy", row | {"managed": 1, "statements": json.dumps(statements)})

    def totals(self) -> dict[str, int]:
        """Return how many entries there are of each kind."""
        tables = {"invitations": "invitation", "users": "user", "policies": "policy", "emails": "email"}
        return {
            name: self._store.count(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
            for name, table in tables.items()
        }
