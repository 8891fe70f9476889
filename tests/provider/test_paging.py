"""The walk through a list of m3ter's: to its end, and to an end where it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from m3ter_provider.api_answers import Answer, read_token
from m3ter_provider.api_calls import INVITATIONS
from m3ter_provider.connection import connection_settings
from m3ter_provider.errors import M3terResponseError
from m3ter_provider.paging import Paging
from tests.support.hook_clients import connection_to

SETTINGS = connection_settings(connection_to("https://api.m3ter.com"))
ANSWER = Answer(200, {}, b"")


def entry(number: int) -> dict[str, Any]:
    return {"id": f"inv-{number}", "email": f"e{number}@example.com"}


def walk(page: Callable[[int], dict[str, Any]], most: int = 200) -> int:
    """Walk through pages, and return how many there were."""
    paging = Paging(SETTINGS, INVITATIONS)
    count = 0
    for _ in paging.calls():
        paging.take(page(count), ANSWER)
        count += 1
        assert count <= most, "it goes on for ever"
    return count


@pytest.mark.parametrize(
    "entries",
    [lambda number: [], lambda number: [entry(1)], lambda number: [entry(number % 3)]],
    ids=["nothing", "the same", "the same in a circle"],
)
def test_a_list_without_end_has_one(entries: Callable[[int], list[dict[str, Any]]]) -> None:
    with pytest.raises(M3terResponseError, match=r"has no end: .* pages were read"):
        walk(lambda number: {"data": entries(number), "nextToken": f"token-{number}"})


def test_long_lists_and_some_empty_pages_are_read_to_their_end() -> None:
    def page(number: int) -> dict[str, Any]:
        last = {} if number == 99 else {"nextToken": f"token-{number}"}
        return {"data": [] if 40 <= number < 49 else [entry(number)], **last}

    assert walk(page) == 100


@pytest.mark.parametrize(("written", "read"), [("18000", 18000), ('"18000"', 18000), ('" 3600.5 "', 3600.5)])
def test_a_tokens_life_may_be_written_as_text(written: str, read: float) -> None:
    body = f'{{"access_token": "abc", "expires_in": {written}}}'
    assert read_token(Answer(200, {}, body.encode())) == ("abc", read)


@pytest.mark.parametrize("written", ['"soon"', '"1e9"', '"-1"', '"٣"', "true", '"99999999999999999999"', "[]"])
def test_a_tokens_life_that_is_no_number_is_an_error(written: str) -> None:
    body = f'{{"access_token": "abc", "expires_in": {written}}}'
    with pytest.raises(M3terResponseError, match="expires_in"):
        read_token(Answer(200, {}, body.encode()))
