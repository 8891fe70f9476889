"""Airflow's metrics as the process of a task sets them up when it begins."""

from __future__ import annotations

from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils


def initialize_metrics() -> None:
    """Read Airflow's section ``[metrics]``."""
    if hasattr(stats, "initialize"):
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
    else:  # Airflow 3.2
        stats.Stats.initialize(factory=stats_utils.get_stats_factory(stats.Stats))
