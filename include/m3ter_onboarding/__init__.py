"""Invite new hires from a SQL warehouse into m3ter, each exactly once, with Apache Airflow.

The public names are :func:`onboarding_dag`, :func:`invitation_status_dag`, :func:`access_review_dag` and
:func:`day_one_dag`; they are imported on first use, so that a process that only needs the configuration or the page
does not import operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3ter_onboarding.dag import access_review_dag, day_one_dag, invitation_status_dag, onboarding_dag

__all__ = ["access_review_dag", "day_one_dag", "invitation_status_dag", "onboarding_dag"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from m3ter_onboarding import dag

        return getattr(dag, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
