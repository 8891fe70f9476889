"""The types that the page's script is checked against."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from reference.api_types import _named, api_types


class Part(BaseModel):
    """A part; None of it is left out.

    :param day: the day.
    """

    day: date | None
    kinds: list[Literal["a", "b"]] = []


class Whole(BaseModel):
    at: datetime
    parts: list[Part]
    counts: dict[str, int]


PART = """\
/** A part; null of it is left out. */
export interface Part {
  /** the day. */
  day: Day | null;
  kinds: ("a" | "b")[];
}
"""
WHOLE = """\
export interface Whole {
  at: Instant;
  parts: Part[];
  counts: Record<string, number>;
}
"""


def test_a_model_becomes_an_interface_and_so_do_its_parts() -> None:
    declared: dict[str, str] = {}
    assert _named(Whole, "serialization", declared) == "Whole"
    assert declared == {"Part": PART, "Whole": WHOLE}


def test_only_in_a_body_a_field_with_a_default_may_be_left_out() -> None:
    declared: dict[str, str] = {}
    assert _named(Part, "validation", declared) == "Part"
    assert "  kinds?: " in declared["Part"]
    assert "  day: " in declared["Part"]


def test_a_schema_that_has_no_type_yet_is_an_error() -> None:
    with pytest.raises(LookupError, match="No type of TypeScript"):
        _named(tuple[Any, ...], "serialization", {})


def test_every_route_is_there() -> None:
    text = api_types()
    for declared in (
        '"overview": Overview;',
        "[path: `review/${string}`]: Review;",
        '"invitations": { body: ListBody; answer: InvitationPage };',
        '"run/rows": { body: RowsBody; answer: PlannedRows | GoneRows };',
    ):
        assert declared in text
