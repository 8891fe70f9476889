"""A figure of the overview or of a run leads to a list that has exactly so many rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, update

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.reads.invitation_trends import invitation_trends
from m3ter_onboarding.ledger.reads.reader import LedgerReader
from tests.onboarding.page.conftest import AT, Page
from tests.onboarding.page.test_access import GUARD, KEY
from tests.support.page_ledger import DAG_A, DAG_B, HOSTILE, NOW, PLAN, RUN, RUN_BEFORE, invite

#: Invitations of each state in each of the runs below.
STATES = ("sent", "accepted", "expired", "failed", "superseded", "unsent")
LEADS = {"invited": ["sent", "accepted", "expired"], "accepted": ["accepted"], "expired": ["expired"]}


def more_runs(ledger: LedgerDatabase, *runs: tuple[str, float, dict[str, Any]], first: int = 10) -> None:
    """Put runs in that began days ago, each with a plan, and an invitation in each state."""
    t = ledger.tables
    with ledger.engine.begin() as connection:
        run = dict(connection.execute(select(t.run).where(t.run.c.run_id == RUN)).one()._mapping)
        plan = dict(connection.execute(select(t.plan).where(t.plan.c.plan_id == PLAN)).one()._mapping)
        for number, (run_id, days, values) in enumerate(runs, start=first):
            began = NOW - timedelta(days=days)
            connection.execute(insert(t.run).values({**run, "run_id": run_id, "started_at": began, **values}))
            connection.execute(insert(t.plan).values({**plan, "plan_id": f"plan-of-{run_id}", "run_id": run_id}))
            for place, state in enumerate(STATES):
                email = f"{state}-{number}@example.com"
                expires = NOW + timedelta(days=place, hours=-1)
                invite(connection, t, number * 10 + place, email=email, state=state, run_id=run_id, expires_at=expires)


@pytest.fixture
def anna(page: Callable[[str], Page], ledger: LedgerDatabase) -> Page:
    """Return a reader of runs of all ages, one of which only plans."""
    more_runs(ledger, ("now", 0.01, {}), ("dry", 1, {"may_invite": False}), ("old", 40, {}), ("older", 100, {}))
    return page("anna")


def total(page: Page, **wanted: Any) -> int:
    """Return the size of a list, which is that of its rows."""
    answer = page.post("api/invitations", {"ledger": KEY, **wanted})
    assert (len(answer["rows"]), answer["more"]) == (answer["total"], False)
    return int(answer["total"])


@pytest.mark.parametrize("days", ["30", "90"])
def test_a_step_of_the_funnel_leads_to_its_people(anna: Page, days: str) -> None:
    chart = anna.get("api/chart", days=days)
    [of] = chart["funnels"]
    assert (of["ledger"], of["funnel"]) == (KEY, chart["funnel"])
    found = {name: total(anna, states=states, runs_since=of["since"]) for name, states in LEADS.items()}
    assert found == {name: chart["funnel"][name] for name in LEADS}
    assert found["invited"] == {"30": 10, "90": 13}[days]
    runs = anna.get("api/runs/sending", ledger=KEY, since=of["since"])
    assert {run["run_id"] for run in runs["rows"]} == {RUN, RUN_BEFORE, "now"} | ({"old"} if days == "90" else set())
    assert sum(run["plan"]["rows_read"] for run in runs["rows"]) == chart["funnel"]["rows"]


def test_rows_lead_to_the_runs_that_read_them_page_by_page(anna: Page, ledger: LedgerDatabase) -> None:
    more_runs(ledger, *((f"run-{number}", 1 + number / 100, {}) for number in range(25)), first=100)
    since = anna.get("api/chart")["funnels"][0]["since"]
    first = anna.get("api/runs/sending", ledger=KEY, since=since)
    rest = anna.get("api/runs/sending", ledger=KEY, since=since, before=first["rows"][-1]["started_at"])
    assert (first["more"], rest["more"]) == (True, False)
    began = [run["started_at"] for run in (*first["rows"], *rest["rows"])]
    assert (len(began), began) == (28, sorted(began, reverse=True))


@pytest.mark.parametrize("sort", ["changed", "address"])
def test_a_state_of_a_run_leads_to_its_invitations(anna: Page, sort: str) -> None:
    for run_id in (RUN, "now", "old"):
        run = {"dag_id": DAG_A, "run_id": run_id}
        states = anna.get("api/run", **run)["states"]
        assert {state: total(anna, run=run, states=[state], sort=sort) for state in states} == states
        assert total(anna, run=run, sort=sort) == sum(states.values())
    assert total(anna, run={"dag_id": DAG_B, "run_id": "scheduled__b"}) == 0, "another reader's run"
    assert total(anna, run={"dag_id": DAG_A, "run_id": "unknown"}) == 0


def test_a_part_of_those_who_wait_leads_to_them(anna: Page) -> None:
    pending = anna.get("api/overview")["ledgers"][0]["pending"]
    after = 0
    for part in pending:
        wanted = {"expires_after_days": after, "expires_within_days": part["within_days"], "sort": "expires"}
        assert total(anna, states=["sent"], descending=False, **wanted) == part["many"]
        after = part["within_days"]
    assert [part["many"] for part in pending] == [0, 0, 0, 5], "what has expired does not wait"
    assert total(anna, states=["sent"], expires_within_days=0) == 0


def test_a_search_looks_through_what_is_listed_alone(anna: Page) -> None:
    now = {"dag_id": DAG_A, "run_id": "now"}
    assert total(anna, search="accepted-") == 4
    assert total(anna, search="accepted-", run=now) == 1
    assert total(anna, search="epted-", run=now) == 1, "inside addresses"
    assert total(anna, search="1001", run=now) == 0, "of another run"
    assert total(anna, search="1001", run={"dag_id": DAG_A, "run_id": RUN}) == 1
    assert total(anna, search="accepted-", runs_since=(NOW - timedelta(days=50)).isoformat()) == 2
    assert total(anna, search="accepted-", expires_within_days=2) == 4
    assert total(anna, search="accepted-", expires_after_days=2) == 0


def test_a_narrowed_list_is_read_page_by_page_and_saved(anna: Page, ledger: LedgerDatabase) -> None:
    with ledger.engine.begin() as connection:
        for number in range(1000, 1120):
            invite(connection, ledger.tables, number, email=f"crowd-{number}@example.com", state="sent", run_id="now")
    run = {"dag_id": DAG_A, "run_id": "now"}
    seen, after = [], None
    while True:
        answer = anna.post("api/invitations", {"ledger": KEY, "run": run, "states": ["sent"], "after": after})
        assert answer["total"] == 121
        seen += [row["invitation_id"] for row in answer["rows"]]
        after = answer["after"]
        if after is None:
            break
    assert (len(seen), len(set(seen))) == (121, 121)
    file = anna.client.post(f"{AT}/api/export", json={"ledger": KEY, "run": run, "states": ["sent"]}, headers=GUARD)
    assert len(file.text.splitlines()) == 1 + 121


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", {28: 1, 29: 2}),
        ("Europe/Athens", {29: 2, 30: 1}),  # whose clocks are changed on the 29th
        ("Pacific/Kiritimati", {29: 1, 30: 2}),
        ("Pacific/Honolulu", {28: 1, 29: 2}),
    ],
)
def test_days_are_whole_days_of_a_time_zone(ledger: LedgerDatabase, zone: str, days: dict[int, int]) -> None:
    r, now = ledger.tables.run, datetime(2026, 3, 30, 12, tzinfo=timezone.utc)
    began = [now.replace(day=day, hour=hour, minute=59) for day, hour in ((28, 22), (29, 10), (29, 21))]
    with ledger.engine.begin() as connection:
        connection.execute(update(r).values(started_at=now - timedelta(days=80)))
    more_runs(ledger, *((f"run-{number}", (NOW - at) / timedelta(days=1), {}) for number, at in enumerate(began)))
    found = invitation_trends(LedgerReader(ledger), [DAG_A], now, 30, ZoneInfo(zone))
    assert {one.day.day: one.accepted for one in found.days if one.accepted} == days
    assert [one.day for one in found.days] == [found.days[0].day + timedelta(days=number) for number in range(30)]
    assert found.since.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == datetime.combine(found.days[0].day, time())


HOSTILE_ZONES = ("", "..", "America", "/etc/passwd", "Nowhere/City", "UTC\x00", HOSTILE[2])


@pytest.mark.parametrize("zone", HOSTILE_ZONES)
def test_a_zone_that_is_none_is_utc(anna: Page, zone: str) -> None:
    assert anna.get("api/chart", zone=zone)["zone"] == "UTC"
