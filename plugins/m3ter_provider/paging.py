"""The walk through one of m3ter's lists; nothing is sent from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic

from m3ter_provider.answer_values import is_whole_text
from m3ter_provider.api_answers import Answer
from m3ter_provider.api_calls import Call, ItemT, Listing, list_call
from m3ter_provider.connection import ConnectionSettings
from m3ter_provider.errors import M3terResponseError
from m3ter_provider.models import Page, parse_listed

#: So many pages in a row without an entry that is new, or so many pages at all, have no end.
_MOST_WITHOUT_NEWS = 10
_MOST_PAGES = 100_000


class Paging(Generic[ItemT]):
    """The walk through one list, page by page.

    :param settings: the connection.
    :param listing: which list.
    """

    def __init__(self, settings: ConnectionSettings, listing: Listing[ItemT]) -> None:
        self._settings = settings
        self._listing = listing
        self._seen: set[str | None] = set()
        self._next: str | None = None
        #: The first entry of each page, by its hash.
        self._firsts: set[int] = set()
        self._without_news = 0

    def calls(self) -> Iterator[Call]:
        """Yield the call for each page; the answer must be given to :meth:`take` before the next one."""
        while self._next not in self._seen:
            self._seen.add(self._next)
            yield list_call(self._settings, self._listing, next_token=self._next)
            if self._next is None:
                return
        raise M3terResponseError(
            f"m3ter gave a nextToken of {self._listing.what} a second time, which would never end."
        )

    def take(self, data: object, answer: Answer) -> Page[ItemT]:
        """Read one page; an entry that cannot be read does not hide the others, unless most of them cannot.

        :param data: the decoded body.
        :param answer: the answer it came in.
        :raises M3terResponseError: if it is no page of this list, or most of its entries cannot be read.
        """
        what = self._listing.what
        if not isinstance(data, Mapping) or not isinstance(data.get("data"), list):
            raise M3terResponseError(f"m3ter's answer for {what} has no list in it.")
        token = data.get("nextToken") or None
        if token is not None and not (isinstance(token, str) and is_whole_text(token)):
            raise M3terResponseError(f"m3ter's answer for {what} has a nextToken that is no text.")
        self._next = token
        read = [parse_listed(self._listing.model, item, f"an entry of {what}") for item in data["data"]]
        refused = [error for _, error in read if error is not None]
        if 2 * len(refused) > len(read):  # not one strange entry: m3ter's answers have changed
            raise refused[0]
        items = tuple(item for item, _ in read if item is not None)
        self._check_end(items)
        return Page(items=items, next_token=token, server_time=answer.server_time, unreadable=len(refused))

    def _check_end(self, items: tuple[ItemT, ...]) -> None:
        """Check that the list goes on.

        :raises M3terResponseError: if it goes on for ever: new tokens for what was there already, or for nothing.
        """
        first = hash(getattr(items[0], "id", None)) if items else None
        news = first is not None and first not in self._firsts
        if first is not None:
            self._firsts.add(first)
        self._without_news = 0 if news else self._without_news + 1
        endless = self._without_news >= _MOST_WITHOUT_NEWS or len(self._seen) >= _MOST_PAGES
        if self._next is not None and endless:
            raise M3terResponseError(
                f"m3ter's list of {self._listing.what} has no end: {len(self._seen)} pages were read, the last"
                f" {self._without_news} of them without anything new, and it names a next one."
            )
