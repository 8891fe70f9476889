"""The page of a run in a real browser, while a real Airflow works on it: from the first look to the approval."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from demo.airflow_stack import AirflowStack
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.browser import AirflowPages
from tests.support.browser_layout import assert_nothing_is_covered

pytestmark = pytest.mark.slow

#: Until a run has come to its next step, in milliseconds; nothing is loaded again meanwhile.
PATIENCE = 120_000
MANY = 30
PEOPLE = [("Ada", "Lindqvist"), ("Bruno", "Okafor"), ("Chiara", "Rossi")]


@pytest.fixture(scope="module")
def cedar(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Make an organisation that asks a person for more than two invitations."""
    values = {
        "approval": {"above": 2, "approvers": ["admin", "ada"]},
        "permission_policies": ["Billing reader"],
        "look_back_days": 30,
    }
    folder = tmp_path_factory.mktemp("cedar")
    with organisation(airflow, "cedar", folder, values=values, looked_at=False) as made:
        made.m3ter.seed(policies=[{"name": "Billing reader"}])
        for number, (first, last) in enumerate(PEOPLE, 1):
            address = f"{first}.{last}@example.com".lower()
            made.hire(1, first=number, email=address, first_name=first, last_name=last)
        made.hire(1, first=90, email="jonas.weber at example.com", first_name="Jonas", last_name="Weber")
        yield made
        made.remove_dag()


@pytest.fixture(scope="module")
def dune(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Make an organisation whose connection is slow enough that one sees it send."""
    with organisation(airflow, "dune", tmp_path_factory.mktemp("dune"), values={"look_back_days": 30}) as made:
        made.connect_m3ter(requests_per_second=1)
        made.hire(MANY)
        made.hire(1, first=99, last_name="n/a")
        yield made
        made.remove_dag()


def run_address(made: Organisation, run_id: str) -> str:
    return f"/m3ter-onboarding/#/run/{made.dag_id}/{quote(run_id, safe='')}"


def shown_run(page: Page) -> str:
    return page.locator("h1").inner_text()


def step(page: Page, task_id: str) -> Locator:
    return (
        page.get_by_role("list", name="Steps of the run").get_by_role("listitem").filter(has_text=f"log of {task_id}")
    )


def follow(page: Page) -> None:
    """Go to the run that was just started: an earlier confirmation may still be there, and lead to this screen."""
    here = f"#{page.url.partition('#')[2]}"
    page.locator(f"#toasts a:not([href='{here}'])").last.click()


def assert_confirmed(page: Page) -> None:
    """A confirmation lies over nothing that can be pressed, says when, and is closed by Escape."""
    confirmed = page.locator(".toast")
    expect(confirmed).to_contain_text(re.compile(r"was started at \d\d:\d\d\."))
    assert_nothing_is_covered(page)
    page.keyboard.press("Escape")
    expect(confirmed).to_have_count(0)


def assert_out_of_date(pages: AirflowPages, address: str, begins: str, newer: str, ends: str) -> None:
    """A dry run that would send nothing any more has no button for it, and leads to the newer run."""
    page = pages.open(address)
    said = page.locator("#main .note").filter(has_text=begins).filter(has_text=ends)
    expect(said.get_by_role("link", name=newer, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Send exactly this")).to_have_count(0)


def test_from_the_look_to_exactly_that_plan(
    pages: AirflowPages, airflow: AirflowStack, cedar: Organisation, tmp_path: Path
) -> None:
    page = pages.open(f"/m3ter-onboarding/#/dag/{cedar.dag_id}")
    page.get_by_role("button", name="Dry run now").click()
    page.get_by_role("dialog").get_by_role("button", name="Dry run now").click()
    follow(page)

    # Nothing is loaded again by hand: each step comes by itself.
    assert_confirmed(page)
    expect(page.get_by_role("heading", name="Preview")).to_be_visible(timeout=PATIENCE)
    expect(step(page, "report")).to_contain_text("success", timeout=PATIENCE)
    expect(step(page, "plan")).to_contain_text("4 rows, 3 to invite.")
    expect(step(page, "send")).to_contain_text("This run plans only.")
    bar = page.get_by_role("group", name="Rows of the plan")
    expect(bar).to_contain_text("3 to invite")
    expect(page.get_by_text("Rows of the plan; one person can have several.")).to_be_visible()
    page.get_by_role("button", name="1 unusable").click()
    expect(page.locator("#rows-invalid")).to_be_visible()
    expect(page.locator("#rows-invite")).to_be_hidden()
    expect(page.locator("tr.diff.invalid")).to_contain_text("Correct the row in the warehouse")
    in_review = page.locator("tr.diff.invalid").get_by_role("link", name="In Review")
    expect(in_review).to_have_attribute("href", f"#/review/invalid/email?dag={cedar.dag_id}")
    with page.expect_download() as download:
        page.locator("#rows-invalid").get_by_role("button", name="This one as CSV").click()
    download.value.save_as(tmp_path / "mend.csv")
    [row] = csv.DictReader((tmp_path / "mend.csv").open(encoding="utf-8-sig"))
    assert (row["Employee id"], row["Code"]) == ("E-090", "invalid:email")
    assert row["In the row now"]
    assert row["What to do"].startswith("Correct the address in the HR system")
    page.get_by_role("button", name="1 unusable").click()
    expect(page.locator("#rows-invite")).to_contain_text("Billing reader")
    expect(page.locator("#rows-invite")).to_contain_text("Ada Lindqvist")
    expect(page.get_by_text("To send it, a person would be asked, because it has more than 2")).to_be_visible()
    pages.picture("run-preview")
    looked = shown_run(page)

    page.get_by_role("button", name="Send exactly this").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("up to 3 e-mails to real people")
    pages.picture("run-send-exactly")
    dialog.get_by_role("button", name="Send exactly this").click()
    follow(page)
    asked = page.locator(".asked")
    expect(asked).to_contain_text("Send 3 m3ter invitations for cedar?", timeout=PATIENCE)
    expect(asked).to_contain_text("May approve: admin, ada.")
    expect(page.get_by_text("A person is asked because it has more than 2 invitations")).to_be_visible()
    expect(page.get_by_text("Without an answer until")).to_be_visible()
    expect(page.get_by_text("None of them makes administrators.")).to_be_visible()
    pages.picture("run-asks")
    run_id = shown_run(page)
    conf = airflow.api.run(cedar.dag_id, run_id)["conf"]
    assert conf["only_plan"] == cedar.plans(run_id)[0]["fingerprint"]

    # Airflow takes an answer before the end of the process that asked, five seconds later, for a failure of the task.
    waited = re.compile(r"waits for a person(?:[7-9]|\d\d) s")
    expect(step(page, "approve")).to_contain_text(waited, timeout=PATIENCE)

    # To Airflow's own question, and back: the page has gone on by itself.
    asked.get_by_role("link", name="Answer in Airflow").click()
    expect(page.get_by_role("button", name="Approve")).to_be_enabled(timeout=PATIENCE)
    page.get_by_role("button", name="Approve").click()
    pages.open(run_address(cedar, run_id))
    expect(step(page, "approve")).to_contain_text("Approved by admin.", timeout=PATIENCE)
    expect(step(page, "report")).to_contain_text("The run is a success.", timeout=PATIENCE)
    expect(step(page, "send")).to_contain_text("3 invited.")
    expect(bar).to_contain_text("3 invited")
    expect(page.locator("#plan + p")).to_contain_text("3 invited.")
    expect(page.locator("tr.diff.invite").first).to_contain_text("invited")
    expect(page.locator("#main")).not_to_contain_text("to be invited.")
    expect(page.locator("tr.diff.invite").filter(has_text="invited")).to_have_count(3)
    assert sorted(cedar.m3ter.emails().values()) == [1, 1, 1]
    cedar.succeeds(run_id)
    assert airflow.api.run(cedar.dag_id, run_id)["note"] == "m3ter: 3 invited, 1 unusable"
    assert_out_of_date(pages, run_address(cedar, looked), "see the newer run", run_id, "which sent it")
    page.goto(f"{airflow.url}/m3ter-onboarding/")
    expect(page.get_by_role("list", name="What stops sending").get_by_text("cedar")).to_have_count(0)


def test_another_plan_than_the_one_looked_at_is_not_sent(pages: AirflowPages, cedar: Organisation) -> None:
    cedar.hire(1, first=50)
    looked = cedar.run_once(mode="dry_run")
    posts = len(cedar.posts())
    page = pages.open(run_address(cedar, looked))
    cedar.hire(1, first=51)
    page.get_by_role("button", name="Send exactly this").click()
    page.get_by_role("dialog").get_by_role("button", name="Send exactly this").click()
    follow(page)
    expect(page.get_by_text("it is not the plan that was looked at")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("new in this plan")).to_be_visible()
    expect(page.get_by_role("link", name=looked)).to_be_visible()
    nothing = page.get_by_role("button", name="3 nothing to do")
    nothing.click()
    expect(page.locator("#rows-skip")).to_be_in_viewport()
    box = nothing.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    nothing.click()
    pages.picture("run-another-plan")
    newer = shown_run(page)
    cedar.succeeds(newer)
    assert len(cedar.posts()) == posts
    assert_out_of_date(pages, run_address(cedar, looked), "This plan is out of date", newer, "which has another plan")
    pages.picture("run-out-of-date")


def test_the_progress_of_sending_is_seen(pages: AirflowPages, dune: Organisation) -> None:
    run_id = dune.trigger()
    page = pages.open(run_address(dune, run_id))
    progress = page.locator(".progress")
    expect(progress).to_contain_text(f"of {MANY} done", timeout=PATIENCE)
    expect(progress).to_contain_text("a minute")
    pages.picture("run-sends")
    expect(step(page, "report")).to_contain_text("The run is a success.", timeout=PATIENCE)
    expect(progress).to_have_count(0)
    assert len(dune.m3ter.emails()) == MANY
    expect(page.locator("#plan + p")).to_contain_text("It needs no approval: approval.above is not set, so")
    page.locator("#rows-invalid summary").click()
    expect(page.locator("tr.diff.invalid")).to_contain_text("take it out of placeholders.")


def test_a_run_that_was_to_send_too_many_is_started_again_for_a_person_to_approve(
    pages: AirflowPages, airflow: AirflowStack, dune: Organisation
) -> None:
    dune.hire(4, first=200)
    run_id = dune.trigger(max_invitations=3)
    dune.fails(run_id)
    page = pages.open(run_address(dune, run_id))
    expect(page.get_by_role("alert")).to_contain_text("max_invitations")
    expect(step(page, "report")).to_contain_text("The run failed, at send.")
    page.get_by_role("button", name="Send exactly this").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("more than the configured max_invitations, a person has to approve it first")
    dialog.get_by_role("button", name="Send exactly this").click()
    follow(page)
    expect(step(page, "report")).to_contain_text("The run is a success.", timeout=PATIENCE)
    assert airflow.api.run(dune.dag_id, shown_run(page))["conf"]["max_invitations"] == 4
    assert len(dune.m3ter.emails()) == MANY + 4
    page.goto(f"{airflow.url}{run_address(dune, 'no-such-run')}")
    page.reload()
    expect(page.get_by_text("Neither Airflow nor the ledger has a run of this name")).to_be_visible()


def test_the_pause_switch_is_shown(pages: AirflowPages, airflow: AirflowStack, dune: Organisation) -> None:
    stops = pages.page.get_by_role("list", name="What stops sending")
    airflow.api.set_variable("m3ter_onboarding_paused", "dune")
    try:
        pages.open(f"/m3ter-onboarding/#/dag/{dune.dag_id}")
        expect(stops).to_contain_text("stopped by the Airflow variable m3ter_onboarding_paused", timeout=PATIENCE)
        pages.picture("dag-stopped")
    finally:
        airflow.api.delete_variable("m3ter_onboarding_paused")
    expect(stops).to_have_count(0, timeout=PATIENCE)


def test_a_run_that_never_reached_the_ledger_says_so(
    pages: AirflowPages, airflow: AirflowStack, dune: Organisation
) -> None:
    airflow.api.request("DELETE", f"/connections/{dune.m3ter_conn_id}")
    try:
        run_id = dune.trigger()
        dune.fails(run_id)
    finally:
        dune.connect_m3ter()
    page = pages.open(run_address(dune, run_id))
    expect(page.get_by_text("ended before it reached the ledger")).to_be_visible()
    expect(step(page, "snapshot")).to_contain_text("failed")
    pages.picture("run-never-reached-the-ledger")
    pages.open("/m3ter-onboarding/")
    stops = page.get_by_role("list", name="What stops sending")
    expect(stops).to_contain_text("failed before it reached the ledger")
    stops.get_by_role("link", name="log of snapshot").click()
    page.wait_for_url("**/tasks/snapshot**")
