"""The digest of a day: one message with counts and a link, and nothing about any person."""

from __future__ import annotations

from dataclasses import dataclass

from m3ter_onboarding.ledger.day_one import Standing
from m3ter_onboarding.ledger.day_one_pass import DigestFigures


@dataclass(frozen=True)
class Digest:
    """The figures of a day as sentences.

    :param starts_within: the days that the list of those who start soon covers.
    """

    figures: DigestFigures
    starts_within: int

    @property
    def is_needed(self) -> bool:
        """Whether somebody should look; nobody has to at people who only wait for the day of their invitation."""
        figures = self.figures
        not_ready = sum(self._not_ready().values()) - figures.too_early
        return bool(not_ready or figures.chase or figures.days_without_success is not None)

    def text(self) -> str:
        """Return the sentences."""
        figures, sentences = self.figures, []
        if figures.days_without_success is not None:
            sentences.append(f"No onboarding run was a success for {figures.days_without_success} day(s).")
        not_ready = self._not_ready()
        if not_ready:
            parts = [f"{many} {name}" for name, many in not_ready.items()]
            wait = f" ({figures.too_early} of them wait for the day of their invitation)" if figures.too_early else ""
            sentences.append(
                f"Of those who start within {self.starts_within} days are not ready: {', '.join(parts)}{wait}."
            )
        if figures.chase:
            sentences.append(f"Invitations to chase, not accepted so far: {figures.chase}.")
        sentences.append(f"Sent today: {figures.sent_today}.")
        return " ".join(sentences)

    def _not_ready(self) -> dict[str, int]:
        names = {
            Standing.EXPIRES_BEFORE_START: "with an invitation that expires before the first day",
            Standing.EXPIRED: "with an expired invitation",
            Standing.NOT_INVITED: "not invited",
        }
        found = {name: self.figures.standings.get(standing.value, 0) for standing, name in names.items()}
        return {name: many for name, many in found.items() if many}
