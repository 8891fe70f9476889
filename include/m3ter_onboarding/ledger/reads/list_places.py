"""Places in a list, as the page's addresses have them: instants and numbers, never a name or an address."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from m3ter_onboarding.clock import parse_iso
from m3ter_onboarding.ledger.storable_values import LARGEST_ID, storable_instant

#: The parts of a list: the whole of one without a search; of a search, addresses that begin with it, or have it inside.
Phase = Literal["list", "begins", "inside"]


class UnreadableCursorError(ValueError):
    """A cursor that this page did not make, or whose row is gone."""


@dataclass(frozen=True)
class Place:
    """A row of a list.

    :param phase: the part of the list that the row is in.
    :param key: by which the list is sorted; None: it is to be looked up by the row.
    """

    phase: Phase
    key: Any = field(repr=False)
    id: int


def cursor_of(row: Place) -> str:
    """Return the cursor of a row."""
    key = row.key.isoformat() if isinstance(row.key, datetime) else None
    return base64.urlsafe_b64encode(json.dumps([row.phase, key, row.id]).encode()).decode()


def place_of(cursor: str, phases: tuple[Phase, ...], *, is_instant: bool) -> Place:
    """Return the place that a cursor stands for.

    :param phases: those that the list has.
    :param is_instant: whether the list is sorted by an instant.
    :raises UnreadableCursorError: when it is not one of this list.
    """
    try:
        phase, key, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        key = storable_instant(parse_iso(key)) if is_instant else None
        if phase not in phases or not isinstance(row_id, int) or not 0 <= row_id <= LARGEST_ID:
            raise UnreadableCursorError
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UnreadableCursorError("This is no place in this list. Begin at its first page.") from None
    return Place(phase, key, row_id)
