"""What the tasks share."""

from __future__ import annotations

from airflow.serialization.serialized_objects import DagSerialization

from m3ter_onboarding import onboarding_dag
from m3ter_onboarding.config.organisation import OnboardingConfig


def test_the_serialised_dag_says_where_the_ledger_is() -> None:
    config = OnboardingConfig.from_mapping(
        {
            "name": "acme",
            "warehouse_conn_id": "hr",
            "m3ter_conn_id": "m3ter_acme",
            "ledger_conn_id": "books",
            "ledger_schema": "onboarding",
            "query": "hires.sql",
        },
        query_text="SELECT :window_start, :window_end",
    )
    for task in DagSerialization.to_dict(onboarding_dag(config))["dag"]["tasks"]:
        said = task["__var"]
        if said["_task_module"].startswith("m3ter_onboarding.tasks."):
            names = ("config_name", "m3ter_conn_id", "warehouse_conn_id", "ledger_conn_id", "ledger_schema")
            assert [said[name] for name in names] == ["acme", "m3ter_acme", "hr", "books", "onboarding"]
