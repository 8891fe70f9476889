"""The parameters of a run of the status DAG, checked: how much it reads, and whose data are erased afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from m3ter_onboarding.config.run_parameters import OptionalEmployeeId
from m3ter_onboarding.errors import RunParameterError
from m3ter_onboarding.privacy import mask_addresses


def _day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise PydanticCustomError("no_day", "is no day") from None
    return value


class StatusParameters(BaseModel):
    """The parameters of one run of the status DAG, checked.

    :param everything: read both of m3ter's lists to their end.
    :param erase_employee: erase the data of this ``employee_id``.
    :param erase_before: erase everything older than this day (UTC).
    :param erase_still_in_m3ter: also people who are still in m3ter's lists.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    everything: StrictBool = False
    erase_employee: Annotated[OptionalEmployeeId, Field(repr=False)] = None
    erase_before: Annotated[date | None, BeforeValidator(_day)] = None
    erase_still_in_m3ter: StrictBool = False

    @model_validator(mode="after")
    def _one_erasure(self) -> StatusParameters:
        if self.erase_employee is not None and self.erase_before is not None:
            raise PydanticCustomError("two_erasures", "are two erasures")
        return self

    @property
    def erases(self) -> bool:
        """Whether the run is asked to erase anything."""
        return self.erase_employee is not None or self.erase_before is not None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> StatusParameters:
        """Check a run's ``params``.

        :param values: by name; None and empty text are the default.
        :raises RunParameterError: naming what is wrong, and how to write it.
        """
        given = {
            name: value for name, value in values.items() if name not in cls.model_fields or value not in (None, "")
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            said = [_sentence(one["type"], str(one["loc"][0]) if one["loc"] else "") for one in error.errors()]
            raise RunParameterError(" ".join(dict.fromkeys(said))) from None


def _sentence(kind: str, name: str) -> str:
    """Write what is wrong with a parameter; its value may be somebody's, so it is not quoted."""
    match kind, name:
        case "extra_forbidden", _:
            known = ", ".join(StatusParameters.model_fields)
            return f"The run parameter {mask_addresses(name[:60])!r} is unknown; known are {known}."
        case "two_erasures", _:
            return "The run parameters erase_employee and erase_before are both set; erase one after the other."
        case "address", _:
            return (
                "The run parameter erase_employee is an address, and the parameters of a run are seen by many; give the"
                " employee_id, or use m3ter-onboarding erase --email."
            )
        case _, "erase_employee":
            return "The run parameter erase_employee is no employee_id; write one as the warehouse has it."
        case _, "erase_before":
            return "The run parameter erase_before is no day; write one such as 2026-01-31."
    return f"The run parameter {name} must be true or false."
