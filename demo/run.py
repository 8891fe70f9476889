"""The demo's story: a preview, two days by hand, then the same days again as a backfill."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from datetime import time as time_of_day
from typing import Any

from demo.airflow_api import FINISHED
from demo.progress import Progress
from demo.scene import DAG_ID, DAY_ONE_DAG_ID, Scene


class RunFailedError(RuntimeError):
    """A DAG run of the demo failed; the text quotes the end of the failed task's log."""


@dataclass(frozen=True)
class Chapter:
    """One step of the story and what it did.

    :param title: for people
    :param run_ids: its DAG runs
    :param posts: POSTs of invitations that m3ter received meanwhile
    :param emails: e-mails that m3ter sent meanwhile
    :param seconds: how long it took
    """

    title: str
    run_ids: tuple[str, ...]
    posts: int
    emails: int
    seconds: float


def run_chapters(scene: Scene, progress: Progress) -> list[Chapter]:
    """Run the whole story.

    :param scene: started
    :param progress: shows what is going on
    :raises RunFailedError: when a run does not succeed
    """
    scene.airflow.api.set_paused(DAG_ID, False)
    first, second = scene.days
    preview = _by_hand(scene, first, progress, f"Preview of {_written(first)}", mode="dry_run")
    chapters = [preview, *(_by_hand(scene, day, progress, f"Run by hand for {_written(day)}") for day in scene.days)]
    title = f"Backfill of {_written(first)} and {_written(second)}"
    return [*chapters, _chapter(scene, title, progress, lambda: _backfill(scene, progress))]


def list_who_starts(scene: Scene, progress: Progress) -> None:
    """Let the day-one DAG list who starts soon, for Airflow's page.

    :raises RunFailedError: when its run does not succeed
    """
    api = scene.airflow.api
    progress.step("Listing who starts soon")
    api.wait_dag(DAY_ONE_DAG_ID)
    api.set_paused(DAY_ONE_DAG_ID, False)
    run_id = api.trigger(DAY_ONE_DAG_ID, {})
    wait_runs(scene, progress, lambda: [api.run(DAY_ONE_DAG_ID, run_id)])
    progress.done("done")


def midnight(day: date) -> datetime:
    """Return the beginning of a day, UTC."""
    return datetime.combine(day, time_of_day(), timezone.utc)


def days_read(day: date) -> dict[str, str]:
    """Return the parameters of a run that is for one day, UTC."""
    return {"interval_start": midnight(day).isoformat(), "interval_end": midnight(day + timedelta(days=1)).isoformat()}


def _written(day: date) -> str:
    return f"{day.day} {day:%B}"


def _by_hand(scene: Scene, day: date, progress: Progress, title: str, **parameters: str) -> Chapter:
    def run() -> list[str]:
        run_id = scene.airflow.api.trigger(DAG_ID, {**parameters, **days_read(day)})
        wait_runs(scene, progress, lambda: [scene.airflow.api.run(DAG_ID, run_id)])
        return [run_id]

    return _chapter(scene, title, progress, run)


def _backfill(scene: Scene, progress: Progress) -> list[str]:
    api = scene.airflow.api
    known = {run["logical_date"]: run["dag_run_id"] for run in api.runs(DAG_ID) if run["run_type"] == "backfill"}
    wanted = [day for day in scene.days if not any(str(date_).startswith(day.isoformat()) for date_ in known)]
    if not wanted:
        return []  # it was shown at an earlier start of the same day
    api.backfill(DAG_ID, midnight(wanted[0]), midnight(wanted[-1]))

    def runs() -> list[dict[str, Any]]:
        new = [r for r in api.runs(DAG_ID) if r["run_type"] == "backfill" and r["dag_run_id"] not in known.values()]
        return new if len(new) >= len(wanted) else []

    wait_runs(scene, progress, runs)
    return [run["dag_run_id"] for run in runs()]


def _chapter(scene: Scene, title: str, progress: Progress, run: Callable[[], list[str]]) -> Chapter:
    posts, emails, began = _posts(scene), _emails(scene), progress.seconds
    progress.step(title)
    run_ids = run()
    chapter = Chapter(
        title=title,
        run_ids=tuple(run_ids),
        posts=_posts(scene) - posts,
        emails=_emails(scene) - emails,
        seconds=progress.seconds - began,
    )
    progress.done(f"{chapter.emails} e-mails" if run_ids else "done at an earlier start")
    return chapter


def wait_runs(
    scene: Scene, progress: Progress, runs: Callable[[], list[dict[str, Any]]], timeout_seconds: float = 180
) -> None:
    """Wait for the end of runs, showing the task at work and the e-mails so far.

    :raises RunFailedError: when one of them fails, or takes too long
    """
    api, emails = scene.airflow.api, _emails(scene)
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = runs()
        if found and all(run["state"] in FINISHED for run in found):
            break
        if time.monotonic() > deadline:
            raise RunFailedError(f"The runs did not end within {timeout_seconds:.0f} s; {scene.state} has the logs.")
        at_work = [
            task_id
            for run in found
            if run["state"] == "running"
            for task_id, state in api.task_states(run["dag_id"], run["dag_run_id"]).items()
            if state in {"running", "queued", "scheduled"}
        ]
        progress.detail(f"{' and '.join(at_work) or 'waiting'}, {_emails(scene) - emails} e-mails")
        time.sleep(0.3)
    for run in found:
        if run["state"] != "success":
            raise RunFailedError(failure(scene, run["dag_id"], run["dag_run_id"]))


def failure(scene: Scene, dag_id: str, run_id: str) -> str:
    """Write which tasks of a run failed, and the end of the log of the first one."""
    api = scene.airflow.api
    states = api.task_states(dag_id, run_id)
    text = f"The run {run_id} failed: {', '.join(f'{task} {state}' for task, state in states.items())}."
    for task_id, entry in api.task_instances(dag_id, run_id).items():
        if entry["state"] == "failed":
            log = api.log(dag_id, run_id, task_id, entry["try_number"])
            return f"{text}\nThe end of the log of {task_id}:\n{log[-6000:]}"
    return text


def _posts(scene: Scene) -> int:
    requests: dict[str, int] = scene.m3ter.counts()["requests"]
    return sum(count for kind, count in requests.items() if kind.startswith("POST") and kind.endswith("/invitations"))


def _emails(scene: Scene) -> int:
    return sum(scene.m3ter.emails().values())
