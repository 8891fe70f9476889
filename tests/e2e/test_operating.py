"""Everything that a person does with the product in Airflow's UI, from the first dry run to the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from demo.airflow_api import wait_until
from demo.airflow_stack import AirflowStack
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.browser import AirflowPages
from tests.support.browser_dialogues import TriggerDialogue

pytestmark = pytest.mark.slow

DISPLAY_NAME = "m3ter onboarding: Acme"
EVERYBODY = {
    "E-1001": ("Ada", "Lindqvist", "example.com"),
    "E-1002": ("Bruno", "Okafor", "example.org"),
    "E-1003": ("Chiara", "Rossi", "example.com"),
    "E-1004": ("Dev", "Patel", "example.com"),
    "E-1005": ("Emil", "Novak", "example.org"),
    "E-1006": ("Farida", "Haddad", "example.com"),
    "E-1007": ("Goran", "Kovac", "example.com"),
    "E-1008": ("Hana", "Sato", "example.org"),
    "E-1009": ("Ines", "Moreau", "example.com"),
    "E-1010": ("Jonas", "Weber", "example.com"),
}
FIRST, LATER, LATEST = (
    ["E-1001", "E-1002", "E-1003", "E-1004", "E-1005"],
    ["E-1006"],
    ["E-1007", "E-1008", "E-1009", "E-1010"],
)
#: Of a run in full, as the form sends it.
AS_CONFIGURED = {
    "mode": "normal",
    "only_employee": None,
    "interval_start": None,
    "interval_end": None,
    "max_invitations": None,
    "only_plan": None,
    "allow_backfill_send": False,
}


def last_boundary() -> datetime:
    """Return half a day ago, at the full hour: where a day of the schedule ends, and none does while tests run."""
    return datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(hours=12)


@dataclass(frozen=True)
class Acme:
    """
    An organisation that asks before it sends more than three.

    :param day_ended: the end of the newest day of its schedule.
    """

    organisation: Organisation
    day_ended: datetime

    def hire(self, employees: list[str], days_ago: float) -> list[str]:
        """Load people, and return their addresses.

        :param days_ago: before the end of the newest day.
        """
        addresses = [f"{first}.{last}@{domain}".lower() for first, last, domain in map(EVERYBODY.get, employees)]
        for employee, address in zip(employees, addresses, strict=True):
            first, last, _ = EVERYBODY[employee]
            loaded_at = self.day_ended - timedelta(days=days_ago)
            self.organisation.hire(
                1, employee_id=employee, email=address, first_name=first, last_name=last, loaded_at=loaded_at
            )
        return addresses


def values(day_ended: datetime, **further: object) -> dict[str, object]:
    return {
        "schedule": f"0 {day_ended.hour} * * *",
        "start_date": (day_ended - timedelta(days=9)).date(),
        "look_back_days": 3,
        "approval_above": 3,
        "permission_policies": ["Billing reader"],
        **further,
    }


@pytest.fixture(scope="module")
def acme(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    """Make the organisation; its schedule had its run, and nobody was there."""
    day_ended = last_boundary()
    configured = values(day_ended, dag={"display_name": DISPLAY_NAME})
    folder = tmp_path_factory.mktemp("acme")
    with organisation(airflow, "acme", folder, values=configured, paused=True) as made:
        made.m3ter.seed(policies=[{"name": "Billing reader"}])
        made.wait_dag()
        first = wait_until(lambda: airflow.api.runs(made.dag_id), "the first run of the schedule", 300)[0]
        made.succeeds(first["dag_run_id"])
        yield Acme(made, day_ended)
        made.remove_dag()


@pytest.fixture(scope="module")
def nimbus(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Organisation, str]]:
    """Make an organisation whose plans are soon too old, and a run of it that nobody answers."""
    named = {"display_name": "m3ter onboarding: Nimbus"}
    configured = values(last_boundary(), schedule=None, look_back_days=30, plan_valid_for="45s", dag=named)
    with organisation(airflow, "nimbus", tmp_path_factory.mktemp("nimbus"), values=configured) as made:
        made.m3ter.seed(policies=[{"name": "Billing reader"}])
        made.hire(4)
        yield made, made.trigger()
        made.remove_dag()


@pytest.fixture(scope="module", autouse=True)
def _begun_early(nimbus: tuple[Organisation, str], acme: Acme) -> None:
    """Let the plan that nobody answers grow old while other tests run."""


def frame(page: Page) -> FrameLocator:
    """Return the product's page inside Airflow's."""
    return page.frame_locator("iframe[title='m3ter onboarding']")


def open_run(pages: AirflowPages, made: Organisation, run_id: str) -> Page:
    """Go to a run that has ended."""
    page = pages.open(f"/dags/{made.dag_id}/runs/{quote(run_id, safe='')}")
    expect(page.get_by_role("cell", name="report", exact=True)).to_be_visible()
    expect(page.get_by_text("Running")).to_have_count(0)
    return page


def open_task(pages: AirflowPages, made: Organisation, run_id: str, task_id: str) -> Page:
    """Go from a run that has ended to one of its tasks, which shows its log."""
    page = open_run(pages, made, run_id)
    page.get_by_role("cell", name=task_id, exact=True).get_by_role("link").click()
    page.wait_for_url(f"**/tasks/{task_id}")
    return page


def open_question(pages: AirflowPages, made: Organisation, run_id: str) -> Page:
    """Wait for a question, and go to it from Airflow's list of them."""
    made.stack.api.wait_task(made.dag_id, run_id, "approve", {"awaiting_input", "deferred"})
    page = pages.open("/required_actions")
    row = page.get_by_role("row").filter(has_text=run_id)
    expect(row).to_be_visible()
    expect(page.get_by_text("Required Action State").first).to_be_visible()
    pages.picture("required-actions")
    row.get_by_role("link", name=re.compile(r"Send \d+ m3ter invitations")).click()
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    return page


def assert_nobody_named(text: str, *, at_least: str) -> None:
    """Check that a text is the one that is meant, and that it names nobody."""
    assert at_least in text
    for employee, (first, last, domain) in EVERYBODY.items():
        for personal in (employee, first, last, f"{first}.{last}@{domain}".lower()):
            assert personal not in text


def test_a_wrong_value_is_refused_before_the_run(pages: AirflowPages, airflow: AirflowStack, acme: Acme) -> None:
    made = acme.organisation
    before = len(airflow.api.runs(made.dag_id))
    dialogue = TriggerDialogue(pages, made.dag_id)
    section = dialogue.section("Limits and backfill")
    cap = section.get_by_label("At most this many invitations")
    cap.fill("-5")
    cap.press("Tab")
    expect(cap).to_have_value("0")  # the least: with it, nothing is sent
    pages.picture("form-limits")
    for name, value in (("max_invitations", -5), ("interval_start", "yesterday"), ("mode", "everything")):
        dialogue = TriggerDialogue(pages, made.dag_id)
        dialogue.configuration({**AS_CONFIGURED, name: value})
        dialogue.press()
        expect(dialogue.inside).to_contain_text(f"Invalid input for param {name}")
        pages.picture(f"form-refuses-{name}")
    assert len(airflow.api.runs(made.dag_id)) == before


def test_a_dry_run_from_the_form(pages: AirflowPages, acme: Acme) -> None:
    made = acme.organisation
    acme.hire(FIRST[:3], days_ago=1.5)
    acme.hire(FIRST[3:], days_ago=2.5)
    page = pages.open(f"/dags/{made.dag_id}")
    page.get_by_role("button", name="Dag Docs").click()
    expect(page.get_by_role("dialog")).to_contain_text("each exactly once")
    pages.picture("dag-docs")

    dialogue = TriggerDialogue(pages, made.dag_id)
    pages.picture("form", of=dialogue.inside)
    dialogue.mode.click()
    pages.picture("form-modes")
    page.get_by_role("option", name="Dry run").click()
    days = dialogue.section("Other days")
    dialogue.days(days, acme.day_ended - timedelta(days=3), acme.day_ended - timedelta(days=1))
    pages.picture("form-other-days")
    run_id = dialogue.start()
    made.succeeds(run_id)
    open_run(pages, made, run_id)
    pages.picture("dry-run-in-the-grid")

    page = open_task(pages, made, run_id, "plan")
    log = page.get_by_test_id("virtual-scroll-container").or_(page.locator("code")).first
    expect(page.get_by_text("5 rows in, 5 decisions out")).to_be_visible()
    expect(page.get_by_text("Nothing of it will be sent")).to_be_visible()
    pages.picture("dry-run-log-of-plan", height=500)
    assert_nobody_named(log.inner_text(), at_least="invite:new")
    assert made.states(run_id)["approve"] == made.states(run_id)["send"] == "skipped"
    assert set(made.decisions(made.plans(run_id)[0]["plan_id"]).values()) == {"invite:new"}
    assert made.posts() == []
    assert made.m3ter.emails() == {}


def test_a_person_approves_a_plan(pages: AirflowPages, acme: Acme) -> None:
    made = acme.organisation
    run_id = TriggerDialogue(pages, made.dag_id).start()  # the common case: nothing is filled in
    page = open_question(pages, made, run_id)
    pages.picture("question", height=1000)
    text = page.locator("body").inner_text()
    [plan] = made.plans(run_id)
    for part in (
        "Send 5 m3ter invitations",
        made.m3ter.org_id,
        "more than 3 invitations",
        "Billing reader",
        plan["fingerprint"],
    ):
        assert part in text
    expect(page.get_by_role("row").filter(has_text="example.com")).to_contain_text("3")
    expect(page.get_by_role("row").filter(has_text="example.org")).to_contain_text("2")
    expect(page.get_by_role("row").filter(has_text="invite:new")).to_contain_text("5")
    assert_nobody_named(text, at_least="invite:new")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="See who").click()
    beside = opened.value
    expect(frame(beside).get_by_role("heading", name="Plan", exact=True)).to_be_visible()
    expect(frame(beside).get_by_text("ada.lindqvist@example.com")).to_be_visible()
    beside.screenshot(path=pages.file("question-leads-to-the-plan"), animations="disabled")
    beside.close()
    assert made.posts() == []

    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text(re.compile(r"Response received at .* from admin"))).to_be_visible()
    pages.picture("question-approved")
    made.succeeds(run_id)
    made.assert_once([f"{first}.{last}@{domain}" for first, last, domain in map(EVERYBODY.get, FIRST)])
    [plan] = made.plans(run_id)
    assert (plan["approved_by"], plan["approved_fingerprint"]) == ("admin", plan["fingerprint"])
    open_run(pages, made, run_id)
    pages.picture("approved-in-the-grid")


def test_a_backfill_over_days_that_were_sent(pages: AirflowPages, airflow: AirflowStack, acme: Acme) -> None:
    made = acme.organisation
    posts, emails = len(made.posts()), made.m3ter.emails()
    acme.hire(LATER, days_ago=1.4)  # nobody asked for her yet: a backfill does not either
    dialogue = TriggerDialogue(pages, made.dag_id)
    dialogue.inside.get_by_text("Backfill", exact=True).click()
    expect(dialogue.inside).to_contain_text("Date Range")
    dialogue.days(dialogue.inside, acme.day_ended - timedelta(days=3), acme.day_ended - timedelta(days=2))
    run = dialogue.inside.get_by_role("button", name="Run Backfill")
    expect(run).to_be_enabled()
    pages.picture("backfill", of=dialogue.inside)
    run.click()
    runs = airflow.api.wait_backfill_runs(made.dag_id, 2)
    assert {one["state"] for one in runs} == {"success"}
    page = pages.open(f"/dags/{made.dag_id}")
    expect(page.get_by_text(re.compile(r"Last \d+ Dag Runs"))).to_be_visible()
    pages.picture("backfill-in-the-grid")
    planned = {}
    for one in runs:
        [plan] = made.plans(one["dag_run_id"])
        planned |= made.decisions(plan["plan_id"])
        made.assert_logged(one["dag_run_id"], "plan", "it is a backfill, which plans only")
    assert planned == {**dict.fromkeys(FIRST, "skip:already_invited"), **dict.fromkeys(LATER, "invite:new")}
    page = open_task(pages, made, max(one["dag_run_id"] for one in runs), "plan")
    expect(page.get_by_text("which plans only")).to_be_visible()
    pages.picture("backfill-log-of-plan")
    assert len(made.posts()) == posts
    assert made.m3ter.emails() == emails


def test_a_person_rejects_a_plan(pages: AirflowPages, acme: Acme) -> None:
    made = acme.organisation
    posts = len(made.posts())
    acme.hire(LATEST, days_ago=0.5)
    run_id = TriggerDialogue(pages, made.dag_id).start()
    page = open_question(pages, made, run_id)
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_text(re.compile(r"Response received at .* from admin"))).to_be_visible()
    made.succeeds(run_id)
    page = open_task(pages, made, run_id, "report")
    expect(page.get_by_text("rejected by admin; the plan was not sent")).to_be_visible()
    pages.picture("rejected-log-of-report")
    # Skipped, where Airflow's own SQLite takes what the task tells it after the answer; the plan is over in any case.
    assert made.states(run_id)["send"] in {"skipped", "upstream_failed"}
    assert made.plans(run_id)[0]["rejected_by"] == "admin"
    assert len(made.posts()) == posts


def test_a_task_marked_successful_approves_nothing(pages: AirflowPages, acme: Acme) -> None:
    made = acme.organisation
    posts = len(made.posts())
    run_id = TriggerDialogue(pages, made.dag_id).start()
    page = open_question(pages, made, run_id)
    page.get_by_role("button", name="Mark Task Instance as").click()
    page.get_by_role("menuitem", name="Success").click()
    dialogue = page.get_by_role("dialog").filter(has_text="Mark Task Instance as success")
    pages.picture("mark-success")
    dialogue.get_by_role("button", name="Confirm").click()
    made.fails(run_id)
    assert made.states(run_id) == {
        **dict.fromkeys(("snapshot", "plan", "approve"), "success"),
        **dict.fromkeys(("send", "report"), "failed"),
    }
    page = open_task(pages, made, run_id, "send")
    expect(page.get_by_text("A task `approve` that was marked successful is no approval").first).to_be_visible()
    pages.picture("mark-success-log-of-send")
    page = open_task(pages, made, run_id, "report")
    expect(page.get_by_text("Nobody approved the plan").first).to_be_visible()
    pages.picture("mark-success-log-of-report")
    assert len(made.posts()) == posts
    assert not made.plans(run_id)[0]["approved_by"]


def test_a_run_that_nobody_answers(pages: AirflowPages, nimbus: tuple[Organisation, str]) -> None:
    made, run_id = nimbus
    made.fails(run_id)
    assert made.states(run_id)["approve"] == "failed"
    page = open_task(pages, made, run_id, "approve")
    expect(page.get_by_text("Nobody answered whether this plan may be sent").first).to_be_visible()
    pages.picture("time-out-log-of-approve")
    page = open_task(pages, made, run_id, "report")
    expect(page.get_by_text("Nobody approved the plan in time").first).to_be_visible()
    assert made.posts() == []
    assert made.m3ter.emails() == {}


def test_the_page_inside_airflow(pages: AirflowPages, airflow: AirflowStack, acme: Acme) -> None:
    made = acme.organisation
    page = pages.page
    posts = len(made.posts())
    pages.open("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="m3ter onboarding").click()
    inside = frame(page)
    card = inside.get_by_role("article", name=DISPLAY_NAME)
    expect(card).to_contain_text("set to send invitations")
    stops = inside.get_by_role("list", name="What stops sending")
    failed = rf"The last run of {re.escape(DISPLAY_NAME)}( that was to send)? failed at \w+(, and none .* since)?: "
    expect(stops).to_contain_text(re.compile(failed))
    expect(inside.locator("[aria-busy]")).to_have_count(0)
    pages.picture("overview")

    # A person's story, found by the beginning of her address.
    inside.get_by_role("link", name="Invitations", exact=True).click()
    inside.get_by_label("Ledger").select_option("acme_warehouse")
    inside.get_by_label("Part of an address").fill("ada")
    page.keyboard.press("Enter")
    expect(inside.locator("tbody tr")).to_have_count(1)
    pages.picture("invitations")
    inside.get_by_role("link", name="ada.lindqvist@example.com").click()
    expect(inside.locator("h1")).to_have_text("ada.lindqvist@example.com")
    pages.picture("story", height=900)
    assert "example.com" not in page.url

    # From there to a run, and out of the frame to Airflow's own page of it.
    inside.get_by_role("link", name="this run's plan").first.click()
    expect(inside.get_by_role("heading", name="Plan", exact=True)).to_be_visible()
    pages.picture("run")
    inside.get_by_role("link", name="DAG run", exact=True).click()
    page.wait_for_url(f"**/dags/{made.dag_id}/runs/*")
    assert unquote(page.url).rpartition("/runs/")[2] in {one["dag_run_id"] for one in airflow.api.runs(made.dag_id)}

    # From a task in the grid to the run on the page, and the review.
    page.get_by_role("cell", name="plan", exact=True).get_by_role("link").click()
    # A link that only the task's page has: Airflow's address changes at once, but the run's tabs stay until the task is
    # read, and lead nowhere meanwhile.
    page.locator("a[href$='/tasks/plan/details']").click()
    page.get_by_role("link", name="m3ter onboarding", exact=True).click()
    page.wait_for_url(f"**/dags/{made.dag_id}/runs/*/plugin/m3ter-onboarding-run")
    plan = frame(page).get_by_role("heading", name="Plan", exact=True)
    expect(plan).to_be_visible(timeout=60_000)  # the whole of Airflow is loaded anew
    frame(page).get_by_role("link", name="Review", exact=True).click()
    expect(frame(page).locator("h1")).to_have_text("Review")
    pages.picture("review")

    # A dry run from the page.
    pages.open("/plugin/m3ter-onboarding")
    known = {one["dag_run_id"] for one in airflow.api.runs(made.dag_id)}
    card.get_by_role("button", name="Dry run now").click()
    dialog = inside.get_by_role("dialog")
    pages.picture("dry-run-now")
    dialog.get_by_role("button", name="Dry run now").click()
    expect(card).to_contain_text("Started:")
    [run_id] = {one["dag_run_id"] for one in airflow.api.runs(made.dag_id)} - known
    made.succeeds(run_id)
    card.get_by_role("link", name="Its plan, here").click()
    expect(inside.get_by_role("heading", name="Preview")).to_be_visible()
    expect(inside.get_by_text("jonas.weber@example.com")).to_be_visible()
    pages.picture("preview", height=1000)
    assert len(made.posts()) == posts


@pytest.mark.parametrize(
    "size", [{"width": 1280, "height": 900}, {"width": 600, "height": 900}], ids=["wide", "narrow"]
)
def test_the_page_is_dark_where_airflow_is(pages: AirflowPages, acme: Acme, size: dict[str, int]) -> None:
    page = pages.open("/")
    page.get_by_role("button", name="User", exact=True).click()
    page.get_by_role("menuitem", name="Appearance").click()
    page.get_by_text("Dark Mode").click()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    page.set_viewport_size(size)  # type: ignore[arg-type]
    pages.open("/plugin/m3ter-onboarding")
    inside = frame(page)
    expect(inside.locator("html")).to_have_attribute("data-theme", "dark")
    expect(inside.get_by_role("article", name=DISPLAY_NAME)).to_be_visible()
    expect(inside.locator("[aria-busy]")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    pages.picture("overview-dark" if size["width"] == 1280 else "overview-dark-narrow")
