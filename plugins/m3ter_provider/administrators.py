"""Which permission policies make an administrator; nothing is sent from here.

The rule is generous, since the price of a mistake is not the same on both sides: a switch that somebody must set, or
the organisation in a new hire's hands. A policy is administrator-like

- by its statements, when one that allows something lets people create, update or delete what decides about access
  (:data:`RESOURCES_OF_ACCESS`): who may write one of these can give themselves the rest. Patterns are matched, not
  compared, so that ``*``, ``?*`` and ``config:perm*`` are the same here. Statements that deny something do not count;
- by its name, when it reads like *Administrator* and m3ter manages the policy or does not say that it does not;
- when m3ter does not show its statements, whatever its name, unless a person named it by its id.

Several policies together allow what each of them allows, so a request makes an administrator if one of them does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

_ADMINISTRATOR = re.compile(r"admin|super[ _-]?user|(full|all|unrestricted)[ _-]?(access|control)")

#: Resource types of m3ter that decide who may do what, in lower case: users and how they come, groups, policies, keys.
RESOURCES_OF_ACCESS = (
    *("permissionpolicy", "orguser", "orguserinvitation", "orgusergroup", "user", "usergroup", "resourcegroup"),
    *("serviceuser", "accesskey"),
)
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
    """Decide whether a policy lets people decide about access, by the rules of this module.

    :param managed: whether it is m3ter's own; None: m3ter does not say.
    :param statements: what it allows and denies; none: m3ter does not say.
    """
    reads_like_one = _ADMINISTRATOR.search(unicodedata.normalize("NFKC", name).casefold())
    if not statements or (reads_like_one and managed is not False):
        return True
    return any(
        # An unknown effect is taken for the worse one.
        statement.effect.strip().lower() != "deny"
        and any(map(_writes, statement.action))
        and any(map(_is_of_access, statement.resource))
        for statement in statements
    )


def _writes(action: str) -> bool:
    # Answers write CONFIG_CREATE, requests config:create; "all" is written ALL or *.
    pattern = re.sub(r"[:.\s]+", "_", action.strip().lower())
    pattern = "*" if pattern == "all" else re.sub(r"_all$", "_*", pattern)
    return any(fnmatchcase(writing, pattern) for writing in _WRITING)


def _is_of_access(resource: str) -> bool:
    """Return whether a pattern (``service:resource-type/item-type/id``) reaches what decides about access."""
    pattern = unicodedata.normalize("NFKC", resource).strip().casefold()
    if pattern == "all":
        return True
    service, _, kind = re.split(r"[/]", pattern)[0].rpartition(":")
    for of_access in RESOURCES_OF_ACCESS:
        if fnmatchcase(f"config:{of_access}", pattern) or fnmatchcase(f"config:{of_access}/item/id", pattern):
            return True
        if service and fnmatchcase("config", service) and fnmatchcase(of_access, "*" if kind == "all" else kind):
            return True
    return False
