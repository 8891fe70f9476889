"""The states of a run's tasks, as Airflow knows them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m3ter_onboarding.ledger.runs import RunKey

log = logging.getLogger(__name__)


def task_states(run: RunKey) -> dict[str, str | None]:
    """Return the state of each task of a run; nothing where Airflow does not answer."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        states = RuntimeTaskInstance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])
    except Exception as error:  # noqa: BLE001  (a report without them is better than none)
        log.info("Airflow did not return the states of the other tasks (%s).", type(error).__name__)
        return {}
    of_run = states.get(run.run_id, states)
    return {str(task): None if state is None else str(state) for task, state in of_run.items()}
