"""Values that every ledger takes, made of whatever m3ter answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from m3ter_onboarding.ledger.storable_values import LEFT_OUT, LONGEST_ANSWER, storable_answer


def test_an_answer_is_kept_as_it_is_with_unknown_keys() -> None:
    answer = {"id": "i", "version": 3, "permissionPolicyIds": ["p"], "new": {"nested": [1, 2.5, None, True, "é"]}}
    assert storable_answer(answer) == answer


def test_no_answer_is_none() -> None:
    assert storable_answer({}) is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\0b", "a�b"),
        ("half \ud800 of a character", "half � of a character"),
        ("whole \U0001f600", "whole \U0001f600"),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, 10**30),
    ],
)
def test_a_value_that_a_database_refuses_becomes_another(value: Any, kept: Any) -> None:
    answer = storable_answer({"key": [value], "other": 1})
    assert answer == {"key": [kept], "other": 1}
    json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()


def test_a_key_that_a_database_refuses_becomes_another() -> None:
    assert storable_answer({"a\0": 1}) == {"a�": 1}


def test_of_a_long_answer_the_short_entries_are_kept() -> None:
    answer = storable_answer({"long": "é" * LONGEST_ANSWER, "id": "i", "names": ["x" * 90] * 300, "version": 1})
    assert answer == {"id": "i", "version": 1, LEFT_OUT: 2}


def test_a_deep_answer_has_an_end() -> None:
    deep: Any = "deep"
    for _ in range(5_000):
        deep = [deep]
    assert "deep" not in json.dumps(storable_answer({"key": deep}))
