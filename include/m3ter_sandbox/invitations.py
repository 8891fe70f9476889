"""Invitations: created by a POST, accepted by their receiver, ended by time."""

from __future__ import annotations

import json
from typing import Any

from m3ter_sandbox.bodies import InvitationBody, stored_address
from m3ter_sandbox.clock import to_milliseconds
from m3ter_sandbox.entries import Entries, RefusalError, email_key
from m3ter_sandbox.mailbox import Mailbox
from m3ter_sandbox.policies import Policies
from m3ter_sandbox.store import Row
from m3ter_sandbox.switches import Switches
from m3ter_sandbox.users import Users

__all__ = ["INVITATION_LIFE_MS", "Invitations"]

INVITATION_LIFE_MS = 30 * 86_400_000


class Invitations:
    """The invitations of the organisation."""

    def __init__(self, entries: Entries, mailbox: Mailbox, policies: Policies, users: Users) -> None:
        self._entries, self._store, self._clock = entries, entries.store, entries.clock
        self._mailbox, self._policies, self._users = mailbox, policies, users

    def create(self, body: InvitationBody, switches: Switches) -> Row:
        """Create an invitation and send its e-mail, or do what the switches say instead.

        :raises RefusalError: what was asked is not allowed; no e-mail was sent.
        """
        policies = list(dict.fromkeys(body.permission_policy_ids or ()))
        self._policies.check(policies, switches)
        address = stored_address(body.email, switches.email_stored_as)
        now = self._clock.now_ms()
        member = self._users.member(address, now, switches)
        if member and switches.existing_member != "email":
            status = 409 if switches.existing_member == "error_409" else 400
            raise RefusalError(status, f"A user with the email {address} is already in this organization")
        if switches.contact_number_required and not body.contact_number and not member:
            raise RefusalError(400, "contactNumber: must not be empty")
        expiry = to_milliseconds(body.dt_expiry) if body.dt_expiry else now + INVITATION_LIFE_MS
        end_access = to_milliseconds(body.dt_end_access) if body.dt_end_access else None
        fields: dict[str, Any] = {
            "first_name": body.first_name,
            "last_name": body.last_name,
            "contact_number": body.contact_number,
            "m3ter_user": body.m3ter_user,
            "permission_policy_ids": json.dumps(policies),
            "dt_end_access": end_access,
            "dt_expiry": expiry,
        }
        by = self._entries.service_user_id
        pending = self._pending(address, now)
        if pending and switches.pending_invitation.startswith("error"):
            status = 409 if switches.pending_invitation == "error_409" else 400
            raise RefusalError(status, f"An invitation for {address} is already pending")
        with self._store as store:
            if pending and switches.pending_invitation.startswith("update"):
                invitation_id = str(pending["id"])
                names = ", ".join(f"{name} = ?" for name in fields)
                store.run(
                    f"UPDATE invitation SET {names}, version = version + 1, dt_last_modified = ?,"  # noqa: S608
                    " last_modified_by = ? WHERE id = ?",
                    [*fields.values(), now, by, invitation_id],
                )
            else:
                invitation_id = self._entries.new_id()
                row = fields | self._entries.dates(now, by)
                row |= {"id": invitation_id, "version": 1, "email": address, "email_key": email_key(address)}
                store.insert("invitation", row | {"inviting_principal_id": by, "accepted": 0, "stored_at": now})
            if not (pending and switches.pending_invitation == "update"):
                self._mailbox.send("invitation", body.email, body.first_name, invitation_id=invitation_id)
        return self._entries.get("invitation", invitation_id)

    def _pending(self, address: str, now: int) -> Row | None:
        return self._store.one(
            "SELECT * FROM invitation WHERE email_key = ? AND NOT accepted AND dt_expiry > ? ORDER BY seq DESC",
            (email_key(address), now),
        )

    def accept(self, invitation_id: str) -> Row:
        """Accept an invitation as its receiver does, and become a user.

        :raises RefusalError: unknown (404), expired (400) or accepted already (409).
        """
        invitation = self._entries.get("invitation", invitation_id)
        now = self._clock.now_ms()
        if invitation["accepted"]:
            raise RefusalError(409, "This invitation has been accepted already")
        if invitation["dt_expiry"] <= now:
            raise RefusalError(400, "This invitation has expired")
        policies: list[str] = json.loads(invitation["permission_policy_ids"])
        with self._store as store:
            user = store.one("SELECT id FROM user WHERE email_key = ?", (invitation["email_key"],))
            user_id = str(user["id"]) if user else self._entries.new_id()
            if user is None:
                copied = ("email", "email_key", "first_name", "last_name", "contact_number", "dt_end_access")
                row = {name: invitation[name] for name in copied} | self._entries.dates(now, user_id)
                row |= {"id": user_id, "version": 1, "support_user": 0, "dt_terms": now}
                store.insert("user", row | {"permission_policy": "[]", "stored_at": now})
            else:
                store.run(
                    "UPDATE user SET dt_end_access = ?, dt_last_modified = ?, version = version + 1 WHERE id = ?",
                    (invitation["dt_end_access"], now, user_id),
                )
            for policy_id in policies:
                self._policies.grant(user_id, policy_id, str(invitation["created_by"]))
            store.run(
                "UPDATE invitation SET accepted = 1, version = version + 1, dt_last_modified = ?,"
                " last_modified_by = ? WHERE id = ?",
                (now, user_id, invitation_id),
            )
        return self._entries.get("user", user_id)

    def newest_open(self, address: str) -> Row:
        """Return the newest invitation to an address that is not accepted, case ignored.

        :raises RefusalError: 404.
        """
        row = self._store.one(
            "SELECT i.* FROM invitation i WHERE NOT i.accepted AND (i.email_key = :key OR i.id IN"
            " (SELECT invitation_id FROM email WHERE address_key = :key)) ORDER BY i.seq DESC",
            {"key": email_key(address)},
        )
        if row is None:
            raise RefusalError(404, "There is no open invitation to this address")
        return row

    def expire(self, address: str) -> int:
        """End all open invitations to an address now; return how many."""
        now = self._clock.now_ms()
        return self._store.run(
            "UPDATE invitation SET dt_expiry = ? WHERE NOT accepted AND dt_expiry > ? AND (email_key = ? OR id IN"
            " (SELECT invitation_id FROM email WHERE address_key = ?))",
            (now - 1000, now, email_key(address), email_key(address)),
        )
