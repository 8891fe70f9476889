"""Permission policies by name or id: found before the first POST, or nothing is sent (DELIVERY.md 6)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.known import M3terPolicy
from m3ter_onboarding.privacy import mask_addresses


class PolicyBook:
    """An organisation's permission policies, for look-up.

    :param policies: all of them; names need not be unique, ids are.
    """

    def __init__(self, policies: Iterable[M3terPolicy]) -> None:
        self._by_id = {policy.m3ter_id: policy for policy in policies}
        self._by_name: dict[str, list[M3terPolicy]] = {}
        for policy in self._by_id.values():
            self._by_name.setdefault(_comparable(policy.name), []).append(policy)

    def resolve(self, names: Iterable[str]) -> tuple[M3terPolicy, ...]:
        """Find policies by id or name; each once, in the order of their ids.

        :raises PlanError: for a name that no policy bears, or more than one.
        """
        found = {policy.m3ter_id: policy for policy in map(self._resolve_one, names)}
        return tuple(found[m3ter_id] for m3ter_id in sorted(found))

    def permits(self, policies: Iterable[M3terPolicy], allowed: Sequence[str]) -> bool:
        """Tell whether all of some policies are among the allowed ones.

        :param allowed: names or ids; one that no policy bears allows nothing.
        :raises PlanError: for an allowed name that more than one policy bears: which one is meant?
        """
        ids = {self._resolve_one(name).m3ter_id for name in allowed if name in self}
        return all(policy.m3ter_id in ids for policy in policies)

    def __contains__(self, name: str) -> bool:
        return name.strip() in self._by_id or _comparable(name) in self._by_name

    def _resolve_one(self, name: str) -> M3terPolicy:
        if (policy := self._by_id.get(name.strip())) is not None:
            return policy
        namesakes = self._by_name.get(_comparable(name), [])
        if len(namesakes) == 1:
            return namesakes[0]
        if namesakes:
            ids = ", ".join(sorted(policy.m3ter_id for policy in namesakes))
            raise PlanError(
                f"{len(namesakes)} permission policies in m3ter are named {_shown(name)} ({ids}); use an id."
            )
        close = get_close_matches(name, [policy.name for policy in self._by_id.values()], n=1)
        hint = f"; did you mean {_shown(close[0])}?" if close else "."
        raise PlanError(f"No permission policy in m3ter has the name or id {_shown(name)}{hint}")


def resolve_policies(names: Iterable[str], policies: Iterable[M3terPolicy]) -> tuple[M3terPolicy, ...]:
    """Find permission policies by id or name; each once, in the order of their ids.

    :param names: names (compared exactly, spaces around them aside) or ids.
    :param policies: all policies of the organisation.
    :raises PlanError: for a name that no policy bears, or more than one.
    """
    return PolicyBook(policies).resolve(names)


def _comparable(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def _shown(name: str) -> str:
    # A row's text is no policy's name if columns were mixed up: then it may be anything.
    return repr(mask_addresses(name if len(name) <= 80 else name[:79] + "…"))
