"""Access tokens: who may have one, and how long it is good for."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field

from m3ter_sandbox.clock import Clock
from m3ter_sandbox.store import Store

__all__ = ["Credentials", "Tokens", "basic_of", "bearer_of"]


@dataclass(frozen=True)
class Credentials:
    """Who may use the sandbox."""

    org_id: str
    access_key_id: str
    api_secret: str = field(repr=False)


def basic_of(header: str) -> tuple[str, str] | None:
    """Return name and password of an ``Authorization: Basic`` header, or None."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def bearer_of(header: str) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header, or None."""
    scheme, _, rest = header.partition(" ")
    return rest.strip() or None if scheme.lower() == "bearer" else None


class Tokens:
    """The tokens that were given out."""

    def __init__(self, store: Store, clock: Clock, credentials: Credentials) -> None:
        self._store, self._clock, self._credentials = store, clock, credentials

    def accepts(self, basic: tuple[str, str] | None) -> bool:
        """Return whether these are the access key id and secret."""
        if basic is None:
            return False
        ours = self._credentials
        right_name = hmac.compare_digest(basic[0].encode(), ours.access_key_id.encode())
        return hmac.compare_digest(basic[1].encode(), ours.api_secret.encode()) and right_name

    def issue(self, lifetime_seconds: int, *, ends_old: bool) -> str:
        """Give out a new token.

        :param ends_old: whether the ones before end now.
        """
        now = self._clock.now_ms()
        value = secrets.token_urlsafe(48)
        with self._store as store:
            if ends_old:
                store.run("DELETE FROM token")
            else:
                store.run("DELETE FROM token WHERE expires_at < ?", (now - 3_600_000,))
            row = {"value": value, "issued_at": now, "expires_at": now + lifetime_seconds * 1000, "uses": 0}
            store.insert("token", row)
        return value

    def use(self, value: str | None, *, uses: int, seconds: float) -> bool:
        """Return whether a token is known, not revoked and not expired, and count the request that uses it.

        :param uses: how many requests it is good for; 0: any number.
        :param seconds: after how many it ends, whatever its answer said; 0: as it said.
        """
        if not value:
            return False
        with self._store as store:
            row = store.one("SELECT issued_at, expires_at, uses FROM token WHERE value = ?", (value,))
            if row is None or (uses and int(row["uses"]) >= uses):
                return False
            now = self._clock.now_ms()
            if now >= int(row["expires_at"]) or (seconds and now >= int(row["issued_at"]) + seconds * 1000):
                return False
            if uses:
                store.run("UPDATE token SET uses = uses + 1 WHERE value = ?", (value,))
            return True

    def revoke(self, value: str | None = None) -> int:
        """End one token, or all; return how many ended."""
        if value is None:
            return self._store.run("DELETE FROM token")
        return self._store.run("DELETE FROM token WHERE value = ?", (value,))
