"""Notes on runs ("152 invited, 11 for review"), so that Airflow's own lists and its grid tell what a run did.

The scheduler calls this when a run has ended. It reads what ``send`` and ``report`` left in XCom, counts alone, and
leaves a note alone that a person wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from m3ter_onboarding.config.names import DAG_ID_PREFIX

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

#: By this a note of ours is known, when the run ends once more.
SIGN = "m3ter: "


def note_of(report: Mapping[str, Any], sent: int) -> str:
    """Return the note on a run.

    :param report: what ``report`` left in XCom.
    :param sent: invitations that ``send`` sent.
    """
    decisions = report.get("decisions") or {}

    def rows(kind: str) -> int:
        return sum(int(many) for name, many in decisions.items() if name.partition(":")[0] == kind)

    planned = f"plans only, {rows('invite'):,} to invite" if report.get("plans_only") else f"{sent:,} invited"
    states = report.get("invitations") or {}
    further = (
        (int(states.get("failed") or 0), "refused"),
        (rows("review") + int(states.get("review") or 0), "for review"),
        (rows("invalid"), "unusable"),
    )
    return SIGN + ", ".join([planned, *(f"{many:,} {what}" for many, what in further if many)])


class RunNotes:
    """Writes the note when a run of an onboarding DAG has ended."""

    @hookimpl
    def on_dag_run_success(self, dag_run: DagRun) -> None:
        """Write it on a run that succeeded."""
        write_note(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: DagRun) -> None:
        """Write it on a run that failed, where that got so far."""
        write_note(dag_run)


def write_note(dag_run: DagRun) -> None:
    """Write the note on a run that has ended, in the session that it belongs to.

    :param dag_run: of any DAG; nothing is done where it is not an onboarding DAG's.
    """
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if not dag_run.dag_id.startswith(DAG_ID_PREFIX) or session is None:
        return
    if dag_run.note and not str(dag_run.note).startswith(SIGN):
        return
    report = _left(session, dag_run, "report", "report")
    if isinstance(report, Mapping):
        sent = _left(session, dag_run, "send", "return_value")
        dag_run.note = note_of(report, int(sent.get("sent") or 0) if isinstance(sent, Mapping) else 0)


def _left(session: Session, dag_run: DagRun, task_id: str, key: str) -> Any:
    """Return what a task left in XCom; None: nothing that can be read here."""
    from airflow.models.xcom import XComModel

    chosen = XComModel.get_many(run_id=dag_run.run_id, key=key, task_ids=task_id, dag_ids=dag_run.dag_id, limit=1)
    with session.no_autoflush:
        found = session.scalars(chosen).first()
    try:
        return None if found is None else XComModel.deserialize_value(found)
    except (TypeError, ValueError):
        return None  # kept elsewhere, by another XCom backend
