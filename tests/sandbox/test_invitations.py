"""Inviting: the document's rules, and every switch about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import api_facts
from tests.support.local_m3ter import LocalM3ter

Local = Callable[..., LocalM3ter]

GOOD = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Byron"}


def test_an_invitation_is_answered_listed_and_sent(local: Local) -> None:
    m3ter = local()
    answer = m3ter.invite("Ada@Example.com", contactNumber="+44 1", m3terUser=False, version=1)
    assert answer.status_code == 200
    invitation = answer.json()
    assert invitation["email"] == "Ada@Example.com"
    assert invitation["dtCreated"] == "2026-09-21T14:13:20.250Z"
    assert invitation["dtExpiry"] == "2026-10-21T14:13:20.250Z"
    assert invitation["accepted"] is False
    assert invitation["version"] == 1
    assert "dtEndAccess" not in invitation
    assert invitation["createdBy"] == m3ter.call("GET", "users/me").json()["serviceUser"]["id"]
    assert m3ter.listed() == [invitation]
    assert m3ter.call("GET", f"invitations/{invitation['id']}").json() == invitation
    assert m3ter.emails() == {"ada@example.com": 1}


def test_dates_are_kept_as_instants(local: Local) -> None:
    given = {"dtEndAccess": "2027-01-31T23:59:59+01:00", "dtExpiry": "2026-12-01T00:00:00.5Z"}
    invitation = local().invite(**given).json()
    assert invitation["dtEndAccess"] == "2027-01-31T22:59:59.000Z"
    assert invitation["dtExpiry"] == "2026-12-01T00:00:00.500Z"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", ""),
        ("email", "ada"),
        ("email", "ada@"),
        ("email", "@example.com"),
        ("email", "a b@example.com"),
        ("email", " ada@example.com"),
        ("email", "ada@example.com\n"),
        ("email", "Ada <ada@example.com>"),
        ("email", "ada@@example.com"),
        ("email", 7),
        ("email", ["ada@example.com"]),
        ("firstName", None),
        ("firstName", ""),
        ("firstName", "x" * 101),
        ("firstName", 1),
        ("lastName", None),
        ("lastName", ""),
        ("lastName", "x" * 101),
        ("lastName", True),
        ("contactNumber", "1" * 51),
        ("contactNumber", 4412345),
        ("permissionPolicyIds", "id"),
        ("permissionPolicyIds", [1]),
        ("permissionPolicyIds", ["no-such-policy"]),
        ("dtEndAccess", "tomorrow"),
        ("dtEndAccess", "2027-01-31"),
        ("dtEndAccess", "2027-01-31T00:00:00"),
        ("dtEndAccess", "2027-02-30T00:00:00Z"),
        ("dtEndAccess", 1_800_000_000),
        ("dtEndAccess", "0001-01-01T00:00:00+23:00"),
        ("dtEndAccess", "20270131T000000Z"),
        ("dtEndAccess", "2027-W05-1T00:00:00Z"),
        ("dtEndAccess", "2027-01-31T00:00:00+99:00"),
        ("dtExpiry", ""),
        ("dtExpiry", "2027-01-31 00:00:00Z"),
        ("m3terUser", "yes"),
        ("m3terUser", 1),
        ("version", "1"),
        ("version", 1.5),
        ("version", 2**63),
    ],
)
def test_broken_rules_are_400_name_the_field_and_send_nothing(local: Local, field: str, value: object) -> None:
    m3ter = local()
    content = {name: one for name, one in {**GOOD, field: value}.items() if one is not None}
    answer = m3ter.call("POST", "invitations", content)
    assert answer.status_code == 400
    assert field in answer.json()["message"]
    assert m3ter.emails() == {}
    assert m3ter.listed() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada+test@example.com"),
        ("email", "ada@münchen.example"),
        ("email", "jörg@example.com"),
        ("email", "o'brien@example.co.uk"),
        ("email", "ada@intranet.local"),
        ("firstName", "x" * 100),
        ("firstName", "李"),
        ("lastName", "O'Neill; DROP TABLE invitation --"),
        ("contactNumber", "1" * 50),
        ("contactNumber", ""),
        ("contactNumber", None),
        ("permissionPolicyIds", []),
        ("fieldOfTomorrow", {"any": "thing"}),
        ("dtExpiry", "2027-01-31T00:00:00.123456789Z"),
        ("dtExpiry", "2027-01-31t00:00:00z"),
        ("dtExpiry", "0999-01-01T00:00:00Z"),
        ("dtExpiry", "9999-12-31T23:59:59Z"),
    ],
)
def test_an_invitation_with_good_values_is_made(local: Local, field: str, value: object) -> None:
    answer = local().call("POST", "invitations", {**GOOD, field: value})
    assert answer.status_code == 200, answer.text
    if field in ("email", "firstName", "lastName"):
        assert answer.json()[field] == value


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"null", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"email":' * 100_000, "application/json"),
        (b'{"version":' + b"9" * 5_000 + b"}", "application/json"),
        (b'{"email":"a@example.com","firstName":"\\ud800","lastName":"b"}', "application/json"),
        (b"email=a%40example.com", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
    ],
)
def test_garbage_bodies_are_400(local: Local, body: bytes, media: str) -> None:
    m3ter = local()
    headers = {"Authorization": f"Bearer {m3ter.token()}", "Content-Type": media}
    answer = m3ter.raw("POST", f"/organizations/{m3ter.org_id}/invitations", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_a_body_of_more_than_a_megabyte_is_413(local: Local) -> None:
    m3ter = local()
    assert m3ter.invite(padding="x" * 1_048_576).status_code == 413
    assert m3ter.emails() == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/organizations/{org}/invitations/x"),
        ("PUT", "/organizations/{org}/invitations/x"),
        ("GET", "/organizations/{org}/invitation"),
        ("GET", "/organizations/{org}/invitations/"),
        ("GET", "/organizations/{org}/invitations/x/y"),
        ("GET", "/oauth/token"),
        ("GET", "/organizations//invitations"),
    ],
)
def test_paths_that_the_document_does_not_know_are_404(local: Local, method: str, path: str) -> None:
    m3ter = local()
    headers = {"Authorization": f"Bearer {m3ter.token()}"}
    assert m3ter.raw(method, path.replace("{org}", m3ter.org_id), headers=headers).status_code == 404


def test_an_unknown_invitation_is_404(local: Local) -> None:
    assert local().call("GET", "invitations/5a9d0b0c-0000-4000-8000-000000000000").json() == {"message": "Not Found"}


# a: a pending invitation ---------------------------------------------------------------------------------------


def test_a_by_default_a_second_post_is_a_second_email(local: Local) -> None:
    m3ter = local()
    first, second = m3ter.invite().json(), m3ter.invite("ADA@example.com").json()
    assert first["id"] != second["id"]
    assert m3ter.emails() == {"ada@example.com": 2}
    assert len(m3ter.listed()) == 2


@pytest.mark.parametrize(("switch", "status"), [("error_409", 409), ("error_400", 400)])
def test_a_a_second_invitation_may_be_an_error(local: Local, switch: str, status: int) -> None:
    m3ter = local(pending_invitation=switch)
    m3ter.invite()
    assert m3ter.invite("ADA@example.com").status_code == status
    assert m3ter.emails() == {"ada@example.com": 1}
    # Only while it is pending.
    m3ter.time.seconds += api_facts.INVITATION_LIFE_DAYS * 86_400
    assert m3ter.invite("ADA@example.com").status_code == 403  # the token has expired, too
    assert m3ter.call("GET", "users", token=m3ter.token()).status_code == 200
    assert m3ter.invite().status_code == 200


@pytest.mark.parametrize(("switch", "emails"), [("update", 1), ("update_with_email", 2)])
def test_a_a_second_invitation_may_update_the_first(local: Local, switch: str, emails: int) -> None:
    m3ter = local(pending_invitation=switch)
    first = m3ter.invite().json()
    m3ter.time.seconds += 60
    second = m3ter.invite(firstName="Augusta").json()
    assert second["id"] == first["id"]
    assert (second["version"], second["firstName"]) == (2, "Augusta")
    assert second["dtCreated"] == first["dtCreated"]
    assert second["dtLastModified"] > first["dtLastModified"]
    assert m3ter.emails() == {"ada@example.com": emails}


# b: a member ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("switch", "status"), [("email", 200), ("error_409", 409), ("error_400", 400)])
def test_b_an_invitation_of_a_member_follows_the_switch(local: Local, switch: str, status: int) -> None:
    m3ter = local(existing_member=switch)
    m3ter.control("POST", "seed", {"users": [{"email": "Ada@example.com"}]})
    assert m3ter.invite().status_code == status
    assert m3ter.emails() == ({"ada@example.com": 1} if status == 200 else {})


@pytest.mark.parametrize(("inclusive", "status"), [(False, 200), (True, 409)])
def test_i_the_last_day_of_access(local: Local, inclusive: bool, status: int) -> None:
    m3ter = local(existing_member="error_409", end_access_inclusive=inclusive)
    m3ter.control("POST", "seed", {"users": [{"email": "ada@example.com", "dtEndAccess": "2026-09-21T00:00:00Z"}]})
    assert m3ter.invite().status_code == status


# c, j, k: the list ---------------------------------------------------------------------------------------------


def test_c_accepted_and_expired_ones_may_leave_the_list(local: Local) -> None:
    m3ter = local()
    for name in ("accepted", "expired", "pending"):
        m3ter.invite(f"{name}@example.com")
    m3ter.control("POST", "accept", {"email": "Accepted@example.com"})
    assert m3ter.control("POST", "expire", {"email": "expired@example.com"}) == {"expired": 1}

    def listed() -> set[str]:
        return {one["email"].partition("@")[0] for one in m3ter.listed()}

    assert listed() == {"accepted", "expired", "pending"}
    m3ter.sandbox.switch({"keep_accepted": False})
    assert listed() == {"expired", "pending"}
    m3ter.sandbox.switch({"keep_accepted": True, "keep_expired": False})
    assert listed() == {"accepted", "pending"}


def test_j_the_list_lags_and_one_by_id_does_not(local: Local) -> None:
    m3ter = local(list_lag_seconds=5)
    invitation = m3ter.invite().json()
    assert m3ter.listed() == []
    assert m3ter.call("GET", f"invitations/{invitation['id']}").status_code == 200
    m3ter.time.seconds += 4.9
    assert m3ter.listed() == []
    m3ter.time.seconds += 0.2
    assert m3ter.listed() == [invitation]


def test_j_new_users_may_lag_too(local: Local) -> None:
    m3ter = local(user_list_lag_seconds=5)
    m3ter.invite()
    m3ter.control("POST", "accept", {"email": "ada@example.com"})
    assert m3ter.listed("users") == []
    m3ter.time.seconds += 5
    assert [one["email"] for one in m3ter.listed("users")] == ["ada@example.com"]


def test_k_newest_first_by_date_whatever_the_order_of_arrival(local: Local) -> None:
    m3ter = local()
    m3ter.invite("now@example.com")
    planted = [{"email": f"{days}@example.com", "dtCreated": f"-{days}d"} for days in (2, 40, 9)]
    m3ter.control("POST", "seed", {"invitations": planted})
    expected = ["now@example.com", "2@example.com", "9@example.com", "40@example.com"]
    assert [one["email"] for one in m3ter.listed()] == expected
    assert [one["email"] for one in m3ter.listed(pageSize=1)] == expected
    m3ter.sandbox.switch({"list_order": "oldest_first"})
    assert [one["email"] for one in m3ter.listed(pageSize=3)] == expected[::-1]


def test_k_unstable_keeps_the_pages_and_shuffles_within(local: Local) -> None:
    m3ter = local(list_order="unstable")
    for number in range(30):
        m3ter.invite(f"{number}@example.com")
        m3ter.time.seconds += 1
    first = [m3ter.call("GET", "invitations?pageSize=10").json()["data"] for _ in range(3)]
    orders = {tuple(one["email"] for one in page) for page in first}
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(f"{number}@example.com" for number in range(20, 30))}
    assert len({one["id"] for one in m3ter.listed(pageSize=7)}) == 30


# d, g, h, m ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "given", "kept"),
    [
        ("given", "Ada+X@Example.COM", "Ada+X@Example.COM"),
        ("lower", "Ada+X@Example.COM", "ada+x@example.com"),
        ("lower_domain", "Ada+X@Example.COM", "Ada+X@example.com"),
        ("trimmed", " Ada@Example.com ", "Ada@Example.com"),
        ("trimmed_lower", " Ada@Example.com ", "ada@example.com"),
        ("without_tag", "Ada+X@Example.COM", "Ada@Example.COM"),
    ],
)
def test_d_how_an_address_is_kept(local: Local, rule: str, given: str, kept: str) -> None:
    m3ter = local(email_stored_as=rule)
    assert m3ter.invite(given).json()["email"] == kept
    assert m3ter.listed()[0]["email"] == kept
    # The mailbox counts by what was received.
    assert m3ter.emails() == {given.strip().casefold(): 1}


def test_g_a_contact_number_may_be_required_of_people_without_an_account(local: Local) -> None:
    m3ter = local(contact_number_required=True)
    assert m3ter.invite().status_code == 400
    assert m3ter.invite(contactNumber="+49 30 1").status_code == 200
    m3ter.control("POST", "seed", {"users": [{"email": "member@example.com"}]})
    assert m3ter.invite("member@example.com").status_code == 200


@pytest.mark.parametrize(("switch", "status"), [("allow", 200), ("error_403", 403), ("error_400", 400)])
def test_h_granting_what_the_service_user_lacks(local: Local, switch: str, status: int) -> None:
    m3ter = local(grant_beyond_own_rights=switch, own_policies=["Read Only"])
    policies = {one["name"]: one["id"] for one in m3ter.listed("permissionpolicies")}
    assert m3ter.invite("a@example.com", permissionPolicyIds=[policies["Read Only"]]).status_code == 200
    assert m3ter.invite("b@example.com", permissionPolicyIds=list(policies.values())).status_code == status
    assert ("b@example.com" in m3ter.emails()) == (status == 200)


def test_unknown_policies_need_not_be_checked(local: Local) -> None:
    m3ter = local(check_policy_ids=False)
    assert m3ter.invite(permissionPolicyIds=["x", "x"]).json()["permissionPolicyIds"] == ["x"]


# How answers look ----------------------------------------------------------------------------------------------


def test_dates_may_be_cut_and_fields_absent_null_or_unknown(local: Local) -> None:
    m3ter = local(date_precision="seconds")
    assert m3ter.invite().json()["dtCreated"] == "2026-09-21T14:13:20.000Z"
    m3ter.sandbox.switch({"date_precision": "minutes", "absent_fields": "null", "unknown_fields": True})
    entry = m3ter.listed()[0]
    assert entry["dtCreated"] == "2026-09-21T14:13:00.000Z"
    assert entry["dtEndAccess"] is None
    assert "fieldOfTomorrow" in entry
    m3ter.sandbox.switch({"omit_fields": ["dtCreated", "email"]})
    assert not {"dtCreated", "email"} & set(m3ter.listed()[0])


@pytest.mark.parametrize(("skew", "expected"), [(0, "14:13:20"), (90, "14:14:50"), (-90, "14:11:50")])
def test_the_date_header_is_always_there_and_may_be_off(local: Local, skew: int, expected: str) -> None:
    m3ter = local(date_header_skew_seconds=skew)
    for answer in (m3ter.invite(), m3ter.raw("GET", "/nowhere"), m3ter.raw("POST", "/oauth/token")):
        assert answer.headers["Date"] == f"Mon, 21 Sep 2026 {expected} GMT"


def test_m3ters_whole_clock_may_be_off(local: Local) -> None:
    m3ter = local()
    m3ter.control("POST", "clock", {"advance": -90})
    answer = m3ter.invite()
    assert answer.headers["Date"] == "Mon, 21 Sep 2026 14:11:50 GMT"
    assert answer.json()["dtCreated"] == "2026-09-21T14:11:50.250Z"
