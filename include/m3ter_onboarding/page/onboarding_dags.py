"""The onboarding DAGs that Airflow knows, as their newest serialised form describes them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import select

from m3ter_onboarding.config.names import DAG_ID_PREFIX

#: The module of a task of ours, as a serialised DAG names it, begins with this.
TASKS = "m3ter_onboarding.tasks."
#: How long what Airflow's metadata say is believed, in seconds.
BELIEVED_FOR = 10.0


@dataclass(frozen=True)
class LedgerPlace:
    """Where a ledger is: an Airflow connection and a schema."""

    conn_id: str
    schema: str | None

    @property
    def key(self) -> str:
        """What addresses of the page call it."""
        return hashlib.sha256(f"{self.conn_id}\n{self.schema or ''}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class OnboardingDag:
    """One onboarding DAG.

    :param config_name: of its configuration.
    :param modes: what its parameter ``mode`` offers.
    :param active: whether Airflow still finds its file; one that it does not can be read, not run.
    """

    dag_id: str
    display_name: str
    config_name: str
    m3ter_conn_id: str
    ledger: LedgerPlace
    modes: tuple[str, ...]
    paused: bool
    active: bool
    team: str | None


class OnboardingDags:
    """All of them; looked up again when what is known has become old.

    :param clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: dict[str, OnboardingDag] = {}
        self._until = float("-inf")

    def all(self) -> Mapping[str, OnboardingDag]:
        """Return the DAGs by their ids."""
        with self._lock:
            if self._clock() >= self._until:
                self._known = {dag.dag_id: dag for dag in _look_up()}
                self._until = self._clock() + BELIEVED_FOR
            return self._known


def _look_up() -> Iterable[OnboardingDag]:
    pattern = DAG_ID_PREFIX.replace("_", r"\_") + "%"
    with create_session() as session:
        models = {
            model.dag_id: model
            for model in session.scalars(select(DagModel).where(DagModel.dag_id.like(pattern, escape="\\")))
        }
        ids = sorted(models)
        teams = DagModel.get_dag_id_to_team_name_mapping(ids, session=session) if ids else {}
        serialised = SerializedDagModel.get_latest_serialized_dags(dag_ids=ids, session=session) if ids else ()
        described = [(models[one.dag_id], described_by(one.data or {})) for one in serialised]
        return [
            OnboardingDag(
                dag_id=model.dag_id,
                display_name=model.dag_display_name or model.dag_id,
                paused=bool(model.is_paused),
                active=not model.is_stale,
                team=teams.get(model.dag_id),
                **description,
            )
            for model, description in described
            if description
        ]


def described_by(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read what a serialised DAG says about its ledger; None: its tasks are not ours.

    :param data: as ``SerializedDagModel.data`` holds it.
    """
    dag = data.get("dag", {})
    for task in dag.get("tasks", ()):
        told = task.get("__var", {})
        if str(told.get("_task_module")).startswith(TASKS) and told.get("ledger_conn_id"):
            return {
                "config_name": str(told.get("config_name") or ""),
                "m3ter_conn_id": str(told.get("m3ter_conn_id") or ""),
                "ledger": LedgerPlace(str(told["ledger_conn_id"]), told.get("ledger_schema")),
                "modes": _modes(dag.get("params", ())),
            }
    return None


def _modes(params: Iterable[Any]) -> tuple[str, ...]:
    for entry in params:
        if isinstance(entry, (list, tuple)) and len(entry) == 2 and entry[0] == "mode":
            schema = entry[1].get("schema", {})
            return tuple(str(mode) for mode in schema.get("__var", schema).get("enum", ()))
    return ()
