"""The rate limits as a client sees them."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest

from tests.support import api_facts
from tests.support.local_m3ter import START, LocalM3ter

Local = Callable[..., LocalM3ter]


def test_the_documented_limits_are_the_defaults(local: Local) -> None:
    switches = local(requests_per_second=50).sandbox.switches
    assert switches.requests_per_second == api_facts.REQUESTS_PER_SECOND
    assert switches.requests_per_five_minutes == api_facts.REQUESTS_PER_FIVE_MINUTES
    assert switches.window == "calendar"
    assert switches.token_lifetime_seconds == api_facts.TOKEN_LIFETIME_SECONDS


def test_token_lists_and_posts_count_together(local: Local) -> None:
    m3ter = local(requests_per_second=5)
    statuses = [m3ter.invite().status_code, m3ter.call("GET", "users").status_code]  # and the token: 3
    statuses += [m3ter.call("GET", "invitations").status_code for _ in range(3)]
    assert statuses == [200, 200, 200, 200, 429]
    m3ter.time.seconds += 0.75
    assert m3ter.invite().status_code == 200


def test_token_requests_need_not_count(local: Local) -> None:
    m3ter = local(requests_per_second=1, count_token_requests=False)
    assert [m3ter.token() for _ in range(5)]
    assert m3ter.invite().status_code == 200
    assert m3ter.invite().status_code == 429


def test_a_refused_invitation_sends_no_email_and_has_the_documents_error_body(local: Local) -> None:
    m3ter = local(requests_per_second=2)
    m3ter.invite("one@example.com")
    answer = m3ter.invite("two@example.com")
    assert answer.status_code == 429
    assert answer.json() == {"message": "Too Many Requests"}
    assert "Retry-After" not in answer.headers
    assert m3ter.emails() == {"one@example.com": 1}
    assert m3ter.control("GET", "counts")["rate_limited"] == 1


def test_retry_after_in_seconds_and_as_a_date(local: Local) -> None:
    m3ter = local(requests_per_second=1, retry_after="seconds")
    token = m3ter.token()
    assert m3ter.call("GET", "users", token=token).headers["Retry-After"] == "1"
    m3ter.sandbox.switch({"retry_after": "date"})
    date = m3ter.call("GET", "users").headers["Retry-After"]
    assert parsedate_to_datetime(date).timestamp() == pytest.approx(START + 0.75)


def test_unknown_paths_of_the_organization_count_too(local: Local) -> None:
    m3ter = local(requests_per_second=1, count_token_requests=False)
    assert m3ter.call("GET", "nothing").status_code == 404
    assert m3ter.call("GET", "users").status_code == 429


def test_other_organizations_have_limits_of_their_own(local: Local) -> None:
    m3ter = local(requests_per_second=1)
    for _ in range(5):
        assert m3ter.raw("GET", "/organizations/another/users").status_code == 403
    assert m3ter.token()


def test_the_limits_do_not_notice_when_m3ters_time_is_moved(local: Local) -> None:
    m3ter = local(requests_per_second=1)
    m3ter.token()
    m3ter.control("POST", "clock", {"advance": 3600})
    assert m3ter.raw("POST", "/oauth/token").status_code == 429


def test_five_minutes_by_source_address(local: Local) -> None:
    m3ter = local(requests_per_five_minutes=3)
    m3ter.token()
    assert [m3ter.call("GET", "users").status_code for _ in range(2)] == [200, 429]
    m3ter.time.seconds += 300
    assert m3ter.call("GET", "users").status_code == 200


def test_the_control_api_is_never_limited(local: Local) -> None:
    m3ter = local(requests_per_second=1)
    for _ in range(20):
        m3ter.control("GET", "emails")
    assert m3ter.token()
    assert m3ter.control("GET", "counts")["total"] == 1
