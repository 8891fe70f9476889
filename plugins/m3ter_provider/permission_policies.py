"""Permission policies by name or id, and which of them make an administrator; nothing is sent from here.

What counts as administrator-like is meant generously, since the price of a mistake is not the same on both sides: a
switch that somebody must set, or the organisation in a new hire's hands. A policy is administrator-like

- by its statements, when those that allow something let one create, update and delete on all resources, taken
  together; what other statements deny does not count;
- by its name, when it reads like *Administrator* and m3ter manages the policy or does not say that it does not.

A policy whose statements m3ter does not show is judged by its name alone, whoever made it.
"""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from m3ter_provider.errors import M3terPermissionPolicyError
from m3ter_provider.identity import mask_addresses

if TYPE_CHECKING:
    from m3ter_provider.models import PermissionStatement

_LONGEST_SHOWN = 80

_ADMINISTRATOR = re.compile(r"admin|super[ _-]?user|(full|all|unrestricted)[ _-]?(access|control)")

# Whoever may write everything may read it, too, or soon can.
_WRITING = frozenset({"config_create", "config_update", "config_delete"})


class Policy(Protocol):
    """What is asked of a permission policy here."""

    @property
    def id(self) -> str:
        """m3ter's id of it, unique."""

    @property
    def name(self) -> str:
        """Its name, which need not be unique."""

    @property
    def administrator_like(self) -> bool:
        """Whether whoever has it may do everything."""


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
        :raises M3terPermissionPolicyError: for an allowed name that more than one policy bears: which one is meant?
        """
        ids = {self._resolve_one(name).id for name in allowed if name in self}
        return tuple(policy for policy in policies if policy.id not in ids)

    def __contains__(self, name: str) -> bool:
        return name.strip() in self._by_id or _comparable(name) in self._by_name

    def _resolve_one(self, name: str) -> PolicyT:
        if (policy := self._by_id.get(name.strip())) is not None:
            return policy
        namesakes = self._by_name.get(_comparable(name), [])
        if len(namesakes) == 1:
            return namesakes[0]
        if namesakes:
            ids = ", ".join(sorted(policy.id for policy in namesakes))
            raise M3terPermissionPolicyError(
                f"{len(namesakes)} permission policies in m3ter are named {shown(name)} ({ids}); use an id."
            )
        close = get_close_matches(name, [policy.name for policy in self._by_id.values()], n=1)
        hint = f"; did you mean {shown(close[0])}?" if close else "."
        raise M3terPermissionPolicyError(f"No permission policy in m3ter has the name or id {shown(name)}{hint}")


def administrators(policies: Iterable[PolicyT]) -> tuple[PolicyT, ...]:
    """Return those of some policies that are administrator-like."""
    return tuple(policy for policy in policies if policy.administrator_like)


def is_administrator_like(name: str, *, managed: bool | None, statements: Sequence[PermissionStatement]) -> bool:
    """Tell whether whoever has a policy may do everything, as the module says.

    :param managed: whether it is m3ter's own; None: m3ter does not say.
    :param statements: what it allows and denies; none: m3ter does not say.
    """
    if (managed is not False or not statements) and _ADMINISTRATOR.search(_comparable(name).casefold()):
        return True
    allowed: set[str] = set()
    for statement in statements:
        # An effect that nobody has heard of is taken for the worse one.
        if statement.effect.strip().lower() != "deny" and any(map(_is_everything, statement.resource)):
            allowed.update(statement.action)
    return all(any(_covers(action, written) for action in allowed) for written in _WRITING)


def policy_names(value: Any) -> tuple[str, ...]:
    """Read names or ids as an operator gets them: a list, or what a template makes of one.

    :param value: a list of names; or text: JSON, a list as Python writes it, or names with commas or semicolons
        between. None, ``""`` and ``"None"`` are no names.
    :raises M3terPermissionPolicyError: when it is none of these.
    """
    if isinstance(value, str):
        text = value.strip()
        if text in ("", "None", "null"):
            return ()
        value = _listed(text) if text.startswith("[") else re.split(r"[,;]", text)
    if value is None:
        return ()
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in value):
        raise M3terPermissionPolicyError(
            "permission_policies must be a list of names or ids, as a list, as JSON, or with commas between."
        )
    return tuple(dict.fromkeys(name.strip() for name in value if name.strip()))


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


def _covers(action: str, wanted: str) -> bool:
    # Answers write CONFIG_CREATE, requests config:create; "all" is written ALL or *.
    pattern = re.sub(r"[:.\s]+", "_", action.strip().lower())
    return pattern == "all" or fnmatchcase(wanted, re.sub(r"_all$", "_*", pattern))


def _is_everything(resource: str) -> bool:
    """Tell whether a resource (``service:resource-type/item-type/id``, with wildcards) is every one there is."""
    parts = set(re.split(r"[:/]+", re.sub(r"\*+", "*", resource.strip().lower()))) - {""}
    return bool(parts & {"*", "all"}) and parts <= {"*", "all", "config", "item"}


def _comparable(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
