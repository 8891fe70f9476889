"""The page in Airflow's UI, in a real browser: what it shows, where it leads, and what can be done on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect
from sqlalchemy import delete, insert, select, update

from demo.airflow_api import wait_until
from demo.airflow_stack import AirflowStack
from demo.ports import HOST, free_port
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.browser import AirflowPages, airflow_pages, settled
from tests.support.browser_layout import assert_readable
from tests.support.page_ledger import DAG_A, HOSTILE, NOW, PLAN, RUN, fill

pytestmark = pytest.mark.slow


@pytest.fixture(scope="package")
def team_a(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Make an organisation whose ledger holds people of every kind, and let Airflow know its DAG."""
    with organisation(airflow, "team_a", tmp_path_factory.mktemp("team_a")) as made:
        prepare_tables(made.ledger, create_tables=True, now=NOW, package_version="0")
        fill(made.ledger)
        made.hire(3, loaded_at=NOW - timedelta(hours=2))
        yield made


@pytest.fixture
def ledger_key(team_a: Organisation) -> str:
    """Return what the page's addresses call the ledger."""
    return LedgerPlace(team_a.warehouse_conn_id, None).key


@pytest.fixture
def under_a_path(airflow: AirflowStack, tmp_path: Path) -> Iterator[str]:
    """Run one more API server of the same Airflow, at an address with a path; return the address."""
    port = free_port()
    url = f"http://{HOST}:{port}/data/airflow"
    environment = {**airflow.environment(), "AIRFLOW__API__BASE_URL": url, "AIRFLOW__API__PORT": str(port)}
    with (tmp_path / "api-server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until(lambda: answers(f"{url}/api/v2/monitor/health"), "the second API server", 90)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def answers(url: str) -> bool:
    """Tell whether something answers well there."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def frame(page: Page) -> FrameLocator:
    """Return the page inside Airflow's."""
    return page.frame_locator("iframe[title='m3ter onboarding']")


def test_inside_airflow_it_looks_as_airflow_is_set(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.page
    pages.open("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="m3ter onboarding").click()
    inside = frame(page)
    expect(inside.locator("h1")).to_have_text("Overview")
    expect(inside.get_by_role("heading", name="Last runs")).to_be_visible()
    for theme in ("dark", "light"):
        page.evaluate("theme => { document.documentElement.className = theme; }", theme)
        expect(inside.locator("html")).to_have_attribute("data-theme", theme)
        expect(inside.locator("figure.chart svg")).to_be_visible()
        pages.picture(f"page-in-airflow-{theme}")

    # The address of the window says what is shown: it can be reloaded and kept.
    inside.get_by_role("link", name="Invitations", exact=True).click()
    inside.get_by_role("link", name="ann@example.com").click()
    expect(inside.locator("h1")).to_have_text("ann@example.com")
    page.wait_for_function("location.hash.startsWith('#/person/')")
    page.reload()
    expect(frame(page).locator("h1")).to_have_text("ann@example.com")
    page.go_back()


def test_links_lead_out_of_the_frame(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.open(f"/dags/{DAG_A}/runs/{quote(RUN, safe='')}/plugin/m3ter-onboarding-run")
    inside = frame(page)
    expect(inside.locator("h1")).to_have_text(RUN)
    inside.get_by_role("link", name="log of plan").click()
    page.wait_for_url(f"**/dags/{DAG_A}/runs/*/tasks/plan**")
    pages.open(f"/dags/{DAG_A}/plugin/m3ter-onboarding-dag")
    expect(frame(page).locator("h1")).to_have_text(DAG_A)
    pages.picture("page-tab-of-a-dag")


def test_under_a_path_everything_is_found(
    browser: Browser, under_a_path: str, screenshots: Path, team_a: Organisation
) -> None:
    with airflow_pages(browser, under_a_path, screenshots) as pages:
        page = pages.page
        failed: list[str] = []
        page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
        pages.open("/plugin/m3ter-onboarding")
        inside = frame(page)
        expect(inside.locator("figure.chart svg")).to_be_visible()
        inside.get_by_role("link", name="Invitations", exact=True).click()
        inside.get_by_role("link", name="ann@example.com").click()
        expect(inside.locator("h1")).to_have_text("ann@example.com")
        page.reload()
        expect(frame(page).locator("h1")).to_have_text("ann@example.com")
        frame(page).get_by_role("link", name="log of send").first.click()
        page.wait_for_url(f"{under_a_path}/dags/{DAG_A}/runs/*/tasks/send**")
        assert [url for url in failed if "m3ter-onboarding" in url] == []


def test_a_search_a_filter_and_an_export(pages: AirflowPages, team_a: Organisation, tmp_path: Path) -> None:
    page = pages.open("/m3ter-onboarding/#/invitations")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(6 + len(HOSTILE))
    for text in HOSTILE[:3]:
        expect(page.get_by_role("link", name=text)).to_be_visible()
    expect(page.get_by_text("[U+202E]gnp.moc@example.com")).to_be_visible()
    page.get_by_label("Part of an address").fill("ANN")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    pages.picture("page-search")
    page.get_by_label("Part of an address").fill("")
    page.keyboard.press("Enter")
    page.get_by_label("refused").check()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("cem@example.com")
    page.get_by_label("refused").uncheck()
    expect(rows).to_have_count(6 + len(HOSTILE))
    elsewhere = page.get_by_text("includes people found as members in m3ter")
    expect(elsewhere).to_have_count(0)
    page.get_by_label("accepted", exact=True).check()
    expect(elsewhere).to_be_visible()
    page.get_by_label("accepted", exact=True).uncheck()
    page.get_by_label("being sent").check()
    page.get_by_label("not sent").check()
    expect(page.get_by_text("No invitation of this ledger matches.")).to_be_visible()
    beside = page.get_by_role("link", name='Review, "Row cannot be used: any reason"')
    expect(beside).to_have_attribute("href", re.compile("^#/review/invalid"))
    expect(page.locator("#main .note")).to_contain_text('Review, "Row cannot be used: any reason" (1 now)')
    page.get_by_label("not sent").uncheck()
    page.get_by_label("being sent").uncheck()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"All {6 + len(HOSTILE)} of these as CSV").click()
    download.value.save_as(tmp_path / "made.csv")
    assert ",\"'" in (tmp_path / "made.csv").read_text() or "\n\"'" in (tmp_path / "made.csv").read_text()
    assert "example.com" not in page.url


def test_an_answer_that_was_overtaken_is_not_shown(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.open("/m3ter-onboarding/#/invitations")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(6 + len(HOSTILE))
    held = []
    page.route("**/api/invitations", lambda route: held.append(route) if not held else route.continue_())
    page.get_by_label("accepted").check()
    page.get_by_label("refused").check()
    expect(rows).to_have_count(2)
    with page.expect_response("**/api/invitations"):
        held[0].continue_()
    expect(rows).to_have_count(2)


def test_the_first_paint_does_not_wait_for_the_chart(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.page
    held = []
    page.route("**/api/chart*", lambda route: held.append(route))
    pages.open("/m3ter-onboarding/")
    expect(page.get_by_role("heading", name="Last runs")).to_be_visible()
    expect(page.get_by_text("Loading the chart")).to_be_visible()
    page.wait_for_function("performance.getEntriesByType('resource').length > 0")
    held[0].continue_()
    expect(page.locator("figure.chart svg")).to_be_visible()


def without_its_ledger(route: Route) -> None:
    """Answer as the server does when it cannot read a ledger."""
    answer = route.fetch().json()
    problem = "The ledger (connection 'away') could not be read."
    away = [{"key": one["key"], "name": "away", "problem": problem, "empty": False} for one in answer["ledgers"]]
    route.fulfill(json={**answer, "ledgers": away})


def test_what_a_ledger_that_is_away_holds_is_unknown(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.page
    page.route("**/api/overview", without_its_ledger)
    pages.open("/m3ter-onboarding/#/")
    card = page.get_by_role("article")
    expect(card).to_contain_text("Unknown: the ledger of this DAG cannot be read now.")
    expect(card).not_to_contain_text("No invitations planned")
    page.get_by_role("button", name="Retry failed").click()
    expect(page.get_by_role("dialog")).to_contain_text("is unknown: the ledger cannot be read")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    for screen in ("invitations", "day-one", "access", "review"):
        pages.open(f"/m3ter-onboarding/#/{screen}")
        expect(page.get_by_text("Unknown: no ledger can be read now.")).to_be_visible()
        expect(page.get_by_text("No run")).to_have_count(0)


def that_failed(route: Route) -> None:
    """Answer as the server does about a run whose plan was never completed."""
    answer = route.fetch().json()
    plan = {**answer["plans"][0], "state": "open", "rows_read": None, "invitations": None, "counts": {}}
    failure = {"task_id": "plan", "sentence": "The query names no column `email`. Correct it."}
    route.fulfill(json={**answer, "outcome": "failed", "failure": failure, "plans": [plan]})


def test_a_failed_run_says_which_step_and_why(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.page
    page.route("**/api/run?*", that_failed)
    pages.open(f"/m3ter-onboarding/#/run/{DAG_A}/{quote(RUN, safe='')}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Failed at plan: The query names no column email. Correct it.")
    expect(alert.get_by_role("link", name="log of plan")).to_be_visible()
    expect(page.get_by_text("This plan was never completed")).to_be_visible()
    expect(page.get_by_text("returned no rows")).to_have_count(0)


def test_a_figure_leads_to_its_rows(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.open("/m3ter-onboarding/#/")
    page.get_by_role("link", name="1 row that cannot be used").click()
    expect(page.get_by_label("Reason")).to_have_value("invalid:")
    expect(page.get_by_label("Reason").locator("option:checked")).to_have_text("Row cannot be used: any reason (1)")
    expect(page.get_by_role("cell", name="invalid:email")).to_have_count(1)
    expect(page.get_by_role("cell", name="review:email_changed")).to_have_count(0)
    pages.open("/m3ter-onboarding/#/")
    page.get_by_role("link", name="1 refused by m3ter").click()
    expect(page.get_by_role("link", name="cem@example.com")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    t = team_a.ledger.tables
    with team_a.ledger.engine.begin() as connection:
        plan = connection.execute(select(t.plan).where(t.plan.c.plan_id == PLAN)).one()
        d = t.decision
        one = connection.execute(select(d).where(d.c.plan_id == PLAN, d.c.reason == "email")).one()._mapping
        other = {**one, "row_no": 500, "reason": "duplicate_in_batch", "employee_id": "e500", "email_key": None}
        connection.execute(insert(d).values(**other))
        counts = {**plan.counts, "invalid:duplicate_in_batch": 1}
        connection.execute(update(t.plan).where(t.plan.c.plan_id == PLAN).values(counts=counts))
    pages.open(f"/m3ter-onboarding/#/run/{DAG_A}/{quote(RUN, safe='')}")
    page.get_by_role("button", name="Show the rows of Row cannot be used: the address is missing or wrong: 1").click()
    expect(page.locator("details.rows.invalid")).to_have_attribute("open", "")
    rows, box = page.locator("tr.diff.invalid"), page.locator("#rows-invalid")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("invalid:email")
    expect(box.locator("summary")).to_be_focused()
    expect(box).to_contain_text("Only the 1 row of this reason: the address is missing or wrong.")
    page.get_by_role("button", name="Show the rows of Row cannot be used: another row has").click()
    expect(rows).to_contain_text("invalid:duplicate_in_batch")
    with page.expect_download() as download:
        box.get_by_role("button", name="This one as CSV").click()
    assert download.value.suggested_filename.startswith("m3ter-decisions-invalid-duplicate_in_batch-")
    box.get_by_role("button", name="Show all 2").click()
    expect(rows).to_have_count(2)
    expect(box).not_to_contain_text("of this reason")
    with team_a.ledger.engine.begin() as connection:
        connection.execute(delete(d).where(d.c.plan_id == PLAN, d.c.row_no == 500))
        connection.execute(update(t.plan).where(t.plan.c.plan_id == PLAN).values(counts=plan.counts))


def test_a_dry_run_is_started_and_read(pages: AirflowPages, airflow: AirflowStack, team_a: Organisation) -> None:
    page = pages.open("/plugin/m3ter-onboarding")
    inside = frame(page)
    inside.get_by_role("button", name="Dry run now").click()
    dialog = inside.get_by_role("dialog")
    expect(dialog).to_contain_text("Nothing is sent")
    pages.picture("page-dry-run-asks")
    dialog.get_by_role("button", name="Cancel").click()
    assert airflow.api.runs(DAG_A) == []
    inside.get_by_role("button", name="Dry run now").click()
    dialog.get_by_role("button", name="Dry run now").click()
    expect(inside.get_by_text("Started:")).to_be_visible()
    [run] = airflow.api.runs(DAG_A)
    assert run["conf"] == {"mode": "dry_run"}
    team_a.succeeds(run["dag_run_id"])
    inside.get_by_role("link", name="Its plan, here").click()
    expect(inside.get_by_role("heading", name="Preview")).to_be_visible()
    expect(inside.get_by_text("Nothing in it is sent")).to_be_visible()
    expect(inside.locator("tr.diff.invite")).to_have_count(3)
    settled(page)
    pages.picture("page-preview")
    assert team_a.posts() == []

    # And from the task in the grid to the same page.
    links = airflow.api.request("GET", f"/dags/{DAG_A}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/plan/links")
    address = links["extra_links"]["m3ter onboarding"]
    page.goto(address)
    expect(frame(page).get_by_role("heading", name="Preview")).to_be_visible()


def test_a_person_is_invited_again(
    pages: AirflowPages, airflow: AirflowStack, team_a: Organisation, ledger_key: str
) -> None:
    page = pages.open(f"/m3ter-onboarding/#/person/{ledger_key}/1")
    expect(page.locator("h1")).to_have_text("ann@example.com")
    expect(page.get_by_role("button", name="Invite again")).to_have_count(0)  # their invitation is active
    expect(page.get_by_role("button", name="Stop counting it")).to_be_visible()
    expect(page.get_by_text("the next run that reads their row e-mails them, unless")).to_be_visible()
    expect(page.get_by_text("The newest first. Times are those of")).to_be_visible()
    said = page.locator(".steps time").evaluate_all("all => all.map((one) => one.dateTime)")
    assert said == sorted(said, reverse=True)
    # No column is cut off.
    assert page.locator(".scroll").evaluate_all("all => all.every((one) => one.scrollWidth <= one.clientWidth)")
    pages.open(f"/m3ter-onboarding/#/person/{ledger_key}/3")
    page.get_by_role("button", name="Invite again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("An e-mail will be sent to cem@example.com")
    expect(dialog).to_contain_text("employee 1003 alone")
    pages.picture("page-invite-again-asks")
    dialog.get_by_role("button", name="Invite again").click()
    expect(page.get_by_text("Started:")).to_be_visible()
    wide = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 800})
    assert_readable(page)
    assert wide
    page.set_viewport_size(wide)
    [run] = [one for one in airflow.api.runs(DAG_A) if one["conf"].get("only_employee")]
    assert run["conf"] == {"mode": "retry_failed", "only_employee": "1003"}
    team_a.end_of(run["dag_run_id"])
    assert team_a.posts() == []  # the warehouse has no such employee


def test_a_retry_says_first_whom_it_finds(pages: AirflowPages, airflow: AirflowStack, team_a: Organisation) -> None:
    page = pages.open("/m3ter-onboarding/#/")
    page.get_by_role("button", name="Retry failed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Refused by m3ter: 1 (cem@example.com).")
    expect(dialog).to_contain_text("Planned by earlier runs and not sent, which every run tries: nobody.")
    expect(dialog).to_contain_text("invites everybody else who is due")
    dialog.get_by_role("button", name="Cancel").click()
    assert [run for run in airflow.api.runs(DAG_A) if run["conf"] == {"mode": "retry_failed"}] == []


def test_a_person_decides_in_the_review_list(pages: AirflowPages, team_a: Organisation) -> None:
    page = pages.open("/m3ter-onboarding/#/review")
    page.get_by_role("row").filter(has_text="dan@example.com").get_by_role("button", name="It was not sent").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("Looked in the console.")
    pages.picture("page-review-asks")
    dialog.get_by_role("button", name="It was not sent").click()
    expect(page.get_by_role("row").filter(has_text="dan@example.com")).to_have_count(0)
    assert team_a.ledger_states()["dan@example.com"] == "unsent"


@pytest.mark.usefixtures("team_a")
def test_a_person_decides_about_a_question_of_the_worklist(pages: AirflowPages) -> None:
    page = pages.open("/m3ter-onboarding/#/review")
    row = page.get_by_role("row").filter(has_text="person-1006@example.com")
    expect(row).to_contain_text("Correct the row in the warehouse")
    pages.picture("page-worklist")
    row.get_by_role("button", name="Put off").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Put off").click()
    expect(dialog).to_be_visible()  # no day is chosen yet
    dialog.get_by_label("Until (UTC)").fill("2099-01-31")
    dialog.get_by_role("button", name="Put off").click()
    expect(row).to_have_count(0)
    page.get_by_label("Questions", exact=True).select_option("snoozed")
    expect(row).to_contain_text("Put off until")
    row.get_by_role("button", name="Close").click()
    dialog.get_by_label("Note").fill("A test account.")
    pages.picture("page-question-asks")
    dialog.get_by_role("button", name="Close").click()
    expect(row).to_have_count(0)
    page.get_by_label("Questions", exact=True).select_option("closed")
    expect(row).to_contain_text("Closed by admin")
    expect(row).to_contain_text("A test account.")
    row.get_by_role("button", name="Open again").click()
    dialog.get_by_role("button", name="Open again").click()
    expect(row).to_have_count(0)
    page.get_by_label("Questions", exact=True).select_option("open")
    expect(row).to_be_visible()
    page.get_by_label("Reason").select_option("review:email_changed")
    expect(row).to_have_count(0)


def test_readers_have_no_buttons(
    browser: Browser, airflow: AirflowStack, screenshots: Path, team_a: Organisation
) -> None:
    with airflow_pages(browser, airflow.url, screenshots, "viewer") as pages:
        page = pages.open("/m3ter-onboarding/")
        expect(page.get_by_role("heading", name="Last runs")).to_be_visible()
        expect(page.get_by_role("button", name="Dry run now")).to_have_count(0)
        pages.open("/m3ter-onboarding/#/review")
        expect(page.locator("h1")).to_have_text("Review")
        expect(page.get_by_role("button", name="It was sent")).to_have_count(0)
        pages.picture("page-of-a-reader")
        assert json.loads(page.request.get(f"{airflow.url}/m3ter-onboarding/api/overview").text())["user"] == "viewer"
