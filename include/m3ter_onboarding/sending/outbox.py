"""The outbox: m3ter's answers, and attempts that were not sent, on their way into the ledger (docs/delivery.md, 13).

Answers are committed in small groups, at most a second apart. m3ter's refusals wait in it too: 400 and 409 may mean
that the invitation exists, so m3ter is looked at once before the rest of them is called ``failed``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from m3ter_onboarding.errors import DeliveryError, LedgerError
from m3ter_onboarding.ledger.answer_groups import record_answers
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.sending.attempt import not_looked
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.recurring_checks import RecurringChecks
from m3ter_provider.errors import M3terError

#: Answers are committed at least this often, in seconds.
COMMIT_EVERY = 0.5
#: So many answers are committed at once, however soon after the last ones.
MOST_WAITING = 100


class Outbox:
    """Keeps how attempts ended until the ledger has it.

    :param org: the organisation, whose ledger it is.
    :param checks: looks up refused invitations in m3ter.
    :param gate: closed when the ledger fails, or when m3ter cannot be looked at.
    :param clock: seconds.
    """

    def __init__(
        self, org: MirroredOrganisation, checks: RecurringChecks, gate: Gate, clock: Callable[[], float]
    ) -> None:
        self._org = org
        self._checks = checks
        self._gate = gate
        self._clock = clock
        self._committed_at = clock()
        self._answers: list[tuple[str, Outcome]] = []
        self._refused: list[tuple[str, Outcome]] = []

    def __len__(self) -> int:
        return len(self._answers) + len(self._refused)

    def add(self, token: str, outcome: Outcome) -> None:
        """Take in how an attempt ended.

        :param token: of the claim that the attempt belongs to.
        """
        (self._refused if outcome.state is InvitationState.FAILED else self._answers).append((token, outcome))

    async def commit_if_due(self) -> None:
        """Commit all that waits, if the last commit is long enough ago or much is waiting."""
        if len(self) and (self._clock() - self._committed_at >= COMMIT_EVERY or len(self) >= MOST_WAITING):
            await self.commit()

    async def commit(self) -> None:
        """Look up refused invitations, and commit all that waits.

        Answers that the ledger does not take stay here for the next commit, and the gate is closed: no POST without a
        ledger.
        """
        if not len(self):
            return
        if self._refused:
            await self._look_up_refused()
        answers, self._answers = self._answers, []
        self._committed_at = self._clock()
        by_token: dict[str, list[Outcome]] = {}
        for token, outcome in answers:
            by_token.setdefault(token, []).append(outcome)
        try:
            for token in list(by_token):
                await asyncio.to_thread(record_answers, self._org.db, token, by_token[token], self._org.now())
                del by_token[token]
        except LedgerError as error:
            kept = [(token, outcome) for token, outcomes in by_token.items() for outcome in outcomes]
            self._answers = kept + self._answers
            self._gate.close(DeliveryError(str(error)))

    async def commit_at_the_end(self) -> None:
        """Commit everything; where the stop leaves no time to look up refused invitations, settling will."""
        if self._gate.stop.grace is not None:
            self._answers.extend((token, not_looked(outcome)) for token, outcome in self._refused)
            self._refused = []
        await self.commit()

    async def _look_up_refused(self) -> None:
        refused, self._refused = self._refused, []
        try:
            looked = await self._checks.look_unless_stopped()
        except (M3terError, LedgerError) as error:
            looked = False
            self._gate.close(
                DeliveryError(f"m3ter refused invitations, and looking whether they exist failed: {error}")
            )
        # A row that the look found is not `sending` any more, so that "failed" does not touch it.
        self._answers.extend(refused if looked else [(token, not_looked(outcome)) for token, outcome in refused])
