"""The finance department of the kept demo: its people are loaded once, and what became of the question is known."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from demo.finance import Standing, _at_work, _waiting, ask_for_approval, describe, finance_people
from demo.progress import Progress
from demo.run import midnight
from demo.scene import ROOT
from demo.warehouse import Warehouse
from m3ter_onboarding.config.query_text import for_sqlalchemy
from m3ter_onboarding.config.yaml_file import load_config

DAY = date(2026, 11, 23)


def question(run_id: str, state: str, answered: bool = False) -> dict[str, Any]:
    """Return a question as Airflow lists it."""
    return {"task_instance": {"dag_run_id": run_id, "state": state}, "response_received": answered}


def test_finance_is_loaded_once_and_the_query_of_its_dag_reads_it(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.db")
    people = finance_people(DAY)
    for day in (DAY, DAY + timedelta(days=1)):
        assert warehouse.load_finance(finance_people(day)) == DAY
    query = for_sqlalchemy(load_config(ROOT / "demo" / "dags" / "demo_finance.yaml").query_text)
    window = {
        "window_start": f"{midnight(DAY):%Y-%m-%d}",
        "window_end": f"{midnight(DAY + timedelta(days=1)):%Y-%m-%d}",
    }
    with warehouse.connection() as connection:
        rows = connection.execute(query, window).fetchall()
    assert rows == [person.row()[:-1] for person in people]
    assert len({person.email for person in people}) == len(people) == 12


@pytest.mark.parametrize(
    ("runs", "questions", "waiting", "at_work"),
    [
        ({}, [], [], False),
        ({"a": "running"}, [], [], True),
        ({"a": "running"}, [question("a", "running")], [], True),
        ({"a": "running"}, [question("a", "awaiting_input")], ["a"], False),
        ({"a": "running"}, [question("a", "deferred")], ["a"], False),
        ({"a": "running"}, [question("a", "awaiting_input", answered=True)], [], True),
        ({"a": "running", "b": "queued"}, [question("a", "awaiting_input")], ["a"], True),
        ({"a": "success"}, [question("a", "success", answered=True)], [], False),
        ({"a": "failed"}, [question("a", "failed")], [], False),
    ],
)
def test_a_run_waits_or_is_at_work(
    runs: dict[str, str], questions: list[dict[str, Any]], waiting: list[str], at_work: bool
) -> None:
    listed = [{"dag_run_id": run_id, "state": state} for run_id, state in runs.items()]
    airflow: Any = SimpleNamespace(runs=lambda dag_id: listed, questions=lambda dag_id: questions)
    assert (_waiting(airflow), _at_work(airflow)) == (waiting, at_work)


class Airflow:
    """An Airflow in which each run that may send waits for an answer, and the others have ended."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def wait_dag(self, dag_id: str) -> None:
        pass

    def set_paused(self, dag_id: str, paused: bool) -> None:
        pass

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return self.found

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return next(run for run in self.found if run["dag_run_id"] == run_id)

    def questions(self, dag_id: str) -> list[dict[str, Any]]:
        return self.asked

    def trigger(self, dag_id: str, conf: dict[str, str]) -> str:
        run_id, looks = f"run-{len(self.found)}", conf.get("mode") == "dry_run"
        self.found.append({"dag_run_id": run_id, "state": "success" if looks else "running", "conf": conf})
        if not looks:
            self.asked.append(question(run_id, "awaiting_input"))
        return run_id

    def answer(self) -> None:
        """Let a person answer, and the run end."""
        self.asked[-1] = question(self.found[-1]["dag_run_id"], "success", answered=True)
        self.found[-1]["state"] = "success"


def test_a_plan_waits_until_everybody_was_invited(tmp_path: Path) -> None:
    airflow, warehouse, emails = Airflow(), Warehouse(tmp_path / "warehouse.db"), dict[str, int]()
    m3ter = SimpleNamespace(emails=lambda: emails)
    scene: Any = SimpleNamespace(
        airflow=SimpleNamespace(api=airflow), m3ter=m3ter, warehouse=warehouse, days=(DAY, DAY + timedelta(days=1))
    )
    with warehouse.connection() as ledger:
        ledger.execute("CREATE TABLE m3ter_onboarding_plan (dag_id, approved_by, approved_at)")
    for _ in range(2):  # the first start, and another
        assert ask_for_approval(scene, Progress()) == Standing("run-1", None)
    airflow.answer()  # Reject: nobody is invited
    scene.days = (DAY + timedelta(days=1), DAY + timedelta(days=2))
    standing = ask_for_approval(scene, Progress())
    assert (standing, standing.invited) == (Standing("run-3", None), frozenset())
    assert airflow.found[-1]["conf"]["interval_start"].startswith("2026-11-24"), "the day on which they were loaded"
    airflow.answer()  # Approve: everybody is
    emails.update({str(person.email): 1 for person in finance_people(DAY)})
    with warehouse.connection() as ledger:
        ledger.execute(
            "INSERT INTO m3ter_onboarding_plan VALUES ('m3ter_onboarding__demo_finance', 'olga', '2026-11-26')"
        )
    standing = ask_for_approval(scene, Progress())
    assert (standing, standing.invited) == (Standing(None, "olga"), frozenset(emails))
    assert len(airflow.found) == 4


def test_what_waits_is_named_with_where_to_answer_it() -> None:
    scene: Any = SimpleNamespace(airflow=SimpleNamespace(url="http://localhost:8080"))
    waits = "\n".join(describe(scene, Standing("manual__2026+00:00", None)))
    assert "12 invitations" in waits
    assert "/dags/m3ter_onboarding__demo_finance/runs/manual__2026%2B00%3A00/plugin/m3ter-onboarding-run" in waits
    assert describe(scene, Standing(None, "olga")) == [
        "  m3ter_onboarding__demo_finance: approved by olga; its 12 people were invited, and nothing waits."
    ]
    assert describe(scene, Standing(None, None)) == []
