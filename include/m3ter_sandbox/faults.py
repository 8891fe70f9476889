"""Faults on demand: what goes wrong, for which requests, how often."""

from __future__ import annotations

import itertools
import random
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["Fault", "FaultPlan", "Faults"]

Printable = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]
Kind = Literal["latency", "status", "drop", "reset", "truncated", "hang", "late_commit", "garbled", "revoke_token"]
Garble = Literal["text", "html", "cut", "empty", "array", "missing_id", "not_utf8"]


class Fault(BaseModel):
    """One fault; created by ``POST /_sandbox/faults`` with these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    """What goes wrong, see ``docs/sandbox.md``."""
    when: Literal["before", "after"] = "before"
    """Before m3ter did what was asked (it never will), or after it did; for status, drop, reset and hang."""
    status: Annotated[int, Field(ge=300, le=599)] = 500
    """The answer of a ``status`` fault."""
    message: str | None = None
    """The message of a ``status`` fault; by default the name of the status."""
    headers: dict[Printable, Printable] = {}
    """More headers of a ``status`` fault, e.g. ``Retry-After`` or ``Location``."""
    seconds: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """How long a latency, hang or late commit takes; a hang without it never ends."""
    jitter: Annotated[float, Field(ge=0, le=86_400)] = 0
    """Latency only: up to so many seconds more, evenly drawn."""
    answer: Literal["nothing", "drop", "reset", "504"] = "nothing"
    """What the client of a ``late_commit`` sees at once."""
    garble: Garble = "text"
    """The body of a ``garbled`` answer, which has status 200."""

    method: str | None = None
    """Only requests of this method."""
    path: str | None = None
    """Only requests whose path holds this regular expression."""
    operation: str | None = None
    """Only this operation of the document, e.g. ``CreateOrgUserInvitation``."""
    email: str | None = None
    """Only bodies with this address, case ignored."""
    probability: Annotated[float, Field(ge=0, le=1)] = 1
    """The share of matching requests that it hits."""
    skip: Annotated[int, Field(ge=0)] = 0
    """How many matching requests pass first."""
    count: Annotated[int, Field(ge=1)] | None = None
    """How many requests it hits at most."""
    seed: int | None = None
    """Makes the draws of ``probability`` and ``jitter`` repeatable."""

    @field_validator("path")
    @classmethod
    def _path_compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    @field_validator("method")
    @classmethod
    def _method_upper(cls, value: str | None) -> str | None:
        return value.upper() if value else None

    @model_validator(mode="after")
    def _seconds_given(self) -> Fault:
        if self.kind in ("latency", "late_commit") and self.seconds is None:
            raise ValueError(f"a {self.kind} fault needs seconds")
        return self


class _Active:
    """A fault with its own draws and counts."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number, self.fault = number, fault
        self.matched = self.hits = 0
        self._path = re.compile(fault.path) if fault.path else None
        self._email = fault.email.strip().casefold() if fault.email else None
        self.random = random.Random(fault.seed)  # noqa: S311 - no secret

    def applies(self, method: str, path: str, operation: str | None, email: str | None) -> bool:
        fault = self.fault
        if fault.method and fault.method != method:
            return False
        if fault.operation and fault.operation != operation:
            return False
        if self._path and not self._path.search(path):
            return False
        if self._email and self._email != email:
            return False
        if fault.count is not None and self.hits >= fault.count:
            return False
        self.matched += 1
        if self.matched <= fault.skip:
            return False
        if fault.probability < 1 and self.random.random() >= fault.probability:
            return False
        self.hits += 1
        return True


class FaultPlan:
    """What happens to one request: waiting, then at most one other fault."""

    def __init__(self, latency: float, active: _Active | None) -> None:
        self.latency = latency
        self._active = active

    @property
    def fault(self) -> Fault | None:
        """The fault that hits this request, beside latency."""
        return self._active.fault if self._active else None

    @property
    def label(self) -> str | None:
        """The fault as the journal names it."""
        fault = self.fault
        if fault is None:
            return "latency" if self.latency else None
        return f"{fault.kind} {fault.when}" if fault.kind in ("status", "drop", "reset", "hang") else fault.kind

    def give_back(self) -> None:
        """Take the hit back: the fault should have followed a success, and there was none."""
        if self._active:
            self._active.hits -= 1


class Faults:
    """The faults that are on, in the order in which they were switched on."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._active: list[_Active] = []

    def add(self, fault: Fault) -> int:
        """Switch a fault on and return its number."""
        active = _Active(next(self._numbers), fault)
        self._active.append(active)
        return active.number

    def clear(self, number: int | None = None) -> int:
        """Switch off one fault, or all; return how many there were."""
        before = len(self._active)
        self._active = [] if number is None else [one for one in self._active if one.number != number]
        return before - len(self._active)

    def describe(self) -> list[dict[str, object]]:
        """Return the faults that are on, with their counts."""
        return [
            {
                "id": one.number,
                "matched": one.matched,
                "hits": one.hits,
                **one.fault.model_dump(exclude_defaults=True),
            }
            for one in self._active
        ]

    def choose(self, method: str, path: str, operation: str | None, email: str | None) -> FaultPlan:
        """Decide what happens to one request; every latency that applies adds up, of the others the first wins.

        :param email: the address in the request's body, trimmed and case-folded, if there is one.
        """
        latency = 0.0
        chosen: _Active | None = None
        for one in self._active:
            if one.fault.kind == "latency":
                if one.applies(method, path, operation, email):
                    latency += (one.fault.seconds or 0) + one.random.random() * one.fault.jitter
            elif chosen is None and one.applies(method, path, operation, email):
                chosen = one
        return FaultPlan(latency, chosen)
