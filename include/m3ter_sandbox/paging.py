"""``pageSize`` and ``nextToken``."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["PageRequest", "PagingError", "Position", "encode_next_token", "read_page_request"]


class PagingError(Exception):
    """A page was asked for in a way that the document does not allow; the text is m3ter's message."""


Position = tuple[int, int]


@dataclass(frozen=True)
class PageRequest:
    """Which page is wanted: the entries behind the position ``after``, which is None on the first page.

    A position is when an entry was created (milliseconds since the epoch), and its number among those of that instant.
    ``empty`` asks for a page without entries, behind which the list goes on.
    """

    size: int
    after: Position | None
    empty: bool = False


def encode_next_token(kind: str, after: Position, *, empty: bool = False) -> str:
    """Return an opaque token for the page behind an entry."""
    return base64.urlsafe_b64encode(f"{kind}:{after[0]}:{after[1]}:{int(empty)}".encode()).decode().rstrip("=")


def _decode(kind: str, token: str) -> tuple[Position, bool]:
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    found = re.fullmatch(rf"{kind}:(-?[0-9]{{1,18}}):([0-9]{{1,18}}):([01])", text)
    if not found:
        raise PagingError("nextToken: is not a token of this list")
    return (int(found[1]), int(found[2])), found[3] == "1"


def read_page_request(first: Callable[[str], Sequence[str]], kind: str, largest: int, default: int) -> PageRequest:
    """Read ``pageSize`` and ``nextToken`` of a query; both may be there and empty.

    :param first: returns all values of a query parameter.
    :param kind: name of the list, so that the token of another list is refused.
    :raises PagingError: a page size outside 1 to ``largest``, or a token that is not one.
    """
    size = default
    given = [value for value in first("pageSize") if value]
    if given:
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", given[0]) or not 1 <= int(given[0]) <= largest:
            raise PagingError(f"pageSize: must be a whole number from 1 to {largest}")
        size = int(given[0])
    tokens = [value for value in first("nextToken") if value]
    if not tokens:
        return PageRequest(size, None)
    after, empty = _decode(kind, tokens[0])
    return PageRequest(size, after, empty)
