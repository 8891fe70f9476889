"""Pages: their bounds, their tokens, and nobody left out."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.support import api_facts
from tests.support.local_m3ter import LocalM3ter

Local = Callable[..., LocalM3ter]


@pytest.mark.parametrize(("name", "largest"), api_facts.PAGE_SIZES.items())
def test_a_page_size_out_of_bounds_is_400(local: Local, name: str, largest: int) -> None:
    m3ter = local()
    for good in ("1", str(largest), ""):
        assert m3ter.call("GET", f"{name}?pageSize={good}").status_code == 200
    for bad in ("0", "-1", str(largest + 1), "ten", "1.5", "1e2", "99999999999999999999", "%D9%A1", "null"):
        answer = m3ter.call("GET", f"{name}?pageSize={bad}")
        assert answer.status_code == 400, bad
        assert "pageSize" in answer.json()["message"]


@pytest.mark.parametrize("path", ["users/{id}/permissions", "users/{id}/usergroups"])
def test_page_size_bounds_of_a_users_lists(local: Local, path: str) -> None:
    m3ter = local()
    [user] = m3ter.control("POST", "seed", {"users": [{"email": "a@example.com"}]})["users"]
    assert m3ter.call("GET", f"{path.format(id=user)}?pageSize=200").status_code == 200
    assert m3ter.call("GET", f"{path.format(id=user)}?pageSize=201").status_code == 400


def test_bad_tokens_and_those_of_another_list_are_400(local: Local) -> None:
    m3ter = local()
    for number in range(3):
        m3ter.invite(f"{number}@example.com")
    token = m3ter.call("GET", "invitations?pageSize=1").json()["nextToken"]
    assert m3ter.call("GET", f"users?nextToken={token}").status_code == 400
    for bad in ("x", "%00", "ä", token[:-3], f"{token}AA", "-" * 3000):
        answer = m3ter.call("GET", f"invitations?{httpx.QueryParams({'nextToken': bad})}")
        assert (answer.status_code, answer.json()["message"]) == (400, "nextToken: is not a token of this list")
    assert m3ter.call("GET", "invitations?nextToken=").status_code == 200


def test_hundred_entries_by_default(local: Local) -> None:
    m3ter = local()
    m3ter.control("POST", "seed", {"users": [{"email": f"{number}@example.com"} for number in range(150)]})
    assert len(m3ter.call("GET", "users").json()["data"]) == 100
    assert len({one["id"] for one in m3ter.listed("users")}) == 150


@pytest.mark.parametrize("size", [1, 7, 20, 200])
@pytest.mark.parametrize("order", ["newest_first", "oldest_first", "unstable"])
def test_every_entry_comes_exactly_once(local: Local, size: int, order: str) -> None:
    m3ter = local(list_order=order, sparse_pages=size == 7)
    # All of one instant: only the number tells them apart.
    planted = m3ter.control("POST", "seed", {"invitations": [{"email": f"{n}@example.com"} for n in range(20)]})
    listed = [one["id"] for one in m3ter.listed(pageSize=size)]
    assert len(listed) == 20
    assert set(listed) == set(planted["invitations"])


def test_new_entries_do_not_disturb_a_list_being_read(local: Local) -> None:
    m3ter = local()
    for number in range(4):
        m3ter.invite(f"{number}@example.com")
    first = m3ter.call("GET", "invitations?pageSize=2").json()
    m3ter.time.seconds += 1
    m3ter.invite("new@example.com")
    second = m3ter.call("GET", f"invitations?pageSize=2&nextToken={first['nextToken']}").json()
    assert [one["email"] for one in first["data"] + second["data"]] == [f"{n}@example.com" for n in (3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("switch", "expected"), [("omitted", {}), ("null", {"nextToken": None}), ("empty", {"nextToken": ""})]
)
def test_the_end_of_a_list_follows_the_switch(local: Local, switch: str, expected: dict[str, object]) -> None:
    m3ter = local(end_of_list=switch)
    m3ter.invite()
    m3ter.invite()
    assert m3ter.call("GET", "users").json() == {"data": [], **expected}
    assert len(m3ter.call("GET", "invitations?pageSize=1").json()["nextToken"]) > 4


def test_sparse_pages_are_empty_and_go_on(local: Local) -> None:
    m3ter = local(sparse_pages=True)
    for number in range(3):
        m3ter.invite(f"{number}@example.com")
    sizes = []
    token = ""
    while True:
        page = m3ter.call("GET", f"invitations?pageSize=1&nextToken={token}").json()
        sizes.append(len(page["data"]))
        token = page.get("nextToken")
        if not token:
            break
    assert sizes == [1, 0, 1, 0, 1]


def test_a_deep_page_costs_no_more_than_the_first(local: Local) -> None:
    m3ter = local()
    m3ter.sandbox.seed({"invitations": [{"email": f"{number}@example.com"} for number in range(10_000)]})
    deep, token = 0, ""
    for _ in range(20):
        page = m3ter.call("GET", f"invitations?pageSize=200&nextToken={token}").json()
        deep, token = deep + len(page["data"]), page["nextToken"]
    assert deep == 4_000
    # No page reads more than it answers: the database's own account of the work.
    plan = m3ter.sandbox.store.all(
        "EXPLAIN QUERY PLAN SELECT * FROM invitation WHERE (dt_created, seq) < (?, ?)"
        " ORDER BY dt_created DESC, seq DESC LIMIT 201",
        (1, 1),
    )
    assert [row["detail"] for row in plan] == ["SEARCH invitation USING INDEX invitation_order (dt_created<?)"]
