"""The gate before each POST: open until a stop is requested, or something fails that concerns every invitation."""

from __future__ import annotations

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.sending.stop_signals import Stop


class Gate:
    """Whether another POST may begin.

    :param stop: whether the sender must stop; asked each time.
    """

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        #: Why the gate was closed, apart from a stop; the first failure stays.
        self.failure: DeliveryError | None = None

    @property
    def is_open(self) -> bool:
        """Whether another POST may begin now."""
        return self.stop.reason is None and self.failure is None

    def close(self, failure: DeliveryError) -> None:
        """Let no other POST begin; the first failure is the one that is reported."""
        if self.failure is None:
            self.failure = failure
