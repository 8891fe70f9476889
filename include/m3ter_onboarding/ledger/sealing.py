"""Keyed hashes that bind what is sent to what was planned and approved (docs/delivery.md, rule 8).

The ledger may lie in a warehouse where others write. The key is made from the API secret of the m3ter connection, which
stands nowhere in the ledger: whoever may write there can make neither a request, nor a plan, nor an approval that
holds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import json.encoder
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3ter_provider.connection import ConnectionSettings


def ordered_json(item: str, key: str) -> Callable[[Any], str]:
    """Return what writes JSON in ASCII with its keys in order.

    ``JSONEncoder.encode`` makes an encoder for every call, which takes longer than writing a request.

    :param item: between items.
    :param key: between a key and its value.
    """
    plain = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(item, key))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without the module in C
        return plain.encode
    encode = make(None, plain.default, encode_basestring_ascii, None, key, item, True, False, True)
    return lambda content: "".join(encode(content, 0))


_write_canonical = ordered_json(",", ":")


def canonical(content: Any) -> str:
    """Return JSON in ASCII with its keys in order and no spaces, of which seals and fingerprints are made."""
    return _write_canonical(content)


def canonical_text(text: str | None) -> str:
    """Return the same of a text, or of none."""
    return "null" if text is None else encode_basestring_ascii(text)


@dataclass(frozen=True)
class SealedRequest:
    """What the seal of one decision to invite covers: whom, why and with which request; its ``repr`` names nobody."""

    plan_id: str
    org_id: str
    row_no: int
    reason: str
    employee_id: str | None = field(repr=False)
    email_key: str | None = field(repr=False)
    request: Mapping[str, Any] | None = field(repr=False)
    request_hash: str | None

    @property
    def policy_ids(self) -> tuple[str, ...]:
        """The permission policies that it asks for."""
        return tuple((self.request or {}).get("permissionPolicyIds") or ())


@dataclass(frozen=True)
class SealingKey:
    """The key of an organisation's seals.

    :param key: secret; never stored.
    """

    key: bytes = field(repr=False)

    @classmethod
    def of_connection(cls, settings: ConnectionSettings) -> SealingKey:
        """Make the key from a connection: another API secret, or another organisation, is another key."""
        purpose = f"m3ter onboarding, seal 1:{settings.org_id}"
        return cls(hmac.digest(settings.api_secret.encode(), purpose.encode(), hashlib.sha256))

    def of_request(self, sealed: SealedRequest) -> str:
        """Return the seal of a decision to invite."""
        return self.of_written_request(sealed, canonical(sealed.request))

    def of_written_request(self, sealed: SealedRequest, request: str) -> str:
        """Return the same seal, where the request is written already.

        :param request: as :func:`canonical` writes it.
        """
        plan = f"{canonical_text(sealed.plan_id)},{canonical_text(sealed.org_id)},{sealed.row_no}"
        person = f"{canonical_text(sealed.employee_id)},{canonical_text(sealed.email_key)}"
        reason, request_hash = canonical_text(sealed.reason), canonical_text(sealed.request_hash)
        return self._sign(f'["request",{plan},{reason},{person},{request_hash},{request}]')

    def of_plan(self, head: Mapping[str, Any]) -> str:
        """Return the seal of a plan's head; see :func:`m3ter_onboarding.ledger.plans.head_of`."""
        return self._hash(("plan", head))

    def of_question(self, plan_id: str, fingerprint: str) -> str:
        """Return the seal of the question about a plan: which plan people were shown."""
        return self._hash(("question", plan_id, fingerprint))

    def of_approval(self, plan_id: str, fingerprint: str, by: str, at: datetime) -> str:
        """Return the seal of an approval: who approved which plan, and when."""
        return self._hash(("approval", plan_id, fingerprint, by, round(at.timestamp() * 1000)))

    def holds(self, seal: str | None, expected: str) -> bool:
        """Return whether a stored seal is the expected one."""
        return seal is not None and hmac.compare_digest(seal.encode(), expected.encode())

    def _hash(self, content: Any) -> str:
        return self._sign(canonical(content))

    def _sign(self, content: str) -> str:
        return hmac.digest(self.key, content.encode("ascii"), hashlib.sha256).hex()
