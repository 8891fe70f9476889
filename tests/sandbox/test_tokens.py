"""``POST /oauth/token``, and what becomes of a token."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from m3ter_sandbox.sandbox import DEFAULT_CREDENTIALS
from tests.support.local_m3ter import LocalM3ter

Local = Callable[..., LocalM3ter]

GOOD = (DEFAULT_CREDENTIALS.access_key_id, DEFAULT_CREDENTIALS.api_secret)


@pytest.mark.parametrize("media", ["data", "json"])
def test_form_and_json_are_both_good(local: Local, media: str) -> None:
    answer = local().raw("POST", "/oauth/token", auth=GOOD, **{media: {"grant_type": "client_credentials"}})
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 18_000
    assert answer.json()["token_type"].lower() == "bearer"


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (400, {"auth": GOOD, "json": {"grant_type": "password"}}),
        (400, {"auth": GOOD, "json": {}}),
        (400, {"auth": GOOD, "json": []}),
        (400, {"auth": GOOD, "content": b"{", "headers": {"Content-Type": "application/json"}}),
        (400, {"auth": GOOD, "data": {"scope": "x"}}),
        (400, {"auth": GOOD}),
        (401, {"auth": (GOOD[0], "wrong"), "json": {"grant_type": "client_credentials"}}),
        (401, {"auth": ("wrong", GOOD[1]), "json": {"grant_type": "client_credentials"}}),
        (401, {"json": {"grant_type": "client_credentials"}}),
        (401, {"headers": {"Authorization": "Basic ???"}, "json": {"grant_type": "client_credentials"}}),
        (401, {"headers": {"Authorization": "Bearer x"}, "json": {"grant_type": "client_credentials"}}),
    ],
)
def test_bad_token_requests_are_refused(local: Local, status: int, options: dict[str, object]) -> None:
    answer = local().raw("POST", "/oauth/token", **options)
    assert answer.status_code == status
    assert answer.json()["message"]
    assert GOOD[1] not in answer.text


def test_secret_with_a_colon_and_beyond_ascii(local: Local) -> None:
    raw = base64.b64encode("schlüssel:ge:heim".encode()).decode()
    body = {"grant_type": "client_credentials"}
    answer = local().raw("POST", "/oauth/token", headers={"Authorization": f"Basic {raw}"}, json=body)
    assert answer.status_code == 401


def test_expiry_is_enforced_to_the_millisecond(local: Local) -> None:
    m3ter = local(token_lifetime_seconds=2)
    assert m3ter.call("GET", "users").status_code == 200
    m3ter.time.seconds += 1.99
    assert m3ter.call("GET", "users").status_code == 200
    m3ter.time.seconds += 0.02
    answer = m3ter.call("GET", "users")
    assert (answer.status_code, answer.json()) == (403, {"message": "Unauthorized"})
    assert m3ter.call("GET", "users", token=m3ter.token()).status_code == 200


def test_the_answer_to_a_bad_token_is_a_switch(local: Local) -> None:
    m3ter = local(token_error_status=401)
    path = f"/organizations/{m3ter.org_id}/users"
    assert m3ter.raw("GET", path).status_code == 401
    for value in ("Bearer nonsense", "Bearer", "Basic eA=="):
        assert m3ter.raw("GET", path, headers={"Authorization": value}).status_code == 401


def test_a_revoked_token_is_refused(local: Local) -> None:
    m3ter = local()
    m3ter.invite()
    assert m3ter.control("POST", "revoke_tokens") == {"revoked": 1}
    assert m3ter.invite().status_code == 403
    assert m3ter.emails() == {"ada@example.com": 1}


@pytest.mark.parametrize(("ends", "status"), [(False, 200), (True, 403)])
def test_l_a_new_token_may_end_the_old_one(local: Local, ends: bool, status: int) -> None:
    m3ter = local(new_token_ends_old=ends)
    old = m3ter.token()
    new = m3ter.token()
    assert m3ter.call("GET", "users", token=old).status_code == status
    assert m3ter.call("GET", "users", token=new).status_code == 200


def test_users_me_tells_a_wrong_organization_from_missing_rights(local: Local) -> None:
    m3ter = local(may_invite=False)
    assert m3ter.invite().status_code == 403
    assert m3ter.call("GET", "invitations?pageSize=1").status_code == 200
    m3ter.sandbox.switch({"may_read": False})
    for path in ("invitations", "users", "permissionpolicies", "invitations/x"):
        assert m3ter.call("GET", path).status_code == 403
    assert m3ter.call("GET", "users/me").status_code == 200
    m3ter.org_id = "another"
    assert m3ter.call("GET", "users/me").json() == {"message": "Forbidden"}
    assert m3ter.emails() == {}


@pytest.mark.parametrize("name", ["invitations", "users", "permissionpolicies"])
def test_the_right_to_read_may_be_missing_for_one_list(local: Local, name: str) -> None:
    m3ter = local(unreadable=[name])
    found = {path: m3ter.call("GET", path).status_code for path in ("invitations", "users", "permissionpolicies")}
    assert found == {path: 403 if path == name else 200 for path in found}
    assert m3ter.call("GET", f"{name}/x").status_code == 403
    assert m3ter.call("GET", "users/me").status_code == 200
    assert m3ter.invite().status_code == 200


def test_the_right_to_invite_is_looked_at_before_the_body(local: Local) -> None:
    m3ter = local()
    assert m3ter.call("POST", "invitations", {}).status_code == 400
    m3ter.sandbox.switch({"may_invite": False})
    assert m3ter.call("POST", "invitations", {}).status_code == 403
    assert m3ter.emails() == {}


def test_secrets_are_in_no_repr() -> None:
    assert GOOD[1] not in repr(DEFAULT_CREDENTIALS)
