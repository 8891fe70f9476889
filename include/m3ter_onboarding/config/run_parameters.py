"""The parameters of one DAG run, checked.

Airflow checks them only in part: it passes unknown keys and any text as a date-time, so all of them are checked here,
before anything else happens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import Enum
from typing import Any

from m3ter_onboarding.clock import in_utc
from m3ter_onboarding.errors import RunParameterError
from m3ter_onboarding.privacy import mask_addresses


class Mode(str, Enum):
    """What a run may do."""

    NORMAL = "normal"  #: plan and send
    DRY_RUN = "dry_run"  #: plan only
    BASELINE = "baseline"  #: read all of m3ter, adopt what is there, plan for the record
    FULL = "full"  #: read all of m3ter and the whole warehouse, plan everybody again, and send
    RETRY_FAILED = "retry_failed"  #: plan and send, and ask again for whom m3ter refused

    @property
    def may_send(self) -> bool:
        """Whether a run of this mode sends."""
        return self not in (Mode.DRY_RUN, Mode.BASELINE)

    @property
    def reads_all_of_m3ter(self) -> bool:
        """Whether everything that m3ter holds is read, and not only what is new."""
        return self in (Mode.BASELINE, Mode.FULL)


@dataclass(frozen=True)
class RunParameters:
    """The parameters of one DAG run, checked.

    :param max_invitations: the cap of this run; None: the configuration's.
    :param only_employee: plan this ``employee_id`` alone.
    :param interval_start: with ``interval_end``: the interval instead of Airflow's.
    :param allow_backfill_send: a backfill run may send, not only plan.
    """

    mode: Mode = Mode.NORMAL
    max_invitations: int | None = None
    only_employee: str | None = None
    interval_start: datetime | None = None
    interval_end: datetime | None = None
    allow_backfill_send: bool = False

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RunParameters:
        """Check a run's ``params`` (its ``conf`` merged into the DAG's defaults).

        :param values: by name; None and empty text are the default.
        :raises RunParameterError: naming the parameter, what is wrong with it and how to write it.
        """
        known = tuple(cls.__dataclass_fields__)
        for name in values:
            if name not in known:
                close = get_close_matches(str(name), known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."
                raise RunParameterError(f"The run parameter {mask_addresses(str(name)[:60])!r} is unknown; {hint}")
        parameters = cls(
            mode=_mode(values.get("mode")),
            max_invitations=_count("max_invitations", values.get("max_invitations")),
            only_employee=_employee(values.get("only_employee")),
            interval_start=_instant("interval_start", values.get("interval_start")),
            interval_end=_instant("interval_end", values.get("interval_end")),
            allow_backfill_send=_flag("allow_backfill_send", values.get("allow_backfill_send")),
        )
        start, end = parameters.interval_start, parameters.interval_end
        if (start is None) != (end is None):
            given, absent = ("interval_end", "interval_start") if start is None else ("interval_start", "interval_end")
            raise RunParameterError(f"The run parameter {given} is set and {absent} is not; set both, or none.")
        if start is not None and end is not None and start >= end:
            raise RunParameterError(
                f"The run parameter interval_start ({start.isoformat()}) must lie before"
                f" interval_end ({end.isoformat()})."
            )
        return parameters


# With a zone: an interval of "2026-11-10" would begin at another instant for each reader.
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?(?:\.(\d{1,6})\d*)?(Z|[+-]\d{2}:?\d{2})", re.IGNORECASE
)


def _instant(name: str, value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    how = "write date, time and zone, for example 2026-11-10T00:00:00Z or 2026-11-10T00:00:00+01:00"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise RunParameterError(f"The run parameter {name} has no time zone; {how}.")
        return in_utc(value)
    match = _INSTANT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        shown = mask_addresses(str(value)[:60])
        raise RunParameterError(f"The run parameter {name} is {shown!r}, which is no instant; {how}.")
    date, minutes, seconds, fraction, zone = match.groups()
    zone = "+00:00" if zone in "Zz" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        return in_utc(datetime.fromisoformat(f"{date}T{minutes}{seconds or ':00'}.{(fraction or '0'):0<6}{zone}"))
    except (ValueError, OverflowError):
        raise RunParameterError(
            f"The run parameter {name} is {value.strip()!r}, which does not exist; {how}."
        ) from None


def _mode(value: Any) -> Mode:
    if value is None or value == "":
        return Mode.NORMAL
    try:
        return Mode(value)
    except ValueError:
        choices = ", ".join(mode.value for mode in Mode)
        shown = mask_addresses(str(value)[:60])
        raise RunParameterError(f"The run parameter mode is {shown!r}; choose one of {choices}.") from None


def _count(name: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        shown = mask_addresses(str(value)[:60])
        raise RunParameterError(
            f"The run parameter {name} is {shown!r}; write a whole number from 0, or leave it empty."
        )
    return value


def _employee(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str) or len(value) > 250:
        raise RunParameterError("The run parameter only_employee is no employee_id; write one as the warehouse has it.")
    if "@" in value:
        raise RunParameterError(
            "The run parameter only_employee is an address, and the parameters of a run are seen by many; give the"
            " employee_id."
        )
    return value.strip()


def _flag(name: str, value: Any) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise RunParameterError(f"The run parameter {name} must be true or false.")
    return value
