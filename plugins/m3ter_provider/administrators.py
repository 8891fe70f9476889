"""Which permission policies make an administrator; nothing is sent from here.

The rule is generous, since the price of a mistake is not the same on both sides: a switch that somebody must set, or
the organisation in a new hire's hands. A policy is administrator-like

- by its statements, when those that allow something let one create, update and delete on all resources, taken
  together; statements that deny something do not count;
- by its name, when it reads like *Administrator* and m3ter manages the policy or does not say that it does not.

A policy whose statements m3ter does not show is judged by its name alone, no matter who made it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

_ADMINISTRATOR = re.compile(r"admin|super[ _-]?user|(full|all|unrestricted)[ _-]?(access|control)")

# The right to write everything includes, or soon brings, the right to read it.
_WRITING = frozenset({"config_create", "config_update", "config_delete"})


class Statement(Protocol):
    """One statement of a permission policy, with the names as m3ter spells them."""

    @property
    def effect(self) -> str:
        """``ALLOW`` or ``DENY``."""

    @property
    def action(self) -> Sequence[str]:
        """The actions that are allowed or denied."""

    @property
    def resource(self) -> Sequence[str]:
        """The resources of these actions: ``service:resource-type/item-type/id``, with wildcards."""


class _Judged(Protocol):
    """A permission policy of which it is known whether it makes an administrator."""

    @property
    def administrator_like(self) -> bool:
        """Whether it lets people do everything."""


JudgedT = TypeVar("JudgedT", bound=_Judged)


def administrators(policies: Iterable[JudgedT]) -> tuple[JudgedT, ...]:
    """Return those of some policies that are administrator-like."""
    return tuple(policy for policy in policies if policy.administrator_like)


def is_administrator_like(name: str, *, managed: bool | None, statements: Sequence[Statement]) -> bool:
    """Decide whether a policy lets people do everything, by the rules of this module.

    :param managed: whether it is m3ter's own; None: m3ter does not say.
    :param statements: what it allows and denies; none: m3ter does not say.
    """
    reads_like_one = _ADMINISTRATOR.search(unicodedata.normalize("NFC", name).casefold())
    if reads_like_one and (managed is not False or not statements):
        return True
    allowed: set[str] = set()
    for statement in statements:
        # An unknown effect is taken for the worse one.
        if statement.effect.strip().lower() != "deny" and any(map(_is_everything, statement.resource)):
            allowed.update(statement.action)
    return all(any(_covers(action, written) for action in allowed) for written in _WRITING)


def _covers(action: str, wanted: str) -> bool:
    # Answers write CONFIG_CREATE, requests config:create; "all" is written ALL or *.
    pattern = re.sub(r"[:.\s]+", "_", action.strip().lower())
    return pattern == "all" or fnmatchcase(wanted, re.sub(r"_all$", "_*", pattern))


def _is_everything(resource: str) -> bool:
    """Return whether a resource (``service:resource-type/item-type/id``, with wildcards) is every one there is."""
    parts = set(re.split(r"[:/]+", re.sub(r"\*+", "*", resource.strip().lower()))) - {""}
    return bool(parts & {"*", "all"}) and parts <= {"*", "all", "config", "item"}
