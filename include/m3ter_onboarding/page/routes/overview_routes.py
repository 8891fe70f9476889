"""The overview and its chart; a ledger that is away leaves the others as they are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.ledger.reads.overview_figures import chart, ledger_overview
from m3ter_onboarding.ledger.reads.reader import NoRunYetError
from m3ter_onboarding.page.access import Reader, ReaderDep
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from m3ter_onboarding.planning import reasons

router = APIRouter(prefix="/api")


@router.get("/overview")
def overview(reader: ReaderDep) -> dict[str, Any]:
    """Tell about every DAG of the reader, ledger by ledger."""
    ledgers = [_told(reader, key, place) for key, place in sorted(reader.places().items())]
    return {"user": reader.name, "dags": _dags(reader), "ledgers": ledgers, "words": reasons.glossary()}


def _told(reader: Reader, key: str, place: LedgerPlace) -> dict[str, Any]:
    name = f"{place.conn_id}, schema {place.schema}" if place.schema else place.conn_id
    entry: dict[str, Any] = {"key": key, "name": name, "problem": None, "empty": False}
    try:
        return entry | ledger_overview(reader.ledgers.of(place), reader.dags_of(place), utc_now())
    except NoRunYetError as error:
        return entry | {"problem": str(error), "empty": True}
    except LedgerError as error:
        return entry | {"problem": str(error)}


def _dags(reader: Reader) -> list[dict[str, Any]]:
    return [
        {
            "dag_id": dag.dag_id,
            "name": dag.display_name,
            "config_name": dag.config_name,
            "ledger": dag.ledger.key,
            "paused": dag.paused,
            "active": dag.active,
            "modes": dag.modes,
            "may_trigger": reader.may_trigger(dag),
            "may_edit": reader.may_edit(dag),
        }
        for dag in sorted(reader.dags.values(), key=lambda dag: dag.dag_id)
    ]


@router.get("/chart")
def days(reader: ReaderDep) -> dict[str, Any]:
    """Tell what became of the invitations of the last days."""
    summed: dict[str, dict[str, Any]] = {}
    for place in reader.places().values():
        try:
            of_ledger = chart(reader.ledgers.of(place), reader.dags_of(place), utc_now())
        except LedgerError:
            continue  # the overview says so
        for day in of_ledger:
            known = summed.setdefault(day["day"], {"day": day["day"], "accepted": 0, "waiting": 0, "other": 0})
            for name in ("accepted", "waiting", "other"):
                known[name] += day[name]
    return {"days": [summed[day] for day in sorted(summed)]}
