"""The system's Chromium, and Airflow's pages in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    FloatRect,
    Frame,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

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


_AXE = Axe().axe_script

#: What Chromium says about the frame that Airflow puts the page into.
_OF_AIRFLOW = "can escape its sandboxing"


def _is_ours(url: str) -> bool:
    """Return whether an address is of the product's page, not of Airflow's own page around it."""
    path = urlsplit(url).path
    return "/m3ter-onboarding/" in path and "/plugin/" not in path


class AirflowPages:
    """
    One user's view of one Airflow. It keeps what the product's page must never do: fail, complain, ask another host.

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
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        self.page.on("console", self._said)
        self.context.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        """Keep complaints, those about the Content-Security-Policy too; that something is not there is an answer."""
        if message.type not in ("error", "warning") or not _is_ours(message.location.get("url", "")):
            return
        if "status of 404" not in message.text and _OF_AIRFLOW not in message.text:
            self.console_errors.append(message.text)

    def _asked(self, request: Request) -> None:
        """Keep requests of the product's page to other hosts, and those whose address names a person."""
        if not _is_ours(request.url) and (request.is_navigation_request() or not _is_ours(request.frame.url)):
            return
        if urlsplit(request.url).netloc != urlsplit(self._url).netloc or "example.com" in request.url:
            self.foreign.append(request.url)

    def close(self) -> None:
        """Close the window; the login is forgotten."""
        self.context.close()

    def assert_quiet(self) -> None:
        """Check that no script failed, nothing was complained about, and no other host was asked."""
        assert not self.console_errors, self.console_errors
        assert not self.foreign, self.foreign

    def log_in(self, user: str = "admin") -> None:
        """Log in by the form, as one of :data:`demo.airflow_settings.USERS`."""
        self.page.goto(f"{self._url}/")
        self.page.fill("input[name=username]", user)
        self.page.fill("input[name=password]", USERS[user])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self._url}/")

    def use_theme(self, theme: str) -> None:
        """Let Airflow be ``light`` or ``dark``, as its own switch does; pages that are open follow."""
        self.page.evaluate(
            "theme => { localStorage.setItem('theme', theme); window.dispatchEvent(new Event('storage')); }", theme
        )

    def open(self, path: str) -> Page:
        """Go to one of Airflow's pages."""
        self.page.goto(f"{self._url}{path}")
        return self.page

    def picture(self, name: str, *, of: Locator | None = None, height: int | None = None) -> None:
        """
        Take a picture, once nothing moves any more; of the product's page it must be one that everybody can use.

        :param name: of the file, without suffix
        :param of: a part of the page; default what is in view
        :param height: the upper part of that alone, in pixels
        """
        for frame in self.page.frames:
            if _is_ours(frame.url):
                assert_accessible(frame)
        if height is not None:
            clip: FloatRect = {"x": 0, "y": 0, "width": 1280, "height": height}
            self.page.screenshot(path=self.file(name), animations="disabled", clip=clip)
            return
        (of or self.page).screenshot(path=self.file(name), animations="disabled")

    def file(self, name: str) -> Path:
        """Return where a picture is kept."""
        self._screenshots.mkdir(parents=True, exist_ok=True)
        return self._screenshots / f"{name}.png"


@contextmanager
def airflow_pages(browser: Browser, url: str, screenshots: Path, user: str = "admin") -> Iterator[AirflowPages]:
    """Log a user in; at the end, nothing may have happened that must not."""
    pages = AirflowPages(browser, url, screenshots)
    try:
        pages.log_in(user)
        yield pages
        pages.assert_quiet()
    finally:
        pages.close()


def settled(page: Page | Frame) -> None:
    """Wait until nothing is loading any more."""
    expect(page.locator("[aria-busy]")).to_have_count(0, timeout=15_000)


def assert_accessible(page: Page | Frame) -> None:
    """
    Fail for anything at all that axe finds, its recommendations included, and for a page that scrolls sideways.

    :param page: the product's page, alone or as a frame: what stands around it is Airflow's.
    """
    settled(page)
    if not page.evaluate("'axe' in window"):  # of each document once
        page.evaluate(_AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] }).then(found => found.violations)")
    violations = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]
    assert not violations, violations
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
