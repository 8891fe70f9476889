"""Invite new hires from a SQL warehouse into m3ter, each exactly once, with Apache Airflow.

The one public name is :func:`onboarding_dag`; it is imported on first use, so that a process that only needs the
configuration or the page does not import operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3ter_onboarding.dag import onboarding_dag

__all__ = ["onboarding_dag"]


def __getattr__(name: str) -> Any:
    if name == "onboarding_dag":
        from m3ter_onboarding.dag import onboarding_dag

        return onboarding_dag
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
