"""The page is for everybody: each screen light and dark at any width, and what a person does by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect
from sqlalchemy import insert, update

from demo.airflow_stack import AirflowStack
from m3ter_onboarding.page.onboarding_dags import LedgerPlace
from tests.support.airflow_organisation import Organisation, organisation
from tests.support.browser import AirflowPages, airflow_pages, settled
from tests.support.browser_keyboard import Keyboard
from tests.support.browser_layout import assert_readable
from tests.support.page_ledger import NOW, ORG_A, PLAN, RUN
from tests.support.page_work import fill_work

pytestmark = pytest.mark.slow

#: A phone; Airflow's tab of a run, and its page of a plugin, in a window of 1280 pixels; a large window.
SIZES: tuple[ViewportSize, ...] = (
    {"width": 390, "height": 800},
    {"width": 936, "height": 1000},
    {"width": 1208, "height": 1000},
    {"width": 1600, "height": 1000},
)


@dataclass(frozen=True)
class Walk:
    """
    An organisation with something on every screen.

    :param sent: a run that has sent, in Airflow too.
    :param waits: a run that waits for approval.
    :param failed: a run that failed.
    """

    organisation: Organisation
    sent: str
    waits: str
    failed: str

    @property
    def ledger(self) -> str:
        """What the page's addresses call its ledger."""
        return LedgerPlace(self.organisation.warehouse_conn_id, None).key

    def run(self, run_id: str) -> str:
        """Return the address of a run."""
        return f"#/run/{self.organisation.dag_id}/{quote(run_id, safe='')}"


@pytest.fixture(scope="module")
def walk(airflow: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """Make the organisation, and let a real Airflow run its DAG three times."""
    values = {"approval": {"above": 2, "approvers": ["admin", "ada"]}, "look_back_days": 30}
    with organisation(airflow, "walk", tmp_path_factory.mktemp("walk"), values=values) as made:
        fill_work(made.ledger, made.dag_id)
        made.hire(2)
        sent = made.run_once()
        made.hire(4, first=10)
        made.hire(1, first=20, email="jonas.weber at example.com")
        waits = made.trigger()
        made.stack.api.wait_task(made.dag_id, waits, "approve", {"awaiting_input", "deferred"})
        failed = made.trigger(max_invitations=1)  # its plan is the newest
        made.fails(failed)
        yield Walk(made, sent, waits, failed)
        made.remove_dag()


@pytest.fixture(scope="module")
def window(browser: Browser, airflow: AirflowStack, screenshots: Path) -> Iterator[AirflowPages]:
    """Log in once for all screens."""
    with airflow_pages(browser, airflow.url, screenshots) as pages:
        yield pages


def search(page: Page, text: str) -> None:
    page.get_by_label("Part of an address").fill(text)
    page.keyboard.press("Enter")
    expect(page.locator("tbody mark").first).to_be_visible()


def bulk_preview(page: Page) -> None:
    page.get_by_label("Tick person-q1@example.com").check()
    page.get_by_label("Tick person-q3@example.com").check()
    page.get_by_role("button", name="Close …").click()
    expect(page.get_by_role("dialog")).to_contain_text("person-q3@example.com")


def press(name: str) -> Callable[[Page], None]:
    """Return what opens the dialogue behind a button."""

    def open_it(page: Page) -> None:
        page.get_by_role("button", name=name, exact=True).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return open_it


#: The address of each screen, a text that it shows, and what a person does there.
SCREENS: dict[str, tuple[Callable[[Walk], str], str, Callable[[Page], None] | None]] = {
    "overview": (lambda _: "#/", "Last runs", None),
    "dag": (lambda walk: f"#/dag/{walk.organisation.dag_id}", "Runs", None),
    "run-sent": (lambda walk: walk.run(walk.sent), "2 invited.", None),
    "run-waits": (lambda walk: walk.run(walk.waits), "Answer in Airflow", None),
    "run-failed": (lambda walk: walk.run(walk.failed), "Failed at", None),
    "run-rows": (lambda walk: walk.run(RUN), "needs a person", None),
    "worklist": (lambda walk: f"#/review/invalid?ledger={walk.ledger}", "Was it sent?", None),
    "invitations": (lambda walk: f"#/invitations?ledger={walk.ledger}", "1–50 of ", None),
    "search": (lambda walk: f"#/invitations?ledger={walk.ledger}", "1–50 of ", lambda page: search(page, "nn@exam")),
    "no-results": (lambda walk: f"#/invitations?ledger={walk.ledger}&state=superseded", "No invitation", None),
    "day-one": (lambda walk: f"#/day-one?ledger={walk.ledger}", "1–4 of 4", None),
    "without-access": (lambda walk: f"#/day-one/without_access/{walk.ledger}", "1–3 of 3", None),
    "chase": (lambda walk: f"#/day-one/chase/{walk.ledger}", "1–2 of 2", None),
    "runs": (lambda walk: f"#/runs?ledger={walk.ledger}&since=2020-01-01T00:00:00Z", "Runs that may send", None),
    "access": (lambda walk: f"#/access?ledger={walk.ledger}", "1–2 of 2", None),
    "person": (lambda walk: f"#/person/{walk.ledger}/4", "dan@example.com", None),
    "row": (lambda walk: f"#/row/{walk.ledger}/{PLAN}/4", "person-1005@example.com", None),
    "nothing": (lambda _: "#/no-such-screen", "This cannot be shown", None),
    "dry-run": (lambda walk: f"#/dag/{walk.organisation.dag_id}", "Runs", press("Dry run now")),
    "retry": (lambda walk: f"#/dag/{walk.organisation.dag_id}", "Runs", press("Retry failed")),
    "several": (lambda walk: f"#/review/skip/excluded?ledger={walk.ledger}", "of 60", bulk_preview),
    "decision": (lambda walk: f"#/review/invalid?ledger={walk.ledger}", "Was it sent?", press("It was not sent")),
    "put-off": (lambda walk: f"#/review/invalid?ledger={walk.ledger}", "Was it sent?", press("Put off")),
    "again": (lambda walk: f"#/person/{walk.ledger}/3", "cem@example.com", press("Invite again")),
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_for_everybody_at_any_width(window: AirflowPages, walk: Walk, name: str) -> None:
    address, text, do = SCREENS[name]
    page = window.page
    page.set_viewport_size(SIZES[2])
    page.goto("about:blank")
    window.open(f"/m3ter-onboarding/{address(walk)}")
    expect(page.locator("main").get_by_text(text).first).to_be_visible()
    settled(page)
    if do:
        do(page)
    for theme in ("light", "dark"):
        window.use_theme(theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        for size in SIZES:
            page.set_viewport_size(size)
            window.picture(f"screen-{name}-{theme}-{size['width']}")
            assert_readable(page)
    window.assert_quiet()


# -- by keyboard alone -------------------------------------------------------------------------------------------------


def at(window: AirflowPages, address: str) -> tuple[Page, Keyboard]:
    """Open a screen, as one who has a keyboard alone."""
    page = window.page
    page.set_viewport_size(SIZES[2])
    page.goto("about:blank")
    window.open(f"/m3ter-onboarding/{address}")
    settled(page)
    return page, Keyboard(page)


def test_the_log_of_a_run_that_failed_is_reached_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, "#/")
    keyboard.press("Enter", page.get_by_role("link", name="Skip to content"))
    link = page.locator(f"a[href='{walk.run(walk.failed)}']").first
    keyboard.press("Enter", link)
    expect(page.locator("h1")).to_have_text(walk.failed)
    expect(page.locator("main")).to_be_focused()
    expect(page.get_by_role("button", name="Send exactly this")).to_be_visible()
    expect(page.get_by_text("A person had to approve it, because it has more than 2")).to_be_visible()
    keyboard.press("Enter", page.get_by_role("alert").get_by_role("link", name="log of "))
    page.wait_for_url(f"**/dags/{walk.organisation.dag_id}/runs/*/tasks/**")


def test_a_question_is_reached_by_keyboard_and_the_focus_stays_while_the_page_looks_again(
    window: AirflowPages, walk: Walk
) -> None:
    page, keyboard = at(window, walk.run(walk.waits))
    expect(page.locator(".asked")).to_contain_text("May approve: admin, ada.")
    log = page.get_by_role("list", name="Steps of the run").get_by_role("link", name="log of plan")
    for link in (log, page.get_by_role("link", name="Answer in Airflow")):
        keyboard.go(link)
        for _ in range(2):
            with page.expect_response("**/api/run/progress?*"):
                look_again(page)
        expect(link).to_be_focused()
        keyboard.assert_seen()
    keyboard.press("Enter")
    page.wait_for_url("**/tasks/approve/required_actions")
    approve = page.get_by_role("button", name="Approve")
    expect(approve).to_be_enabled()
    tab_to(page, approve)  # Airflow's own page
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as answered:
        page.keyboard.press("Enter")
    assert answered.value.ok


def assert_started(page: Page, keyboard: Keyboard, pressed: Locator) -> None:
    """Check that a run was started, and that the focus is on the button that was pressed."""
    expect(page.get_by_text("Started:")).to_be_visible()
    expect(pressed).to_be_focused()
    keyboard.assert_seen()


def look_again(page: Page) -> None:
    """Come back to the window, as from another tab: what is live asks at once."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def tab_to(page: Page, target: Locator) -> None:
    for _ in range(100):
        if target.evaluate("target => target === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {target}")


def test_the_rows_of_a_run_are_chosen_and_saved_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, walk.run(RUN))
    part = page.get_by_role("group", name="Rows of the plan").get_by_role("button", name="1 needs a person", exact=True)
    keyboard.press("Space", part)
    expect(part).to_have_attribute("aria-pressed", "true")
    expect(part).to_be_focused()
    expect(page.locator("#rows-invite")).to_be_hidden()
    rows = page.locator("#rows-review")
    with page.expect_download() as download:
        keyboard.press("Enter", rows.get_by_role("button", name="This one as CSV"))
    assert download.value.suggested_filename.startswith("m3ter-decisions-review-")
    keyboard.press("Enter", part, back=True)
    expect(part).to_have_attribute("aria-pressed", "false")
    keyboard.press("Enter", page.locator("#rows-skip summary"))
    expect(page.locator("#rows-skip tr.diff").first).to_be_visible()
    keyboard.press("Enter", page.get_by_role("button", name=re.compile("^Show the rows of Needs a person:")).first)
    expect(rows.locator("summary")).to_be_focused()
    keyboard.assert_seen()
    keyboard.press("Enter", rows.get_by_role("link", name="In Review").first)
    expect(page.locator("h1")).to_have_text("Review")


def test_pages_of_the_rows_of_a_run_are_turned_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    d = walk.organisation.ledger.tables.decision
    kept = {"plan_id": PLAN, "org_id": ORG_A, "decision": "skip", "reason": "excluded", "decided_at": NOW}
    people = [{**kept, "row_no": 2000 + n, "email": f"s{n}@example.com", "email_key": f"s{n}"} for n in range(60)]
    with walk.organisation.ledger.engine.begin() as connection:
        connection.execute(insert(d), people)
    page, keyboard = at(window, walk.run(RUN))
    part = page.locator("#rows-skip")
    rows, further, first = (
        part.locator("tbody tr"),
        part.get_by_role("button", name="Next page"),
        part.get_by_role("button", name="First page"),
    )
    keyboard.press("Enter", part.locator("summary"))
    expect(rows).to_have_count(50)
    expect(first).to_have_count(0)
    begin = rows.first.inner_text()
    keyboard.press("Enter", further)
    expect(first).to_be_visible()
    expect(further).to_have_count(0)
    assert 0 < rows.count() < 50
    assert rows.first.inner_text() != begin
    keyboard.assert_seen()
    keyboard.press("Enter", first)
    expect(rows).to_have_count(50)
    assert rows.first.inner_text() == begin
    expect(first).to_have_count(0)
    keyboard.assert_seen()


def test_exactly_what_was_looked_at_is_sent_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, walk.run(walk.failed))
    send = page.get_by_role("button", name="Send exactly this")
    dialog = page.get_by_role("dialog")
    keyboard.press("Enter", send.first)
    expect(dialog).to_contain_text("e-mails to real people")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    keyboard.assert_seen()
    keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(send).to_be_focused()
    keyboard.press("Space")
    keyboard.press("Enter", dialog.get_by_role("button", name="Send exactly this"))
    assert_started(page, keyboard, send)


def test_days_of_the_chart_are_read_and_followed_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, "#/?days=90")
    part = page.locator("section[aria-labelledby=chart]")
    bar = part.locator("svg .day-bar").last
    keyboard.go(bar)
    expect(part.locator(".said")).to_have_text(bar.get_attribute("aria-label") or "")
    keyboard.press("Enter", part.locator("summary"))
    expect(part.get_by_role("table", name="Invitations by day")).to_be_visible()
    keyboard.press("Enter", bar, back=True)
    expect(page.locator("h1")).not_to_have_text("Overview")
    expect(page.locator("main")).to_be_focused()


def test_who_starts_soon_is_narrowed_copied_and_saved_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, f"#/day-one?ledger={walk.ledger}")
    rows, shown = page.locator("tbody tr"), page.get_by_label("Show")
    keyboard.choose("without_access", shown)
    expect(rows).to_have_count(3)
    keyboard.choose("In the next 14 days", page.get_by_label("First day"))
    expect(page.get_by_label("To", exact=True)).to_have_value(f"{(NOW + timedelta(days=14)).date()}")
    tomorrow, until = NOW + timedelta(days=1), page.get_by_label("To", exact=True)
    keyboard.write(f"{tomorrow:%m%d%Y}", until)
    expect(rows).to_have_count(1)
    expect(until).to_be_focused()
    page.go_back()  # one step: no day that was half typed is in the way
    expect(until).to_have_value(f"{(NOW + timedelta(days=14)).date()}")
    expect(rows).to_have_count(3)
    expect(page.locator("main")).to_be_focused()
    keyboard.press("Enter", page.locator(".standings").get_by_role("link", name="2 not invited"))
    expect(rows).to_have_count(2)
    expect(shown).to_have_value("not_invited")
    copy = rows.first.get_by_role("button", name="Copy address")
    keyboard.press("Enter", copy)
    expect(page.locator("#live")).to_have_text("Copied.")
    expect(copy).to_be_focused()
    save = page.get_by_role("button", name="All 2 of these as CSV")
    keyboard.go(save, back=True)
    with page.expect_download() as download:
        keyboard.press("Enter")
    assert download.value.suggested_filename.startswith("m3ter-day-one-")
    expect(save).to_be_focused()
    keyboard.press("Enter", rows.first.get_by_role("link"))
    expect(page.locator("main").get_by_role("link", name="Day one", exact=True)).to_be_visible()


def test_several_questions_are_answered_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, f"#/review?ledger={walk.ledger}")
    keyboard.choose("skip:excluded", page.get_by_label("Reason"))
    expect(page.locator(".range")).to_have_text("1–50 of 60")
    keyboard.press("Space", page.get_by_label("Tick person-q2@example.com"))
    keyboard.press("Space", page.get_by_label("Tick person-q4@example.com"))
    note = page.get_by_role("button", name="Note …")
    dialog = page.get_by_role("dialog")
    keyboard.press("Enter", note, back=True)
    expect(dialog).to_contain_text("person-q2@example.com, person-q4@example.com")
    keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(note).to_be_focused()
    keyboard.press("Enter", page.get_by_role("button", name="Close …"), back=True)
    keyboard.write("Contractors.", dialog.get_by_label("Note"))
    for _ in range(6):  # round and round: nothing behind it is reached
        keyboard.press("Tab")
        keyboard.assert_seen()
    keyboard.press("Enter", dialog.get_by_role("button", name="Close 2 questions"))
    expect(page.locator("#toasts")).to_contain_text("2 closed.")
    expect(page.locator(".range")).to_have_text("1–50 of 58")
    keyboard.assert_seen()
    keyboard.press("Enter", page.locator("#toasts").get_by_role("button", name="Dismiss"), back=True)
    keyboard.assert_seen()

    # One question after the other: the next one takes its place.
    keyboard.press("Enter", page.get_by_role("row").filter(has_text="person-q6@").get_by_role("button", name="Close"))
    keyboard.press("Enter", dialog.get_by_role("button", name="Close the question"))
    expect(page.locator(".range")).to_have_text("1–50 of 57")
    next_one = page.get_by_role("row").filter(has_text="person-q7@")
    expect(next_one.get_by_role("button", name="Close")).to_be_focused()
    keyboard.assert_seen()

    # Put off until a day, and noted.
    row = page.get_by_role("row").filter(has_text="person-q9@")
    keyboard.press("Enter", row.get_by_role("button", name="Put off"))
    keyboard.write("12312099", dialog.get_by_label("Until (UTC)"))
    keyboard.press("Enter", dialog.get_by_role("button", name="Put off"))
    expect(page.locator(".range")).to_have_text("1–50 of 56")
    expect(page.locator("#toasts")).to_contain_text("person-q9@example.com: put off.")
    keyboard.assert_seen()
    noted = page.get_by_role("row").filter(has_text="person-q10@")
    keyboard.press("Enter", noted.get_by_role("button", name="Note"))
    keyboard.write("Asked HR.", dialog.get_by_label("Note"))
    keyboard.press("Enter", dialog.get_by_role("button", name="Write"))
    expect(noted).to_contain_text("Asked HR.")
    expect(noted.get_by_role("button", name="Note")).to_be_focused()
    keyboard.assert_seen()

    # Several at once.
    keyboard.press("Space", page.get_by_label("Tick person-q11@example.com"))
    keyboard.press("Enter", page.get_by_role("button", name="Put off …"), back=True)
    keyboard.write("12312099", dialog.get_by_label("Until (UTC)"))
    keyboard.press("Enter", dialog.get_by_role("button", name="Put off"))
    expect(page.locator(".range")).to_have_text("1–50 of 55")
    keyboard.assert_seen()
    keyboard.go(noted.get_by_role("button", name="Note"))

    # Somebody else answers a question meanwhile: the list is made anew, and the focus stays with its person.
    w = walk.organisation.ledger.tables.worklist
    with walk.organisation.ledger.engine.begin() as connection:
        connection.execute(update(w).where(w.c.employee_id == "q5").values(closed_at=NOW, closed_by="ada"))
    with page.expect_response("**/api/worklist", timeout=5000):  # by itself the list asks after 10 seconds
        look_again(page)
    expect(page.locator(".range")).to_have_text("1–50 of 54")
    expect(noted.get_by_role("button", name="Note")).to_be_focused()


@pytest.mark.parametrize(
    ("address", "file"),
    [("#/review/invalid?ledger={}", "worklist"), ("#/access?ledger={}", "access"), ("#/day-one/chase/{}", "chase")],
)
def test_a_list_is_saved_by_keyboard(window: AirflowPages, walk: Walk, address: str, file: str) -> None:
    page, keyboard = at(window, address.format(walk.ledger))
    save = page.get_by_role("button", name=re.compile(r"as CSV$"))
    with page.expect_download() as download:
        keyboard.press("Enter", save)
    assert download.value.suggested_filename.startswith(f"m3ter-{file}-")
    expect(page.locator("#live")).to_have_text("The file is complete.")
    expect(save).to_be_focused()


def test_a_person_is_invited_again_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, f"#/person/{walk.ledger}/3")
    again = page.get_by_role("button", name="Invite again")
    dialog = page.get_by_role("dialog")
    keyboard.press("Enter", again)
    expect(dialog).to_contain_text("An e-mail will be sent to cem@example.com")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(again).to_be_focused()
    keyboard.press("Space")
    keyboard.press("Enter", dialog.get_by_role("button", name="Invite again"))
    assert_started(page, keyboard, again)
    keyboard.press("Enter", page.get_by_role("link", name="Its plan, here"))
    expect(page.locator("h1")).to_contain_text("manual__")


def test_a_list_is_searched_turned_and_saved_by_keyboard(window: AirflowPages, walk: Walk) -> None:
    page, keyboard = at(window, f"#/invitations?ledger={walk.ledger}")
    head = page.locator(".range")
    more = page.get_by_role("button", name="Next page")
    save = page.get_by_role("button", name=re.compile(r"^All \d+ of these as CSV$"))
    keyboard.go(save)
    with page.expect_download() as download:
        keyboard.press("Enter")
    assert download.value.suggested_filename.startswith("m3ter-invitations-")
    expect(page.locator("#live")).to_have_text("The file is complete.")
    expect(save).to_be_focused()
    keyboard.press("Enter", more)
    expect(head).to_have_text(re.compile("^51–100 of "))
    expect(head).to_be_focused()
    for go, begin in ((page.go_back, "1–50"), (page.go_forward, "51–100")):  # the browser's own keys
        go()
        expect(head).to_have_text(re.compile(f"^{begin} of "))
        expect(page.locator("main")).to_be_focused()
    keyboard.press("Enter", page.get_by_role("button", name="Previous page"))
    expect(head).to_have_text(re.compile("^1–50 of "))
    expect(head).to_be_focused()
    keyboard.press("Enter", page.get_by_role("button", name="Address", exact=True))
    expect(page.locator("th[aria-sort=ascending]")).to_have_text(re.compile("^Address"))
    expect(head).to_be_focused()
    field = page.get_by_label("Part of an address")
    keyboard.go(field, back=True)
    keyboard.write("nn@exam", field)
    keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(field).to_be_focused()
    keyboard.press("Enter", page.get_by_role("link", name="ann@example.com"))
    expect(page.locator("h1")).to_have_text("ann@example.com")
    expect(page.locator("main")).to_be_focused()
    keyboard.press("Enter", page.locator("main").get_by_role("link", name="Invitations", exact=True))
    expect(page.locator("tbody mark")).to_have_text("nn@exam")
