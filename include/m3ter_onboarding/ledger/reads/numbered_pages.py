"""Pages of lists that are sorted by the number of their rows, to be turned both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, literal_column

from m3ter_onboarding.ledger.reads.bounded_counts import COUNTED, count_up_to

Shown = TypeVar("Shown")


@dataclass(frozen=True)
class NumberedPage(Generic[Shown]):
    """A page of rows.

    :param after: the number behind which the next page begins; None: there is none.
    :param before: the number before which the previous page ends; None: this is the first.
    """

    rows: list[Shown]
    after: int | None
    before: int | None


@dataclass(frozen=True)
class PagePlace:
    """Where a page is: behind a row, or before one; neither: at the beginning."""

    after: int = 0
    before: int | None = None


def numbered_page(
    connection: Connection,
    rows: Select[Any],
    number: ColumnElement[int],
    place: PagePlace,
    size: int,
    shown: Callable[[Row[Any]], Shown],
    *,
    ends: bool = False,
) -> NumberedPage[Shown]:
    """Return a page.

    :param rows: of the whole list, in no order.
    :param number: the column that numbers them.
    :param shown: makes a row of the answer.
    :param ends: whether it is known that nothing comes behind a page that is asked for by *before*.
    """
    found: Sequence[Row[Any]]
    if place.before is not None:
        before = rows.where(number < place.before).order_by(number.desc()).limit(size + 1)
        found = connection.execute(before).all()
        more, found = len(found) > size, found[:size][::-1]
        if len(found) == size:
            numbers = [getattr(row, number.key or "") for row in (found[0], found[-1])]
            after = None if ends else numbers[1]
            return NumberedPage([shown(row) for row in found], after, numbers[0] if more else None)
        place = PagePlace()  # the list begins here
    behind = rows.where(number > place.after).order_by(number).limit(size + 1)
    found = connection.execute(behind).all()
    if not found and place.after > 0:  # its rows have left the list: the last page is the one before them
        return numbered_page(connection, rows, number, PagePlace(before=place.after + 1), size, shown, ends=True)
    more, found = len(found) > size, found[:size]
    numbers = [getattr(row, number.key or "") for row in (*found[:1], *found[-1:])]
    return NumberedPage(
        [shown(row) for row in found],
        after=numbers[1] if more else None,
        before=numbers[0] if place.after > 0 and found else None,
    )


def count_rows(connection: Connection, rows: Select[Any], most: int = COUNTED) -> tuple[int, bool]:
    """Count the rows of a list; return how many, at most *most*, and whether there are more."""
    only: Select[Any] = rows.with_only_columns(literal_column("1"), maintain_column_froms=True).order_by(None)
    many = count_up_to(connection, {"all": [only]}, most)["all"]
    return min(many, most), many > most
