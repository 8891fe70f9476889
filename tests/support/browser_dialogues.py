"""Airflow's own dialogues, filled in as a person does."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import Locator, expect

from tests.support.browser import AirflowPages


class TriggerDialogue:
    """
    The dialogue behind the button "Trigger" of a DAG's page.

    :param pages: whose window it is opened in
    """

    def __init__(self, pages: AirflowPages, dag_id: str) -> None:
        self._page = pages.open(f"/dags/{dag_id}")
        self._page.get_by_role("button", name="Trigger").first.click()
        self.inside = self._page.get_by_role("dialog").filter(has_text="Trigger a single run of this Dag")
        expect(self.mode).to_be_visible()

    @property
    def mode(self) -> Locator:
        """The list of modes."""
        return self.inside.get_by_label("What to do")

    @property
    def refusal(self) -> Locator:
        """What Airflow says above the form when it refused."""
        return self.inside.locator("[data-scope=alert][data-part=root], .chakra-alert__root").filter(has_text="400")

    def choose(self, mode: str) -> None:
        """Choose a mode by the beginning of its name."""
        self.mode.click()
        self._page.get_by_role("option", name=mode).click()

    def section(self, name: str) -> Locator:
        """Open a section; Airflow closes the others."""
        self.inside.get_by_role("button", name=name, exact=True).click()
        opened = self.inside.locator("[data-scope=accordion][data-part=item][data-state=open]")
        expect(opened).to_contain_text(name)
        return opened

    def days(self, place: Locator, *instants: datetime) -> None:
        """Fill in the empty dates of a place, from the first on; instants are in UTC, as the window is."""
        for instant in instants:
            place.get_by_text("Select date and time").first.click()
            self._page.get_by_placeholder("YYYY/MM/DD").fill(f"{instant:%Y/%m/%d}")
            self._page.get_by_placeholder("HH:mm").fill(f"{instant:%H:%M}")
            expect(place.get_by_text(f"{instant:%b %d, %Y %H:%M}")).to_be_visible()
            self._page.keyboard.press("Escape")
            expect(self._page.get_by_placeholder("YYYY/MM/DD")).to_have_count(0)

    def configuration(self, values: dict[str, Any]) -> None:
        """Write all values as JSON, which the form lets through as it is."""
        section = self.section("Advanced Options")
        section.locator(".monaco-editor .view-line").first.click()
        self._page.keyboard.press("Control+A")
        self._page.keyboard.insert_text(json.dumps(values))
        # What the editor closed by itself.
        self._page.keyboard.press("Control+Shift+End")
        self._page.keyboard.press("Delete")
        section.get_by_text("Configuration JSON").click()
        expect(section.locator(".view-line").nth(1)).to_be_visible()  # it was taken, and put in order

    def press(self) -> None:
        """Press "Trigger"."""
        self.inside.get_by_test_id("trigger-dag-submit").click()

    def start(self) -> str:
        """Press "Trigger", and return the id of the run that is then shown."""
        self.press()
        self._page.wait_for_url("**/runs/manual*")
        return unquote(self._page.url.rpartition("/runs/")[2])
