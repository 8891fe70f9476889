"""Why a run failed, as the report records it in the ledger."""

from __future__ import annotations

import logging

import pytest
from airflow.sdk.exceptions import AirflowException

from m3ter_onboarding.ledger.runs import read_run
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World


def test_the_step_that_failed_and_its_sentence_are_in_the_ledger(world: World) -> None:
    world.query_text = "SELECT * FROM no_such_table WHERE loaded_at >= :window_start AND loaded_at < :window_end"
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end))
    with m3ter_connection(world):
        with pytest.raises(AirflowException) as failed:
            run.snapshot()
        with pytest.raises(AirflowException):
            run.report()
    row = read_run(world.db, world.run("run-1"))
    assert row is not None
    assert (row.outcome, row.counts["failed_task"]) == ("failed", "snapshot")
    assert row.counts["failure"] == str(failed.value)

    world.query_text = None
    again = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end))
    with m3ter_connection(world):
        again.all()
    row = read_run(world.db, world.run("run-1"))
    assert row is not None
    assert "failure" not in row.counts, "a run that was cleared and succeeded has none"


def logged(caplog: pytest.LogCaptureFixture, *names: str) -> list[tuple[str, str]]:
    """Return level and text of the lines that these modules logged."""
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name in names]


def test_the_log_begins_with_the_sentences_and_the_counts(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.hire("e1")
    world.m3ter.faults(operation="CreateOrgUserInvitation", kind="status", status=400, count=1)
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end), values={"fail_on_refused": True})
    with m3ter_connection(world, allow_invitations=True):
        run.snapshot()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            run.plan()
        counts, decided, *_ = logged(caplog, "m3ter_onboarding.planning.sealed_plan")
        assert counts[1].startswith("1 rows in, 1 decisions out, for ")
        assert decided[1].split() == ["1", "invite:new"]
        run.send()
        caplog.clear()
        with caplog.at_level(logging.INFO), pytest.raises(AirflowException):
            run.report()
    lines = logged(caplog, "m3ter_onboarding.tasks.report", "m3ter_onboarding.tasks.task_errors")
    assert (lines[0][0], lines[0][1][:37]) == ("ERROR", "Problem: 1 invitation(s) were refused")
    assert next(text for level, text in lines if level == "INFO") == "1 rows in, 1 decisions out."
    assert sum("were refused" in text for _, text in lines) == 1, "each sentence once"


def test_a_run_that_failed_by_its_report_alone_points_there(world: World) -> None:
    world.hire("e1")
    world.m3ter.faults(operation="CreateOrgUserInvitation", kind="status", status=400, count=1)
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end), values={"fail_on_refused": True})
    with m3ter_connection(world, allow_invitations=True), pytest.raises(AirflowException, match="were refused"):
        run.all()
    row = read_run(world.db, world.run("run-1"))
    assert row is not None
    assert row.counts["failed_task"] == "report"
    assert str(row.counts["failure"]).startswith("1 invitation(s) were refused")
