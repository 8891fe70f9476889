"""Users, permission policies, and who has which."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.local_m3ter import LocalM3ter

Local = Callable[..., LocalM3ter]

STATEMENT = {"effect": "allow", "action": ["config:create"], "resource": ["orgUserInvitation"]}
NOBODY = "5a9d0b0c-0000-4000-8000-000000000000"


def planted_user(m3ter: LocalM3ter, **fields: object) -> str:
    content = {"users": [{"email": "ada@example.com", **fields}]}
    return str(m3ter.control("POST", "seed", content)["users"][0])


def test_an_update_needs_the_current_version(local: Local) -> None:
    m3ter = local()
    user = planted_user(m3ter)
    for content in ({}, {"version": 2}, {"version": "1"}, {"version": 1, "dtEndAccess": "soon"}):
        assert m3ter.call("PUT", f"users/{user}", content).status_code == 400
    changed = m3ter.call("PUT", f"users/{user}", {"version": 1, "dtEndAccess": "2027-01-01T00:00:00Z"}).json()
    assert (changed["version"], changed["dtEndAccess"]) == (2, "2027-01-01T00:00:00.000Z")
    assert m3ter.call("PUT", f"users/{user}", {"version": 2}).json()["dtEndAccess"] == "2027-01-01T00:00:00.000Z"
    assert "dtEndAccess" not in m3ter.call("PUT", f"users/{user}", {"version": 3, "dtEndAccess": None}).json()


@pytest.mark.parametrize(
    "statement",
    [
        {**STATEMENT, "effect": "ALLOW"},
        {**STATEMENT, "effect": "maybe"},
        {**STATEMENT, "action": ["CONFIG_CREATE"]},
        {**STATEMENT, "action": ["config:invent"]},
        {**STATEMENT, "action": "config:create"},
        {**STATEMENT, "resource": []},
        {"effect": "allow", "action": ["config:create"]},
        "config:create",
    ],
)
def test_bad_statements_are_400(local: Local, statement: object) -> None:
    m3ter = local()
    user = planted_user(m3ter)
    content = {"name": "P", "permissionPolicy": [statement]}
    assert m3ter.call("POST", "permissionpolicies", content).status_code == 400
    assert m3ter.call("PUT", f"users/{user}", {"version": 1, "permissionPolicy": [statement]}).status_code == 400


def test_statements_are_lower_case_in_requests_and_upper_case_in_answers(local: Local) -> None:
    m3ter = local()
    both = {**STATEMENT, "action": ["config:create", "marketplace:usage:create", "*"]}
    made = m3ter.call("POST", "permissionpolicies", {"name": "P", "permissionPolicy": [both]}).json()
    [answered] = made["permissionPolicy"]
    assert answered["effect"] == "ALLOW"
    assert answered["action"] == ["CONFIG_CREATE", "MARKETPLACE_USAGE_CREATE", "ALL"]
    m3ter.sandbox.switch({"statement_case": "either"})
    upper = {**STATEMENT, "effect": "DENY", "action": ["CONFIG_CREATE"]}
    assert m3ter.call("POST", "permissionpolicies", {"name": "Q", "permissionPolicy": [upper]}).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        {"permissionPolicy": [STATEMENT]},
        {"name": "", "permissionPolicy": [STATEMENT]},
        {"name": "x" * 101, "permissionPolicy": [STATEMENT]},
        {"name": "P"},
        {"name": "P", "permissionPolicy": []},
        {"name": "P", "permissionPolicy": [STATEMENT], "version": 1},
    ],
)
def test_bad_policies_are_400(local: Local, content: dict[str, object]) -> None:
    m3ter = local()
    before = m3ter.listed("permissionpolicies")
    assert m3ter.call("POST", "permissionpolicies", content).status_code == 400
    assert m3ter.listed("permissionpolicies") == before


@pytest.mark.parametrize(("allowed", "status"), [(True, 200), (False, 400)])
def test_m_two_policies_of_one_name(local: Local, allowed: bool, status: int) -> None:
    m3ter = local(duplicate_policy_names=allowed)
    content = {"name": "Same", "permissionPolicy": [STATEMENT]}
    first = m3ter.call("POST", "permissionpolicies", content).json()
    assert m3ter.call("POST", "permissionpolicies", content).status_code == status
    # Its own name does not stand in its way.
    assert m3ter.call("PUT", f"permissionpolicies/{first['id']}", {**content, "version": 1}).status_code == 200


def test_managed_policies_stay(local: Local) -> None:
    m3ter = local()
    managed = [one for one in m3ter.listed("permissionpolicies") if one["managedPolicy"]]
    assert {one["name"] for one in managed} == {"Administrator", "Read Only"}
    path = f"permissionpolicies/{managed[0]['id']}"
    assert m3ter.call("PUT", path, {"name": "x", "permissionPolicy": [STATEMENT], "version": 1}).status_code == 400
    assert m3ter.call("DELETE", path).status_code == 400


def test_a_deleted_policy_leaves_its_users(local: Local) -> None:
    m3ter = local()
    user = planted_user(m3ter)
    policy = m3ter.call("POST", "permissionpolicies", {"name": "P", "permissionPolicy": [STATEMENT]}).json()["id"]
    given = m3ter.call("POST", f"permissionpolicies/{policy}/addtouser", {"principalId": user}).json()
    again = m3ter.call("POST", f"permissionpolicies/{policy}/addtouser", {"principalId": user}).json()
    assert again == given
    assert [one["id"] for one in m3ter.call("GET", f"users/{user}/permissions").json()["data"]] == [policy]
    m3ter.call("DELETE", f"permissionpolicies/{policy}")
    assert m3ter.call("GET", f"users/{user}/permissions").json()["data"] == []


def test_giving_policies_needs_both_sides(local: Local) -> None:
    m3ter = local()
    user = planted_user(m3ter)
    policy = m3ter.listed("permissionpolicies")[0]["id"]
    for name in ("addtouser", "removefromuser"):
        assert m3ter.call("POST", f"permissionpolicies/{NOBODY}/{name}", {"principalId": user}).status_code == 404
        assert m3ter.call("POST", f"permissionpolicies/{policy}/{name}", {"principalId": NOBODY}).status_code == 404
        for content in ({}, {"principalId": ""}, {"principalId": 1}):
            assert m3ter.call("POST", f"permissionpolicies/{policy}/{name}", content).status_code == 400
    assert (
        m3ter.call("POST", f"permissionpolicies/{policy}/addtouser", {"principalId": user, "version": 1}).status_code
        == 400
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "users/{id}"),
        ("PUT", "users/{id}"),
        ("GET", "users/{id}/permissions"),
        ("GET", "users/{id}/usergroups"),
        ("PUT", "users/{id}/password/resend"),
        ("GET", "permissionpolicies/{id}"),
        ("PUT", "permissionpolicies/{id}"),
        ("DELETE", "permissionpolicies/{id}"),
    ],
)
def test_unknown_ids_are_404(local: Local, method: str, path: str) -> None:
    content = {"version": 1, "name": "P", "permissionPolicy": [STATEMENT]} if method == "PUT" else None
    assert local().call(method, path.format(id=NOBODY), content).status_code == 404


def test_temporary_passwords_are_emails_of_their_own_kind(local: Local) -> None:
    m3ter = local()
    user = planted_user(m3ter)
    answer = m3ter.call("PUT", f"users/{user}/password/resend")
    assert (answer.status_code, answer.content) == (200, b"")
    assert m3ter.emails() == {}
    assert m3ter.control("GET", "emails?kind=temporary_password") == {"ada@example.com": 1}
    m3ter.call("PUT", f"users/{user}", {"version": 1, "dtEndAccess": "2020-01-01T00:00:00Z"})
    assert m3ter.call("PUT", f"users/{user}/password/resend").status_code == 400
    m3ter.sandbox.switch({"may_administer": False})
    assert m3ter.call("PUT", f"users/{user}/password/resend").status_code == 401
    assert m3ter.call("PUT", f"users/{user}", {"version": 2}).status_code == 403


def test_an_accepted_invitation_becomes_a_user_with_its_policies(local: Local) -> None:
    m3ter = local()
    policy = m3ter.listed("permissionpolicies")[0]["id"]
    fields = {"permissionPolicyIds": [policy], "contactNumber": "+44 1", "dtEndAccess": "2030-01-01T00:00:00Z"}
    invitation = m3ter.invite("Ada@Example.com", **fields).json()
    m3ter.time.seconds += 5
    user = m3ter.control("POST", "accept", {"email": "ada@example.COM"})
    assert user["email"] == "Ada@Example.com"
    assert (user["firstName"], user["contactNumber"]) == ("Ada", "+44 1")
    assert user["dtEndAccess"] == "2030-01-01T00:00:00.000Z"
    assert m3ter.listed("users") == [user]
    assert m3ter.call("GET", f"users/{user['id']}/permissions").json()["data"][0]["id"] == policy
    accepted = m3ter.call("GET", f"invitations/{invitation['id']}").json()
    assert (accepted["accepted"], accepted["version"], accepted["lastModifiedBy"]) == (True, 2, user["id"])
    # The same person again: no second user.
    m3ter.invite("ada@example.com")
    assert m3ter.control("POST", "accept", {"email": "ada@example.com"})["id"] == user["id"]
    assert len(m3ter.listed("users")) == 1
