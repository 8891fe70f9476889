"""A person's answer, asked for and given through a real Airflow, and none; and who is notified of a failed run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from demo.airflow_api import FINISHED_TASK, AirflowApiError, wait_until
from demo.airflow_stack import AirflowStack
from tests.support.airflow_organisation import FIRST_NAME, LAST_NAME, Organisation
from tests.support.airflow_scenarios import AirflowScenario, RunningScenarios, cases, running_scenarios
from tests.support.airflows import WAITS_IN_TRIGGERER
from tests.support.databases import POSTGRESQL, SQLITE

pytestmark = pytest.mark.slow

ASKED_BRIEFLY = {
    "approval_above": 2,
    "plan_valid_for": "25s",
    "alerts": {"on_failure": "notified_notifier.RecordingNotifier", "deadline": "5s"},
}
NOTIFIER = '''"""A notifier for Airflow, in a file beside the DAG's."""

from pathlib import Path

from airflow.sdk import BaseNotifier


class RecordingNotifier(BaseNotifier):
    def notify(self, context):
        with Path(__file__).with_name("notified.txt").open("a") as file:
            file.write(context["message"] + "\\n")
'''


def question(org: Organisation, run_id: str) -> dict[str, Any]:
    """Wait until somebody is asked, and return what."""
    path = f"/dags/{org.dag_id}/dagRuns/{quote(run_id)}/taskInstances/approve/-1/hitlDetails"

    def look() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = org.stack.api.request("GET", path)
        except AirflowApiError:
            return None
        waits = org.states(run_id)["approve"] in ("awaiting_input", "deferred")
        return found if waits and found.get("response_received") is False else None

    return wait_until(look, f"the question of {run_id}", 300, 0.5)


def answer(org: Organisation, run_id: str, chosen: str) -> None:
    """Answer as a user of Airflow's; once more where a scheduler lost an answer that came at once, and asks again."""
    path = f"/dags/{org.dag_id}/dagRuns/{quote(run_id)}/taskInstances/approve/-1/hitlDetails"

    def look() -> bool:
        if org.states(run_id)["approve"] in FINISHED_TASK:
            return True
        try:
            if org.stack.api.request("GET", path).get("response_received") is False:
                org.stack.api.request("PATCH", path, json={"chosen_options": [chosen], "params_input": {}})
        except AirflowApiError:
            pass  # it is being asked anew, or was answered already
        return False

    wait_until(look, f"the end of approve of {run_id}", 300, 2.0)


def answered(org: Organisation, run_id: str, chosen: str) -> None:
    """Wait for the question, answer it, and wait until the run has succeeded."""
    question(org, run_id)
    answer(org, run_id, chosen)
    org.succeeds(run_id)


def approved(org: Organisation) -> None:
    """Nothing is sent until somebody approves; then exactly this plan is, and who it was is in the ledger."""
    people = org.hire(3)
    run_id = org.trigger()
    asked = question(org, run_id)
    text = f"{asked['subject']}\n{asked['body']}"
    for part in (
        "Send 3 m3ter invitations",
        "`invite:new` | to be invited (nothing stands against it) | 3",
        "`example.com` | 3",
        f"/dags/{org.dag_id}/runs/",
    ):
        assert part in text
    for secret in (FIRST_NAME, LAST_NAME, "@"):
        assert secret.casefold() not in text.casefold()
    assert not asked["params"], "the form of the answer has no other fields"
    assert org.posts() == []
    answer(org, run_id, "Approve")
    org.succeeds(run_id)
    org.assert_once(people)
    (plan,) = org.plans(run_id)
    assert plan["approved_by"] == "admin"
    assert plan["approved_fingerprint"] == plan["fingerprint"]
    assert plan["approved_at"] is not None
    org.assert_state(run_id, "approve", "success")


def rejected(org: Organisation) -> None:
    """Nothing is sent, the run is no failure, and the next one asks again."""
    people = org.hire(3)
    run_id = org.trigger()
    answered(org, run_id, "Reject")
    org.assert_state(run_id, "send", "skipped")
    assert org.posts() == []
    assert org.report(run_id)["approval"].startswith("rejected by admin")
    (plan,) = org.plans(run_id)
    assert plan["rejected_by"] == "admin"
    assert plan["approved_by"] is None
    org.stack.api.clear(org.dag_id, run_id, "send")
    wait_until(lambda: org.states(run_id)["send"] == "skipped", f"send of {run_id} once more", 300, 0.5)
    assert org.posts() == []
    again = org.trigger(day=1)
    answered(org, again, "Approve")
    org.assert_once(people)


def both(notified: Path) -> str | None:
    """Return the notifications of a failure and of a deadline, when both are there."""
    said = notified.read_text() if notified.exists() else ""
    # In Airflow 3.2 a deadline's callback does not see the DAG's folder, where this notifier is.
    return said if "failed" in said and (WAITS_IN_TRIGGERER or "not finished" in said) else None


def nobody_answers(org: Organisation) -> None:
    """A time-out is no approval: the run fails and says so, and the notifiers are called."""
    notified = org.stack.dags_folder / "notified.txt"
    org.hire(3)
    run_id = org.trigger()
    org.fails(run_id)
    org.assert_state(run_id, "approve", "failed")
    assert org.tries(run_id, "approve") == 1, "it is asked once"
    assert org.posts() == []
    org.assert_logged(run_id, "report", "Nobody approved the plan in time")
    said = wait_until(lambda: both(notified), f"the alerts in {notified}", 300)
    assert f"the run {run_id} failed in the task approve: Nobody answered whether this plan may be sent" in said
    assert f"{org.stack.url}/dags/{org.dag_id}/runs/" in said
    if not WAITS_IN_TRIGGERER:
        assert f"the run {run_id} was not finished within 0:00:05 of being queued" in said
    assert LAST_NAME not in said


def marked_successful(org: Organisation) -> None:
    """``approve`` marked successful by REST while it asks: not one POST. Answered when it is cleared: all of them."""
    people = org.hire(3)
    run_id = org.trigger()
    question(org, run_id)
    org.stack.api.set_task_state(org.dag_id, run_id, "approve", "success")
    org.fails(run_id)
    org.assert_state(run_id, "send", "failed")
    assert org.posts() == []
    org.assert_logged(run_id, "send", "nobody approved it")
    assert "nobody approved it" in org.stack.api.xcoms(org.dag_id, run_id, "send")["failure"]
    org.stack.api.clear(org.dag_id, run_id, "approve", downstream=True)
    answered(org, run_id, "Approve")
    org.assert_once(people)


def plan_cleared(org: Organisation) -> None:
    """Airflow goes on showing the old plan's question, so the new plan cannot be approved; a new run asks."""
    people = org.hire(3)
    run_id = org.trigger()
    answered(org, run_id, "Reject")
    org.correct(first_name="Mended")
    org.stack.api.clear(org.dag_id, run_id, "plan", downstream=True)
    org.fails(run_id)
    org.assert_state(run_id, "approve", "failed")
    org.assert_logged(run_id, "approve", "still shows the question about an older plan")
    assert org.posts() == []
    again = org.trigger(day=1)
    answered(org, again, "Approve")
    org.assert_once(people)


def below(org: Organisation) -> None:
    """Nobody is asked, nothing waits."""
    people = org.hire(3)
    run_id = org.run_once()
    org.assert_state(run_id, "approve", "skipped")
    org.assert_once(people)


ASK = {"values": {"approval_above": 2}}
SCENARIOS = {
    "approved": AirflowScenario(approved, made_with=ASK),
    "rejected": AirflowScenario(rejected, (SQLITE,), ASK),
    "nobody answers": AirflowScenario(nobody_answers, (POSTGRESQL,), {"values": ASKED_BRIEFLY}),
    "marked successful": AirflowScenario(marked_successful, made_with=ASK),
    "question old": AirflowScenario(plan_cleared, (POSTGRESQL,), ASK),
    "below": AirflowScenario(below, (SQLITE,), {"values": {"approval_above": 3}}),
}


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[RunningScenarios]:
    """Begin every scenario; the notifier is there first, as a DAG whose notifier cannot be imported is an error."""
    stack: AirflowStack = request.getfixturevalue("airflow_postgres")
    (stack.dags_folder / "notified_notifier.py").write_text(NOTIFIER)
    with running_scenarios(SCENARIOS, request) as scenarios:
        yield scenarios


@pytest.mark.parametrize(("name", "ledger"), cases(SCENARIOS))
def test_a_plan_that_needs_approval(name: str, ledger: str, begun: RunningScenarios) -> None:
    begun.result(name, ledger)
