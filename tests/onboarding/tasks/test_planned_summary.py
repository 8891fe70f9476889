"""What ``plan`` leaves in XCom is read in one place."""

from __future__ import annotations

from typing import Any

import pytest

from m3ter_onboarding.planning.sealed_plan import Planned
from m3ter_onboarding.sending.right_to_send import NotAllowedError
from m3ter_onboarding.tasks.planned_summary import PlannedSummary


@pytest.mark.parametrize("sendable", [True, False])
def test_a_summary_is_read_as_it_was_written(sendable: bool) -> None:
    planned = Planned(
        plan_id="p1",
        rows=3,
        invitations=2,
        counts={"invite:new": 2, "skip:already_member": 1},
        sendable=sendable,
        not_sendable_because=None if sendable else "it is a dry run.",
        approval_because=(),
        no_approval_because=None,
        fingerprint="f" * 64,
    )
    assert PlannedSummary.from_xcom(planned.summary()) == PlannedSummary("p1", sendable)


@pytest.mark.parametrize("left", [None, "p1", {}, {"sendable": True}], ids=repr)
def test_a_task_that_left_no_plan_is_named(left: Any) -> None:
    with pytest.raises(NotAllowedError, match="left no plan"):
        PlannedSummary.from_xcom(left)
