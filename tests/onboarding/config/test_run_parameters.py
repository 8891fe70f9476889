"""The parameters of a run: what is accepted, and the sentence for what is not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from m3ter_onboarding.config.run_parameters import Mode, RunParameters
from m3ter_onboarding.errors import RunParameterError


def at(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=timezone.utc)


def test_a_run_without_parameters_has_the_defaults() -> None:
    assert RunParameters.parse({}) == RunParameters()
    nothing = {
        "mode": None,
        "max_invitations": None,
        "only_employee": "",
        "interval_start": None,
        "interval_end": "",
        "allow_backfill_send": None,
        "only_plan": "",
    }
    assert RunParameters.parse(nothing) == RunParameters()


def test_every_parameter_is_parsed() -> None:
    parameters = RunParameters.parse(
        {
            "mode": "dry_run",
            "max_invitations": 0,
            "only_employee": " 1001 ",
            "interval_start": "2026-11-10T00:00:00.000Z",
            "interval_end": "2026-11-11 01:00+01:00",
            "allow_backfill_send": True,
        }
    )
    assert parameters == RunParameters(
        mode=Mode.DRY_RUN,
        max_invitations=0,
        only_employee="1001",
        interval_start=at(10),
        interval_end=at(11),
        allow_backfill_send=True,
    )


@pytest.mark.parametrize(
    "text",
    ["2026-11-10T00:00Z", "2026-11-10t00:00:00z", "2026-11-10T01:00:00+0100", "2026-11-09T13:00:00.0000000-11:00"],
)
def test_ways_to_write_an_instant(text: str) -> None:
    assert RunParameters.parse({"interval_start": text, "interval_end": "2026-11-12T00:00Z"}).interval_start == at(10)


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-11-10", "2026-11-10T00:00:00", "1700000000", 1700000000, "2026-02-30T00:00Z", "2026-13-01T0Z",
     "0001-01-01T00:00:00+14:00", True, at(10).replace(tzinfo=None)],
)  # fmt: skip
def test_a_wrong_instant_is_refused_with_the_way_to_write_it(text: Any) -> None:
    with pytest.raises(RunParameterError, match=r"interval_start.*2026-11-10T00:00:00Z"):
        RunParameters.parse({"interval_start": text, "interval_end": "2026-11-12T00:00Z"})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_invitation": 3}, "did you mean max_invitations?"),
        ({"zzz": 3}, "known are mode"),
        ({"mode": "yolo"}, "choose one of normal, dry_run"),
        ({"max_invitations": -1}, "whole number"),
        ({"max_invitations": "3"}, "whole number"),
        ({"max_invitations": True}, "whole number"),
        ({"max_invitations": 1.5}, "whole number"),
        ({"only_employee": ["1"]}, "only_employee"),
        ({"only_employee": "1" * 300}, "only_employee"),
        ({"only_employee": "ann@example.com"}, "only_employee is an address"),
        ({"allow_backfill_send": "true"}, "true or false"),
        ({"only_plan": "a" * 63}, "only_plan is no fingerprint of a plan"),
        ({"only_plan": "A" * 64}, "only_plan is no fingerprint of a plan"),
        ({"only_plan": f"{'a' * 64}\n{'b' * 64}"}, "only_plan is no fingerprint of a plan"),
        ({"only_plan": 5}, "only_plan is no fingerprint of a plan"),
        ({"interval_start": "2026-11-10T00:00Z"}, "interval_end is not; set both"),
        ({"interval_end": "2026-11-10T00:00Z"}, "interval_start is not; set both"),
        ({"interval_start": "2026-11-10T00:00Z", "interval_end": "2026-11-10T00:00Z"}, "must lie before"),
        ({"interval_start": "2026-11-11T00:00Z", "interval_end": "2026-11-10T00:00Z"}, "must lie before"),
    ],
)
def test_wrong_parameters_are_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(RunParameterError) as caught:
        RunParameters.parse(values)
    assert said in str(caught.value)


def test_an_address_in_a_wrong_place_is_not_repeated() -> None:
    for values in ({"ann@example.com": 1}, {"mode": "ann@example.com"}, {"interval_start": "ann@example.com"}):
        with pytest.raises(RunParameterError) as caught:
            RunParameters.parse(values)
        assert "ann@" not in str(caught.value)


def test_every_wrong_parameter_is_named_at_once() -> None:
    with pytest.raises(RunParameterError) as caught:
        RunParameters.parse({"mode": "yolo", "max_invitations": -1})
    assert "choose one of" in str(caught.value)
    assert "whole number" in str(caught.value)
    assert caught.value.__suppress_context__, "pydantic's own error quotes what was given"


def test_parameters_do_not_change() -> None:
    with pytest.raises(ValidationError):
        RunParameters().mode = Mode.FULL  # type: ignore[misc]


def test_an_employee_id_that_json_has_as_a_number_is_text() -> None:
    assert RunParameters.parse({"only_employee": 1001}).only_employee == "1001"
    assert RunParameters.parse({"only_employee": "  "}).only_employee is None


def test_an_instant_that_utc_has_not_is_refused_in_our_words() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    with pytest.raises(RunParameterError, match=r"interval_end is .* which does not exist"):
        RunParameters.parse({"interval_start": "2026-01-01T00:00:00Z", "interval_end": first})
