"""The error tree."""

from __future__ import annotations

import copy
import pickle

import pytest
from airflow.sdk.exceptions import AirflowException

from m3ter_provider import errors
from m3ter_provider.errors import (
    M3terError,
    M3terPermissionError,
    M3terRateLimitError,
    M3terRequestRejectedError,
    M3terStatusError,
    M3terUnknownOutcomeError,
)


@pytest.mark.parametrize(
    "error",
    [
        M3terPermissionError("May not.", kind="no_right_to_invite", m3ter_message="quotes somebody"),
        M3terUnknownOutcomeError("Who knows?", status_code=504),
        M3terRateLimitError("Too fast.", retry_after=2.0),
        M3terRequestRejectedError("No.", status_code=400, m3ter_message="quotes somebody"),
    ],
)
def test_copies_and_pickles_are_whole(error: M3terError) -> None:
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)


def test_m3ters_words_are_neither_in_text_nor_in_repr() -> None:
    error = M3terStatusError("No.", status_code=418, m3ter_message="quotes somebody")
    assert "somebody" not in f"{error} {error!r}"


def test_every_error_has_one_root() -> None:
    kinds = [kind for name, kind in vars(errors).items() if name.startswith("M3ter") and isinstance(kind, type)]
    assert len(kinds) == 16
    assert all(issubclass(kind, M3terError) and issubclass(kind, AirflowException) for kind in kinds)
