"""The summary of a plan that the task ``plan`` leaves in XCom for ``approve`` and ``send``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from m3ter_onboarding.errors import NotAllowedError


@dataclass(frozen=True)
class PlannedSummary:
    """The part of it that later tasks need; everything else about the plan is in the ledger.

    :param sendable: whether the run may send it.
    """

    plan_id: str
    sendable: bool

    @classmethod
    def from_xcom(cls, left: Any) -> PlannedSummary:
        """Read it from XCom.

        :raises NotAllowedError: when it left no plan.
        """
        if not isinstance(left, Mapping) or not left.get("plan_id"):
            raise NotAllowedError(
                "The task `plan` left no plan (it may have been marked successful by hand); nothing is sent. Clear it."
            )
        return cls(str(left["plan_id"]), bool(left.get("sendable")))
