"""The overview: how the DAGs fare, what needs attention; every count stops somewhere.

However many DAGs there are, the same few statements are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from m3ter_onboarding.ledger.reads.dag_figures import (
    DagFigures,
    LastDay,
    figures_of_dags,
    last_day,
    newest_runs_of_each,
)
from m3ter_onboarding.ledger.reads.ledger_counts import PendingPart, ledger_counts
from m3ter_onboarding.ledger.reads.open_questions import count_questions
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.run_counts import sent_by_run
from m3ter_onboarding.ledger.reads.run_history import RunSummary, runs_by_key
from m3ter_onboarding.ledger.reads.scopes import Scope, VisibleRows
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.ledger.reads.starting_figures import (
    StartingFigures,
    admissions,
    counted_days,
    starting_figures,
)

#: Runs that the overview shows.
RUNS_SHOWN = 20
#: Characters of an organisation's name.
_NAME = 80


@dataclass(frozen=True)
class LedgerFigures:
    """The figures of a reader's DAGs in one ledger.

    :param runs: the newest of all DAGs.
    :param last_day: the last 24 hours of all DAGs.
    :param organisations: those that the DAGs work for.
    :param organisation_names: of these, where m3ter has given one.
    :param states: invitations by state; counting stops.
    :param questions: the worklist's open questions by decision and reason, without those that wait for a day.
    :param access: the access review's findings by kind; counting stops.
    :param expire_before_start: invitations that expire before the person's first day, of those that expire soonest.
    :param pending: invitations that were sent and not accepted so far, by the days that are left.
    :param starting: of people who start soon.
    """

    dags: list[DagFigures]
    runs: list[RunSummary]
    last_day: LastDay
    organisations: list[str]
    organisation_names: dict[str, str]
    states: dict[str, int]
    questions: dict[str, int]
    access: dict[str, int]
    expire_before_start: int
    pending: list[PendingPart]
    starting: StartingFigures


def ledger_figures(reader: LedgerReader, dag_ids: Sequence[str], now: datetime) -> LedgerFigures:
    """Return the figures of these DAGs in one ledger."""

    def work(connection: Connection) -> LedgerFigures:
        t = reader.t
        rows = admissions(connection, t, dag_ids)
        org_ids = sorted({row.org_id for row in rows})
        scopes = [Scope(org_id, None) for org_id in org_ids]
        runs = newest_runs_of_each(connection, t, dag_ids)
        counts = ledger_counts(connection, t, dag_ids, counted_days(rows, now), len(rows), now)
        sent = sent_by_run(connection, t, runs.followed(RUNS_SHOWN))
        return LedgerFigures(
            dags=figures_of_dags(runs, counts.left, sent),
            runs=runs_by_key(connection, t, runs.newest(RUNS_SHOWN), sent),
            last_day=last_day(runs, sent, counts.sent_in_24_hours, now),
            organisations=org_ids,
            organisation_names={row.org_id: shortened(row.name, _NAME) for row in rows if row.name},
            states=counts.states,
            questions=count_questions(connection, t, VisibleRows(dag_ids, scopes), now),
            access=counts.access,
            expire_before_start=counts.expire_before_start,
            pending=counts.pending,
            starting=starting_figures(rows, counts, now),
        )

    return reader.read(work, doing="reading the overview")
