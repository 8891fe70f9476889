"""The page's lists in a real browser: they keep their place, are turned both ways, and fit a telephone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from demo.airflow_stack import AirflowStack
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.browser import AirflowPages, settled
from tests.support.browser_layout import assert_nothing_is_covered
from tests.support.page_ledger import NOW, PLAN, ask
from tests.support.page_work import fill_work

pytestmark = pytest.mark.slow

#: Whose invitation, which m3ter alone had, has expired.
EMPLOYEE = "1500"


@pytest.fixture(scope="module")
def listed(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Make an organisation of many people, in the ledger of its DAG."""
    with organisation(airflow, "listed", tmp_path_factory.mktemp("listed")) as made:
        fill_work(made.ledger, made.dag_id)
        with made.ledger.engine.begin() as connection:
            expired = (PLAN, 200, EMPLOYEE, "review", "expired")
            ask(connection, made.ledger.tables, *expired, dag_id=made.dag_id)
        made.hire(1, loaded_at=NOW - timedelta(hours=2))
        yield made
        made.remove_dag()


@pytest.fixture(scope="module")
def second(
    airflow: AirflowStack, listed: Organisation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Organisation]:
    """Make another one, with a ledger of its own."""
    with organisation(airflow, "second", tmp_path_factory.mktemp("second")) as made:
        prepare_tables(made.ledger, create_tables=True, now=NOW, package_version="0")
        yield made
        made.remove_dag()


def key_of(made: Organisation) -> str:
    """Return what the page's addresses call a ledger."""
    return LedgerPlace(made.warehouse_conn_id, None).key


def test_a_list_keeps_its_place(pages: AirflowPages, listed: Organisation) -> None:
    page = pages.open(f"/m3ter-onboarding/#/invitations?ledger={key_of(listed)}&state=sent&order=address")
    expect(page.get_by_label("invited", exact=True)).to_be_checked()
    expect(page.get_by_label("Order")).to_have_value("address")
    head, first = page.locator(".range"), page.locator("tbody tr").first
    expect(head).to_have_text("1–50 of 135")
    expect(page.get_by_role("button", name="Previous page")).to_have_count(0)
    page.get_by_role("button", name="Next page").focus()
    page.keyboard.press("Enter")
    expect(head).to_have_text("51–100 of 135")
    expect(head).to_be_focused()
    expect(page.locator("#live")).to_contain_text("51–100 of 135")
    second_page = page.url
    begins_with = first.inner_text()
    page.get_by_role("button", name="Next page").click()
    expect(head).to_have_text("101–135 of 135")
    expect(page.get_by_role("button", name="Next page")).to_have_count(0)
    page.get_by_role("button", name="Previous page").click()
    expect(head).to_have_text("51–100 of 135")
    assert first.inner_text() == begins_with
    page.go_back()
    expect(head).to_have_text("101–135 of 135")
    page.go_back()
    expect(head).to_have_text("51–100 of 135")
    assert page.url == second_page
    page.reload()
    expect(head).to_have_text("51–100 of 135")
    assert first.inner_text() == begins_with
    expect(page.get_by_label("invited", exact=True)).to_be_checked()
    page.get_by_label("invited", exact=True).uncheck()
    expect(head).to_have_text("1–50 of 140")
    assert "state" not in page.url
    page.go_back()
    expect(head).to_have_text("51–100 of 135")
    expect(page.get_by_label("invited", exact=True)).to_be_checked()
    page.go_forward()
    expect(page.get_by_label("invited", exact=True)).not_to_be_checked()

    # A head sorts, and says how; the choice of the order agrees.
    page.get_by_role("button", name="Last change").click()
    expect(page.locator("th[aria-sort] button")).to_have_text("Last change ▼")
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_label("Order")).to_have_value("")
    page.get_by_role("button", name="Last change").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    expect(page.get_by_label("Order")).to_have_value("oldest")

    # What another link names is what is ticked, and what the address says from then on.
    pages.open(f"/m3ter-onboarding/#/invitations/failed/{key_of(listed)}")
    expect(page.get_by_label("refused")).to_be_checked()
    page.wait_for_function("location.hash.startsWith('#/invitations?') && location.hash.includes('state=failed')")


def test_a_search_is_marked_copied_and_in_no_address(pages: AirflowPages, listed: Organisation) -> None:
    pages.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = pages.open(f"/m3ter-onboarding/#/invitations?ledger={key_of(listed)}")
    page.get_by_label("Part of an address").fill("nn@exam")
    page.keyboard.press("Enter")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(page.locator("tbody mark")).to_have_text("nn@exam")
    expect(page.get_by_label("Order")).to_be_disabled()
    assert "exam" not in page.url
    page.get_by_role("button", name="Copy address ann@example.com").click()
    expect(page.locator("#live")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "ann@example.com"
    pages.picture("list-search")
    page.get_by_label("Part of an address").fill("p0")
    page.keyboard.press("Enter")
    expect(page.locator(".range")).to_have_text("1–50 of 130")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".range")).to_have_text("51–100 of 130")
    page.reload()
    expect(page.locator(".range")).to_have_text("51–100 of 130")
    expect(page.get_by_label("Part of an address")).to_have_value("p0")
    page.go_back()
    expect(page.locator(".range")).to_have_text("1–50 of 130")
    page.go_back()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Part of an address")).to_have_value("nn@exam")
    page.get_by_role("link", name="ann@example.com").click()
    expect(page.locator("h1")).to_have_text("ann@example.com")
    page.locator("main").get_by_role("link", name="Invitations", exact=True).click()
    expect(rows).to_have_count(1)
    page.go_back()
    expect(page.locator("h1")).to_have_text("ann@example.com")
    page.go_back()
    expect(page.get_by_label("Part of an address")).to_have_value("nn@exam")
    expect(rows).to_have_count(1)
    kept = page.url
    other = pages.context.new_page()
    other.goto(kept)
    expect(other.locator(".range")).to_have_text("1–50 of 140")
    assert "search" not in other.url
    other.close()


def test_inside_airflow_a_list_keeps_its_place(pages: AirflowPages, listed: Organisation) -> None:
    page = pages.open(f"/plugin/m3ter-onboarding#/invitations?ledger={key_of(listed)}")
    inside = page.frame_locator("iframe[title='m3ter onboarding']")
    inside.get_by_label("Part of an address").fill("p0")
    inside.get_by_role("button", name="Search").click()
    expect(inside.locator(".range")).to_have_text("1–50 of 130")
    inside.get_by_role("button", name="Next page").click()
    expect(inside.locator(".range")).to_have_text("51–100 of 130")
    page.wait_for_function("location.hash.includes('from=50')")
    assert "p0" not in page.url
    page.reload()
    expect(inside.locator(".range")).to_have_text("51–100 of 130")
    expect(inside.get_by_label("Part of an address")).to_have_value("p0")


def test_several_questions_are_decided_at_once(pages: AirflowPages, listed: Organisation) -> None:
    page = pages.open(f"/m3ter-onboarding/#/review/skip/excluded?dag={listed.dag_id}")
    expect(page.get_by_label("Reason")).to_have_value("skip:excluded")
    expect(page.get_by_label("DAG", exact=True)).to_have_value(listed.dag_id)
    head, rows = page.locator(".range"), page.locator("section[aria-labelledby=questions] tbody tr")
    expect(head).to_have_text("1–50 of 60")
    pages.picture("worklist", height=900)
    page.get_by_label("Tick person-q1@example.com").check()
    page.get_by_label("Tick person-q3@example.com").check()
    expect(page.get_by_text("2 ticked")).to_be_visible()
    page.get_by_role("button", name="Put off …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The first: person-q1@example.com, person-q3@example.com")
    dialog.get_by_label("Until (UTC)").fill("2099-01-31")
    expect(dialog).to_contain_text("Your name is recorded in each.")
    pages.picture("page-several-questions-ask")
    dialog.get_by_role("button", name="Put off 2 questions").click()
    expect(page.get_by_text("2 put off.")).to_be_visible()
    expect(head).to_have_text("1–50 of 58")

    # One that was answered and asked again since the page was loaded is another question.
    page.get_by_label("Tick person-q5@example.com").check()
    page.get_by_label("Tick person-q7@example.com").check()
    w = listed.ledger.tables.worklist
    with listed.ledger.engine.begin() as connection:
        connection.execute(update(w).where(w.c.employee_id == "q5").values(opened_at=NOW - timedelta(hours=1)))
    page.get_by_role("button", name="Note …").click()
    expect(dialog).to_contain_text("an empty one removes them, and keeps no name")
    expect(dialog).not_to_contain_text("recorded in each")
    dialog.get_by_label("Note").fill("Asked HR.")
    dialog.get_by_role("button", name="Set the note of 2 questions").click()
    changed = "1 noted. 1 had changed meanwhile and stays as it is: person-q5@example.com."
    expect(page.locator("section .note").filter(has_text=changed)).to_be_visible()
    expect(page.locator("#toasts")).to_contain_text(changed)

    page.get_by_label("Part of an address").fill("n-q1")
    page.keyboard.press("Enter")
    expect(head).to_have_text("1–10 of 10")
    assert "n-q1" not in page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="All 10 of these as CSV").click()
    assert download.value.suggested_filename.startswith("m3ter-worklist-skip-excluded-")
    page.get_by_label("All 10 that match").check()
    page.get_by_role("button", name="Close …").click()
    expect(dialog).to_contain_text("Kept from being invited: excluded by the configuration or the row: 10")
    dialog.get_by_label("Note").fill("Meant for good.")
    dialog.get_by_role("button", name="Close 10 questions").click()
    expect(page.get_by_text("10 closed.")).to_be_visible()
    expect(rows).to_have_count(0)
    page.get_by_label("Questions", exact=True).select_option("closed")
    expect(head).to_have_text("1–10 of 10")
    expect(rows.first).to_contain_text("Closed by admin")
    expect(page.locator("#toasts")).to_contain_text("10 closed.")
    assert_nothing_is_covered(page)
    page.get_by_label("All 10 that match").check()
    page.get_by_role("button", name="Open again …").click()
    dialog.get_by_role("button", name="Open 10 questions again").click()
    expect(page.get_by_text("10 opened again.")).to_be_visible()
    page.get_by_label("Questions", exact=True).select_option("open")
    not_asked = page.get_by_text("Rows that share an address or an employee with another row are not asked about")
    expect(not_asked).to_have_count(0)
    page.get_by_label("Reason").select_option("invalid:")
    expect(not_asked).to_be_visible()
    expect(
        page.get_by_text("No question of this ledger matches.")
    ).to_be_visible()  # the whole answer, not its first line
    page.get_by_label("Reason").select_option("skip:excluded")
    expect(rows.first).to_contain_text("Opened again. admin: Meant for good.")
    page.get_by_role("link", name="dan@example.com").first.click()
    expect(page.locator(".way")).to_have_text("Review / A person")


def test_a_person_is_invited_again_from_the_worklist(
    pages: AirflowPages, airflow: AirflowStack, listed: Organisation
) -> None:
    page = pages.open(f"/m3ter-onboarding/#/review/review/expired?dag={listed.dag_id}")
    row = page.get_by_role("row").filter(has_text=f"person-{EMPLOYEE}@example.com")
    row.get_by_role("button", name="Invite again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"An e-mail will be sent to person-{EMPLOYEE}@example.com")
    expect(dialog.get_by_role("button", name="Invite again")).to_have_class("danger")
    pages.picture("page-worklist-invite-again-asks")
    dialog.get_by_role("button", name="Invite again").click()
    expect(row.get_by_text("Started:")).to_be_visible()
    again = row.get_by_role("button", name="Invite again")
    expect(again).to_be_disabled()  # until the page is loaded again
    [run] = [one for one in airflow.api.runs(listed.dag_id) if one["conf"].get("only_employee")]
    assert run["conf"] == {"mode": "retry_failed", "only_employee": EMPLOYEE}
    listed.end_of(run["dag_run_id"])
    assert listed.posts() == []  # the warehouse has no such employee
    # The list looks again by itself.
    expect(row).to_contain_text("A run to invite them again: ", timeout=30_000)
    expect(row.get_by_text("running", exact=True)).to_have_count(0, timeout=30_000)
    expect(again).to_be_disabled()
    again.click(force=True)
    expect(dialog).to_have_count(0)
    expect(row.get_by_text("Started:")).to_be_visible()  # the list was read anew, and still says so
    page.reload()
    expect(again).to_be_enabled()


def test_lists_show_one_ledger_at_a_time(pages: AirflowPages, listed: Organisation, second: Organisation) -> None:
    for screen in ("review", "access", "invitations", "day-one"):
        page = pages.open(f"/m3ter-onboarding/#/{screen}?ledger={key_of(second)}")
        expect(page.get_by_label("Ledger", exact=True)).to_have_value(key_of(second))
        settled(page)
        expect(page.get_by_text("person-1006@example.com")).to_have_count(0)
        page.get_by_label("Ledger", exact=True).select_option(key_of(listed))
        page.wait_for_function("key => location.hash.includes(key)", arg=key_of(listed))
        settled(page)
        page.go_back()
        expect(page.get_by_label("Ledger", exact=True)).to_have_value(key_of(second))
    # The ledger that was chosen last is that of the screens that are opened without one.
    pages.open("/m3ter-onboarding/#/access")
    expect(page.get_by_label("Ledger", exact=True)).to_have_value(key_of(second))
    expect(page.get_by_text("Unknown: access was never reviewed in this ledger.")).to_be_visible()
    pages.open("/m3ter-onboarding/#/day-one")
    expect(page.get_by_label("Ledger", exact=True)).to_have_value(key_of(second))
    expect(page.locator(".range")).to_have_text("Unknown")
    expect(page.locator("main")).to_contain_text("m3ter_day_one__")
    pages.open("/m3ter-onboarding/#/invitations")
    expect(page.get_by_text("This ledger holds no invitation yet. There ")).to_be_visible()
    # A link about a DAG leads to its ledger.
    pages.open(f"/m3ter-onboarding/#/review/invalid/email?dag={listed.dag_id}")
    expect(page.get_by_label("Ledger", exact=True)).to_have_value(key_of(listed))
    expect(page.get_by_text("person-1006@example.com")).to_have_count(1)


def test_an_address_breaks_between_its_parts(pages: AirflowPages, listed: Organisation) -> None:
    page = pages.page
    page.set_viewport_size({"width": 390, "height": 800})
    pages.open(f"/m3ter-onboarding/#/invitations?order=address&ledger={key_of(listed)}")
    height = "one => one.offsetHeight / parseFloat(getComputedStyle(one).lineHeight)"
    assert page.locator("tbody .address").first.evaluate(height) < 3.5  # lines
