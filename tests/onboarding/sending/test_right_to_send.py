"""The right to send: which caps a run has."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.planning.approval_rule import ApprovalRule
from m3ter_onboarding.sending.right_to_send import Caps, caps_of

CONFIG = OnboardingConfig.from_mapping(
    {
        "name": "acme",
        "warehouse_conn_id": "hr",
        "query": "hires.sql",
        "max_invitations": 50,
        "max_percent": 20,
        "max_invitations_per_day": 200,
        "approval_above": 10,
    },
    query_text="SELECT :window_start, :window_end",
)

ASK = ApprovalRule(above=10, per_day=True)
NOW = datetime(2030, 1, 31, tzinfo=timezone.utc)
LONG_AGO = {"interval_start": "1970-01-01T00:00:00Z", "interval_end": "2030-01-31T00:00:00Z"}


@pytest.mark.parametrize(
    ("parameters", "run_type", "caps"),
    [
        ({}, "scheduled", Caps(50, 20, 200, None, ASK)),
        ({"max_invitations": 5}, "manual", Caps(5, 20, 200, None, ASK)),
        ({"only_employee": "e1"}, "manual", Caps(50, None, 200, None, ASK)),
        ({"max_invitations": 60}, "manual", Caps(60, 20, 200, None, replace(ASK, unlifted=50))),
        ({"mode": "full"}, "manual", Caps(50, 20, 200, None, replace(ASK, everybody=True))),
        (LONG_AGO, "manual", Caps(50, 20, 200, None, replace(ASK, long_ago=True))),
        ({**LONG_AGO, "interval_start": "2030-01-01T00:00:00Z"}, "manual", Caps(50, 20, 200, None, ASK)),
        ({"max_invitations": 7}, "backfill", Caps(7, 20, 200, 7, ASK)),
    ],
    ids=["configuration", "parameter", "one employee", "lifted", "everybody", "long ago", "lately", "backfill"],
)
def test_the_caps_of_a_run_come_from_configuration_and_parameters(
    parameters: dict[str, Any], run_type: str, caps: Caps
) -> None:
    assert caps_of(CONFIG, RunParameters.parse(parameters), run_type, NOW) == caps
