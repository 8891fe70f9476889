"""The border of a task: errors leave it as sentences, and those that only a person can mend fail it at once."""

from __future__ import annotations

import logging
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from m3ter_onboarding.errors import (
    ConfigurationError,
    ErasureRefusedError,
    LedgerUnusableError,
    NotAllowedError,
    OnboardingError,
    PlanError,
    RunParameterError,
    SourceError,
)
from m3ter_onboarding.reporting.failure_cause import FAILURE
from m3ter_provider.errors import NEEDS_A_PERSON

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: Characters of a line of the log.
_LINE = 100

#: Trying again changes nothing: a person must act first.
_FOR_GOOD = (
    ConfigurationError,
    RunParameterError,
    LedgerUnusableError,
    PlanError,
    NotAllowedError,
    ErasureRefusedError,
    *NEEDS_A_PERSON,
)


class LoggedFailure(AirflowFailException):
    """A permanent failure whose sentences the task has logged already, above other lines of its own."""


@contextmanager
def errors_as_sentences(context: Context | None = None) -> Iterator[None]:
    """Let errors leave a task as sentences without personal data; permanent ones fail it at once.

    The sentences are logged before, as errors.
    An unforeseen error is named by its class and place: the text of a foreign exception may quote a person.

    :param context: of the task; its failure is left in XCom for alerts.
    """
    try:
        with _sentences():
            yield
    except AirflowSkipException:
        raise
    except Exception as error:
        if not isinstance(error, LoggedFailure):
            log_sentences(str(error))
        if context is not None:
            _leave(context, str(error))
        raise


def log_sentences(text: str) -> None:
    """Log why a task fails, in short lines: above the traceback that Airflow adds, which has it in one long line."""
    for line in textwrap.wrap(text, _LINE, break_long_words=False, break_on_hyphens=False):
        log.error("%s", line)


def _leave(context: Context, sentence: str) -> None:
    """Leave a failure in XCom; a try that begins anew removes it."""
    try:
        context["ti"].xcom_push(key=FAILURE, value=sentence)
    except Exception as error:  # noqa: BLE001  (the failure itself must leave the task)
        log.info("Airflow did not keep the failure for alerts (%s).", type(error).__name__)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (AirflowFailException, AirflowSkipException):
        raise
    except _FOR_GOOD as error:
        raise AirflowFailException(str(error)) from None
    except SourceError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from None
    except AirflowException:
        raise
    except Exception as error:  # noqa: BLE001  (the border of the task)
        places = traceback.extract_tb(error.__traceback__)
        where = f"{places[-1].filename}:{places[-1].lineno}, in {places[-1].name}" if places else "unknown place"
        raise OnboardingError(
            f"An unexpected {type(error).__name__} at {where}. Nothing is lost: what was begun is settled by the next"
            " try. Please report it."
        ) from None
