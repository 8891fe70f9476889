"""Whatever m3ter answers, in any field: it is read, refused with an error of ours, and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger import mirror, mirror_comparison
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.mirror import Kind
from m3ter_onboarding.ledger.request_differences import differing_fields
from m3ter_onboarding.ledger.storable_values import storable_answer
from m3ter_provider.api_answers import Answer, check_status, read_invitation, read_json, read_token
from m3ter_provider.api_calls import INVITATIONS, PERMISSION_POLICIES, USERS, Listing, get_call
from m3ter_provider.connection import connection_settings
from m3ter_provider.errors import M3terError, M3terPermissionPolicyError, M3terResponseError
from m3ter_provider.models import Invitation, Me, Page, parse
from m3ter_provider.paging import Paging
from m3ter_provider.permission_policies import PolicyBook
from tests.support.hook_clients import connection_to
from tests.support.hostile_values import EXAMPLES, JSON, NUMBERS, TEXTS, hostile

FIELDS = {
    "invitations": sorted(field.alias or name for name, field in Invitation.model_fields.items()),
    "users": sorted(field.alias or name for name, field in USERS.model.model_fields.items()),
    "permission policies": sorted(
        field.alias or name for name, field in PERMISSION_POLICIES.model.model_fields.items()
    ),
}
LISTS: list[Listing[Any]] = [INVITATIONS, USERS, PERMISSION_POLICIES]
STORE: dict[str, Callable[..., None]] = {
    "invitations": mirror.store_invitations,
    "users": mirror.store_users,
    "permission policies": mirror.store_policies,
}
SETTINGS = connection_settings(connection_to("http://127.0.0.1:1"))
BODIES = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"NaN", b'{"id":1e999}', b"\xff\xfe{}", b"null"]
    ),
)
HEADERS = st.dictionaries(st.sampled_from(["Date", "Retry-After"]), TEXTS | NUMBERS.map(str))


def taken(listing: Listing[Any], entries: list[Any], headers: dict[str, str]) -> Page[Any]:
    paging = Paging(SETTINGS, listing)
    next(paging.calls())
    return paging.take({"data": entries}, Answer(200, headers, b""))


@settings(hostile, max_examples=EXAMPLES // 4 or 20)  # a dozen transactions each
@given(listing=st.sampled_from(LISTS), data=st.data(), headers=HEADERS)
def test_an_entry_of_a_list_may_hold_anything(
    ledger: LedgerDatabase, listing: Listing[Any], data: st.DataObject, headers: dict[str, str]
) -> None:
    entry = data.draw(JSON | st.dictionaries(st.sampled_from([*FIELDS[listing.name], "new"]), JSON))
    known = {"id": "known", "email": "known@example.com", "name": "Known"}
    page = taken(listing, [entry, known], headers)
    assert page.items[-1].id == "known"
    org_id = "fuzzed"
    started = mirror.begin_pass(ledger, org_id)
    STORE[listing.name](ledger, org_id, started, page.items)
    for kind in Kind:
        mirror.finish_full_pass(ledger, org_id, kind, started, page.server_time or utc_now())
    now = page.server_time or utc_now()
    matches = [
        *mirror_comparison.unmatched_invitations(ledger, org_id, now),
        *mirror_comparison.unmatched_users(ledger, org_id, now),
    ]
    mirror_comparison.insert_found(ledger, org_id, matches, now)
    mirror_comparison.progress_of_tracked(ledger, org_id, now)
    mirror_comparison.unexplained_since(ledger, org_id, 0, (), now - now)
    policies = mirror.policies_of(ledger, org_id)
    try:
        PolicyBook(policies).resolve([policy.name for policy in policies])
    except M3terPermissionPolicyError as error:
        str(error).encode()
    table = ledger.tables.mirror_invitation
    ledger.read(lambda c: c.execute(select(table)).all(), doing="reading the mirror")


@hostile
@given(status=st.integers(100, 999), headers=HEADERS, body=BODIES)
def test_an_answer_is_read_or_refused_with_an_error_of_ours(status: int, headers: dict[str, str], body: bytes) -> None:
    answer = Answer(status, headers, body)
    for read in (
        lambda: check_status(answer, "something"),
        lambda: read_json(answer, "something"),
        lambda: read_token(answer),
        lambda: read_invitation(answer, "an invitation"),
    ):
        try:
            read()
        except M3terError as error:
            str(error).encode()
    wait, message = answer.retry_after, answer.m3ter_message
    assert wait is None or 0 <= wait <= 3600
    assert message is None or message.encode() is not None


@hostile
@given(fields=st.dictionaries(st.sampled_from(["access_token", "expires_in", "token_type"]), JSON))
def test_a_token_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        token, life = read_token(Answer(200, {}, json.dumps(fields).encode()))
    except M3terResponseError:
        return
    assert token.isascii()
    assert life == life


@hostile
@given(fields=st.dictionaries(st.sampled_from(FIELDS["invitations"]), JSON))
def test_an_answer_to_a_post_that_has_id_and_address_is_one(fields: dict[str, Any]) -> None:
    body = {"id": "i1", "email": "ann@example.com", **fields}
    usable = all(isinstance(body[name], str) and body[name] for name in ("id", "email"))
    try:
        invitation = read_invitation(Answer(200, {}, json.dumps(body).encode()), "an invitation")
    except M3terError:
        assert not usable
        return
    json.dumps(storable_answer(invitation.as_answered)).encode()
    (invitation.id + invitation.email).encode()
    assert invitation.ends_at is None or invitation.ends_at.tzinfo is not None
    request = {"email": "ann@example.com", "firstName": "Ann", "lastName": "Example"}
    differing_fields(request, storable_answer(invitation.as_answered) or {})


@hostile
@given(
    fields=st.dictionaries(
        st.sampled_from(["serviceUser", "user", "organization"]),
        JSON | st.dictionaries(st.sampled_from(["id", "name", "organizationName"]), JSON),
    )
)
def test_the_service_user_itself_may_be_anything(fields: dict[str, Any]) -> None:
    me = parse(Me, fields, "the service user itself")
    if me.organization is not None:
        (me.organization.name or "").encode()


@hostile
@given(token=JSON, entry=JSON)
def test_a_page_may_name_any_next_page(token: Any, entry: Any) -> None:
    paging = Paging(SETTINGS, USERS)
    calls = paging.calls()
    next(calls)
    try:
        paging.take({"data": [entry], "nextToken": token}, Answer(200, {}, b""))
        for call in calls:
            assert call.params["nextToken"].encode()
            break
    except M3terError as error:
        str(error).encode()


@hostile
@given(m3ter_id=TEXTS)
def test_anything_may_be_asked_for_as_an_id(m3ter_id: str) -> None:
    try:
        assert get_call(SETTINGS, INVITATIONS, m3ter_id).url.isascii()
    except M3terError as error:
        str(error).encode()
