"""A starting state: invitations, users and policies that m3ter holds already."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic.alias_generators import to_camel

from m3ter_sandbox.clock import Clock, to_milliseconds
from m3ter_sandbox.entries import Entries, email_key
from m3ter_sandbox.invitations import INVITATION_LIFE_MS
from m3ter_sandbox.store import Store

__all__ = ["SeedError", "plant"]

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class SeedError(Exception):
    """The starting state cannot be read; the text says where and why."""


def _instant(value: object, info: ValidationInfo) -> object:
    """Read ``2026-11-24T10:00:00Z``, or ``-45d``, ``+2h``, … from now."""
    if not isinstance(value, str):
        return value
    relative = re.fullmatch(r"([+-])(\d+)([smhd])", value)
    if relative:
        span = int(relative[2]) * _UNITS_MS[relative[3]]
        now: int = (info.context or {})["now"]
        return now + span if relative[1] == "+" else now - span
    try:
        read = datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ValueError("must be an instant with an offset, or like -45d or +2h")
    return to_milliseconds(read)


Milliseconds = Annotated[int, BeforeValidator(_instant)]


class _Planted(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    id: str | None = None
    version: int = 1
    dt_created: Milliseconds | None = None
    dt_last_modified: Milliseconds | None = None
    created_by: str | None = None
    last_modified_by: str | None = None


class _Invitation(_Planted):
    email: str
    first_name: str = "Ada"
    last_name: str = "Example"
    contact_number: str | None = None
    permission_policy_ids: list[str] = []
    dt_end_access: Milliseconds | None = None
    dt_expiry: Milliseconds | None = None
    inviting_principal_id: str | None = None
    accepted: bool = False


class _User(_Planted):
    email: str
    first_name: str | None = "Ada"
    last_name: str | None = "Example"
    contact_number: str | None = None
    support_user: bool = False
    dt_end_access: Milliseconds | None = None
    permission_policy: list[dict[str, Any]] = []
    policy_ids: list[str] = []
    groups: list[str] = []


class _Policy(_Planted):
    name: str
    managed_policy: bool = False
    permission_policy: Annotated[list[dict[str, Any]], Field(min_length=1)] = [
        {"effect": "ALLOW", "action": ["CONFIG_RETRIEVE"], "resource": ["*"]}
    ]


class _Seed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    invitations: list[_Invitation] = []
    users: list[_User] = []
    policies: list[_Policy] = []


def plant(content: Mapping[str, object], store: Store, entries: Entries, clock: Clock) -> dict[str, list[str]]:
    """Put entries into the store, in the order given; no e-mail is sent and no rule is checked.

    :param content: lists ``invitations``, ``users``, ``policies`` of entries with the fields of m3ter's answers.
    :returns: the ids by list.
    :raises SeedError: a field is missing, unknown or of a wrong type, or an id is taken; nothing was put in.
    """
    now = clock.now_ms()
    try:
        seed = _Seed.model_validate(content, context={"now": now})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise SeedError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    rows = _Rows(entries, now)
    policies = [rows.policy(one) for one in seed.policies]
    invitations = [rows.invitation(one) for one in seed.invitations]
    users = [rows.user(one) for one in seed.users]
    pairs = list(zip(seed.users, users, strict=True))
    granted = [grant for one, row in pairs for grant in rows.grants(one, row["id"])]
    groups = [group for one, row in pairs for group in rows.groups(one, row["id"])]
    try:
        with store:
            store.insert_many("policy", policies)
            store.insert_many("invitation", invitations)
            store.insert_many("user", users)
            store.insert_many("user_policy", granted)
            store.insert_many("user_group", groups)
    except (sqlite3.IntegrityError, OverflowError) as error:
        raise SeedError(f"An id occurs twice, or a number is too large: {error}") from None
    return {
        "invitations": [row["id"] for row in invitations],
        "users": [row["id"] for row in users],
        "policies": [row["id"] for row in policies],
    }


class _Rows:
    """Rows of the store, from the entries of a starting state.

    :param now: m3ter's time in milliseconds since the epoch.
    """

    def __init__(self, entries: Entries, now: int) -> None:
        self._entries, self._now = entries, now

    def _identity(self, entry: _Planted, by: str | None) -> dict[str, Any]:
        created = self._now if entry.dt_created is None else entry.dt_created
        by = entry.created_by or by
        return {
            "id": entry.id or self._entries.new_id(),
            "version": entry.version,
            "dt_created": created,
            "dt_last_modified": created if entry.dt_last_modified is None else entry.dt_last_modified,
            "created_by": by,
            "last_modified_by": entry.last_modified_by or by,
        }

    def policy(self, one: _Policy) -> dict[str, Any]:
        row = {"name": one.name, "managed": int(one.managed_policy), "statements": json.dumps(one.permission_policy)}
        return self._identity(one, None) | row

    def invitation(self, one: _Invitation) -> dict[str, Any]:
        # Somebody else's unless it says otherwise: made by hand in the Console.
        row = self._identity(one, "seed")
        row |= one.model_dump(
            include={"email", "first_name", "last_name", "contact_number", "dt_end_access", "accepted"}
        )
        return row | {
            "email_key": email_key(one.email),
            "permission_policy_ids": json.dumps(one.permission_policy_ids),
            "dt_expiry": row["dt_created"] + INVITATION_LIFE_MS if one.dt_expiry is None else one.dt_expiry,
            "inviting_principal_id": one.inviting_principal_id or row["created_by"],
            "m3ter_user": None,
            "stored_at": 0,
        }

    def user(self, one: _User) -> dict[str, Any]:
        row = self._identity(one, "seed")
        row |= one.model_dump(
            include={"email", "first_name", "last_name", "contact_number", "support_user", "dt_end_access"}
        )
        return row | {
            "email_key": email_key(one.email),
            "permission_policy": json.dumps(one.permission_policy),
            "dt_terms": row["dt_created"],
            "stored_at": 0,
        }

    def grants(self, one: _User, user_id: str) -> Iterator[dict[str, Any]]:
        for policy_id in one.policy_ids:
            grant = {"id": self._entries.new_id(), "user_id": user_id, "policy_id": policy_id}
            yield grant | {"version": 1, "dt_created": self._now, "created_by": "seed"}

    def groups(self, one: _User, user_id: str) -> Iterator[dict[str, Any]]:
        for name in one.groups:
            yield {"id": self._entries.new_id(), "user_id": user_id, "name": name, "dt_created": self._now}
