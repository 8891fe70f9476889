"""Which requests a fault hits, how often, and what is left afterwards; no socket, no waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from m3ter_sandbox.faults import Fault, Faults
from tests.support.local_m3ter import LocalM3ter

Local = Callable[..., LocalM3ter]


def hits(faults: Faults, times: int, **request: str | None) -> list[bool]:
    given: dict[str, Any] = {"method": "POST", "path": "/x", "operation": None, "email": None, **request}
    return [faults.choose(**given).fault is not None for _ in range(times)]


def test_a_fault_has_a_count_and_a_skip() -> None:
    faults = Faults()
    faults.add(Fault(kind="status", skip=2, count=3))
    assert hits(faults, 8) == [False, False, True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("match", "request_", "expected"),
    [
        ({"method": "post"}, {"method": "POST"}, True),
        ({"method": "POST"}, {"method": "GET"}, False),
        ({"path": "/invitations$"}, {"path": "/organizations/x/invitations"}, True),
        ({"path": "/invitations$"}, {"path": "/organizations/x/invitations/1"}, False),
        ({"operation": "ListOrgUsers"}, {"operation": "ListOrgUsers"}, True),
        ({"operation": "ListOrgUsers"}, {"operation": None}, False),
        ({"email": "ADA@example.com "}, {"email": "ada@example.com"}, True),
        ({"email": "ada@example.com"}, {"email": None}, False),
    ],
)
def test_a_fault_hits_the_requests_that_it_matches(
    match: dict[str, str], request_: dict[str, str | None], expected: bool
) -> None:
    faults = Faults()
    faults.add(Fault(kind="drop", **match))
    assert hits(faults, 1, **request_) == [expected]


def test_probability_is_a_share_and_a_seed_repeats_it() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(Fault(kind="reset", probability=0.05, seed=seed))
        return hits(faults, 2_000)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 60 <= sum(drawn(1)) <= 140


def test_latencies_add_up_and_of_the_others_the_first_wins() -> None:
    faults = Faults()
    faults.add(Fault(kind="latency", seconds=1))
    faults.add(Fault(kind="latency", seconds=0.5, jitter=0.25, seed=3))
    faults.add(Fault(kind="status", status=502, count=1))
    faults.add(Fault(kind="reset"))
    plan = faults.choose("GET", "/x", None, None)
    assert 1.5 <= plan.latency < 1.75
    assert plan.fault
    assert plan.fault.status == 502
    assert faults.choose("GET", "/x", None, None).label == "reset before"
    assert [one["hits"] for one in faults.describe()] == [2, 2, 1, 1]
    assert faults.clear(4) == 1
    assert faults.clear() == 3


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "explosion"},
        {"kind": "latency"},
        {"kind": "late_commit"},
        {"kind": "status", "status": 200},
        {"kind": "status", "when": "during"},
        {"kind": "drop", "probability": 1.1},
        {"kind": "drop", "count": 0},
        {"kind": "drop", "path": "("},
        {"kind": "drop", "pattern": "x"},
        {"kind": "hang", "seconds": -1},
        {"kind": "status", "headers": {"Location": "x\r\nSet-Cookie: a=b"}},
    ],
)
def test_wrong_faults_are_refused(spec: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate(spec)


# What is left afterwards ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 504])
@pytest.mark.parametrize(("when", "emails"), [("before", 0), ("after", 1)])
def test_an_error_before_or_after_the_invitation_was_made(local: Local, status: int, when: str, emails: int) -> None:
    m3ter = local()
    m3ter.control("POST", "faults", {"kind": "status", "status": status, "when": when, "method": "POST", "path": "inv"})
    answer = m3ter.invite()
    assert answer.status_code == status
    assert answer.json()["message"]
    assert len(m3ter.listed()) == sum(m3ter.emails().values()) == emails


def test_after_means_after_success_and_is_kept_for_one(local: Local) -> None:
    m3ter = local()
    fault = {"kind": "status", "status": 504, "when": "after", "count": 1, "operation": "CreateOrgUserInvitation"}
    m3ter.control("POST", "faults", fault)
    assert m3ter.invite("nonsense").status_code == 400
    assert m3ter.invite().status_code == 504
    assert m3ter.invite().status_code == 200


def test_headers_and_message_of_a_status(local: Local) -> None:
    m3ter = local()
    fault = {"kind": "status", "status": 307, "message": "Moved", "headers": {"Location": "http://127.0.0.1:1/"}}
    m3ter.control("POST", "faults", {**fault, "path": "invitations"})
    answer = m3ter.invite()
    assert (answer.status_code, answer.json()) == (307, {"message": "Moved"})
    assert answer.headers["Location"] == "http://127.0.0.1:1/"


@pytest.mark.parametrize("garble", ["text", "html", "cut", "empty", "array", "missing_id", "not_utf8"])
def test_garbled_answers_have_200_and_the_invitation_was_made(local: Local, garble: str) -> None:
    m3ter = local()
    m3ter.control("POST", "faults", {"kind": "garbled", "garble": garble, "path": "invitations"})
    answer = m3ter.invite()
    assert answer.status_code == 200
    try:
        content = json.loads(answer.content)
    except ValueError:
        content = None
    assert not isinstance(content, dict) or "id" not in content
    assert m3ter.emails() == {"ada@example.com": 1}


def test_one_person_is_refused_and_the_others_are_not(local: Local) -> None:
    m3ter = local()
    m3ter.control("POST", "faults", {"kind": "status", "status": 400, "email": "Bob@example.com"})
    statuses = {name: m3ter.invite(f"{name}@example.com").status_code for name in ("ann", "BOB", "cid")}
    assert statuses == {"ann": 200, "BOB": 400, "cid": 200}
    assert set(m3ter.emails()) == {"ann@example.com", "cid@example.com"}


def test_lists_fail_while_posts_work(local: Local) -> None:
    m3ter = local()
    m3ter.control("POST", "faults", {"kind": "status", "status": 503, "operation": "ListOrgUserInvitations"})
    assert m3ter.call("GET", "invitations").status_code == 503
    assert m3ter.call("GET", "users").status_code == 200
    assert m3ter.invite().status_code == 200


def test_a_token_is_revoked_under_a_request(local: Local) -> None:
    m3ter = local()
    m3ter.control("POST", "faults", {"kind": "revoke_token", "method": "POST", "path": "invitations", "count": 1})
    assert m3ter.invite().status_code == 403
    assert m3ter.call("GET", "users").status_code == 403
    assert m3ter.call("GET", "users", token=m3ter.token()).status_code == 200
    assert m3ter.invite().status_code == 200


def test_latency_waits_before_anything_else(local: Local) -> None:
    m3ter = local()
    m3ter.call("GET", "users")
    m3ter.control("POST", "faults", {"kind": "latency", "seconds": 1.5})
    m3ter.control("POST", "faults", {"kind": "hang", "seconds": 3, "when": "after", "method": "POST"})
    assert m3ter.call("GET", "users").status_code == 200
    assert m3ter.invite().status_code == 200
    assert m3ter.time.naps == [1.5, 1.5, 3]


class LateCommit:
    """A sandbox in which one invitation is still to come, 90 seconds after its answer of 504."""

    def __init__(self, m3ter: LocalM3ter) -> None:
        self.m3ter, self._over = m3ter, asyncio.Event()
        m3ter.time.sleep = self._sleep  # type: ignore[method-assign]

    async def _sleep(self, seconds: float) -> None:
        assert seconds == 90
        await self._over.wait()

    def begin(self) -> None:
        fault = {"kind": "late_commit", "seconds": 90, "answer": "504", "path": "invitations"}
        self.m3ter.control("POST", "faults", fault)
        assert self.m3ter.invite().status_code == 504
        assert self.m3ter.emails() == {}

    def end(self) -> None:
        async def over() -> None:
            self._over.set()
            for _ in range(5):
                await asyncio.sleep(0)

        self.m3ter.run(over())


def test_a_late_commit_comes_after_its_answer(local: Local) -> None:
    late = LateCommit(local())
    late.begin()
    late.end()
    assert late.m3ter.emails() == {"ada@example.com": 1}


def test_a_late_commit_needs_its_token_only_when_it_is_asked_for(local: Local) -> None:
    late = LateCommit(local(token_lifetime_seconds=2))
    late.begin()
    late.m3ter.time.seconds += 90
    late.end()
    assert late.m3ter.emails() == {"ada@example.com": 1}
    assert late.m3ter.invite().status_code == 403


def test_a_reset_drops_commits_that_are_still_to_come(local: Local) -> None:
    late = LateCommit(local())
    late.begin()
    late.m3ter.control("POST", "reset")
    late.end()
    assert late.m3ter.emails() == {}
