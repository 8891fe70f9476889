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
#: How long an answer of Airflow's metadata database is kept, in seconds.
METADATA_KEPT_SECONDS = 10.0


@dataclass(frozen=True)
class LedgerPlace:
    """Where a ledger is: an Airflow connection and a schema."""

    conn_id: str
    schema: str | None

    @property
    def key(self) -> str:
        """Its name in addresses of the page."""
        return hashlib.sha256(f"{self.conn_id}\n{self.schema or ''}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class SerialisedConfiguration:
    """The configuration of an onboarding DAG, as its serialised form has it.

    :param modes: the values of its parameter ``mode``.
    """

    config_name: str
    m3ter_conn_id: str
    ledger: LedgerPlace
    modes: tuple[str, ...]


@dataclass(frozen=True)
class OnboardingDag(SerialisedConfiguration):
    """One onboarding DAG.

    :param active: whether Airflow still finds its file; where it does not, the DAG can be read and not run.
    :param team: that Airflow gives it to; None: to none.
    """

    dag_id: str
    display_name: str
    paused: bool
    active: bool
    team: str | None


class OnboardingDags:
    """All onboarding DAGs, looked up again after a while.

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
                self._until = self._clock() + METADATA_KEPT_SECONDS
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
        described = [(models[one.dag_id], configuration_of(one.data or {})) for one in serialised]
        return [
            OnboardingDag(
                dag_id=model.dag_id,
                display_name=model.dag_display_name or model.dag_id,
                paused=bool(model.is_paused),
                active=not model.is_stale,
                team=teams.get(model.dag_id),
                config_name=configuration.config_name,
                m3ter_conn_id=configuration.m3ter_conn_id,
                ledger=configuration.ledger,
                modes=configuration.modes,
            )
            for model, configuration in described
            if configuration
        ]


def configuration_of(data: Mapping[str, Any]) -> SerialisedConfiguration | None:
    """Read the configuration of a serialised DAG; None: its tasks are not ours.

    :param data: as ``SerializedDagModel.data`` holds it.
    """
    dag = data.get("dag", {})
    for task in dag.get("tasks", ()):
        task_fields = task.get("__var", {})
        if str(task_fields.get("_task_module")).startswith(TASKS) and task_fields.get("ledger_conn_id"):
            return SerialisedConfiguration(
                config_name=str(task_fields.get("config_name") or ""),
                m3ter_conn_id=str(task_fields.get("m3ter_conn_id") or ""),
                ledger=LedgerPlace(str(task_fields["ledger_conn_id"]), task_fields.get("ledger_schema")),
                modes=_modes(dag.get("params", ())),
            )
    return None


def _modes(params: Iterable[Any]) -> tuple[str, ...]:
    for entry in params:
        if isinstance(entry, (list, tuple)) and len(entry) == 2 and entry[0] == "mode":
            schema = entry[1].get("schema", {})
            return tuple(str(mode) for mode in schema.get("__var", schema).get("enum", ()))
    return ()
