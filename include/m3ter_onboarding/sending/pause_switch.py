"""The pause switch: the Airflow Variable ``m3ter_onboarding_paused``, asked each second while sending.

Its value is ``all``, or names of configurations (or ids of their DAGs, or either with a star), separated by anything
that no name has; ``false``, ``none`` and nothing at all pause nobody. ``Variable.get`` with a default answers "not
paused" while Airflow is away, and without one it calls every failure "not found": so it is asked in a thread with a
short limit, no answer in time means stop, and a variable that was set before and is not any more means stop.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from fnmatch import fnmatchcase

from m3ter_onboarding.config.names import EVERYBODY, NOBODY, PAUSE_VARIABLE, dag_id_of

#: Seconds within which Airflow must answer; it usually takes some milliseconds.
ANSWER_WITHIN = 3.0


def read_variable() -> str | None:
    """Return the switch's value, or None where Airflow says that it is not set.

    ``Variable.get`` takes a failing API server for "not found". So each secrets backend is asked by itself, and the
    supervisor's answer is looked at: only a clear "not found" counts.

    :raises RuntimeError: when Airflow answered with an error.
    """
    try:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, VariableResult
        from airflow.sdk.execution_time.secrets import ExecutionAPISecretsBackend
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS
    except ImportError:  # not in a task: Airflow's own look-up is all there is
        return _outside_a_task()
    for backend in ensure_secrets_backend_loaded():
        if not isinstance(backend, ExecutionAPISecretsBackend):
            value = backend.get_variable(key=PAUSE_VARIABLE)
            if value is not None:
                return str(value)
            continue
        answer = SUPERVISOR_COMMS.send(GetVariable(key=PAUSE_VARIABLE))
        if isinstance(answer, VariableResult) and answer.value is not None:
            return str(answer.value)
        if isinstance(answer, ErrorResponse) and answer.error != ErrorType.VARIABLE_NOT_FOUND:
            raise RuntimeError(f"Airflow answered {answer.error.value}.")
    return None


def _outside_a_task() -> str | None:
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowRuntimeError

    try:
        value = Variable.get(PAUSE_VARIABLE)
    except (AirflowRuntimeError, KeyError):
        return None
    return None if value is None else str(value)


def names_paused(value: str | None, name: str) -> bool:
    """Return whether a value of the switch pauses the configuration *name*: by it, or by its DAG's id."""
    # Letters of every width, and whatever stands between names: marks that cannot be seen, a full stop at the end.
    words = set(re.split(r"[^\w*-]+", unicodedata.normalize("NFKC", value or "").casefold())) - NOBODY
    own = (name.casefold(), dag_id_of(name).casefold())
    return bool(words & EVERYBODY) or any(fnmatchcase(one, word) for one in own for word in words)


class PauseSwitch:
    """Asks whether a configuration is paused; a question without an answer counts as paused.

    :param name: the configuration's name.
    :param read: returns the switch's value, None where it is not set; may block.
    :param answer_within: seconds to wait for it.
    """

    def __init__(
        self, name: str, *, read: Callable[[], str | None] = read_variable, answer_within: float = ANSWER_WITHIN
    ) -> None:
        self._name = name
        self._read = read
        self._answer_within = answer_within
        self._was_set = False

    async def reason(self) -> str | None:
        """Return why nothing may be sent now, or None."""
        asking = asyncio.create_task(asyncio.to_thread(self._read))
        asking.add_done_callback(_forget)  # nobody may wait for it any more when it fails
        try:
            value = await asyncio.wait_for(asyncio.shield(asking), self._answer_within)
        except asyncio.TimeoutError:
            return f"Airflow did not answer within {self._answer_within:g} s whether {PAUSE_VARIABLE} is set"
        except Exception as error:  # noqa: BLE001  (whatever went wrong, the question has no answer)
            return f"Airflow could not be asked for {PAUSE_VARIABLE} ({type(error).__name__})"
        if value is None and self._was_set:
            return f"the variable {PAUSE_VARIABLE} was set and is not any more; set it to 'none' to go on"
        self._was_set = value is not None
        if names_paused(value, self._name):
            return f"the Airflow variable {PAUSE_VARIABLE} pauses it; remove the name there and clear `send` to go on"
        return None


def _forget(task: asyncio.Task[str | None]) -> None:
    if not task.cancelled():
        task.exception()
