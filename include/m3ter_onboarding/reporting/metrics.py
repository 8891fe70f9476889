"""The metrics of the DAGs: their names, and how an organisation's figures are reported (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import product

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decision_names import WAYS
from m3ter_onboarding.ledger.figures import AGES, figures_of
from m3ter_provider import metrics
from m3ter_provider.metrics import Metric

_OF = "m3ter_onboarding"

INVITATIONS = Metric(
    f"{_OF}.invitations",
    "counter",
    ("organisation", "outcome"),
    "Attempts to invite somebody, by their state at the end: `sent`, `failed` (m3ter refused), `unknown` (no answer),"
    " `unsent` (not begun).",
)
DECISIONS = Metric(
    f"{_OF}.decisions",
    "counter",
    ("organisation", "decision", "reason"),
    "Decisions of each plan, dry runs included.",
)
RUNS = Metric(f"{_OF}.runs", "counter", ("organisation", "outcome"), "Onboarding runs, by `success` and `failed`.")
CHANGES = Metric(
    f"{_OF}.changes",
    "counter",
    ("organisation", "change"),
    "What was read in m3ter: invitations `accepted`, `expired`, `adopted` (made by hand), found `sent`.",
)
WORKLIST = Metric(
    f"{_OF}.worklist",
    "gauge",
    ("organisation", "reason", "age"),
    "Open questions of the worklist, by reason and age.",
)
OLDEST_OPEN = Metric(
    f"{_OF}.oldest_open_invitation_seconds",
    "gauge",
    ("organisation",),
    "Age of the oldest invitation that nobody has accepted; 0 where there is none.",
)
SINCE_SUCCESS = Metric(
    f"{_OF}.since_last_success_seconds",
    "gauge",
    ("organisation",),
    "Time since the last onboarding run over everybody that might send ended as a success.",
)

OF_THE_DAGS = (INVITATIONS, DECISIONS, RUNS, CHANGES, WORKLIST, OLDEST_OPEN, SINCE_SUCCESS)


def report_decisions(organisation: str, decisions: Mapping[str, int]) -> None:
    """Count the decisions of a plan.

    :param organisation: the configuration's name.
    :param decisions: how many, by ``decision:reason``.
    """
    for name, many in decisions.items():
        decision, _, reason = name.partition(":")
        metrics.add(DECISIONS, many, organisation=organisation, decision=decision, reason=reason)


def report_changes(organisation: str, counts: Mapping[str, int]) -> None:
    """Count what became of invitations, as it was read in m3ter.

    :param counts: of a reading; others than changes are left out.
    """
    for change in ("accepted", "expired", "adopted", "sent"):
        metrics.add(CHANGES, counts[change], organisation=organisation, change=change)


def report_standing(db: LedgerDatabase, org_id: str, organisation: str, now: datetime) -> None:
    """Report how an organisation stands: a gauge that is nothing any more is 0, not what it was.

    :param now: UTC.
    """
    if not metrics.are_reported():
        return
    figures = figures_of(db, org_id, now)
    for reason, age in product(sorted({*WAYS, *(reason for reason, _ in figures.questions)}), AGES):
        many = figures.questions.get((reason, age), 0)
        metrics.gauge(WORKLIST, many, organisation=organisation, reason=reason, age=age)
    oldest = (now - figures.oldest_open).total_seconds() if figures.oldest_open else 0.0
    metrics.gauge(OLDEST_OPEN, max(0.0, oldest), organisation=organisation)
    if figures.last_success is not None:
        since = (now - figures.last_success).total_seconds()
        metrics.gauge(SINCE_SUCCESS, max(0.0, since), organisation=organisation)
