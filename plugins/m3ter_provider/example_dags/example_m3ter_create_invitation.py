"""Invite one person: the operator alone."""

from __future__ import annotations

# [START howto_operator]
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from m3ter_provider.operators.invitation import M3terCreateInvitationOperator

with DAG(
    "example_m3ter_create_invitation",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "m3ter"],
):
    # The person stands in an Airflow Variable, encrypted, and not in this file, which everybody can read in Airflow:
    # airflow variables set new_hire '{"email": "…", "first_name": "…", "last_name": "…"}'
    M3terCreateInvitationOperator(
        task_id="invite",
        m3ter_conn_id="m3ter_default",
        email="{{ var.json.new_hire.email }}",
        first_name="{{ var.json.new_hire.first_name }}",
        last_name="{{ var.json.new_hire.last_name }}",
        permission_policies=["Read Only"],
        allowed_permission_policies=["Read Only"],
        retries=3,
        retry_delay=timedelta(minutes=1),
    )
# [END howto_operator]
