"""Permission policies by name or id; nothing is sent from here."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Generic, Protocol, TypeVar

from m3ter_provider.email_identity import mask_addresses
from m3ter_provider.errors import M3terPermissionPolicyError
from m3ter_provider.pasted_text import trim

_LONGEST_SHOWN = 80


class Policy(Protocol):
    """A permission policy, as far as it matters here."""

    @property
    def id(self) -> str:
        """m3ter's id of it, unique."""

    @property
    def name(self) -> str:
        """Its name, which need not be unique."""


PolicyT = TypeVar("PolicyT", bound=Policy)


class PolicyBook(Generic[PolicyT]):
    """An organisation's permission policies, for look-up.

    :param policies: all of them.
    """

    def __init__(self, policies: Iterable[PolicyT]) -> None:
        self._by_id = {policy.id: policy for policy in policies}
        self._by_name: dict[str, list[PolicyT]] = {}
        for policy in self._by_id.values():
            self._by_name.setdefault(_comparable(policy.name), []).append(policy)

    def resolve(self, names: Iterable[str]) -> tuple[PolicyT, ...]:
        """Find policies; each once, in the order of their ids.

        :param names: ids, or names (compared exactly, spaces around them aside).
        :raises M3terPermissionPolicyError: for a name that no policy bears, or more than one.
        """
        found = {policy.id: policy for policy in map(self._resolve_one, names)}
        return tuple(found[policy_id] for policy_id in sorted(found))

    def not_among(self, policies: Iterable[PolicyT], allowed: Iterable[str]) -> tuple[PolicyT, ...]:
        """Return those of some policies that are not among the allowed ones.

        :param allowed: names or ids; one that no policy bears allows nothing.
        :raises M3terPermissionPolicyError: for an allowed name that more than one policy bears.
        """
        ids = {self._resolve_one(name).id for name in allowed if name in self}
        return tuple(policy for policy in policies if policy.id not in ids)

    def __contains__(self, name: str) -> bool:
        return trim(name) in self._by_id or _comparable(name) in self._by_name

    def _resolve_one(self, name: str) -> PolicyT:
        if (policy := self._by_id.get(trim(name))) is not None:
            return policy
        namesakes = self._by_name.get(_comparable(name), [])
        if len(namesakes) == 1:
            return namesakes[0]
        if namesakes:
            ids = ", ".join(sorted(policy.id for policy in namesakes))
            raise M3terPermissionPolicyError(
                f"{len(namesakes)} permission policies in m3ter are named {shown(name)} ({ids}); use an id."
            )
        close = get_close_matches(name[:_LONGEST_SHOWN], [policy.name for policy in self._by_id.values()], n=1)
        hint = f"; did you mean {shown(close[0])}?" if close else "."
        raise M3terPermissionPolicyError(f"No permission policy in m3ter has the name or id {shown(name)}{hint}")


def policy_names(value: Any) -> tuple[str, ...]:
    """Read names or ids as an operator gets them: a list, or a list that a template has made text of.

    :param value: a list of names; or text: JSON, a list as Python writes it, or names with commas or semicolons
        between. None, ``""`` and ``"None"`` are no names.
    :raises M3terPermissionPolicyError: if it is none of these.
    """
    if isinstance(value, str):
        text = value.strip()
        if text in ("", "None", "null"):
            return ()
        value = _listed(text) if text.startswith("[") else re.split(r"[,;]", text)
    if value is None:
        return ()
    if isinstance(value, list | tuple | set | frozenset):
        value = [name for name in value if name is not None]  # as SQL aggregates nothing
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise M3terPermissionPolicyError(
            "permission_policies must be a list of names or ids, as a list, as JSON, or with commas between."
        )
    return tuple(dict.fromkeys(trim(name) for name in value if trim(name)))


def shown(name: str) -> str:
    """Return a name as a message may quote it: text from the wrong column may be anything."""
    return repr(mask_addresses(name if len(name) <= _LONGEST_SHOWN else name[: _LONGEST_SHOWN - 1] + "…"))


def _listed(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def _comparable(name: str) -> str:
    return trim(unicodedata.normalize("NFC", name))
