"""The overview and its chart; a ledger that is away leaves the others as they are."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.names import PAUSE_VARIABLE
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.decision_names import DECISIONS, REASONS, WAYS
from m3ter_onboarding.ledger.reads.invitation_trends import ChartDay, chart_days, summed_by_day
from m3ter_onboarding.ledger.reads.overview_figures import ledger_figures
from m3ter_onboarding.ledger.reads.reader import NoRunYetError
from m3ter_onboarding.ledger.reads.run_history import runs_recorded
from m3ter_onboarding.ledger.runs import RunKey
from m3ter_onboarding.ledger.states import STATES
from m3ter_onboarding.page.access import Reader, ReaderDep
from m3ter_onboarding.page.airflow_runs import FailedRun, last_runs_that_failed
from m3ter_onboarding.page.answers import Chart, Overview, ReadableDag, ReadableLedger, UnreadableLedger, Words
from m3ter_onboarding.page.onboarding_dags import LedgerPlace

router = APIRouter(prefix="/api")


@router.get("/overview")
def overview(reader: ReaderDep) -> Overview:
    """Return figures of every DAG of the reader, ledger by ledger."""
    return Overview(
        user=reader.name,
        unrecorded=_unrecorded(reader),
        pause_variable=PAUSE_VARIABLE,
        dags=_dags(reader),
        ledgers=[_ledger(reader, key, place) for key, place in sorted(reader.places().items())],
        words=Words(states=STATES, verdicts=DECISIONS, reasons=REASONS, ways=WAYS),
    )


def _ledger(reader: Reader, key: str, place: LedgerPlace) -> ReadableLedger | UnreadableLedger:
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
        dags=figures.dags,
        runs=figures.runs,
        organisations=figures.organisations,
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
            modes=list(dag.modes),
            stopped=reader.pause.pauses(dag.config_name),
            may_trigger=reader.may_trigger(dag),
            may_edit=reader.may_edit(dag),
        )
        for dag in sorted(reader.dags.values(), key=lambda dag: dag.dag_id)
    ]


@router.get("/chart")
def chart(reader: ReaderDep) -> Chart:
    """Return what became of the invitations of the last days."""
    days: list[ChartDay] = []
    begin = date.min
    for place in reader.places().values():
        try:
            found = chart_days(reader.ledgers.of(place), reader.dag_ids_of(place), utc_now())
        except LedgerError:
            continue  # the overview shows it
        days += found
        begin = max(begin, *(day.day for day in found[:1]))
    # A day that one ledger does not count would show too few.
    return Chart(summed_by_day(day for day in days if day.day >= begin))
