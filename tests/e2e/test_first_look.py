"""A DAG with a schedule is unpaused, and nobody has looked yet: what the page says, and the way on."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from playwright.sync_api import expect

from demo.airflow_api import wait_until
from demo.airflow_stack import AirflowStack
from tests.support.airflow_organisation import organisation
from tests.support.browser import AirflowPages

pytestmark = pytest.mark.slow

_HOUR = timedelta(hours=1)


def test_a_first_run_waits_for_a_look_and_the_page_says_so(
    pages: AirflowPages, airflow: AirflowStack, tmp_path: Path
) -> None:
    configured = {"schedule": "0 0 * * *", "start_date": datetime.now(timezone.utc).date().replace(day=1)}
    with organisation(airflow, "unseen", tmp_path, values=configured, paused=True, looked_at=False) as made:
        made.hire(2, loaded_at=datetime.now(timezone.utc).replace(hour=0, minute=0, second=0) - _HOUR)
        airflow.api.set_paused(made.dag_id, False)
        first = wait_until(lambda: airflow.api.runs(made.dag_id), "the run of the schedule", 300)[0]
        made.succeeds(first["dag_run_id"])
        assert made.posts() == []

        page = pages.open("/m3ter-onboarding/#/")
        waits = page.get_by_role("link", name="2 wait for a first dry run")
        expect(waits).to_be_visible(timeout=15_000)
        pages.picture("first-look")
        waits.click()
        why = "Nothing in it is sent: it would be the first e-mail of this configuration"
        expect(page.get_by_text(why)).to_be_visible(timeout=15_000)
        pages.picture("first-look-run")

        made.succeeds(airflow.api.trigger(made.dag_id, {"mode": "dry_run"}))
        made.succeeds(airflow.api.trigger(made.dag_id, {}))
        assert len(made.m3ter.emails()) == 2
        page = pages.open("/m3ter-onboarding/#/")
        expect(page.locator("[aria-busy]")).to_have_count(0, timeout=15_000)
        expect(waits).to_have_count(0)
        made.remove_dag()
