"""How errors leave a task."""

from __future__ import annotations

import traceback

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from m3ter_onboarding.errors import DeliveryError, OnboardingError, PlanError, SourceError
from m3ter_onboarding.sending.right_to_send import NotAllowedError
from m3ter_onboarding.tasks.task_errors import errors_as_sentences

ADDRESS = "quillondra@example.com"


def test_d18_what_nobody_foresaw_is_named_by_class_and_place_alone() -> None:
    with (
        pytest.raises(OnboardingError, match=r"unexpected KeyError at .*test_task_errors\.py:\d+") as caught,
        errors_as_sentences(),
    ):
        raise KeyError(ADDRESS)
    assert ADDRESS not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("error", [NotAllowedError("why"), PlanError("why"), SourceError("why")], ids=repr)
def test_an_error_that_only_a_person_can_mend_fails_the_task_at_once(error: OnboardingError) -> None:
    with pytest.raises(AirflowFailException, match="why") as caught, errors_as_sentences():
        raise error
    assert caught.value.__cause__ is None


def test_the_sentence_is_logged_in_short_lines_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    sentence = "The query cannot be run: it names no table. " * 6
    with pytest.raises(AirflowFailException), errors_as_sentences():
        raise PlanError(sentence)
    lines = [record.getMessage() for record in caplog.records]
    assert " ".join(lines) == sentence.strip()
    assert max(map(len, lines)) <= 100
    assert {record.levelname for record in caplog.records} == {"ERROR"}


@pytest.mark.parametrize(
    "error", [DeliveryError("why"), SourceError("why", retryable=True), AirflowSkipException("why")], ids=repr
)
def test_an_error_that_may_pass_by_itself_is_left_to_airflow(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, errors_as_sentences():
        raise error
    assert caught.value is error
