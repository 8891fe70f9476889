"""Invite new hires from a SQL warehouse into m3ter, each exactly once, with Apache Airflow.

The public names are :func:`onboarding_dag`, :func:`invitation_status_dag`, :func:`access_review_dag` and
:func:`day_one_dag`; and the assets that they update, for the schedules of other DAGs: :func:`invited_asset`,
:func:`accepted_asset` and :func:`day_one_asset`. They are imported on first use, so that a process that only needs the
configuration or the page does not import operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3ter_onboarding.dag import access_review_dag, day_one_dag, invitation_status_dag, onboarding_dag
    from m3ter_onboarding.tasks.assets import accepted_asset, day_one_asset, invited_asset

__all__ = [
    "accepted_asset",
    "access_review_dag",
    "day_one_asset",
    "day_one_dag",
    "invitation_status_dag",
    "invited_asset",
    "onboarding_dag",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from m3ter_onboarding import dag
        from m3ter_onboarding.tasks import assets

        return getattr(dag if name.endswith("_dag") else assets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
