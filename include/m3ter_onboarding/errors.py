"""The application's errors: sentences for the person who must act, without personal data or secrets."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException


class OnboardingError(AirflowException):
    """Base of everything this application raises on purpose."""


class ConfigurationError(OnboardingError):
    """A YAML file, or the query it names, is wrong; a person must change it."""


class RunParameterError(OnboardingError):
    """A parameter of one DAG run is wrong; the run must be started again with another value."""


class SourceError(OnboardingError):
    """The new hires could not be read from the warehouse, or the query's columns break the contract.

    :param message: with the cause and the next step.
    :param retryable: whether the same read may succeed later without anyone changing anything
        (the warehouse was not reached); False where the query or the set-up must be corrected.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class PlanError(OnboardingError):
    """No plan can be made, so nothing is sent."""


class LedgerError(OnboardingError):
    """The ledger cannot be read or written, or cannot keep its promises."""


class LedgerUnusableError(LedgerError):
    """The ledger cannot be used as it is set up; trying again changes nothing, a person must act."""


class ErasureRefusedError(LedgerError):
    """Nothing was erased; a person must act first."""


class DeliveryError(OnboardingError):
    """Sending stopped before everybody of the plan was settled."""


class NotAllowedError(DeliveryError):
    """The plan may not be sent; trying again changes nothing, a person must act."""
