"""Whether the pause switch stops a configuration, as this API server sees Airflow's variable."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from m3ter_onboarding.config.names import PAUSE_VARIABLE
from m3ter_onboarding.page.onboarding_dags import METADATA_KEPT_SECONDS
from m3ter_onboarding.sending.pause_switch import names_paused


def read_variable() -> str | None:
    """Return the variable's value; None: it is not set.

    :raises Exception: whatever a secrets backend raises.
    """
    from airflow.models.variable import Variable

    value = Variable.get(PAUSE_VARIABLE, default_var=None)
    return None if value is None else str(value)


class PauseVariable:
    """The switch, read again after a while.

    A worker may see another one, where a secrets backend is configured for workers alone: ``send`` asks by itself.

    :param read: returns its value.
    :param clock: seconds that never go back.
    """

    def __init__(
        self, read: Callable[[], str | None] = read_variable, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._clock = read, clock
        self._lock = Lock()
        self._until = float("-inf")
        self._value: str | None = None
        self._known = False

    def pauses(self, config_name: str) -> bool | None:
        """Return whether it pauses a configuration; None: the variable cannot be read now."""
        with self._lock:
            if self._clock() >= self._until:
                self._known = False
                try:
                    self._value = self._read()
                    self._known = True
                except Exception:  # noqa: BLE001  (whatever a secrets backend raises, the answer is not known)
                    self._value = None
                self._until = self._clock() + METADATA_KEPT_SECONDS
            return names_paused(self._value, config_name) if self._known else None
