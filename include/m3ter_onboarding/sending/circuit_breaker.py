"""The breaker: a sender stops where so much fails that every invitation is concerned (docs/delivery.md, rule 14)."""

from __future__ import annotations

from dataclasses import dataclass

from m3ter_onboarding.errors import DeliveryError, NotAllowedError

#: A rate of failures counts from so many attempts on.
RATE_FROM = 10
_HOW = (
    "No other POST begins. Read `message` in m3ter_invitation and correct what is wrong; then clear `send`, or leave"
    " the rest to the next run."
)


@dataclass
class Breaker:
    """Counts the attempts of one sender, and decides when it must stop; a limit that is None never stops it.

    A failure is a refusal of m3ter's, or a POST without a usable answer.

    :param failures: so many in a row.
    :param percent: so many of all attempts, from :data:`RATE_FROM` attempts on.
    """

    failures: int | None = 10
    percent: float | None = 50
    _attempts: int = 0
    _failed: int = 0
    _failed_in_a_row: int = 0
    _refused_in_a_row: int = 0

    def note(self, *, refused: bool, unanswered: str | None) -> DeliveryError | None:
        """Count one attempt that was made, and return why nothing more may begin; None: it may.

        :param refused: m3ter refused it.
        :param unanswered: why there was no usable answer; None: there was one.
        """
        self._attempts += 1
        if not refused and unanswered is None:
            self._failed_in_a_row = self._refused_in_a_row = 0
        else:
            self._failed += 1
            self._failed_in_a_row += 1
            self._refused_in_a_row += refused
        in_a_row = self._failed_in_a_row
        if self.failures is not None and in_a_row >= self.failures:
            if not self._refused_in_a_row:  # m3ter is not well: the next try may find it better
                return DeliveryError(
                    f"m3ter gave no usable answer to {in_a_row} invitations in a row, the last time: {unanswered}"
                )
            return NotAllowedError(
                f"{in_a_row} invitations in a row failed (`stop_after_failures`), {self._refused_in_a_row} of them"
                f" refused by m3ter. {_HOW}"
            )
        if (
            self.percent is not None
            and self._attempts >= RATE_FROM
            and self._failed * 100 >= self.percent * self._attempts
        ):
            return NotAllowedError(
                f"{self._failed} of {self._attempts} invitations failed, which is {self.percent:g} percent or more"
                f" (`stop_at_failure_percent`). {_HOW}"
            )
        return None
