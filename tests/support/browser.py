"""The system's Chromium, and Airflow's pages in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Locator, Page, expect, sync_playwright

from demo.airflow_settings import USERS

#: What a browser may be called; ``.ci/run`` looks for the same.
NAMES = ("chromium", "chromium-browser", "google-chrome")

# As root there is no sandbox; without the others Chromium calls its maker's servers at every start.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the path of a browser, or nothing."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """Run a browser without a window."""
    expect.set_options(timeout=60_000)  # two busy cores run the browser, an Airflow and its tasks
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class AirflowPages:
    """
    One user's view of one Airflow.

    :param browser: a running one
    :param url: base URL of Airflow
    :param screenshots: folder for pictures
    """

    def __init__(self, browser: Browser, url: str, screenshots: Path) -> None:
        self._url = url
        self._screenshots = screenshots
        self.context = browser.new_context(viewport={"width": 1280, "height": 1300}, locale="en-US", timezone_id="UTC")
        self.page: Page = self.context.new_page()
        self.console_errors: list[str] = []
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))

    def close(self) -> None:
        """Close the window; the login is forgotten."""
        self.context.close()

    def log_in(self, user: str = "admin") -> None:
        """Log in by the form, as one of :data:`demo.airflow_settings.USERS`."""
        self.page.goto(f"{self._url}/")
        self.page.fill("input[name=username]", user)
        self.page.fill("input[name=password]", USERS[user])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self._url}/")

    def open(self, path: str) -> Page:
        """Go to one of Airflow's pages."""
        self.page.goto(f"{self._url}{path}")
        return self.page

    def picture(self, name: str, *, of: Locator | None = None, height: int | None = None) -> None:
        """
        Take a picture, once nothing moves any more.

        :param name: of the file, without suffix
        :param of: a part of the page; default what is in view
        :param height: the upper part of that alone, in pixels
        """
        if height is not None:
            clip: FloatRect = {"x": 0, "y": 0, "width": 1280, "height": height}
            self.page.screenshot(path=self.file(name), animations="disabled", clip=clip)
            return
        (of or self.page).screenshot(path=self.file(name), animations="disabled")

    def file(self, name: str) -> Path:
        """Return where a picture is kept."""
        self._screenshots.mkdir(parents=True, exist_ok=True)
        return self._screenshots / f"{name}.png"


def settled(page: Page) -> None:
    """Wait until nothing is loading any more."""
    expect(page.locator("[aria-busy]")).to_have_count(0, timeout=15_000)


def assert_accessible(page: Page) -> None:
    """Fail for anything at all that axe finds, and for a page that scrolls sideways."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
