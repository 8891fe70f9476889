"""What is known of a whole plan once its decisions have passed by: counts, fingerprint, policies, questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy
from m3ter_onboarding.ledger.sealing import canonical
from m3ter_onboarding.ledger.worklist import Questions
from m3ter_onboarding.planning.fingerprint import PlanFingerprint


class PlanContents:
    """Collects what a plan's head needs of its decisions.

    ``questions`` are those for the worklist, ``decisions`` the decisions themselves, if they are kept.

    :param keeps_decisions: whether to keep them, as few as one employee has.
    """

    def __init__(self, org_id: str, *, keeps_decisions: bool) -> None:
        self.rows = self.invitations = 0
        self.questions = Questions()
        self.decisions = list[Decision]()
        self._keeps_decisions = keeps_decisions
        self._names: Counter[tuple[str, str]] = Counter()
        self._fingerprint = PlanFingerprint(org_id)
        self._policy_ids = set[str]()

    def with_requests(self, part: Sequence[Decision]) -> Iterator[tuple[Decision, str | None]]:
        """Collect from a part of the plan, and yield each decision with the body of its POST, in canonical JSON."""
        self.rows += len(part)
        self._names.update((decision.decision, decision.reason) for decision in part)
        self.questions.add(part)
        if self._keeps_decisions:
            self.decisions += part
        for decision in part:
            request = decision.request
            if request is None:
                yield decision, None
                continue
            body = canonical(request.to_json())
            self.invitations += decision.decision == "invite"
            self._fingerprint.add_written(decision.employee_id, decision.email_key, body)
            if request.permission_policy_ids:
                self._policy_ids.update(request.permission_policy_ids)
            yield decision, body

    @property
    def counts(self) -> dict[str, int]:
        """Rows by name of the decision, sorted by it: ``{"invite:new": 3, …}``."""
        return dict(sorted((f"{decision}:{reason}", rows) for (decision, reason), rows in self._names.items()))

    def used_among(self, policies: Iterable[M3terPolicy]) -> list[M3terPolicy]:
        """Return the permission policies that the requests ask for."""
        return [policy for policy in policies if policy.m3ter_id in self._policy_ids]

    def fingerprint(self, used: Iterable[M3terPolicy]) -> str:
        """Return the hash of the whole plan.

        :param used: the policies that its requests ask for.
        """
        return self._fingerprint.finished((policy.m3ter_id, policy.version) for policy in used)
