"""The page's answers, beside those that are what ``ledger/reads`` returns; the script's types are made from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from m3ter_onboarding.ledger.day_one import Standing
from m3ter_onboarding.ledger.reads.invitation_trends import ChartDay, PeriodFunnel
from m3ter_onboarding.ledger.reads.overview_figures import LedgerFigures
from m3ter_onboarding.ledger.reads.review_list import ReviewList
from m3ter_onboarding.ledger.reads.run_history import RunStanding
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.worklist_decisions import Action
from m3ter_onboarding.page.airflow_runs import FailedRun, RunInAirflow


@dataclass(frozen=True)
class ReadableDag:
    """An onboarding DAG that the reader may read.

    :param ledger: the key of its ledger.
    :param active: whether Airflow still finds its file.
    :param lacks: modes of a run that its parameter ``mode`` does not offer.
    :param stopped: whether the pause switch stops it; None: the switch cannot be read now.
    """

    dag_id: str
    name: str
    config_name: str
    ledger: str
    paused: bool
    active: bool
    lacks: list[str]
    stopped: bool | None
    may_trigger: bool
    may_edit: bool


@dataclass(frozen=True)
class UnreadableLedger:
    """A ledger that cannot be shown.

    :param problem: why, and what to do.
    :param empty: whether only the first run is missing.
    """

    key: str
    name: str
    problem: str
    empty: bool


@dataclass(frozen=True)
class ReadableLedger(LedgerFigures):
    """A ledger that can be shown."""

    key: str
    name: str
    problem: None
    empty: bool


@dataclass(frozen=True)
class Words:
    """Names of states, decisions, reasons, findings and standings, and what a person can do about a reason.

    :param without_access: those standings in which somebody has no access.
    """

    states: dict[str, str]
    verdicts: dict[str, str]
    reasons: dict[str, str]
    ways: dict[str, str]
    findings: dict[str, str]
    standings: dict[Standing, str]
    without_access: list[Standing]


@dataclass(frozen=True, repr=False)
class Overview:
    """Every DAG of the reader, ledger by ledger.

    :param unrecorded: newest runs that failed before they reached the ledger.
    :param pause_variable: the name of the pause switch.
    :param cards: whether each DAG has a card; otherwise they are a table, and what only a card shows is left out.
    """

    user: str
    unrecorded: list[FailedRun]
    pause_variable: str
    cards: bool
    dags: list[ReadableDag]
    ledgers: list[ReadableLedger | UnreadableLedger]
    words: Words


@dataclass(frozen=True)
class TimeToAccept:
    """How long people took to accept, by the instants that m3ter gives.

    :param of: so many invitations, the newest.
    :param p90_seconds: nine of ten took no longer.
    """

    of: int
    median_seconds: float
    p90_seconds: float


@dataclass(frozen=True)
class LedgerFunnel:
    """What became of the rows of one ledger.

    :param ledger: its key.
    :param since: of the runs that began then or later.
    """

    ledger: str
    since: datetime
    funnel: PeriodFunnel


@dataclass(frozen=True)
class Chart:
    """Invitations of the last days.

    :param zone: whose calendar days are meant.
    :param funnels: of each ledger that can be read; *funnel* is their sum.
    :param time_to_accept: None: nobody has accepted in the last 90 days.
    """

    zone: str
    days: list[ChartDay]
    funnel: PeriodFunnel
    funnels: list[LedgerFunnel]
    time_to_accept: TimeToAccept | None


@dataclass(frozen=True, repr=False)
class RunProgress:
    """How far a run is.

    :param airflow: None: Airflow no longer has it, or the reader may not see its tasks.
    :param ledger: None: it is not in the ledger, or not yet.
    """

    airflow: RunInAirflow | None
    ledger: RunStanding | None


@dataclass(frozen=True)
class Review(ReviewList):
    """The invitations of one ledger that wait for a person, and its worklist in figures.

    :param may_decide: whether the reader may decide about what no DAG made.
    """

    may_decide: bool


@dataclass(frozen=True)
class Decided:
    """The new state of an invitation."""

    state: InvitationState


@dataclass(frozen=True)
class QuestionDecided:
    """What was decided about a question."""

    action: Action


@dataclass(frozen=True, repr=False)
class QuestionsDecided:
    """What became of a decision about several questions.

    :param done: so many are decided.
    :param changed: so many were answered meanwhile, or are other questions by now; nothing is written there.
    :param changed_names: of the first of these.
    :param not_yours: so many the person may not decide, or not see; nothing is written there.
    """

    action: Action
    done: int
    changed: int
    changed_names: list[str]
    not_yours: int
