"""Invite one person and go on when the invitation is accepted: operator and sensor."""

from __future__ import annotations

# [START howto_sensor]
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, task

from m3ter_provider.operators.invitation import M3terCreateInvitationOperator
from m3ter_provider.sensors.invitation import M3terInvitationAcceptedSensor

with DAG(
    "example_m3ter_invitation_accepted",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "m3ter"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
):
    invite = M3terCreateInvitationOperator(
        task_id="invite",
        email="{{ var.json.new_hire.email }}",
        first_name="{{ var.json.new_hire.first_name }}",
        last_name="{{ var.json.new_hire.last_name }}",
        permission_policies=["Read Only"],
    )
    accepted = M3terInvitationAcceptedSensor(
        task_id="accepted",
        invitation_id=invite.output,  # an id: people never go into XCom
        if_expired="skip",
        poke_interval=timedelta(minutes=30),
        deferrable=True,  # all tasks that wait share their requests, in the triggerer
    )

    @task
    def welcome() -> None:
        """Do what has to be done for a new member."""

    accepted >> welcome()
# [END howto_sensor]
