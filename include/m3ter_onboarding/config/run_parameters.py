"""The parameters of one DAG run, checked.

Airflow checks them only in part: it passes unknown keys and any text as a date-time, so all of them are checked here,
before anything else happens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from enum import Enum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from m3ter_onboarding.clock import INSTANT_PATTERN, in_utc, parse_iso
from m3ter_onboarding.errors import RunParameterError
from m3ter_onboarding.privacy import mask_addresses
from m3ter_provider.pasted_text import trim

#: In characters; the ledger's limit.
LONGEST_EMPLOYEE_ID = 250


class Mode(str, Enum):
    """The mode of a run: how much it reads, and whether it sends."""

    NORMAL = "normal"  #: plan and send
    DRY_RUN = "dry_run"  #: plan only
    BASELINE = "baseline"  #: read all of m3ter, adopt what is there, plan for the record
    FULL = "full"  #: read all of m3ter and the whole warehouse, plan everybody again, and send
    RETRY_FAILED = "retry_failed"  #: plan and send, and try people again whom m3ter refused

    @property
    def may_send(self) -> bool:
        """Whether a run of this mode sends."""
        return self not in (Mode.DRY_RUN, Mode.BASELINE)

    @property
    def reads_all_of_m3ter(self) -> bool:
        """Whether everything that m3ter holds is read, and not only what is new."""
        return self in (Mode.BASELINE, Mode.FULL)


def _employee_text(value: Any) -> Any:
    """An id that JSON has as a number is text, and blank text names nobody."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (trim(value) or None) if isinstance(value, str) else value


def _no_address(value: str) -> str:
    if "@" in value:
        raise PydanticCustomError("address", "is an address")
    return value


def _instant(value: Any) -> datetime:
    """Read an instant; it has a zone, else "2026-11-10" would begin at another instant for each reader."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise PydanticCustomError("no_zone", "has no time zone")
    elif not isinstance(value, str) or not re.fullmatch(INSTANT_PATTERN, value.strip()):
        raise PydanticCustomError("no_instant", "is no instant")
    try:
        return in_utc(value if isinstance(value, datetime) else parse_iso(value))
    except (ValueError, OverflowError):
        raise PydanticCustomError("no_such_instant", "does not exist") from None


#: A plan's fingerprint: SHA-256, hex.
FINGERPRINT_PATTERN = "^[0-9a-f]{64}$"

#: An ``employee_id`` as the warehouse has it.
EmployeeId = Annotated[StrictStr, Field(max_length=LONGEST_EMPLOYEE_ID), AfterValidator(_no_address)]
OptionalEmployeeId = Annotated[EmployeeId | None, BeforeValidator(_employee_text)]

#: An instant with its zone, kept in UTC.
Instant = Annotated[datetime, BeforeValidator(_instant)]


class RunParameters(BaseModel):
    """The parameters of one DAG run, checked.

    :param max_invitations: the cap of this run; None: the configuration's.
    :param only_employee: plan this ``employee_id`` alone.
    :param interval_start: with ``interval_end``: the interval instead of Airflow's.
    :param allow_backfill_send: a backfill run may send, not only plan.
    :param only_plan: fingerprint of a plan that somebody looked at: the run sends that plan, or nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    mode: Mode = Mode.NORMAL
    max_invitations: Annotated[StrictInt, Field(ge=0)] | None = None
    only_employee: Annotated[OptionalEmployeeId, Field(repr=False)] = None
    interval_start: Instant | None = None
    interval_end: Instant | None = None
    allow_backfill_send: StrictBool = False
    only_plan: Annotated[StrictStr, Field(pattern=FINGERPRINT_PATTERN)] | None = None

    @model_validator(mode="after")
    def _whole_interval(self) -> RunParameters:
        start, end = self.interval_start, self.interval_end
        if (start is None) != (end is None):
            given, absent = ("interval_end", "interval_start") if start is None else ("interval_start", "interval_end")
            raise PydanticCustomError("half_interval", "is half an interval", {"given": given, "absent": absent})
        if start is not None and end is not None and start >= end:
            ends = {"start": start.isoformat(), "end": end.isoformat()}
            raise PydanticCustomError("empty_interval", "is an empty interval", ends)
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RunParameters:
        """Check a run's ``params`` (its ``conf`` merged into the DAG's defaults).

        :param values: by name; None and empty text are the default.
        :raises RunParameterError: naming each wrong parameter, what is wrong with it and how to write it.
        """
        given = {
            name: value for name, value in values.items() if name not in cls.model_fields or value not in (None, "")
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = [_sentence(problem) for problem in error.errors(include_url=False)]
            raise RunParameterError(" ".join(dict.fromkeys(problems))) from None


def _sentence(problem: ErrorDetails) -> str:
    """Write what is wrong with a parameter, and how to write it; a value that may be an address is masked."""
    name = str(problem["loc"][0]) if problem["loc"] else ""
    shown = mask_addresses(str(problem["input"])[:60])
    context = problem.get("ctx", {})
    how = "write date, time and zone, for example 2026-11-10T00:00:00Z or 2026-11-10T00:00:00+01:00"
    match problem["type"], name:
        case "extra_forbidden", _:
            return f"The run parameter {mask_addresses(name[:60])!r} is unknown; {_known_name(name)}"
        case "half_interval", _:
            return f"The run parameter {context['given']} is set and {context['absent']} is not; set both, or none."
        case "empty_interval", _:
            return (
                f"The run parameter interval_start ({context['start']}) must lie before"
                f" interval_end ({context['end']})."
            )
        case "no_zone", _:
            return f"The run parameter {name} has no time zone; {how}."
        case "no_such_instant", _:
            return f"The run parameter {name} is {shown!r}, which does not exist; {how}."
        case _, "interval_start" | "interval_end":
            return f"The run parameter {name} is {shown!r}, which is no instant; {how}."
        case _, "mode":
            return f"The run parameter mode is {shown!r}; choose one of {', '.join(mode.value for mode in Mode)}."
        case _, "max_invitations":
            return f"The run parameter {name} is {shown!r}; write a whole number from 0, or leave it empty."
        case _, "only_plan":
            return "The run parameter only_plan is no fingerprint of a plan; write all of its 64 characters."
        case "address", _:
            return (
                "The run parameter only_employee is an address, and the parameters of a run are seen by many; give the"
                " employee_id."
            )
        case _, "only_employee":
            return "The run parameter only_employee is no employee_id; write one as the warehouse has it."
    return f"The run parameter {name} must be true or false."


def _known_name(name: str) -> str:
    close = get_close_matches(name[:60], RunParameters.model_fields, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(RunParameters.model_fields)}."
