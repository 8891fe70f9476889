from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from m3ter_onboarding.config.allowed_policies import ANY
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import PlanError
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terPolicy, M3terUser
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.planning.explanation import count_decisions, explain
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.fingerprint import fingerprint
from m3ter_onboarding.planning.plan_settings import PlanSettings, trusted_by_id
from m3ter_onboarding.source.columns import SourceRow
from m3ter_provider.models import PermissionPolicy
from tests.support.hire_rows import NOW, decide_rows, row

DAY = timedelta(days=1)
VIEWER = M3terPolicy("p-view", "Viewer", 3)
ANALYST = M3terPolicy("p-analyse", "Analyst", 1)
fingerprint_of = partial(fingerprint, org_id="org-1")
CHIEF = M3terPolicy("p-all", "Chief", 1, administrator_like=True)
POLICIES = (VIEWER, ANALYST, M3terPolicy("p-a", "Twin", 1), M3terPolicy("p-b", "Twin", 1))
KEY = "person1@example.com"
SEVERAL = "review:several_addresses"


def ledger(state: InvitationState, key: str = KEY, **changes: Any) -> LedgerInvitation:
    values: dict[str, Any] = {
        "invitation_id": 7,
        "generation": 1,
        "employee_id": "E1",
        "request_hash": None,
        "m3ter_id": "inv-1",
        "expires_at": NOW + 20 * DAY,
        "sent_at": NOW - 10 * DAY,
    }
    return LedgerInvitation(**{**values, "email_key": key, "state": state, **changes})


def invitation(expires_at: datetime | None = NOW + DAY, accepted: bool = False, **changes: Any) -> M3terInvitation:
    values: dict[str, Any] = {"m3ter_id": "inv-1", "email_key": KEY, "created_at": NOW - 29 * DAY}
    return M3terInvitation(accepted=accepted, expires_at=expires_at, **{**values, **changes})


def user(access_ends_at: datetime | None = None, key: str = KEY) -> M3terUser:
    return M3terUser("user-1", key, access_ends_at)


def plan(
    rows: Sequence[SourceRow], rules: PlanSettings | None = None, now: datetime = NOW, **known: Any
) -> list[Decision]:
    facts = Facts(**{"policies": POLICIES, **known})
    return decide_rows(rows, facts, rules or PlanSettings(), now=now)


def decided(rules: PlanSettings | None = None, values: dict[str, Any] | None = None, **known: Any) -> Decision:
    (decision,) = plan([row(**(values or {}))], rules, **known)
    return decision


# -- a new hire ------------------------------------------------------------------------------------------------------


def test_a_new_hire_is_invited_with_everything_that_will_be_posted() -> None:
    rules = PlanSettings(default_policies=("Viewer",), allowed_policies=("Viewer", "Analyst"))
    values = {
        "email": " Ann@Example.COM ",
        "employee_id": 1001,
        "contact_number": "+44 1",
        "permission_policies": "Viewer;p-analyse",
        "access_end_date": "2027-01-31",
        "time_zone": "America/New_York",
    }
    decision = decided(rules, values)
    assert decision.name == "invite:new"
    assert (decision.employee_id, decision.email, decision.email_key) == ("1001", "Ann@Example.COM", "ann@example.com")
    assert decision.invitation_id is None
    assert decision.request is not None
    assert decision.request.to_json() == {
        "email": "Ann@example.com",
        "firstName": "Ann",
        "lastName": "Hire1",
        "contactNumber": "+44 1",
        "permissionPolicyIds": ["p-analyse", "p-view"],
        "dtEndAccess": "2027-02-01T04:59:59.999Z",
    }


def test_without_any_policy_none_is_sent() -> None:
    request = decided().request
    assert request is not None
    assert request.to_json() == {"email": KEY, "firstName": "Ann", "lastName": "Hire1"}


def test_f11_one_identity_in_any_spelling() -> None:
    assert decided(values={"email": " PERSON1@Example.com\n"}, users=[user()]).name == "skip:already_member"
    spelt = "ANN@BÜCHER.example"
    assert decided(values={"email": spelt}, users=[user(key="ann@xn--bcher-kva.example")]).name == "skip:already_member"


# -- an address that is taken (docs/delivery.md, 7) -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"users": [user()]}, "skip:already_member"),
        ({"users": [user(NOW + DAY)]}, "skip:already_member"),
        ({"users": [user(NOW - DAY), user()]}, "skip:already_member"),
        ({"invitations": [invitation()]}, "skip:already_invited"),
        ({"invitations": [invitation(None)]}, "skip:already_invited"),
        ({"invitations": [invitation(None, created_at=None)]}, "skip:already_invited"),
        ({"users": [user(NOW - DAY)], "invitations": [invitation()]}, "skip:already_invited"),
        ({"ledger": [ledger(InvitationState.SENT)]}, "skip:already_invited"),
        ({"ledger": [ledger(InvitationState.SENT, expires_at=None)]}, "skip:already_invited"),
        ({"ledger": [ledger(InvitationState.ADOPTED, sent_at=None)]}, "skip:already_invited"),
        ({"ledger": [ledger(InvitationState.SENDING)]}, "skip:already_invited"),
        ({"ledger": [ledger(InvitationState.UNKNOWN)]}, "skip:already_invited"),
        ({"ledger": [ledger(InvitationState.REVIEW)]}, "review:unknown_outcome"),
        ({"ledger": [ledger(InvitationState.ACCEPTED)], "users": [user()]}, "skip:already_member"),
        ({"ledger": [ledger(InvitationState.REVIEW)], "users": [user()]}, "skip:already_member"),
        # Sent a moment ago: m3ter's list still shows the old one alone.
        ({"ledger": [ledger(InvitationState.SENT, m3ter_id="inv-2", sent_at=NOW)],
          "invitations": [invitation(NOW - DAY)], "mirror_full_at": NOW}, "skip:already_invited"),
    ],
)  # fmt: skip
def test_d07_an_address_that_is_taken_is_not_invited(known: dict[str, Any], name: str) -> None:
    invite = PlanSettings(reinvite=5, if_rehire="invite")
    assert decided(invite, **known).name == name


def test_d07_an_invitation_on_its_way_says_so() -> None:
    decision = decided(ledger=[ledger(InvitationState.SENDING)])
    assert decision.detail is not None
    assert "on its way" in decision.detail
    assert decision.invitation_id == 7


def test_d07_an_address_that_was_invited_as_another_employee_is_pointed_out() -> None:
    decision = decided(ledger=[ledger(InvitationState.SENT, employee_id="E9")])
    assert decision.name == "skip:already_invited"
    assert "another employee" in str(decision.detail)


@pytest.mark.parametrize(
    "known",
    [
        {"invitations": [invitation(NOW)]},
        {"invitations": [invitation(NOW - DAY)]},
        {"invitations": [invitation(None, created_at=NOW - 31 * DAY)]},
        {"ledger": [ledger(InvitationState.EXPIRED)]},
        {"ledger": [ledger(InvitationState.SENT, expires_at=NOW - DAY)]},
        {"ledger": [ledger(InvitationState.SENT)], "invitations": [invitation(NOW - DAY)]},
        {"ledger": [ledger(InvitationState.EXPIRED), ledger(InvitationState.UNSENT, generation=2, invitation_id=8)]},
    ],
)
def test_d07_an_expired_invitation_is_never_a_silent_skip(known: dict[str, Any]) -> None:
    assert decided(**known).name == "review:expired"
    again = decided(PlanSettings(reinvite=5), **known)
    assert again.name == "invite:expired"
    assert again.request is not None


def test_f35_a_rehire_is_never_a_silent_skip() -> None:
    known: dict[str, Any] = {
        "users": [user(NOW - DAY)],
        "ledger": [ledger(InvitationState.SUPERSEDED)],
        "invitations": [invitation(NOW - DAY, accepted=True)],
    }
    assert decided(**known).name == "review:rehire"
    assert decided(PlanSettings(if_rehire="invite", reinvite=5), **known).name == "invite:rehire"
    assert decided(PlanSettings(reinvite=5), **known).name == "review:rehire"
    assert decided(users=[user(NOW)]).name == "review:rehire"


def test_an_invitation_missing_in_m3ter_is_for_review() -> None:
    sent = {"ledger": [ledger(InvitationState.SENT, sent_at=NOW - 2 * DAY)]}
    assert decided(**sent).name == "skip:already_invited"  # no full pass since
    assert decided(**sent, mirror_full_at=NOW - 3 * DAY).name == "skip:already_invited"
    assert decided(**sent, mirror_full_at=NOW - 2 * DAY + timedelta(minutes=5)).name == "skip:already_invited"
    assert decided(**sent, mirror_full_at=NOW - DAY).name == "review:missing_in_m3ter"
    adopted = {"ledger": [ledger(InvitationState.ADOPTED, sent_at=None)]}
    assert decided(**adopted, mirror_full_at=NOW - DAY).name == "review:missing_in_m3ter"
    assert decided(ledger=[ledger(InvitationState.ACCEPTED)]).name == "review:missing_in_m3ter"
    assert decided(invitations=[invitation(accepted=True)]).name == "review:missing_in_m3ter"


# -- asked before ----------------------------------------------------------------------------------------------------


def test_unsent_is_asked_again_in_the_same_row() -> None:
    decision = decided(ledger=[ledger(InvitationState.UNSENT)])
    assert (decision.name, decision.invitation_id) == ("invite:new", 7)


def test_f20_a_refused_request_is_asked_again_only_when_it_changed_or_someone_asks() -> None:
    refused = ledger(InvitationState.FAILED, request_hash=decided().request_hash)
    again = decided(ledger=[refused])
    assert (again.name, again.request, again.invitation_id) == ("skip:refused_before", None, 7)
    assert decided(values={"last_name": "Corrected"}, ledger=[refused]).name == "invite:new"
    assert decided(PlanSettings(retry_failed=True), ledger=[refused]).name == "invite:requested"


# -- the second key --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [InvitationState.SENT, InvitationState.ADOPTED, InvitationState.ACCEPTED, InvitationState.SENDING,
     InvitationState.UNKNOWN, InvitationState.REVIEW],
)  # fmt: skip
def test_f14_a_changed_address_of_somebody_invited_is_not_a_second_email(state: InvitationState) -> None:
    old = ledger(state, key="old@example.com")
    assert decided(ledger=[old]).name == "review:email_changed"
    # What the new address is by itself comes first.
    assert decided(ledger=[old], users=[user()]).name == "skip:already_member"


def test_f14_what_an_earlier_plan_saw_counts_too() -> None:
    previous = {"E1": "old@example.com"}
    assert decided(previous_addresses=previous).name == "review:email_changed"
    assert decided(previous_addresses={"E1": KEY}).name == "invite:new"
    assert decided(previous_addresses={"E2": "old@example.com"}).name == "invite:new"
    assert decided(previous_addresses=previous, users=[user(key="old@example.com")]).name == "review:email_changed"


def test_f14_another_address_that_is_dead_does_not_stand_in_the_way() -> None:
    old = "old@example.com"
    for state in (InvitationState.UNSENT, InvitationState.FAILED, InvitationState.SUPERSEDED):
        assert decided(ledger=[ledger(state, key=old)]).name == "invite:new"
    for expired in (
        ledger(InvitationState.SENT, key=old, expires_at=NOW - DAY),
        ledger(InvitationState.EXPIRED, key=old),
    ):
        assert decided(ledger=[expired]).name == "review:expired"
        assert decided(PlanSettings(reinvite=5), ledger=[expired]).name == "invite:expired"
    left = {"previous_addresses": {"E1": old}, "users": [user(NOW - DAY, key=old)]}
    assert decided(**left).name == "review:rehire"
    assert decided(PlanSettings(if_rehire="invite"), **left).name == "invite:rehire"


def test_f14_an_address_that_a_person_replaced_does_not_stand_in_the_way() -> None:
    old = "old@example.com"
    known: dict[str, Any] = {
        "ledger": [ledger(InvitationState.SUPERSEDED, key=old)],
        "invitations": [invitation(email_key=old)],  # m3ter cannot withdraw it
    }
    assert decided(**known).name == "invite:new"
    assert decided(**known, previous_addresses={"E1": old}).name == "invite:new"
    sent_since = ledger(InvitationState.SENT, key=old, generation=2, invitation_id=8)
    assert decided(**{**known, "ledger": [*known["ledger"], sent_since]}).name == "review:email_changed"


# -- who not ---------------------------------------------------------------------------------------------------------


def test_f15_excluded_people_are_skipped() -> None:
    excluded = PlanSettings(
        excluded_keys=frozenset({KEY}),
        excluded_domains=frozenset({"example.org"}),
        excluded_employees=frozenset({"E3"}),
    )
    rows = [
        row(1),
        row(2, email="x@EXAMPLE.org"),
        row(3),
        row(4, email="person3@example.com"),  # the excluded employee's address, as somebody else
        row(5, email="x@sub.example.org"),
    ]
    assert [decision.name for decision in plan(rows, excluded)] == ["skip:excluded"] * 4 + ["invite:new"]


def test_f57_only_the_domains_that_the_connection_allows() -> None:
    rules = PlanSettings(allowed_domains=frozenset({"example.com"}))
    rows = [row(1), row(2, email="a@other.example"), row(3, email="a@sub.example.com")]
    names = [decision.name for decision in plan(rows, rules)]
    assert names == ["invite:new", "skip:domain_not_allowed", "skip:domain_not_allowed"]


# -- when ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "name"),
    [
        ("2026-12-09", "skip:too_early"),
        ("2026-12-08", "invite:new"),
        ("2026-11-24", "invite:new"),
        ("2026-08-26", "invite:new"),
        ("2026-08-25", "skip:too_old"),
        (None, "invite:new"),
    ],
)
def test_f4_a_start_is_too_early_or_too_old(start: str | None, name: str) -> None:
    assert decided(PlanSettings(invite_days_before_start=14), {"start_date": start}).name == name


def test_f4_no_lead_time_rule() -> None:
    assert decided(values={"start_date": "2028-01-01"}).name == "invite:new"


def test_f5_days_are_counted_where_the_hire_is() -> None:
    rules = PlanSettings(invite_days_before_start=14)
    late = datetime(2026, 11, 24, 20, tzinfo=timezone.utc)  # the 25th in Sydney, the 24th in New York
    sydney, new_york = plan(
        [
            row(1, start_date="2026-12-09", time_zone="Australia/Sydney"),
            row(2, start_date="2026-12-09", time_zone="America/New_York"),
        ],
        rules,
        late,
    )
    assert (sydney.name, new_york.name) == ("invite:new", "skip:too_early")


def test_an_address_that_is_taken_comes_before_the_calendar() -> None:
    rules = PlanSettings(invite_days_before_start=1)
    assert decided(rules, {"start_date": "2027-03-01"}, users=[user()]).name == "skip:already_member"


def test_f37_the_invitation_outlives_the_first_day() -> None:
    def expiry(start: str | None, zone: str = "UTC", now: datetime = NOW) -> str | None:
        (decision,) = plan([row(start_date=start, time_zone=zone)], PlanSettings(expiry_grace_days=14), now)
        assert decision.request is not None
        expires: str | None = decision.request.to_json().get("dtExpiry")
        return expires

    assert expiry(None) is None
    assert expiry("2026-12-01") is None  # m3ter's 30 days reach further
    assert expiry("2027-01-04") == "2027-01-18T23:59:59.999Z"
    # Sydney's clocks go back on 4 April 2027, New York's forward on 14 March 2027.
    assert expiry("2027-03-31", "Australia/Sydney") == "2027-04-14T13:59:59.999Z"
    assert expiry("2027-03-10", "America/New_York") == "2027-03-25T03:59:59.999Z"
    assert expiry("8999-12-31") == "9000-01-14T23:59:59.999Z"
    # The same the day after: nothing was reckoned from "now".
    assert expiry("2027-01-04", now=NOW + DAY) == expiry("2027-01-04")


def test_f37_validity_by_setting_ends_with_a_local_day_and_outlives_the_start() -> None:
    def expiry(start: str | None = None, zone: str = "UTC", days: int = 7) -> str | None:
        rules = PlanSettings(validity_days=days, expiry_grace_days=14)
        (decision,) = plan([row(start_date=start, time_zone=zone)], rules, NOW)
        assert decision.request is not None
        expires: str | None = decision.request.to_json().get("dtExpiry")
        return expires

    assert expiry() == "2026-12-01T23:59:59.999Z"
    assert expiry(zone="Australia/Sydney") == "2026-12-01T12:59:59.999Z"
    assert expiry("2026-11-25") == "2026-12-09T23:59:59.999Z"  # the start date and the grace reach further
    assert expiry("2026-10-01") == "2026-12-01T23:59:59.999Z"
    assert expiry(days=60) == "2027-01-23T23:59:59.999Z"  # more than m3ter's own 30 days


def test_f37_a_validity_that_is_reckoned_from_now_does_not_change_the_hash() -> None:
    rules = PlanSettings(validity_days=7)
    (today,), (tomorrow,) = plan([row()], rules), plan([row()], rules, NOW + DAY)
    assert today.request is not None
    assert tomorrow.request is not None
    assert today.request.dt_expiry != tomorrow.request.dt_expiry
    assert today.request_hash == tomorrow.request_hash
    # One that rests on the row belongs to it.
    starts, later = (plan([row(start_date=f"2026-12-{day}")], rules)[0].request_hash for day in ("20", "21"))
    assert len({starts, later, today.request_hash}) == 3


def test_the_hash_is_the_same_from_run_to_run() -> None:
    values = {"start_date": "2027-01-04", "access_end_date": "2027-12-31", "permission_policies": "Viewer, Analyst"}
    rules = PlanSettings(allowed_policies=("Viewer", "Analyst"))
    (today,) = plan([row(1, **values)], rules)
    (tomorrow,) = plan(
        [row(1, **{**values, "permission_policies": ["Analyst", "p-view"], "employee_id": "E1 "})], rules, now=NOW + DAY
    )
    assert today.request_hash == tomorrow.request_hash is not None
    assert today.request_hash != decided(rules, {**values, "first_name": "Anna"}).request_hash


# -- duplicates ------------------------------------------------------------------------------------------------------


def test_f13_one_row_wins_whatever_the_order() -> None:
    rows = [
        row(1, employee_id="A", email="one@example.com"),
        row(2, employee_id="B", email=" ONE@example.com"),
        row(3, employee_id="A", email="two@example.com"),
    ]
    names = {decision.row_no: decision.name for decision in plan(rows[:2])}
    assert names == {1: "invite:new", 2: "invalid:duplicate_in_batch"}
    assert {decision.row_no: decision.name for decision in plan(rows[1::-1])} == names
    # An employee with two addresses: whose the shared one is, is not known either.
    names = {decision.row_no: decision.name for decision in plan(rows)}
    assert names == {1: SEVERAL, 2: "invalid:duplicate_in_batch", 3: SEVERAL}
    assert {decision.row_no: decision.name for decision in plan(rows[::-1])} == names


def versions(*addresses: str, **columns: Sequence[Any]) -> list[SourceRow]:
    """Rows of one employee: an address each, and of each column a value."""
    return [
        row(number, employee_id="A", email=address, **{name: values[number - 1] for name, values in columns.items()})
        for number, address in enumerate(addresses, 1)
    ]


def test_f13_several_addresses_of_an_employee_are_a_question_where_nothing_orders_them() -> None:
    for columns in (
        {},
        {"start_date": ["2026-12-01", "2026-11-30"]},
        {"access_end_date": ["2027-12-01", None]},
        {"updated_at": [None, None]},
        {"updated_at": ["2026-11-20", None]},
        {"updated_at": ["yesterday", "2026-11-20"]},
        {"updated_at": ["2026-11-20", "2026-11-20T00:00:00Z"]},
    ):
        rows = versions("old@example.com", "new@example.com", **columns)
        found = plan(rows)
        assert [decision.name for decision in found] == [SEVERAL, SEVERAL], columns
        assert [decision.request for decision in found] == [None, None]
        assert "updated_at" in str(found[0].detail)
        assert [decision.name for decision in plan(rows[::-1])] == [SEVERAL, SEVERAL], columns
    same = versions("a@example.com", "A@example.com ")
    assert sorted(decision.name for decision in plan(same)) == ["invalid:duplicate_in_batch", "invite:new"]
    thrice = plan(versions("a@example.com", "A@example.com ", "b@example.com"))
    assert [decision.name for decision in thrice] == ["invalid:duplicate_in_batch", SEVERAL, SEVERAL]


def test_f13_the_new_address_of_somebody_who_was_invited_is_a_question_not_a_duplicate() -> None:
    known = {"ledger": [ledger("sent", "old@example.com", employee_id="A")]}
    for columns in ({}, {"updated_at": ["2026-11-20", "2026-11-21"]}):
        old, new = plan(versions("old@example.com", "new@example.com", **columns), **known)
        assert old.name == ("invalid:duplicate_in_batch" if columns else "skip:already_invited")
        assert new.name == "review:email_changed"
    old, new = plan(versions("old@example.com", "new@example.com", updated_at=["2026-11-21", "2026-11-20"]), **known)
    assert [old.name, new.name] == ["skip:already_invited", "invalid:duplicate_in_batch"]


def test_f13_a_row_that_is_too_old_leaves_no_question() -> None:
    rows = versions("old@example.com", "new@example.com", start_date=["2020-01-01", "2026-12-01"])
    assert [decision.name for decision in plan(rows)] == ["invalid:duplicate_in_batch", "invite:new"]


@pytest.mark.parametrize(
    "times",
    [
        ["2026-11-20", "2026-11-22", "2026-11-21"],
        [date(2026, 11, 20), datetime(2026, 11, 20, 1, tzinfo=timezone.utc), "2026-11-20 00:59:59"],
        ["-infinity is no time", "2026-11-22", "2026-11-21"],
        ["2026-11-22T00:00:00Z", "2026-11-22T00:30:00-01:00", "2026-11-22T02:00:00+02:00"],
        ["2026-11-22", "infinity", "2026-11-21"],
    ],
)
def test_f13_the_newest_row_of_an_employee_counts(times: list[Any]) -> None:
    rows = versions("one@example.com", "two@example.com", "one@example.com", updated_at=times)
    if times[0] == "-infinity is no time":
        assert [decision.name for decision in plan(rows)] == [SEVERAL, SEVERAL, "invalid:duplicate_in_batch"]
        return
    for ordered in (rows, rows[::-1]):
        found = {decision.row_no: decision for decision in plan(ordered)}
        assert [found[number].name for number in (1, 2, 3)] == [
            "invalid:duplicate_in_batch",
            "invite:new",
            "invalid:duplicate_in_batch",
        ]
        assert found[1].detail == "Row 2 of this employee is newer, by updated_at, and counts."
    names = versions("a@example.com", "a@example.com", updated_at=["2026-11-20", "2026-11-21"], first_name=["A", "B"])
    assert [one.request and one.request.first_name for one in plan(names)] == [None, "B"]


def test_f13_a_newer_row_counts_also_if_it_cannot_be_used() -> None:
    rows = versions("old@example.com", "no address", updated_at=["2026-11-20", "2026-11-21"])
    found = plan(rows)
    assert [decision.name for decision in found] == ["invalid:duplicate_in_batch", "invalid:email"]
    assert "Row 2 of this employee is newer, by updated_at, and counts, although it cannot be used." in str(found[0])
    elsewhere = versions("old@example.com", "new@other.example", updated_at=["2026-11-20", "2026-11-21"])
    names = [decision.name for decision in plan(elsewhere, PlanSettings(allowed_domains=frozenset({"example.com"})))]
    assert names == ["invalid:duplicate_in_batch", "skip:domain_not_allowed"]


def test_f13_the_row_that_is_in_time_wins_then_the_latest_start() -> None:
    rules = PlanSettings(invite_days_before_start=14)
    rows = [
        row(1, employee_id="A", email="a@example.com", start_date="2027-06-01"),  # too early
        row(2, employee_id="A", email="a@example.com", start_date="2026-11-01"),
        row(3, employee_id="A", email="a@example.com", start_date="2026-12-01"),
        row(4, employee_id="A", email="a@example.com", start_date="2020-01-01"),  # too old
    ]
    assert [decision.decision for decision in plan(rows, rules)] == ["invalid", "invalid", "invite", "invalid"]


def test_f13_a_row_that_cannot_win_takes_nobody_with_it() -> None:
    rows = [
        row(1, employee_id="A", email="a@example.com", last_name=None),
        row(2, employee_id="A", email="a@example.com"),
        row(3, employee_id="A", email="not an address"),
    ]
    assert [decision.name for decision in plan(rows)] == ["invalid:last_name", "invite:new", "invalid:email"]


def test_rows_that_share_a_number_are_an_error() -> None:
    with pytest.raises(PlanError, match="2 rows came to 1 decisions"):
        plan([row(1), row(1)])


# -- policies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Viewr", "did you mean 'Viewer'?"),
        ("viewer", "did you mean 'Viewer'?"),
        ("Twin", "2 permission policies in m3ter are named 'Twin' (p-a, p-b); use an id"),
        ("zzz", "No permission policy in m3ter has the name or id 'zzz'"),
    ],
)
def test_d06_a_policy_name_that_is_missing_or_ambiguous_is_an_error(name: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan([row()], PlanSettings(default_policies=(name,)))
    assert said in str(caught.value)
    assert "nothing is sent" in str(caught.value)
    of_row = decided(values={"permission_policies": [name]})
    assert (of_row.name, of_row.person_name, of_row.wrong_value) == ("invalid:policy", "Ann Hire1", name)
    assert said in str(of_row.detail)


def test_d06_an_address_in_the_wrong_column_is_not_repeated() -> None:
    assert "ann@" not in str(decided(values={"permission_policies": "ann@example.com"}).detail)


def test_f42_only_policies_that_are_allowed() -> None:
    rules = PlanSettings(default_policies=("p-view",), allowed_policies=("Viewer", "gone"))
    assert ((one := decided(rules)).name, one.person_name) == ("invite:new", None)
    assert decided(rules, {"permission_policies": "Analyst"}).name == "review:policy_not_allowed"
    assert decided(PlanSettings(allowed_policies=()), {"permission_policies": "Viewer"}).decision == "review"
    with pytest.raises(PlanError, match="not all among"):
        decided(PlanSettings(default_policies=("Analyst",), allowed_policies=("Viewer",)))
    with pytest.raises(PlanError, match="are named 'Twin'"):
        decided(PlanSettings(allowed_policies=("Twin",)))


def test_f42_without_a_list_only_the_configured_policies_are_allowed() -> None:
    for rules in (PlanSettings(default_policies=("Viewer",)), PlanSettings(default_policies=("p-view",))):
        for own in ("Viewer", "p-view"):
            assert decided(rules, {"permission_policies": own}).name == "invite:new"
        for other in ("Analyst", "Viewer, Analyst"):
            assert (another := decided(rules, {"permission_policies": other})).name == "review:policy_not_allowed"
            assert another.request is None
            assert another.detail == (
                "Asks for 'Analyst' (p-analyse), not among allowed_permission_policies; allow it there, or correct the"
                " row."
            )
            assert (another.person_name, another.wrong_value) == ("Ann Hire1", other)
        assert decided(rules, {"permission_policies": "Viewr"}).name == "invalid:policy"
    assert decided(PlanSettings(), {"permission_policies": "Viewer"}).name == "review:policy_not_allowed"
    assert decided(PlanSettings()).name == "invite:new"


def test_f42_any_allows_every_policy_that_makes_no_administrator() -> None:
    rules = PlanSettings(default_policies=("Viewer",), allowed_policies=ANY)
    (analyst,) = plan([row(permission_policies="Viewer, Analyst")], rules)
    assert analyst.request is not None
    assert analyst.request.permission_policy_ids == ("p-analyse", "p-view")
    powerful = decided(rules, {"permission_policies": "Chief"}, policies=(*POLICIES, CHIEF))
    assert powerful.name == "review:policy_not_allowed"
    assert "among" not in str(powerful.detail)
    # A name that several policies bear is found only where a row asks for it.
    assert decided(rules, {"permission_policies": "Twin"}).name == "invalid:policy"


@pytest.mark.parametrize("allowed", [None, ANY, ("p-create", "p-update", "p-delete")], ids=["default", "any", "named"])
def test_f42_three_policies_that_make_an_administrator_together(allowed: Any) -> None:
    def third(verb: str) -> M3terPolicy:
        allows = {"effect": "ALLOW", "action": [f"CONFIG_{verb.upper()}"], "resource": ["*"]}
        fields = {"id": f"p-{verb}", "name": f"Third {verb}", "managedPolicy": False, "permissionPolicy": [allows]}
        powerful = PermissionPolicy.model_validate(fields).administrator_like
        return M3terPolicy(f"p-{verb}", f"Third {verb}", 1, administrator_like=powerful)

    thirds = tuple(map(third, ("create", "update", "delete")))
    asks = {"permission_policies": [policy.name for policy in thirds]}
    decision = decided(PlanSettings(allowed_policies=allowed), asks, policies=(*POLICIES, *thirds))
    assert decision.name == "review:policy_not_allowed"
    assert decision.request is None
    assert "Would be made an administrator by" in str(decision.detail)
    assert ("not among allowed_permission_policies" in str(decision.detail)) == (allowed is None)


def test_f42_administrators_need_their_own_switch() -> None:
    facts = Facts(policies=(*POLICIES, CHIEF))

    def decide(rules: PlanSettings, policies: str = "p-all") -> Decision:
        return decide_rows([row(permission_policies=policies)], facts, rules, now=NOW)[0]

    for rules in (PlanSettings(), PlanSettings(allowed_policies=("Chief",))):
        decision = decide(rules)
        assert decision.name == "review:policy_not_allowed"
        assert "'Chief' (p-all)" in str(decision.detail)
        assert "allow_administrator_policies" in str(decision.detail)
        assert decide(rules, "Viewer, Chief").request is None
    allowed = decide(PlanSettings(allow_administrators=True, allowed_policies=("Chief",)))
    assert allowed.request is not None
    assert allowed.request.permission_policy_ids == ("p-all",)
    assert decide(PlanSettings(allow_administrators=True, allowed_policies=("Viewer",))).decision == "review"
    with pytest.raises(PlanError, match=r"'Chief' \(p-all\)\. Nothing is planned and nothing is sent; .*: true"):
        decide(PlanSettings(default_policies=("Viewer", "Chief")), "Viewer")
    chiefs = PlanSettings(default_policies=("Chief",), allowed_policies=("Viewer", "Chief"), allow_administrators=True)
    assert decide(chiefs, "Viewer").name == "invite:new"


# -- the plan as a whole ---------------------------------------------------------------------------------------------


def test_d06_the_fingerprint_covers_what_is_posted_and_nothing_else() -> None:
    rules = PlanSettings(default_policies=("Viewer",))
    rows = [row(1), row(2), row(3, email="bad")]
    first = fingerprint_of(plan(rows, rules), POLICIES)
    assert first == fingerprint_of(plan(rows[::-1], rules), POLICIES)
    assert first == fingerprint_of(plan([*rows, row(4, last_name=None)], rules), POLICIES)
    newer = (M3terPolicy("p-view", "Viewer", 4), *POLICIES[1:])
    assert first != fingerprint_of(plan(rows, rules), newer)
    unused = (VIEWER, M3terPolicy("p-analyse", "Analyst", 9))
    assert first == fingerprint_of(plan(rows, rules), unused)
    changes: list[dict[str, Any]] = [
        {"first_name": "Other"}, {"last_name": "Other"}, {"email": "Person2@example.com"}, {"contact_number": "1"},
        {"permission_policies": "Analyst"}, {"access_end_date": "2027-01-01"}, {"start_date": "2027-05-01"},
        {"employee_id": "E99"},
    ]  # fmt: skip
    prints = {fingerprint_of(plan([row(1), row(2, **change)], rules), POLICIES) for change in changes}
    assert len(prints | {first}) == len(changes) + 1


def test_decisions_are_counted_by_reason() -> None:
    decisions = plan([row(1), row(2), row(3, email=None)])
    assert count_decisions(decisions) == {"invalid:email": 1, "invite:new": 2}


def test_rules_come_from_a_configuration() -> None:
    config = OnboardingConfig.from_mapping(
        {
            "name": "a",
            "warehouse_conn_id": "w",
            "query": "q.sql",
            "permission_policies": ["Viewer"],
            "exclude": {"addresses": [" Ann@BÜCHER.example"], "domains": ["@Bücher.example"], "employee_ids": [7]},
            "time_zone": "Asia/Tokyo",
        },
        query_text="SELECT :window_start, :window_end",
    )
    rules = PlanSettings.from_config(config, allowed_domains=["Example.COM"])
    assert rules.excluded_keys == {"ann@xn--bcher-kva.example"}
    assert rules.excluded_domains == {"xn--bcher-kva.example"}
    assert rules.excluded_employees == {"7"}
    assert rules.allowed_domains == {"example.com"}
    assert (rules.time_zone, rules.default_policies) == ("Asia/Tokyo", ("Viewer",))
    assert not rules.allow_administrators
    assert rules.allowed_policies == ("Viewer",)
    assert (
        PlanSettings.from_config(config.model_copy(update={"allowed_permission_policies": ANY})).allowed_policies == ANY
    )
    assert PlanSettings.from_config(
        config.model_copy(update={"allow_administrator_policies": True})
    ).allow_administrators
    assert "ann" not in repr(rules)


# -- one person ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "known", "steps"),
    [
        ({}, {}, ["select", "validate", "match", "policy", "decide", "act"]),
        ({"email": "zaphod"}, {}, ["select", "validate", "decide", "act"]),
        ({}, {"users": [user()]}, ["select", "validate", "match", "decide", "act"]),
        ({"permission_policies": "None"}, {}, ["select", "validate", "match", "policy", "decide", "act"]),
    ],
)
def test_f23_the_log_explains_one_person(values: dict[str, Any], known: dict[str, Any], steps: list[str]) -> None:
    lines = explain(decided(values=values, **known))
    assert [line.split(":")[0] for line in lines] == steps
    assert "employee E1" in lines[0]
    story = "\n".join(lines).lower()
    for personal in ("zaphod", "person1", "hire1", "ann"):
        assert personal not in story


def test_nobody_is_named_in_a_repr() -> None:
    text = repr(plan([row(1), row(2, email="zaphod")]))
    for personal in ("zaphod", "person1", "hire1", "Ann"):
        assert personal not in text


def test_first_day_is_kept_for_the_record() -> None:
    assert decided(values={"start_date": "2026-12-01"}).start_date == date(2026, 12, 1)


def test_a_policy_that_m3ter_does_not_show_is_trusted_only_by_its_id() -> None:
    hidden = M3terPolicy("p-hidden", "Viewer", 1, administrator_like=True, statements_shown=False)
    shown = M3terPolicy("p-all", "Chief", 1, administrator_like=True)
    values = {"name": "a", "warehouse_conn_id": "w", "query": "q.sql"}

    def powerful(**more: Any) -> list[bool]:
        config = OnboardingConfig.from_mapping({**values, **more}, query_text="SELECT :window_start, :window_end")
        return [policy.administrator_like for policy in trusted_by_id((hidden, shown), config)]

    assert powerful() == powerful(permission_policies=["Viewer"]) == [True, True]
    assert powerful(permission_policies=["p-hidden", "p-all"]) == [False, True]
    assert powerful(allowed_permission_policies=["p-hidden"]) == [False, True]
    for more in ({"allowed_permission_policies": None}, {"allowed_permission_policies": "any"}):
        assert powerful(**more) == [True, True]
        assert powerful(permission_policies="p-hidden", **more) == [False, True]


class Counted(list[Any]):
    """A list that knows how often it was read from its beginning."""

    times = 0

    def __iter__(self) -> Iterator[Any]:
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize("reinvite", [0, 5])
def test_everybody_whose_invitation_expired_is_looked_up_without_reading_m3ters_list_for_each(reinvite: int) -> None:
    def read_for(people: int) -> tuple[int, int]:
        rows = [row(n, employee_id=f"E{n}") for n in range(1, people + 1)]
        keys = [f"person{n}@example.com" for n in range(1, people + 1)]
        left, listed = NOW - 40 * DAY, NOW - 30 * DAY
        invitations = Counted(invitation(NOW - DAY, m3ter_id=key, email_key=key, created_at=listed) for key in keys)
        users = Counted(user(left, key) for key in keys)
        found = plan(rows, PlanSettings(reinvite=reinvite, if_rehire="invite"), invitations=invitations, users=users)
        verdict = "invite" if reinvite else "review"
        assert count_decisions(found) == {f"{verdict}:expired": people}
        return invitations.times, users.times

    assert read_for(40) == read_for(2)
