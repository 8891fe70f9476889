"""Airflow's simple auth manager, with rights DAG by DAG: who is in which team, and what each may do."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

READ, EVERYTHING = frozenset({"GET"}), frozenset({"GET", "POST", "PUT", "DELETE"})


RIGHTS: dict[str, dict[str, frozenset[str]]] = {
    "anna": {"m3ter_onboarding__team_a": EVERYTHING},
    "vera": {"m3ter_onboarding__team_a": READ},
    "bert": {"m3ter_onboarding__team_b": EVERYTHING},
    "carl": {"m3ter_onboarding__team_c": EVERYTHING},
    "olaf": {},
    "root": {
        f"m3ter_onboarding__{name}": EVERYTHING for name in ("team_a", "team_b", "no_ledger", "no_run", "unreachable")
    },
}


class DagByDag(SimpleAuthManager):
    """Airflow's simple auth manager with rights by user name and DAG; an unknown user has none."""

    def is_authorized_dag(
        self, *, method: Any, user: SimpleAuthManagerUser, access_entity: Any = None, details: Any = None
    ) -> bool:
        """Return whether the table of rights allows it."""
        rights = RIGHTS.get(user.username, {})
        if details is None or details.id is None:
            return any(method in of_dag for of_dag in rights.values())
        return method in rights.get(details.id, frozenset())


def user(name: str) -> SimpleAuthManagerUser:
    """Return a user who has logged in."""
    return SimpleAuthManagerUser(username=name, role="viewer")
