"""The overview in a real browser: the next days, the last days, and many DAGs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Route, expect
from sqlalchemy import insert, update

from demo.airflow_stack import AirflowStack
from m3ter_onboarding.ledger.schema import prepare_tables
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.browser import AirflowPages, settled
from tests.support.page_ledger import DAG_A, NOW, ORG_A, RUN, fill
from tests.support.page_work import people_start

pytestmark = pytest.mark.slow

#: The organisation's own, and how it is shown.
NAME, SHOWN = "Acme <b>\u202edtL", "Acme <b>[U+202E]dtL"


@pytest.fixture(scope="module")
def coming(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Make an organisation in which people start soon, and some have accepted."""
    with organisation(airflow, "coming", tmp_path_factory.mktemp("coming")) as made:
        prepare_tables(made.ledger, create_tables=True, now=NOW, package_version="0")
        fill(made.ledger)
        t = made.ledger.tables
        with made.ledger.engine.begin() as connection:
            connection.execute(update(t.invitation).where(t.invitation.c.state == "accepted").values(accepted_at=NOW))
            connection.execute(insert(t.mirror_org).values(org_id=ORG_A, name=NAME))
            for table in t.all():
                if "dag_id" in table.c:
                    connection.execute(update(table).where(table.c.dag_id == DAG_A).values(dag_id=made.dag_id))
        people_start(made.ledger, made.dag_id)
        yield made
        made.remove_dag()


def test_the_next_days_lead_to_their_people(pages: AirflowPages, coming: Organisation) -> None:
    page = pages.open("/m3ter-onboarding/#/")
    settled(page)
    part = page.locator("section[aria-labelledby=starting]")
    expect(part.locator("tbody tr")).to_have_count(4)  # three days, and all of them
    expect(part.locator("p").first).to_contain_text("Who starts in the next 14 days and has no access, as of ")
    part.get_by_role("link", name="2 not invited").click()
    expect(page.locator("h1")).to_have_text("Day one")
    expect(page.locator("tbody tr")).to_have_count(2)
    pages.open("/m3ter-onboarding/#/")
    page.get_by_role("link", name="Those that wait, the soonest to expire first").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    assert "example.com" not in page.url


def test_those_who_are_not_invited_are_reached_from_the_tile_and_narrowed_by_their_days(
    pages: AirflowPages, coming: Organisation
) -> None:
    page = pages.open("/m3ter-onboarding/#/")
    read = re.compile(r"^2 start in the next 14 days: not invited, as of \d\d \w{3} \d{4}, \d\d:\d\d")
    page.get_by_role("link", name=read).click()
    rows, line = page.locator("tbody tr"), page.locator(".standings")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("not invited")
    expect(rows.first).to_contain_text("To be invited: nothing stands against it")
    expect(page.locator(".range")).to_have_text("1–2 of 2")
    expect(line).to_have_text("4 in all; 3 without access: 2 not invited · 1 invited, not accepted · 1 accepted")
    expect(page.locator("main .note")).to_contain_text("As of ")
    expect(page.locator("main")).to_contain_text("People excluded by a setting or by their row are left out")
    line.get_by_role("link", name="3 without access").click()
    expect(rows).to_have_count(3)
    expect(page.get_by_label("Show")).to_have_value("without_access")
    first, last = (f"{(NOW + timedelta(days=days)).date()}" for days in (1, 15))
    page.get_by_label("First day").select_option("In the next 14 days")
    expect(rows).to_have_count(3)
    assert f"starts_from={NOW.date()}&starts_until={(NOW + timedelta(days=14)).date()}" in page.url
    page.get_by_label("To", exact=True).fill(first)
    expect(page.get_by_label("First day")).to_have_value("")
    expect(rows).to_have_count(1)
    expect(line).to_have_text("1 in all; 1 without access: 1 not invited")
    page.get_by_label("From", exact=True).fill(last)
    expect(page.get_by_text("Nobody who starts soon stands there.")).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(1)
    page.get_by_label("First day").select_option("Any")
    expect(rows).to_have_count(3)
    page.get_by_label("Show").select_option("chase")
    expect(page.get_by_role("region", name="Invitations to chase")).to_be_visible()
    expect(page.get_by_label("First day")).to_be_hidden()
    page.go_back()

    # Somebody is invited: the list is as old as it says, and the row says what was sent since.
    i, later = coming.ledger.tables.invitation, NOW + timedelta(minutes=1)
    sent = {"org_id": ORG_A, "email": "person-0@example.com", "email_key": "person-0@example.com", "generation": 1}
    of = {"employee_id": "0", "origin": "claimed", "dag_id": coming.dag_id, "created_at": later, "updated_at": later}
    with coming.ledger.engine.begin() as connection:
        [number] = connection.execute(insert(i).values(**sent, **of, state="sent")).inserted_primary_key
    page.reload()
    expect(rows.first).to_contain_text("since then: invited")
    pages.picture("day-one-since-then")
    with coming.ledger.engine.begin() as connection:
        connection.execute(i.delete().where(i.c.invitation_id == number))
    pages.open("/m3ter-onboarding/#/invitations?state=unsent")
    expect(page.locator("main .note")).to_contain_text('Day one, "not invited" (2 as last listed)')


def test_a_figure_leads_to_exactly_those_whom_it_counts(pages: AirflowPages, coming: Organisation) -> None:
    page = pages.open("/m3ter-onboarding/#/?days=90")
    settled(page)
    page.get_by_role("link", name=re.compile("^1 invited, not accepted on ")).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    for field in ("From", "To"):
        expect(page.get_by_label(field, exact=True)).to_have_value(f"{(NOW + timedelta(days=3)).date()}")
    page.get_by_label("To", exact=True).fill("2030-01-01")
    page.get_by_label("From", exact=True).fill("2030-01-01")
    expect(page.get_by_text("Nobody who starts soon stands there.")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(1)

    pages.open("/m3ter-onboarding/#/?days=90")
    page.get_by_role("link", name="5 later than in 7 days").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator("main .note")).to_contain_text("Only invitations that expire later than in 7 days are listed.")
    pages.open("/m3ter-onboarding/#/?days=90")
    page.get_by_role("link", name="7 invited").click()
    expect(page.locator("tbody tr")).to_have_count(7)
    pages.picture("overview-figure-invitations")
    only = page.locator("main .note").filter(has_text="are listed.")
    expect(only).to_have_count(1)
    page.get_by_role("link", name="All", exact=True).click()
    expect(only).to_have_count(0)
    pages.open("/m3ter-onboarding/#/?days=90")
    page.get_by_role("link", name="9 rows read: the runs that read them").click()
    expect(page.locator("h1")).to_have_text("Runs that may send")
    expect(page.locator("tbody tr")).to_have_count(2)
    pages.picture("overview-runs-that-may-send")
    page.get_by_title(RUN, exact=True).click()
    page.locator("section[aria-labelledby=states]").get_by_role("link", name=re.compile("accepted 1$")).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="one run").click()
    expect(page.locator("h1")).to_have_text(RUN)


def test_a_card_says_what_belongs_together_and_its_links_lead_where_they_say(
    pages: AirflowPages, coming: Organisation
) -> None:
    page = pages.open("/m3ter-onboarding/#/")
    settled(page)
    card = page.get_by_role("article").filter(has_text="All invitations, now:")
    expect(card.get_by_role("heading")).to_have_text(coming.dag_id.rpartition("__")[2])
    expect(card.get_by_role("link", name=coming.dag_id)).to_have_attribute("href", f"#/dag/{coming.dag_id}")
    expect(card.get_by_title(ORG_A)).to_have_text(SHOWN)
    expect(card.get_by_role("button", name=f"Copy the organisation's id {ORG_A}")).to_be_visible()
    run = card.get_by_role("link", name=re.compile(r"^manual, \d\d \w+ \d{4}, \d\d:\d\d:\d\d "))
    expect(run).to_have_attribute("title", RUN)
    expect(page.locator(".last-day")).to_contain_text("In the last 24 hours: 7 invited, 0 not sent, 1 run.")
    expect(page.locator("section[aria-labelledby=runs] tbody tr").first.locator("td").nth(5)).to_have_text("3")
    run.click()
    expect(page).to_have_url(re.compile("#/run/"))
    expect(page.locator("main").get_by_title(ORG_A)).to_have_text(SHOWN)
    pages.open(f"/m3ter-onboarding/#/dag/{coming.dag_id}")
    expect(page.locator("main").get_by_title(ORG_A)).to_have_text(SHOWN)


def of_an_older_server(route: Route) -> None:
    """Answer as a server does that was not restarted after an upgrade."""
    answer = route.fetch().json()
    route.fulfill(json={**answer, "ledgers": [{**one, "starting": None} for one in answer["ledgers"]]})


def test_a_part_that_cannot_be_shown_says_so_and_leaves_the_others(pages: AirflowPages, coming: Organisation) -> None:
    page = pages.page
    page.route("**/api/overview", of_an_older_server)
    pages.open("/m3ter-onboarding/#/")
    expect(page.get_by_text("This part cannot be shown. Reload the page.").first).to_be_visible()
    expect(page.get_by_role("heading", name="Last runs")).to_be_visible()
    assert all("TypeError" in one for one in pages.console_errors)
    pages.console_errors.clear()


def test_the_last_days_can_be_read_by_keyboard_and_lead_to_runs(pages: AirflowPages, coming: Organisation) -> None:
    page = pages.open("/m3ter-onboarding/#/?days=90")
    expect(page.locator("header a[aria-current]")).to_have_text("Overview")
    settled(page)
    part = page.locator("section[aria-labelledby=chart]")
    expect(part.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    expect(part).to_contain_text("Time to accept: half within 5 h")
    expect(part.locator(".funnel")).to_contain_text("9 rows read")
    bar = part.locator("svg .day-bar").last
    bar.focus()
    expect(part.locator(".said")).to_contain_text("accepted")
    part.get_by_role("link", name="30 days").click()
    expect(part.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "true")
    page.locator("section[aria-labelledby=chart] svg .day-bar").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).not_to_have_text("Overview")


def of_a_failure_before(route: Route) -> None:
    """Answer as the server does where somebody was invited again since the last run over everybody failed."""
    answer = route.fetch().json()
    [ledger] = [one for one in answer["ledgers"] if one["problem"] is None and one["dags"][0]["last"]]
    [figures] = ledger["dags"]
    failure = {"task_id": "snapshot", "sentence": "m3ter refused the access key id."}
    earlier = {"run_id": "earlier", "run_type": "scheduled", "started_at": figures["last"]["started_at"]}
    figures["failed"] = {**earlier, "failure": failure, "planned": None, "not_sent": None}
    route.fulfill(json=answer)


def test_a_failure_that_a_later_run_did_not_make_good_is_not_called_the_last_run(
    pages: AirflowPages, coming: Organisation
) -> None:
    page = pages.page
    page.route("**/api/overview", of_a_failure_before)
    pages.open("/m3ter-onboarding/#/")
    said = "that was to send failed at snapshot, and none over everybody has sent since: m3ter refused"
    expect(page.locator(".banners")).to_contain_text(said)


def of_many(route: Route) -> None:
    """Answer as the server does for forty DAGs, of which the last has failed."""
    answer = route.fetch().json()
    [ledger] = [one for one in answer["ledgers"] if one["problem"] is None and one["dags"][0]["last"]]
    [figures], [dag] = ledger["dags"], [one for one in answer["dags"] if one["ledger"] == ledger["key"]]
    names = [f"many-{number:02}" for number in range(40)]
    answer["dags"] = [{**dag, "dag_id": f"m3ter_onboarding__{name}", "name": name} for name in names]
    ledger["dags"] = [{**figures, "dag_id": one["dag_id"]} for one in answer["dags"]]
    failure = {"task_id": "plan", "sentence": "The plan has more invitations than `max_invitations` allows."}
    ledger["dags"][-1]["last"] = {**figures["last"], "outcome": "failed", "failure": failure}
    route.fulfill(json={**answer, "cards": False, "ledgers": [ledger]})


def test_many_dags_are_a_table_in_which_those_that_failed_come_first(pages: AirflowPages, coming: Organisation) -> None:
    page = pages.page
    page.route("**/api/overview", of_many)
    pages.open("/m3ter-onboarding/#/")
    settled(page)
    expect(page.get_by_role("article")).to_have_count(0)
    part = page.locator("section[aria-labelledby=dags]")
    expect(part.locator("tbody tr")).to_have_count(25)
    expect(part.locator("tbody tr").first).to_contain_text("many-39")
    expect(page.locator(".banners")).to_contain_text("more invitations than max_invitations allows")
    part.get_by_role("button", name="Show 15 more").click()
    expect(part.locator("tbody tr")).to_have_count(40)
    part.get_by_label("Part of a DAG's name").fill("many-07")
    expect(part.locator("tbody tr")).to_have_count(1)
    pages.picture("overview-many-dags")
