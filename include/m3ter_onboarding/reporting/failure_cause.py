"""Why a run failed, in the words of the task that failed first: left in XCom, for alerts and the report.

A DAG's callback runs where DAGs are parsed: it reaches Airflow, and no database of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

#: The XCom of a task that failed: sentences without personal data.
FAILURE = "failure"
_LONGEST = 1_000


@dataclass(frozen=True)
class FailureCause:
    """Why a run failed.

    :param sentence: what happened, and what to do.
    :param task_id: of the task that failed first; None: not known.
    """

    sentence: str
    task_id: str | None = None


def cause_of(context: Mapping[str, Any]) -> FailureCause:
    """Return why a run failed, as far as it can be known where its callback runs.

    :param context: of the callback, as Airflow makes it.
    """
    if (left := cause_left(context.get("ti"), _task_ids(context.get("dag")))) is not None:
        return left
    if context.get("reason") == "timed_out":
        return FailureCause("It was ended by its `dagrun_timeout`. The next run reads these days again.")
    return FailureCause("The report in its log says why, and the log of each red task.")


def cause_left(task_instance: Any, task_ids: Iterable[str]) -> FailureCause | None:
    """Return what the first of these tasks left that failed; None: none did, or Airflow does not answer.

    :param task_instance: of any task of the run.
    """
    for task_id in task_ids:
        sentence = _left_by(task_instance, task_id)
        if sentence:
            return FailureCause(sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]}…", task_id)
    return None


def _task_ids(dag: Any) -> Sequence[str]:
    """Return the tasks of a DAG in the order in which they run."""
    return [str(task.task_id) for task in dag.topological_sort()] if dag is not None else []


def _left_by(task_instance: Any, task_id: str) -> str | None:
    """Return the failure that a task left; None where there is none, or Airflow does not answer."""
    try:
        found = task_instance.xcom_pull(task_ids=task_id, key=FAILURE)
    except Exception as error:  # noqa: BLE001  (an alert without a cause is better than none)
        log.info("Airflow did not return why the task %s failed (%s).", task_id, type(error).__name__)
        return None
    return found if isinstance(found, str) else None
