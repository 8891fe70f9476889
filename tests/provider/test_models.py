"""The models of m3ter's requests and answers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from m3ter_provider.errors import M3terResponseError
from m3ter_provider.models import (
    Invitation,
    InvitationRequest,
    Me,
    OrgUser,
    Page,
    PermissionPolicy,
    parse,
)

PERSONAL = {
    "email": "ann.example@example.com",
    "firstName": "Annabella",
    "lastName": "Marker-Surname",
    "contactNumber": "+44 5555 0199",
}


def test_a_request_has_m3ters_names_and_leaves_out_what_is_not_set() -> None:
    request = InvitationRequest(
        email="a@example.com",
        first_name="A",
        last_name="B",
        permission_policy_ids=("p1",),
        dt_end_access=datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=2))),
    )
    assert request.to_json() == {
        "email": "a@example.com",
        "firstName": "A",
        "lastName": "B",
        "permissionPolicyIds": ["p1"],
        "dtEndAccess": "2026-12-31T22:00:00.000Z",
    }
    assert InvitationRequest.model_validate(request.to_json()).to_json() == request.to_json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_name": ""},
        {"last_name": "x" * 101},
        {"contact_number": "1" * 51},
        {"dt_expiry": datetime(2027, 1, 1)},  # noqa: DTZ001
    ],
)
def test_a_request_keeps_m3ters_limits_and_quotes_nobody(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as error:
        InvitationRequest.model_validate(
            {"email": "marker@example.com", "first_name": "Annabella", "last_name": "Surname", **wrong}
        )
    assert "marker" not in str(error.value)
    assert "Annabella" not in str(error.value)


def test_an_invitation_of_today_and_of_tomorrow() -> None:
    invitation = Invitation.model_validate(
        {
            "id": "i1",
            **PERSONAL,
            "permissionPolicyIds": None,
            "dtExpiry": "2026-12-01T00:00:00+01:00",
            "dtCreated": "2026-11-01T10:00:00",
            "dtLastModified": "",
            "aFieldOfNextYear": {"x": 1},
        }
    )
    assert invitation.permission_policy_ids == ()
    assert invitation.dt_expiry == datetime(2026, 11, 30, 23, tzinfo=timezone.utc)
    assert invitation.dt_created == datetime(2026, 11, 1, 10, tzinfo=timezone.utc)
    assert invitation.dt_last_modified is None
    assert invitation.accepted is None


@pytest.mark.parametrize("data", [{"id": "i1"}, {"email": "marker@example.com"}, {"id": "", "email": "m@x.y"}])
def test_a_missing_field_is_named_and_no_value_quoted(data: dict[str, str]) -> None:
    with pytest.raises(M3terResponseError) as error:
        parse(Invitation, data, "an invitation")
    assert ("email" in str(error.value)) or ("id" in str(error.value))
    assert "marker" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_models_show_no_person_in_their_repr() -> None:
    models = [
        InvitationRequest.model_validate(PERSONAL),
        Invitation.model_validate({"id": "i1", **PERSONAL}),
        OrgUser.model_validate({"id": "u1", **PERSONAL}),
        Page(items=(Invitation.model_validate({"id": "i1", **PERSONAL}),)),
        Me.model_validate({"user": {"id": "u1", **PERSONAL}}),
    ]
    shown = " ".join(f"{model!r} {model!s}" for model in models)
    assert not [value for value in PERSONAL.values() if value in shown]


def test_an_entry_is_kept_as_it_came_beside_its_fields() -> None:
    data = {"id": "i1", **PERSONAL, "new": {"key": "hidden@example.com"}}
    invitation = parse(Invitation, data, "an invitation")
    assert invitation.as_answered == data
    assert invitation == Invitation.model_validate(data)
    assert len({invitation, Invitation.model_validate(data)}) == 1
    assert "hidden@" not in repr(invitation)
    assert "new" not in invitation.model_dump()


def test_policies_and_ourselves() -> None:
    policy = PermissionPolicy.model_validate(
        {
            "id": "p1",
            "name": "Read",
            "managedPolicy": True,
            "permissionPolicy": [{"effect": "ALLOW", "action": ["config:retrieve"], "resource": ["*"]}],
        }
    )
    assert policy.permission_policy[0].action == ("config:retrieve",)
    me = Me.model_validate({"serviceUser": {"id": "s1", "name": "bot"}, "organization": {"organizationName": "Acme"}})
    assert me.service_user is not None
    assert me.service_user.id == "s1"
    assert me.organization is not None
    assert me.organization.name == "Acme"


_moments = st.none() | st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1))  # noqa: DTZ001


@given(
    st.fixed_dictionaries(
        {
            "first_name": st.sampled_from(["Ann", "Ännchen"]),
            "contact_number": st.none() | st.just("") | st.just("1"),
            "permission_policy_ids": st.none() | st.lists(st.sampled_from(["p1", "p2"])).map(tuple),
            "dt_end_access": _moments,
            "dt_expiry": _moments,
            "m3ter_user": st.none() | st.booleans(),
            "version": st.none() | st.integers(0, 9),
        }
    )
)
def test_the_body_of_a_request_is_what_its_model_says(values: dict[str, Any]) -> None:
    request = InvitationRequest(email="ann@example.com", last_name="O'Hara", **values)
    assert request.to_json() == request.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_every_field_has_the_documents_name() -> None:
    everything = InvitationRequest(
        email="ann@example.com",
        first_name="Ann",
        last_name="Example",
        contact_number="1",
        permission_policy_ids=("p",),
        dt_end_access=datetime(2030, 1, 1, tzinfo=timezone.utc),
        dt_expiry=datetime(2030, 1, 1, tzinfo=timezone.utc),
        m3ter_user=False,
        version=1,
    )
    assert sorted(everything.to_json()) == [
        "contactNumber",
        "dtEndAccess",
        "dtExpiry",
        "email",
        "firstName",
        "lastName",
        "m3terUser",
        "permissionPolicyIds",
        "version",
    ]
