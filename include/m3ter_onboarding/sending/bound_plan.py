"""Whether what the ledger holds is what was planned and approved (docs/delivery.md, rule 8).

The whole plan is checked before people are asked and at every start of a sender, each request again before its POST. A
mismatch is never mended: nothing is sent, and a person is told which row it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from m3ter_onboarding.errors import NotAllowedError
from m3ter_onboarding.ledger.claims import Claimed
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.plans import PlanRow, head_of
from m3ter_onboarding.ledger.sealed_requests import erased_since, read_requests
from m3ter_onboarding.ledger.sealing import SealedRequest, SealingKey
from m3ter_onboarding.planning.fingerprint import hash_plan

_WAY_OUT = (
    " Nothing more of it is sent. Find out who may write to the ledger (docs/security.md), and then clear the task"
    " `plan`; if only the API secret of the m3ter connection was changed since, clear it now."
)


@dataclass(frozen=True)
class BoundPlan:
    """A plan that may be sent, and the key that its requests are compared by.

    :param policies: the ids of the permission policies that it may give.
    """

    plan: PlanRow
    seals: SealingKey = field(repr=False)
    policies: frozenset[str]

    @classmethod
    def of(cls, plan: PlanRow, seals: SealingKey) -> BoundPlan:
        """Bind a plan, as read from the ledger."""
        return cls(plan, seals, frozenset(policy.id for policy in plan.policies))

    def check_head(self) -> None:
        """Check the head of the plan, and its approval if it has one.

        :raises NotAllowedError: when either is not as this package wrote it.
        """
        plan, seals = self.plan, self.seals
        if plan.lasts_longer or not seals.holds(plan.seal, seals.of_plan(head_of(plan))):
            raise NotAllowedError(
                f"Plan {plan.plan_id} is not as it was sealed: its row in the ledger was changed, was not written by"
                f" this package, or was sealed with another API secret.{_WAY_OUT}"
            )
        if not plan.approved:
            return
        by, at = plan.approved_by or "", plan.approved_at
        fingerprint = plan.fingerprint or ""
        if at is None or not seals.holds(plan.approval_seal, seals.of_approval(plan.plan_id, fingerprint, by, at)):
            raise NotAllowedError(
                f"The approval of plan {plan.plan_id} in the ledger was not recorded by the task `approve`, or was"
                f" changed since.{_WAY_OUT}"
            )

    def check_requests(self, db: LedgerDatabase) -> list[SealedRequest]:
        """Check every request of the plan, and its fingerprint, by what is stored; return them.

        :raises NotAllowedError: naming the row that was changed.
        """
        requests = list[SealedRequest]()
        for stored in read_requests(db, self.plan.plan_id):
            self._check(stored.sealed, stored.seal if stored.shows_what_is_sent else None)
            requests.append(stored.sealed)
        if len(requests) == self.plan.invitations:
            versions = [(policy.id, policy.version) for policy in self.plan.policies]
            posted = [(one.employee_id, one.email_key, one.request or {}) for one in requests]
            as_sealed = hash_plan(posted, versions, org_id=self.plan.org_id) == self.plan.fingerprint
        else:
            # People whose data were erased since leave the plan; what is left was checked row by row.
            missing = self.plan.invitations - len(requests)
            as_sealed = 0 < missing <= erased_since(db, self.plan.plan_id)
        if not as_sealed:
            raise NotAllowedError(
                f"Plan {self.plan.plan_id} was sealed with {self.plan.invitations} invitations, and the ledger now"
                f" holds {len(requests)} with another fingerprint.{_WAY_OUT}"
            )
        return requests

    def check_before_post(self, claimed: Claimed) -> None:
        """Check the request of one invitation, as it was claimed.

        :raises NotAllowedError: naming its row.
        """
        self._check(claimed.sealed, claimed.seal)

    def _check(self, sealed: SealedRequest, seal: str | None) -> None:
        same_plan = (sealed.plan_id, sealed.org_id) == (self.plan.plan_id, self.plan.org_id)
        allowed = self.policies.issuperset(sealed.policy_ids)
        if not (same_plan and allowed and self.seals.holds(seal, self.seals.of_request(sealed))):
            raise NotAllowedError(
                f"Row {sealed.row_no} of plan {self.plan.plan_id} is not as it was planned: it was changed in the"
                f" ledger since, or was not written by this package.{_WAY_OUT}"
            )
