"""Properties of every plan, for any content of the warehouse, the ledger and m3ter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m3ter_onboarding.config.allowed_policies import ANY
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.mirror_entries import M3terInvitation, M3terPolicy, M3terUser
from m3ter_onboarding.ledger.people import LedgerInvitation
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.fingerprint import fingerprint
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.planning.planner import decide
from m3ter_onboarding.planning.shared_keys import SharedKeys
from m3ter_onboarding.planning.warehouse_exclusions import ListedPeople
from m3ter_onboarding.source.columns import SourceRow
from m3ter_onboarding.source.excluded_people import ExcludedPerson
from m3ter_onboarding.source.new_hire import RowExclusion, validate_rows
from tests.support.hire_rows import NOW, decide_rows

#: A busy machine draws slowly; that says nothing about a plan.
ANY_SPEED = settings(suppress_health_check=[HealthCheck.too_slow])
MANY = settings(ANY_SPEED, max_examples=300)

DAY = timedelta(days=1)
KEYS = ["a@example.com", "b@example.com", "c@example.com", "d@example.org"]
EMPLOYEES = ["1", "2", "3", "4"]
POLICIES = (M3terPolicy("p1", "Viewer", 1), M3terPolicy("p2", "Analyst", 2))

_key = st.sampled_from(KEYS)
_employee = st.sampled_from(EMPLOYEES)
_when = st.none() | st.sampled_from([NOW - 40 * DAY, NOW - DAY, NOW, NOW + DAY, NOW + 40 * DAY])
_day = st.none() | st.sampled_from(["2026-08-01", "2026-11-20", "2026-12-01", "2027-03-01"])

_values = st.fixed_dictionaries(
    {
        "employee_id": st.one_of(_employee, st.sampled_from([1, 2.0, None])),
        "email": st.one_of(_key, st.sampled_from(["A@Example.COM ", " B@example.com", "nobody", None])),
        "first_name": st.sampled_from(["Ann", "Bo", None, "x" * 101]),
        "last_name": st.just("Hire"),
        "start_date": _day,
        "access_end_date": _day,
        "permission_policies": st.sampled_from([None, "Viewer", "Analyst", "None such"]),
        "time_zone": st.sampled_from([None, "Pacific/Kiritimati", "Pacific/Pago_Pago"]),
    }
)
_rows = st.lists(_values, max_size=8).map(
    lambda found: [SourceRow(row_no, values) for row_no, values in enumerate(found, start=1)]
)
_ledger = st.lists(
    st.builds(
        LedgerInvitation,
        invitation_id=st.integers(1, 99),
        email_key=_key,
        generation=st.integers(1, 3),
        employee_id=st.none() | _employee,
        state=st.sampled_from(InvitationState),
        request_hash=st.none() | st.just("0" * 64),
        m3ter_id=st.sampled_from([None, "i1", "i2"]),
        expires_at=_when,
        sent_at=_when,
    ),
    max_size=4,
    # As the ledger's unique keys have it.
    unique_by=(lambda row: (row.email_key, row.generation), lambda row: row.email_key if row.live else row),
)
_facts = st.builds(
    Facts,
    ledger=_ledger,
    invitations=st.lists(
        st.builds(M3terInvitation, st.sampled_from(["i1", "i2", "i3"]), _key, st.booleans(), _when, _when), max_size=4
    ),
    users=st.lists(st.builds(M3terUser, st.just("u"), _key, _when), max_size=3),
    policies=st.just(POLICIES),
    mirror_full_at=_when,
    previous_addresses=st.dictionaries(_employee, _key, max_size=2),
)
_rules = st.builds(
    PlanSettings,
    invite_days_before_start=st.sampled_from([None, 14]),
    default_policies=st.sampled_from([(), ("Viewer",)]),
    allowed_policies=st.sampled_from([None, ("Viewer",), ("Viewer", "Analyst"), ANY]),
    excluded_keys=st.sampled_from([frozenset(), frozenset({KEYS[0]})]),
    excluded_employees=st.sampled_from([frozenset(), frozenset({"1"})]),
    allowed_domains=st.sampled_from([frozenset(), frozenset({"example.com"})]),
    reinvite=st.sampled_from([0, 1, 5]),
    cool_off=st.sampled_from([timedelta(), DAY]),
    if_rehire=st.sampled_from(["review", "invite"]),
    retry_failed=st.booleans(),
)


def plan(rows: list[SourceRow], facts: Facts, rules: PlanSettings) -> list[Decision]:
    return decide_rows(rows, facts, rules, now=NOW)


def taken(facts: Facts, key: str) -> bool:
    """Return, by a reading of docs/delivery.md, 7 of its own, whether this address must not get an e-mail."""
    if any(
        user.email_key == key and (user.access_ends_at is None or user.access_ends_at > NOW) for user in facts.users
    ):
        return True
    for invitation in facts.invitations:
        ends = invitation.expires_at or (invitation.created_at and invitation.created_at + 30 * DAY)
        if invitation.email_key == key and not invitation.accepted and (ends is None or ends > NOW):
            return True
    in_doubt = {InvitationState.SENDING, InvitationState.UNKNOWN, InvitationState.REVIEW}
    return any(row.email_key == key and row.state in in_doubt for row in facts.ledger)


@ANY_SPEED
@given(_rows, _facts, _rules)
def test_f30_rows_in_are_decisions_out(rows: list[SourceRow], facts: Facts, rules: PlanSettings) -> None:
    decisions = plan(rows, facts, rules)
    assert [decision.row_no for decision in decisions] == [row.row_no for row in rows]
    for decision in decisions:
        assert (decision.request is not None) == (decision.decision == "invite")
        assert decision.detail
        assert decision.decision != "invite" or decision.request_hash


@ANY_SPEED
@given(_rows, _facts, _rules, st.data())
def test_the_order_of_the_rows_does_not_matter(
    rows: list[SourceRow], facts: Facts, rules: PlanSettings, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    first = {decision.row_no: decision for decision in plan(rows, facts, rules)}
    assert {decision.row_no: decision for decision in plan(shuffled, facts, rules)} == first

    # Nor do the rows' numbers: the same contents come to the same decisions.
    renumbered = [SourceRow(number, row.values) for number, row in enumerate(shuffled, start=1)]
    second = plan(renumbered, facts, rules)
    assert _contents(second) == _contents(list(first.values()))
    assert fingerprint(second, POLICIES, org_id="o") == fingerprint(first.values(), POLICIES, org_id="o")


@MANY
@given(_rows, _facts, _rules, st.sets(st.sampled_from([*KEYS, *EMPLOYEES])), st.integers(0, 8))
def test_a_plan_in_parts_is_the_plan_of_all_rows(
    rows: list[SourceRow], facts: Facts, rules: PlanSettings, listed: set[str], bits: int
) -> None:
    """However few rows are decided together, and however many share a mark of their keys by chance."""
    exclusion = RowExclusion("on leave", None)
    excluded = [
        ExcludedPerson(None, name, exclusion) if "@" in name else ExcludedPerson(name, None, exclusion)
        for name in sorted(listed)
    ]
    validated = validate_rows(rows, default_time_zone=rules.time_zone, now=NOW)
    keys = SharedKeys(bits)
    keys.note(validated)
    keys.compare()
    assert len(keys) == len(rows)
    parts = [[row] for number, row in enumerate(validated) if not keys.has(number)]
    parts.append([row for number, row in enumerate(validated) if keys.has(number)])
    people = ListedPeople(excluded)
    decisions = [
        decision
        for part in parts
        for decision in decide(part, replace(facts, excluded_people=people.among(part)), rules, now=NOW)
    ]
    whole = decide(validated, replace(facts, excluded_people=excluded), rules, now=NOW)
    assert {one.row_no: one for one in decisions} == {one.row_no: one for one in whole}
    assert fingerprint(decisions, POLICIES, org_id="o") == fingerprint(whole, POLICIES, org_id="o")


def _contents(decisions: list[Decision]) -> Counter[Any]:
    return Counter(
        (decision.name, decision.employee_id, decision.email, decision.request_hash) for decision in decisions
    )


@ANY_SPEED
@given(_rows, _facts, _rules)
def test_the_same_facts_make_the_same_plan(rows: list[SourceRow], facts: Facts, rules: PlanSettings) -> None:
    before = [dict(row.values) for row in rows]
    assert plan(rows, facts, rules) == plan(rows, facts, rules)
    assert [dict(row.values) for row in rows] == before


@MANY
@given(_rows, _facts, _rules)
def test_d07_no_address_that_is_taken_is_invited_and_nobody_twice(
    rows: list[SourceRow], facts: Facts, rules: PlanSettings
) -> None:
    invited = [decision for decision in plan(rows, facts, rules) if decision.decision == "invite"]
    keys = [decision.email_key for decision in invited]
    employees = [decision.employee_id for decision in invited]
    assert len(set(keys)) == len(keys)
    assert len(set(employees)) == len(employees)
    for decision in invited:
        assert decision.email_key is not None
        assert not taken(facts, decision.email_key)
        others = {row.email_key for row in facts.ledger if row.employee_id == decision.employee_id and row.live}
        assert not any(taken(facts, other) for other in others)
        assert decision.email_key not in rules.excluded_keys
        assert decision.employee_id not in rules.excluded_employees


@ANY_SPEED
@given(_rows, _facts, _rules, _key)
def test_a_member_more_is_never_an_invitation_more(
    rows: list[SourceRow], facts: Facts, rules: PlanSettings, key: str
) -> None:
    more = replace(facts, users=[*facts.users, M3terUser("new", key, None)])
    before = {decision.email_key for decision in plan(rows, facts, rules) if decision.decision == "invite"}
    after = {decision.email_key for decision in plan(rows, more, rules) if decision.decision == "invite"}
    assert after <= before - {key}


@ANY_SPEED
@given(_rows, _facts, _rules)
def test_a_bad_row_never_stops_a_good_one(rows: list[SourceRow], facts: Facts, rules: PlanSettings) -> None:
    bad = SourceRow(len(rows) + 1, {"employee_id": None, "email": "nonsense", "first_name": None, "last_name": None})
    assert plan([*rows, bad], facts, rules)[:-1] == plan(rows, facts, rules)
