"""The overview and its chart; a ledger that is away leaves the others as they are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import StringConstraints

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.names import PAUSE_VARIABLE
from m3ter_onboarding.config.run_parameters import Mode
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.access_findings import FINDINGS
from m3ter_onboarding.ledger.day_one import STANDINGS, WITHOUT_ACCESS
from m3ter_onboarding.ledger.decision_names import DECISIONS, REASONS, WAYS
from m3ter_onboarding.ledger.reads.dag_figures import without_card
from m3ter_onboarding.ledger.reads.invitation_trends import PeriodFunnel, Trends, invitation_trends, summed_by_day
from m3ter_onboarding.ledger.reads.overview_figures import ledger_figures
from m3ter_onboarding.ledger.reads.reader import NoRunYetError
from m3ter_onboarding.ledger.reads.run_history import runs_recorded
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import STATES
from m3ter_onboarding.page.access import Reader, ReaderDep
from m3ter_onboarding.page.airflow_runs import FailedRun, last_runs_that_failed
from m3ter_onboarding.page.answers import (
    Chart,
    LedgerFunnel,
    Overview,
    ReadableDag,
    ReadableLedger,
    TimeToAccept,
    UnreadableLedger,
    Words,
)
from m3ter_onboarding.page.bounded_response import BoundedResponse
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from m3ter_onboarding.source.local_days import zone_of

router = APIRouter(prefix="/api")

#: With more DAGs the page has a table in place of cards.
CARDS = 12


class OverviewResponse(BoundedResponse):
    """The overview; of many DAGs, what is null of a DAG's figures is left out: it would be a seventh of the answer."""

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        if not content["cards"]:
            ledgers = [
                {**one, "dags": _without_null(one["dags"])} if "dags" in one else one for one in content["ledgers"]
            ]
            content = {**content, "ledgers": ledgers}
        return super().render(content)


def _without_null(content: Any) -> Any:
    if isinstance(content, list):
        return [_without_null(one) for one in content]
    if isinstance(content, dict):
        return {name: _without_null(one) for name, one in content.items() if one is not None}
    return content


@router.get("/overview", response_class=OverviewResponse)
def overview(reader: ReaderDep) -> Overview:
    """Return figures of every DAG of the reader, ledger by ledger."""
    cards = len(reader.dags) <= CARDS
    return Overview(
        user=reader.name,
        unrecorded=_unrecorded(reader),
        pause_variable=PAUSE_VARIABLE,
        cards=cards,
        dags=_dags(reader),
        ledgers=[_ledger(reader, key, place, cards) for key, place in sorted(reader.places().items())],
        words=Words(
            states=STATES,
            verdicts=DECISIONS,
            reasons=REASONS,
            ways=WAYS,
            findings=FINDINGS,
            standings=STANDINGS,
            without_access=list(WITHOUT_ACCESS),
        ),
    )


def _ledger(reader: Reader, key: str, place: LedgerPlace, cards: bool) -> ReadableLedger | UnreadableLedger:
    name = f"{place.conn_id}, schema {place.schema}" if place.schema else place.conn_id
    try:
        figures = ledger_figures(reader.ledgers.of(place), reader.dag_ids_of(place), utc_now())
    except NoRunYetError as error:
        return UnreadableLedger(key, name, str(error), empty=True)
    except LedgerError as error:
        return UnreadableLedger(key, name, str(error), empty=False)
    return ReadableLedger(
        key=key,
        name=name,
        problem=None,
        empty=False,
        dags=figures.dags if cards else [without_card(one) for one in figures.dags],
        runs=figures.runs,
        last_day=figures.last_day,
        organisations=figures.organisations,
        organisation_names=figures.organisation_names,
        states=figures.states,
        questions=figures.questions,
        access=figures.access,
        expire_before_start=figures.expire_before_start,
        pending=figures.pending,
        starting=figures.starting,
    )


def _unrecorded(reader: Reader) -> list[FailedRun]:
    """Return the DAGs' newest runs that failed before they reached the ledger."""
    failed = last_runs_that_failed([dag.dag_id for dag in reader.dags.values() if reader.may_see_tasks(dag)])
    unrecorded = []
    for place in reader.places().values() if failed else ():
        of_place = set(reader.dag_ids_of(place))
        runs = [run for run in failed if run.dag_id in of_place]
        if not runs:
            continue
        try:
            known = runs_recorded(reader.ledgers.of(place), [RunKey(run.dag_id, run.run_id) for run in runs])
        except NoRunYetError:
            known = set()
        except LedgerError:
            continue  # whether it reached the ledger is not known now
        unrecorded += [run for run in runs if RunKey(run.dag_id, run.run_id) not in known]
    return unrecorded


def _dags(reader: Reader) -> list[ReadableDag]:
    return [
        ReadableDag(
            dag_id=dag.dag_id,
            name=dag.display_name,
            config_name=dag.config_name,
            ledger=dag.ledger.key,
            paused=dag.paused,
            active=dag.active,
            lacks=[mode.value for mode in Mode if mode.value not in dag.modes],
            stopped=reader.pause.pauses(dag.config_name),
            may_trigger=reader.may_trigger(dag),
            may_edit=reader.may_edit(dag),
        )
        for dag in sorted(reader.dags.values(), key=lambda dag: dag.dag_id)
    ]


@router.get("/chart")
def chart(
    reader: ReaderDep,
    days: Literal["30", "90"] = "30",
    zone: Annotated[str, StringConstraints(max_length=100)] = "UTC",
) -> Chart:
    """Return what became of the invitations of the last days, and how soon people accept.

    Days are those of the time zone; of UTC where this server does not know it.
    """
    try:
        of_reader = zone_of(zone)
    except ValueError:
        of_reader = ZoneInfo("UTC")
    found: dict[str, Trends] = {}
    for key, place in sorted(reader.places().items()):
        try:
            ledger = reader.ledgers.of(place)
            found[key] = invitation_trends(ledger, reader.dag_ids_of(place), utc_now(), int(days), of_reader)
        except LedgerError:
            continue  # the overview shows it
    trends = found.values()
    # A day that one ledger does not count would show too few.
    begin = max((one.days[0].day for one in trends), default=date.min)
    return Chart(
        zone=of_reader.key,
        days=summed_by_day(day for one in trends for day in one.days if day.day >= begin),
        funnel=sum((one.funnel for one in trends), PeriodFunnel(0, 0, 0, 0, 0)),
        funnels=[LedgerFunnel(key, one.since, one.funnel) for key, one in found.items()],
        time_to_accept=_time_to_accept(sorted(seconds for one in trends for seconds in one.seconds)),
    )


def _time_to_accept(seconds: Sequence[float]) -> TimeToAccept | None:
    if not seconds:
        return None
    ninety = seconds[max(0, math.ceil(0.9 * len(seconds)) - 1)]
    return TimeToAccept(of=len(seconds), median_seconds=statistics.median(seconds), p90_seconds=ninety)
