"""The control API, and the mailbox page."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from m3ter_sandbox.switches import Switches
from tests.support.local_m3ter import LocalM3ter

Local = Callable[..., LocalM3ter]


def test_emails_are_counted_by_address_as_received_case_folded(local: Local) -> None:
    m3ter = local(email_stored_as="without_tag")
    addresses = (
        "Ann+1@Example.com",
        "ann+1@example.com",
        "ann@example.com",
        "STRASSE@example.com",
        "straße@example.com",
    )
    for address in addresses:
        assert m3ter.invite(address).status_code == 200
    assert m3ter.control("GET", "emails") == {"ann+1@example.com": 2, "ann@example.com": 1, "strasse@example.com": 2}


def test_the_mailbox_shows_what_became_of_each_invitation(local: Local) -> None:
    m3ter = local()
    first = m3ter.invite("Ann@Example.com").json()
    m3ter.time.seconds += 60
    m3ter.invite("bob@example.com")
    m3ter.invite("cid@example.com")
    m3ter.control("POST", "accept", {"invitationId": first["id"]})
    m3ter.control("POST", "expire", {"email": "BOB@example.com"})
    mailbox = m3ter.control("GET", "mailbox")
    assert [(one["to"], one["state"]) for one in mailbox] == [
        ("Ann@Example.com", "accepted"),
        ("bob@example.com", "expired"),
        ("cid@example.com", "pending"),
    ]
    assert mailbox[0]["invitationId"] == first["id"]
    assert mailbox[0]["sentAt"] == "2026-09-21T14:13:20.250Z"
    assert mailbox[0]["subject"] == "You have been invited to m3ter"
    assert mailbox[0]["link"].startswith("http://sandbox/mailbox?q=Ann%40Example.com#")


def test_acceptance_has_its_limits(local: Local) -> None:
    m3ter = local()
    m3ter.invite("late@example.com", dtExpiry="2026-09-21T15:00:00Z")
    first = m3ter.invite("ann@example.com").json()["id"]
    m3ter.time.seconds += 3600

    def status(content: dict[str, object]) -> int:
        return m3ter.raw("POST", "/_sandbox/accept", json=content).status_code

    assert status({"email": "late@example.com"}) == 400
    assert status({"email": "nobody@example.com"}) == 404
    assert status({"invitationId": "nonsense"}) == 404
    assert status({}) == 400
    assert status({"email": 1}) == 400
    assert status({"invitationId": first}) == 200
    assert status({"invitationId": first}) == 409
    assert status({"email": "ann@example.com"}) == 404


def test_switches_are_checked_and_returned(local: Local) -> None:
    m3ter = local()
    assert set(m3ter.control("GET", "switches")) == set(Switches.model_fields)
    assert m3ter.control("PATCH", "switches", {"window": "sliding"})["window"] == "sliding"
    for wrong in ({"window": "weekly"}, {"windows": "sliding"}, {"requests_per_second": -1}, {"list_lag_seconds": "x"}):
        answer = m3ter.raw("PATCH", "/_sandbox/switches", json=wrong)
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["message"]
    assert m3ter.sandbox.switches.window == "sliding"


def test_reset_returns_to_the_beginning(local: Local) -> None:
    m3ter = local(window="sliding")
    m3ter.invite()
    m3ter.control("POST", "accept", {"email": "ada@example.com"})
    m3ter.control("POST", "faults", {"kind": "drop"})
    m3ter.control("PATCH", "switches", {"window": "calendar", "may_invite": False})
    m3ter.control("POST", "clock", {"advance": 86_400})
    m3ter.control("POST", "reset")
    assert m3ter.call("GET", "users").status_code == 403  # its token is gone
    assert m3ter.control("GET", "health") == {
        "status": "ok",
        "orgId": m3ter.org_id,
        "invitations": 0,
        "users": 0,
        "policies": 2,
        "emails": 0,
    }
    assert m3ter.control("GET", "faults") == []
    assert m3ter.sandbox.switches == Switches(requests_per_second=0, window="sliding")
    assert m3ter.control("GET", "clock")["shift"] == 0


def test_the_journal_counts_by_kind_and_answer_and_keeps_no_body(local: Local) -> None:
    m3ter = local()
    m3ter.invite("secret-person@example.com")
    m3ter.invite("nonsense")
    m3ter.call("GET", "invitations?pageSize=1")
    m3ter.raw("GET", "/nowhere")
    counts = m3ter.control("GET", "counts")
    assert counts["total"] == 5
    assert counts["requests"] == {
        "POST /oauth/token": 1,
        "POST /organizations/{orgId}/invitations": 2,
        "GET /organizations/{orgId}/invitations": 1,
        "GET (unknown path)": 1,
    }
    assert counts["statuses"] == {"200": 3, "400": 1, "404": 1}
    assert counts["answers"]["POST /organizations/{orgId}/invitations"] == {"200": 1, "400": 1}
    assert (counts["token_requests"], counts["rate_limited"], counts["emails"]) == (1, 0, 1)
    requests = m3ter.control("GET", "requests")
    assert [one["status"] for one in requests] == [200, 200, 400, 200, 404]
    assert requests[3]["query"] == "pageSize=1"
    assert "authorization" in requests[1]["headers"]
    assert "secret-person" not in str(requests)
    assert "Bearer" not in str(requests)
    m3ter.raw("DELETE", "/_sandbox/requests")
    assert m3ter.control("GET", "counts")["total"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("accept", b"{"),
        ("accept", b"[]"),
        ("seed", b'"x"'),
        ("faults", b"{}"),
        ("clock", b'{"advance": true}'),
        ("clock", b'{"advance": NaN}'),
        ("clock", b'{"advance": 1e18}'),
    ],
)
def test_wrong_use_is_explained(local: Local, path: str, body: bytes) -> None:
    json = {"Content-Type": "application/json"}
    answer = local().raw("POST", f"/_sandbox/{path}", content=body, headers=json)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_the_control_api_returns_what_the_lists_hide(local: Local) -> None:
    m3ter = local(list_lag_seconds=60, user_list_lag_seconds=60, keep_accepted=False)
    made = m3ter.invite().json()
    user = m3ter.control("POST", "accept", {"email": "ada@example.com"})
    assert (m3ter.listed(), m3ter.listed("users")) == ([], [])
    [held] = m3ter.control("GET", "invitations")
    assert (held["id"], held["accepted"]) == (made["id"], True)
    assert m3ter.control("GET", "users") == [user]


def test_faults_are_listed_with_their_hits_and_switched_off_one_by_one(local: Local) -> None:
    m3ter = local()
    number = m3ter.control("POST", "faults", {"kind": "status", "status": 500, "count": 5})["id"]
    assert m3ter.raw("POST", "/oauth/token").status_code == 500
    [fault] = m3ter.control("GET", "faults")
    assert (fault["id"], fault["kind"], fault["hits"]) == (number, "status", 1)
    assert m3ter.raw("DELETE", f"/_sandbox/faults/{number}").json() == {"cleared": 1}
    assert m3ter.raw("DELETE", f"/_sandbox/faults/{number}").status_code == 404


# The page ------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;"


def test_names_cannot_bring_html_into_the_page(local: Local) -> None:
    m3ter = local()
    m3ter.invite("ada@example.com", firstName=HOSTILE)
    answer = m3ter.raw("GET", "/mailbox", params={"q": HOSTILE})
    again = m3ter.raw("GET", "/mailbox")
    for text in (answer.text, again.text):
        tags = {name for name, _ in Page(text).tags}
        assert not {"script", "img"} & tags
        assert not any(key.startswith("on") for _, attributes in Page(text).tags for key in attributes)
    assert "script" in again.text
    assert "default-src 'none'" in again.headers["Content-Security-Policy"]


def test_the_button_accepts_once(local: Local) -> None:
    m3ter = local()
    m3ter.invite()
    page = Page(m3ter.raw("GET", "/mailbox").text)
    [form] = [attributes for name, attributes in page.tags if name == "form" and attributes.get("method") == "post"]
    [hidden] = [attributes for name, attributes in page.tags if attributes.get("type") == "hidden"]
    path, content = str(form["action"]), {"id": str(hidden["value"])}
    foreign = m3ter.raw("POST", path, data=content, headers={"Origin": "http://elsewhere.example"})
    assert foreign.status_code == 403
    assert m3ter.listed("users") == []
    assert m3ter.raw("POST", path, data=content, headers={"Origin": "http://sandbox"}).status_code == 303
    assert len(m3ter.listed("users")) == 1
    again = m3ter.raw("POST", path, data=content)
    assert again.status_code == 409
    assert "accepted already" in again.text
    assert "Accept the invitation" not in m3ter.raw("GET", "/mailbox").text


def test_doubled_emails_are_pointed_out(local: Local) -> None:
    m3ter = local()
    m3ter.invite()
    assert "No address was e-mailed twice." in m3ter.raw("GET", "/mailbox").text
    m3ter.invite("ADA@example.com")
    text = m3ter.raw("GET", "/mailbox").text
    assert "Addresses e-mailed more than once: 1." in text
    assert "2 e-mails to this address" in text


def test_the_page_pages_and_finds(local: Local) -> None:
    m3ter = local()
    for number in range(120):
        m3ter.invite(f"p{number:03}@example.com", firstName="Zoë" if number == 7 else "Ann")
    first, last = (m3ter.raw("GET", f"/mailbox?page={page}").text for page in (1, 2))
    assert "p119@" in first
    assert "p000@" not in first
    assert "p000@" in last
    assert "Page 2 of 2" in last
    for wrong in ("0", "x", "99999999999", "-1", "²"):
        assert m3ter.raw("GET", "/mailbox", params={"page": wrong}).status_code == 200
    found = m3ter.raw("GET", "/mailbox", params={"q": "ZOË"}).text
    assert "p007@" in found
    assert "p008@" not in found


def test_the_root_leads_to_the_mailbox(local: Local) -> None:
    answer = local().raw("GET", "/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/mailbox")
