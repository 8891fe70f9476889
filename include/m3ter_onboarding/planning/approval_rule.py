"""Why a plan needs a person's approval: asked when it is sealed, and again, as things are then, when it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import Mode, RunParameters


@dataclass(frozen=True)
class ToApprove:
    """What a plan adds to what was sent already.

    :param invitations: of the plan.
    :param by_run_before: sent by the run under earlier plans, or perhaps sent.
    :param in_a_day: attempted for the organisation without an approval in the last 23 hours.
    :param by_backfills: attempted by the backfills of the DAG in the last 24 hours, where the run is one of them.
    :param administrators: whether it makes administrators.
    :param rejected: how many of its people are in a plan that was rejected, and in none that was approved since.
    """

    invitations: int
    by_run_before: int = 0
    in_a_day: int = 0
    by_backfills: int = 0
    administrators: bool = False
    rejected: int = 0


@dataclass(frozen=True)
class ApprovalRule:
    """When a plan needs a person's approval.

    :param above: more invitations than this; None: their number alone needs none.
    :param per_day: whether what the organisation was sent without an approval in the last 23 hours counts with them.
    :param unlifted: the configured ``max_invitations``, where a parameter of the run lifts it; None: it does not.
    :param everybody: whether the run plans everybody of the whole past (mode ``full``).
    :param long_ago: whether a parameter of the run names days that no run would read by itself any more.
    """

    above: int | None = None
    per_day: bool = False
    unlifted: int | None = None
    everybody: bool = False
    long_ago: bool = False

    @classmethod
    def of_run(cls, config: OnboardingConfig, parameters: RunParameters, now: datetime) -> ApprovalRule:
        """Take the rule from a configuration and a run's parameters.

        :param now: UTC.
        """
        oldest = now - max(config.max_age, config.look_back)
        configured, asked_for = config.max_invitations, parameters.max_invitations
        lifts = configured is not None and asked_for is not None and asked_for > configured
        return cls(
            above=config.approval_threshold,
            per_day=config.approval.per == "day",
            unlifted=configured if lifts else None,
            everybody=parameters.mode is Mode.FULL,
            long_ago=parameters.interval_start is not None and parameters.interval_start < oldest,
        )

    def reasons(self, plan: ToApprove) -> tuple[str, ...]:
        """Return why a plan needs an approval, each the end of "You are asked because"; none: it needs none."""
        if not plan.invitations:
            return ()
        return tuple(
            reason
            for reason in (
                self._many(plan),
                "it makes people administrators of the organisation" if plan.administrators else None,
                self._lifted(plan),
                "it was planned from everybody of the whole past (mode `full`)" if self.everybody else None,
                "it was planned from days longer ago than `max_age_days` (`interval_start`)" if self.long_ago else None,
                f"{plan.rejected} of its people are in a plan that nobody approved" if plan.rejected else None,
            )
            if reason is not None
        )

    def reason_for_none(self, plan: ToApprove) -> str | None:
        """Return why a plan that invites people needs no approval, the end of "It needs no approval:"; None: it does.

        Empty plans need no reason.
        """
        if not plan.invitations or self.reasons(plan):
            return None
        if self.above is None:
            return "`approval.above` is not set, so a number of invitations alone needs none."
        return f"it has at most {self.above} invitations (`approval.above`){self._already(plan)}."

    def _many(self, plan: ToApprove) -> str | None:
        if self.above is None or self._before(plan) + plan.invitations <= self.above:
            return None
        return f"it has more than {self.above} invitations (`approval.above`){self._already(plan)}"

    def _before(self, plan: ToApprove) -> int:
        return max(plan.by_run_before, plan.in_a_day) if self.per_day else plan.by_run_before

    def _already(self, plan: ToApprove) -> str:
        before = self._before(plan)
        since = " in the last 23 hours" if self.per_day else " by this run"
        return f", together with {before} sent without an approval{since}" if before else ""

    def _lifted(self, plan: ToApprove) -> str | None:
        before = max(plan.by_run_before, plan.by_backfills)  # the cap is one for all backfills together
        if self.unlifted is None or before + plan.invitations <= self.unlifted:
            return None
        return f"its run lifts the configured `max_invitations` of {self.unlifted}"
