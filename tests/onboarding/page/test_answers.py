"""Answers of the page's API are types, and none of them shows people in a log."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from types import ModuleType
from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute

from m3ter_onboarding.ledger.reads import (
    invitation_list,
    open_questions,
    overview_figures,
    person_history,
    plan_comparison,
    question_selection,
    review_list,
    run_history,
)
from m3ter_onboarding.ledger.reads.invitation_trends import ChartDay, summed_by_day
from m3ter_onboarding.ledger.reads.shortened_texts import shortened
from m3ter_onboarding.page import answers
from tests.onboarding.page.conftest import application

READS = (
    *(invitation_list, open_questions, question_selection, overview_figures, person_history, plan_comparison),
    *(review_list, run_history, answers),
)
#: Fields that name a person.
PERSONAL = {
    "email",
    "started_by",
    "employee_id",
    "only_employee",
    "invitation_email",
    "approved_by",
    "rejected_by",
    "triggered_by",
}


def routes_of_the_api() -> Iterator[APIRoute]:
    for route in application().app.routes:
        if isinstance(route, APIRoute) and route.path.startswith("/api/"):
            yield route


def test_every_answer_of_the_api_is_a_type() -> None:
    models = {route.path: route.response_model for route in routes_of_the_api()}
    assert len(models) > 8
    for csv in ("/api/export", "/api/access/export", "/api/day-one/export", "/api/run/export", "/api/worklist/export"):
        assert models.pop(csv) is None
    untyped = {path for path, model in models.items() if not all(map(is_dataclass, get_args(model) or (model,)))}
    assert untyped == set()


def dataclasses_of(module: ModuleType) -> Iterator[Any]:
    for _, found in inspect.getmembers(module, inspect.isclass):
        if is_dataclass(found) and found.__module__ == module.__name__:
            yield found


@pytest.mark.parametrize("module", READS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_type_with_a_person_has_a_repr_of_its_values(module: ModuleType) -> None:
    found = list(dataclasses_of(module))
    assert found
    personal = {one for one in found if PERSONAL & {field.name for field in fields(one)}}
    assert {one.__name__ for one in personal if one.__dataclass_params__.repr} == set()


def test_days_of_several_ledgers_are_added() -> None:
    first, second = date(2026, 11, 1), date(2026, 11, 2)
    days = [ChartDay(second, 1, 2, 3), ChartDay(first, 1, 0, 0), ChartDay(second, 10, 20, 30)]
    assert summed_by_day(days) == [ChartDay(first, 1, 0, 0), ChartDay(second, 11, 22, 33)]
    assert summed_by_day([]) == []


@pytest.mark.parametrize(("text", "short"), [(None, None), ("", ""), ("abcd", "abcd"), ("abcde", "abc…")])
def test_a_long_text_is_shortened(text: str | None, short: str | None) -> None:
    assert shortened(text, 4) == short
