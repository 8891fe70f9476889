"""Alerts: which may be configured, and who is notified of what."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowFailException

from m3ter_onboarding import onboarding_dag
from m3ter_onboarding.config.alerts_section import Notifier
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.reporting.alerts import FailureAlert, deadline_missed, notify
from tests.support.recording_notifier import RecordingNotifier
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import QUERY, WINDOW, World

NOTIFIER = "tests.support.recording_notifier.RecordingNotifier"
LINK = "/dags/m3ter_onboarding__test/runs/run-1/plugin/m3ter-onboarding-run"


@pytest.fixture(autouse=True)
def messages() -> Iterator[list[str]]:
    """Return what notifiers were told."""
    RecordingNotifier.messages.clear()
    yield RecordingNotifier.messages
    RecordingNotifier.messages.clear()


def config(alerts: Any) -> OnboardingConfig:
    values = {"name": "test", "warehouse_conn_id": "w", "query": "q.sql", "alerts": alerts}
    return OnboardingConfig.from_mapping(values, query_text=QUERY)


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ({"on_failure": ["slack"]}, r"alerts.on_failure\[0\].notifier"),
        ({"on_failure": [{"notifier": NOTIFIER, "argument": {}}]}, "argument.* is unknown"),
        ({"on_failure": [{"notifier": NOTIFIER, "arguments": {"slack_token": "xoxb-1"}}]}, "looks like a secret"),
        ({"on_failure": [{"notifier": NOTIFIER, "arguments": {"a b": 1}}]}, "no name of an argument"),
        ({"on_failures": [NOTIFIER]}, "did you mean 'on_failure'"),
        ({"deadline": "2h"}, "nobody in on_failure"),
        ({"deadline": 0, "on_failure": NOTIFIER}, "longer than nothing"),
    ],
)
def test_a_wrong_alert_is_an_error_that_names_the_key(alerts: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        config(alerts)
    assert "xoxb" not in str(raised.value)


def test_a_path_alone_is_enough_and_nothing_is_imported() -> None:
    made = config({"on_failure": "no.such.Notifier", "on_review": [NOTIFIER]})
    assert made.alerts.on_failure == (Notifier(notifier="no.such.Notifier"),)
    assert isinstance(onboarding_dag(config({"on_failure": NOTIFIER})).on_failure_callback, FailureAlert)


def test_without_alerts_the_dag_has_none() -> None:
    dag = onboarding_dag(config({}))
    assert not dag.on_failure_callback
    assert not dag.deadline


def test_a_failed_run_is_notified_in_one_sentence_with_a_link(messages: list[str]) -> None:
    callback = onboarding_dag(config({"on_failure": NOTIFIER})).on_failure_callback
    callback({"run_id": "run-1"})
    assert messages == [messages[0]]
    assert messages[0].startswith("m3ter onboarding test: the run run-1 failed: The report in its log says why")
    assert messages[0].endswith(LINK)


def test_the_message_also_goes_into_arguments(messages: list[str]) -> None:
    spec = {"notifier": NOTIFIER, "arguments": {"text": "Look: {message}"}}
    onboarding_dag(config({"on_failure": [spec]})).on_failure_callback({"dag_run": SimpleNamespace(run_id="run-1")})
    assert messages[0].startswith("Look: m3ter onboarding test: the run run-1 failed")


@pytest.mark.parametrize(
    "path", ["no.such.Notifier", "tests.support.recording_notifier.Nobody", "tests.support.recording_notifier.NOTIFIER"]
)
def test_a_notifier_that_cannot_be_used_is_logged_and_the_next_is_used(
    path: str, messages: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    FailureAlert("test", "d", config({"on_failure": [path, NOTIFIER]}).alerts.on_failure)({"run_id": "r"})
    assert len(messages) == 1
    assert f"The alert by {path} could not be sent" in caplog.text


class AirflowsCallback(dict[str, Any]):
    """The context of a DAG's callback, as the DAG processor makes it.

    :param left: failures in XCom, by task.
    """

    def __init__(self, dag: Any, left: Mapping[str, str], **values: Any) -> None:
        self.asked: list[str] = []

        def pull(*, task_ids: str, key: str) -> str | None:
            assert key == "failure"
            self.asked.append(task_ids)
            return left.get(task_ids)

        super().__init__(dag=dag, run_id="run-1", ti=SimpleNamespace(xcom_pull=pull), **values)


def test_the_cause_is_that_of_the_task_that_failed_first(messages: list[str]) -> None:
    dag = onboarding_dag(config({"on_failure": NOTIFIER}))
    left = {"snapshot": "m3ter refuses the credentials. Renew them.", "report": "The task snapshot did not succeed."}
    dag.on_failure_callback(AirflowsCallback(dag, left))
    said = "the run run-1 failed in the task snapshot: m3ter refuses the credentials. Renew them. "
    assert messages[0].startswith(f"m3ter onboarding test: {said}")
    assert messages[0].endswith(LINK)


@pytest.mark.parametrize(
    ("left", "reason", "said"),
    [
        ({}, "task_failure", "failed: The report in its log says why"),
        ({}, "timed_out", "failed: It was ended by its `dagrun_timeout`."),
        ({"plan": "x" * 2_000}, "task_failure", "failed in the task plan: " + "x" * 1_000 + "…: "),
        ({"plan": "no {{ such }} {% thing"}, "task_failure", "in the task plan: no { { such }} { % thing: "),
    ],
)
def test_an_alert_is_sent_whatever_is_known(left: dict[str, str], reason: str, said: str, messages: list[str]) -> None:
    spec = {"notifier": NOTIFIER, "arguments": {"text": "{message}"}}
    dag = onboarding_dag(config({"on_failure": [spec]}))
    dag.on_failure_callback(AirflowsCallback(dag, left, reason=reason))
    assert said in messages[0]
    assert messages[0].endswith(LINK)


def test_an_airflow_that_does_not_answer_keeps_no_alert_back(messages: list[str]) -> None:
    dag = onboarding_dag(config({"on_failure": NOTIFIER}))
    dag.on_failure_callback({"dag": dag, "run_id": "run-1", "ti": SimpleNamespace()})
    assert "the run run-1 failed: The report" in messages[0]


def test_a_template_may_name_what_airflows_own_notifiers_name(messages: list[str]) -> None:
    names = ("sentence", "link", "organisation", "dag_id", "run_id", "task_id", "exception", "reason")
    of_task = ("dag_id", "task_id", "run_id", "state", "log_url", "try_number", "max_tries + 1", "hostname")
    text = " | ".join([f"{{{{ {name} }}}}" for name in names] + [f"{{{{ ti.{name} }}}}" for name in of_task])
    spec = {"notifier": NOTIFIER, "arguments": {"text": text}}
    dag = onboarding_dag(config({"on_failure": [spec]}))
    dag.on_failure_callback(AirflowsCallback(dag, {"plan": "The query failed. Mend it."}))
    said = messages[0].split(" | ")
    sentence = "m3ter onboarding test: the run run-1 failed in the task plan: The query failed. Mend it."
    assert said[0] == said[6] == said[7] == sentence
    assert said[1] == said[12]
    assert said[1].endswith(LINK)
    assert said[2:6] == ["test", "m3ter_onboarding__test", "run-1", "plan"]
    assert said[8:12] == ["m3ter_onboarding__test", "plan", "run-1", "failed"]
    assert said[13:] == ["1", "1", ""]


def test_templates_reach_no_connection_variable_or_parameter(messages: list[str]) -> None:
    text = " ".join(f"{{{{ {name} is defined }}}}" for name in ("conn", "var", "params", "dag_run", "dag"))
    dag = onboarding_dag(config({"on_failure": [{"notifier": NOTIFIER, "arguments": {"text": text}}]}))
    dag.on_failure_callback(AirflowsCallback(dag, {}))
    assert messages == ["False False False False False"]


def test_a_task_leaves_why_it_failed_and_names_nobody(sqlite_world: World) -> None:
    sqlite_world.hire("e1", first_name="Zaphodina")
    failing = run(sqlite_world)
    with m3ter_connection(sqlite_world, allow_invitations=False), pytest.raises(AirflowFailException) as raised:
        failing.all()
    left = {key: value for key, value in failing.xcoms.items() if key == "pushed:failure"}
    assert left
    assert "Zaphodina" not in str(left)
    assert str(raised.value)


def test_a_missed_deadline_is_notified_as_airflow_calls_it(messages: list[str]) -> None:
    dag = onboarding_dag(config({"on_failure": NOTIFIER, "deadline": "2h"}))
    (deadline,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    assert deadline.callback.path == "m3ter_onboarding.reporting.alerts.deadline_missed"
    deadline_missed(
        context={"dag_run": {"dag_id": "m3ter_onboarding__test", "dag_run_id": "run-1"}}, **deadline.callback.kwargs
    )
    assert "the run run-1 was not finished within 2:00:00 of being queued: " in messages[0]
    assert messages[0].endswith(LINK)


def run(world: World, **values: Any) -> TaskRun:
    return TaskRun(world, "run-1", (WINDOW.start, WINDOW.end), values={"alerts": {"on_review": NOTIFIER}}, **values)


def test_rows_for_review_are_notified_without_a_name(sqlite_world: World, messages: list[str]) -> None:
    sqlite_world.hire("e1", first_name="Zaphodina")
    sqlite_world.m3ter.seed(invitations=[{"email": "e1@example.com", "dtCreated": "-45d"}])
    with m3ter_connection(sqlite_world):
        run(sqlite_world, params={"mode": "dry_run"}).all()
        assert messages == []
        run(sqlite_world).all()
    assert "the run run-1 has 1 row(s) or invitation(s) that wait for a person: " in messages[0]
    assert messages[0].endswith("/plugin/m3ter-onboarding#/review/review?dag=m3ter_onboarding__test")
    assert "Zaphodina" not in messages[0]
    assert "@" not in messages[0]


def test_a_run_without_rows_for_review_notifies_nobody(sqlite_world: World, messages: list[str]) -> None:
    sqlite_world.hire("e1", "e2", email="e2@example.com")
    with m3ter_connection(sqlite_world):
        run(sqlite_world).all()
    assert messages == []


def test_a_notifier_of_airflows_own_kind(tmp_path: Path) -> None:
    assert issubclass(RecordingNotifier, BaseNotifier)
    notify([Notifier(notifier=NOTIFIER, arguments={"file": str(tmp_path / "told")})], "acme", "dag", "run", "so")
    assert (tmp_path / "told").read_text().startswith("m3ter onboarding acme: the run run so: ")


def test_a_failing_run_with_rows_for_review_notifies_of_both(sqlite_world: World, messages: list[str]) -> None:
    sqlite_world.hire("e1", "e2")
    sqlite_world.m3ter.seed(invitations=[{"email": "e1@example.com", "dtCreated": "-45d"}])
    with m3ter_connection(sqlite_world, allow_invitations=False), pytest.raises(AirflowFailException):
        run(sqlite_world).all()
    assert len(messages) == 1
