"""`make demo` and `make ui` as a reader starts them: right outcome, day after day, and nothing left running."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from demo.airflow_api import FINISHED, AirflowApi
from demo.airflow_settings import USERS
from demo.finance import finance_people
from demo.scene import DAG_ID, FINANCE_DAG_ID, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TODAY = datetime.now(timezone.utc).date()
UP = "It runs until Ctrl-C"


def started_in(state: Path) -> list[psutil.Process]:
    """List the running processes of an Airflow or a sandbox in a directory."""
    found = []
    for process in psutil.process_iter():
        try:
            traces = [process.environ().get("AIRFLOW_HOME", ""), *process.cmdline()[3:]]
            if any(trace.startswith(str(state)) for trace in traces) and "--state" not in traces:
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def demo(state: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo, and end it in any case."""
    output = state.with_suffix(".txt").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--state", str(state), *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        output.close()


def said(state: Path) -> str:
    return state.with_suffix(".txt").read_text()


def wait_for(state: Path, text: str, process: subprocess.Popen[str], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while text not in said(state):
        assert process.poll() is None, said(state)
        assert time.monotonic() < deadline, said(state)
        time.sleep(0.2)


def start_and_stop(state: Path, today: date, look: Callable[[AirflowApi], None]) -> tuple[int, str]:
    """Start the kept demo on a day, end it by Ctrl-C, and return its exit status and what it said.

    :param look: what a person does in its Airflow meanwhile
    """
    with demo(state, "--keep", "--today", today.isoformat()) as process:
        wait_for(state, UP, process)
        (url,) = re.findall(r"^  Airflow +(\S+)", said(state), re.MULTILINE)
        with closing(AirflowApi(url, "admin", USERS["admin"])) as api:
            look(api)
        process.send_signal(signal.SIGINT)
        process.wait(60)
    return process.returncode, said(state)


def waiting(api: AirflowApi) -> list[str]:
    """List finance's runs that wait for a person."""
    runs = [run["dag_run_id"] for run in api.runs(FINANCE_DAG_ID) if run["state"] not in FINISHED]
    for run_id in runs:
        assert api.task_states(FINANCE_DAG_ID, run_id)["approve"] in {"awaiting_input", "deferred"}
    return runs


def answer(api: AirflowApi, run_id: str, chosen: str) -> None:
    path = f"/dags/{FINANCE_DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/approve/-1/hitlDetails"
    api.request("PATCH", path, json={"chosen_options": [chosen], "params_input": {}})


def test_the_demo_is_right_and_ends_what_it_started(tmp_path: Path) -> None:
    state = tmp_path / "demo"
    with demo(state) as process:
        wait_for(state, "Run by hand", process)
        assert {"m3ter_sandbox", "scheduler"} <= {word for p in started_in(state) for word in p.cmdline()}
        process.wait(300)
    text = said(state)
    assert process.returncode == 0, text
    assert "The outcome is right" in text
    assert "right: the backfill sent 0" in text
    assert "at most 1 to one address" in text
    assert len(text.splitlines()) < 50
    assert "finance" not in text
    assert started_in(state) == []


@pytest.mark.timeout(600)
def test_the_kept_demo_works_day_after_day(tmp_path: Path) -> None:
    """One plan of finance waits from start to start; the next start does what was answered just before the end."""
    state = tmp_path / "ui"
    yesterday = TODAY - timedelta(days=1)
    emails, questions, waits = [], [], []
    for today, chosen in ((yesterday, None), (TODAY, "Approve"), (TODAY, None)):

        def look(api: AirflowApi, chosen: str | None = chosen) -> None:
            questions.append(waiting(api))
            if chosen:
                answer(api, *questions[-1], chosen)

        status, text = start_and_stop(state, today, look)
        assert status == 0, text
        assert "The outcome is right" in text
        emails += [int(number) for number in re.findall(r"m3ter sent (\d+) e-mails", text)]
        waits.append("waits for you: 12 invitations" in text)
    assert waits == [True, True, False]
    assert "approved by admin; its 12 people were invited" in text
    assert questions[0] == questions[1]
    assert [len(runs) for runs in questions] == [1, 1, 0]
    assert emails[0] < emails[1] == emails[2] - 12
    with closing(sqlite3.connect(state / "m3ter.db")) as m3ter:
        sent = m3ter.execute("SELECT address_key FROM email WHERE address_key LIKE '%@finance.example.com'").fetchall()
    assert sorted(address for (address,) in sent) == sorted(str(person.email) for person in finance_people(TODAY))
    assert started_in(state) == []
    with closing(sqlite3.connect(state / "warehouse.db")) as ledger:  # for the page
        starting = Counter(dag for (dag,) in ledger.execute("SELECT dag_id FROM m3ter_onboarding_day_one"))
    assert starting[DAG_ID] > 0
    assert starting[FINANCE_DAG_ID] > 0


@pytest.mark.parametrize("moment", ["Starting Airflow", "Run by hand"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_what_it_started(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    state = tmp_path / "demo"
    with demo(state) as process:
        wait_for(state, moment, process)
        time.sleep(1)
        os.kill(process.pid, number)
        process.wait(60)
    assert process.returncode == 130
    assert "everything that was started has been ended" in said(state)
    assert started_in(state) == []
