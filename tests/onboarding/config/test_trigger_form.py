"""The trigger dialogue says what the model of the parameters says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.config.trigger_form import run_parameters


def said_by_the_model(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a parameter, without its alternative null."""
    schema = RunParameters.model_json_schema()
    said = schema["properties"][name]
    (said,) = [way for way in said.get("anyOf", [said]) if way.get("type") != "null"]
    return dict(schema["$defs"][said["$ref"].rpartition("/")[2]] if "$ref" in said else said)


def test_the_form_has_the_parameters_of_the_model_and_their_defaults() -> None:
    assert {name: param.value for name, param in run_parameters().items()} == RunParameters().model_dump(mode="json")


@pytest.mark.parametrize("name", RunParameters.model_fields)
def test_the_form_bounds_a_parameter_as_the_model_does(name: str) -> None:
    form, model = run_parameters()[name].schema, said_by_the_model(name)
    kinds = form["type"] if isinstance(form["type"], list) else [form["type"]]
    assert model["type"] in kinds
    for bound in ("enum", "minimum", "maxLength", "format"):
        assert form.get(bound) == model.get(bound)


@pytest.mark.parametrize("text", ["", "2026-11-10T00:00:00Z", "2026-11-10 00:00+01:00", "2026-11-10T00:00:00.000+0100"])
def test_the_form_lets_through_every_way_to_write_an_instant(text: str) -> None:
    assert re.search(run_parameters()["interval_start"].schema["pattern"], text)
    values = {"interval_start": text, "interval_end": text and "2027-01-01T00:00Z"}
    assert (RunParameters.parse(values).interval_start is None) == (not text)


@pytest.mark.parametrize("text", ["2026-11-10", "2026-11-10T00:00:00", "yesterday", "2026-11-10T00:00:00Z and more"])
def test_the_form_rejects_a_text_that_is_no_instant(text: str) -> None:
    assert not re.search(run_parameters()["interval_start"].schema["pattern"], text)
