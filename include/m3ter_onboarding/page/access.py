"""Rights on the page: Airflow's own login and permissions, checked for each request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request

from m3ter_onboarding.ledger.reads.reader import LedgerReader
from m3ter_onboarding.ledger.reads.scopes import VisibleRows, rows_visible_to
from m3ter_onboarding.page.onboarding_dags import LedgerPlace, OnboardingDag
from m3ter_onboarding.page.open_ledgers import Ledgers
from m3ter_onboarding.page.pause_variable import PauseVariable

#: The page's own script sends this with every request that changes or searches; no other site's form can.
GUARD_HEADER = "x-m3ter-onboarding"

Found = TypeVar("Found")


def _may(user: BaseUser, dag: OnboardingDag, method: Any, entity: DagAccessEntity | None = None) -> bool:
    return bool(
        get_auth_manager().is_authorized_dag(
            method=method, access_entity=entity, details=DagDetails(id=dag.dag_id, team_name=dag.team), user=user
        )
    )


@dataclass(frozen=True)
class View:
    """One ledger as one user sees it: their DAGs that keep it, and which of its rows they see."""

    ledger: LedgerReader
    dags: list[OnboardingDag]
    visible: VisibleRows


@dataclass(frozen=True)
class Reader:
    """One user, and the onboarding DAGs that they may read.

    :param ledgers: all that are open.
    :param pause: the pause switch.
    """

    user: BaseUser
    dags: Mapping[str, OnboardingDag]
    ledgers: Ledgers
    pause: PauseVariable

    @property
    def name(self) -> str:
        """Their name in Airflow."""
        return str(self.user.get_name())[:250]

    def may_trigger(self, dag: OnboardingDag) -> bool:
        """Return whether they may start a run of this DAG."""
        return dag.active and _may(self.user, dag, "POST", DagAccessEntity.RUN)

    def may_see_questions(self, dag: OnboardingDag) -> bool:
        """Return whether they may see what Airflow asks people in runs of this DAG."""
        return _may(self.user, dag, "GET", DagAccessEntity.HITL_DETAIL)

    def may_see_tasks(self, dag: OnboardingDag) -> bool:
        """Return whether they may see the tasks of this DAG's runs."""
        return _may(self.user, dag, "GET", DagAccessEntity.TASK_INSTANCE)

    def may_edit(self, dag: OnboardingDag) -> bool:
        """Return whether they may change this DAG, and so what its ledger says of people."""
        return _may(self.user, dag, "PUT")

    def dag(self, dag_id: str) -> OnboardingDag:
        """Return a DAG that they may read.

        :raises HTTPException: 404, also for one that they may not read.
        """
        if dag_id not in self.dags:
            raise HTTPException(
                404, "This is no onboarding DAG, or you may not read it. Ask the administrator of this Airflow."
            )
        return self.dags[dag_id]

    def places(self) -> dict[str, LedgerPlace]:
        """Return where the ledgers of their DAGs are, by key."""
        return {dag.ledger.key: dag.ledger for dag in self.dags.values()}

    def dags_of(self, place: LedgerPlace) -> list[OnboardingDag]:
        """Return their DAGs that keep this ledger."""
        return [dag for dag in self.dags.values() if dag.ledger == place]

    def dag_ids_of(self, place: LedgerPlace) -> list[str]:
        """Return the ids of their DAGs that keep this ledger."""
        return [dag.dag_id for dag in self.dags_of(place)]

    def view_of(self, key: str) -> View:
        """Return a ledger as they see it.

        :param key: of the ledger, as addresses of the page have it.
        :raises HTTPException: 404, when no DAG of theirs keeps it.
        """
        place = self.places().get(key)
        if place is None:
            raise HTTPException(404, "None of the DAGs that you may read keeps such a ledger.")
        ledger = self.ledgers.of(place)
        return View(ledger, self.dags_of(place), rows_visible_to(ledger, self.dag_ids_of(place)))

    def ledger_of(self, dag_id: str) -> LedgerReader:
        """Return the ledger of a DAG that they may read."""
        return self.ledgers.of(self.dag(dag_id).ledger)


def reader_of(request: Request, user: Annotated[BaseUser, Depends(get_user)]) -> Reader:
    """Return the user of a request, and what they may read."""
    state = request.app.state
    readable = {dag_id: dag for dag_id, dag in state.dags.all().items() if _may(user, dag, "GET")}
    return Reader(user, readable, state.ledgers, state.pause)


ReaderDep = Annotated[Reader, Depends(reader_of)]


def found(answer: Found | None) -> Found:
    """Return an answer that is there; what a reader may not see is not.

    :raises HTTPException: 404.
    """
    if answer is None:
        raise HTTPException(404, "There is nothing here that you may see.")
    return answer


def from_this_page(request: Request) -> None:
    """Reject a request that another site may have made a browser send.

    :raises HTTPException: 403, for a request that changes or searches, of a kind that also another script can send.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or not request.headers.get(GUARD_HEADER):
        raise HTTPException(403, "Only the page itself may ask this.")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "This request comes from another site.")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc not in _our_hosts(request):
        raise HTTPException(403, "This request comes from another site.")


def _our_hosts(request: Request) -> set[str]:
    base = urlsplit(conf.get("api", "base_url", fallback="")).netloc
    return {host for host in (request.headers.get("host"), base) if host}
