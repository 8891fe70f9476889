"""Notifiers: the only code that a configuration names, and which of it may be imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from m3ter_onboarding import day_one_dag, onboarding_dag
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.reporting.alerts import FailureAlert
from m3ter_onboarding.reporting.notifier_classes import NotifierError, notifier_class
from tests.support.recording_notifier import RecordingNotifier
from tests.support.world import QUERY

NOTIFIER = "tests.support.recording_notifier.RecordingNotifier"
OPTION = "AIRFLOW__M3TER_ONBOARDING__NOTIFIERS"


def config(**values: Any) -> OnboardingConfig:
    known = {"name": "test", "warehouse_conn_id": "w", "query": "q.sql", **values}
    return OnboardingConfig.from_mapping(known, query_text=QUERY)


def shell(file: Path) -> dict[str, Any]:
    return {"notifier": "subprocess.Popen", "arguments": {"args": f"touch {file}", "shell": True}}


def test_what_a_configuration_names_is_not_run_where_the_deployment_does_not_list_it(tmp_path: Path) -> None:
    made = config(alerts={"on_failure": [shell(tmp_path / "ran")]})
    with pytest.raises(ConfigurationError, match=r"'alerts.on_failure\[0\].notifier' names subprocess.Popen"):
        onboarding_dag(made)
    FailureAlert("test", "d", made.alerts.on_failure)({"run_id": "r"})  # as a deadline's callback: no DAG was parsed
    assert not (tmp_path / "ran").exists()


def test_a_listed_class_must_still_be_a_notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTION, f"{NOTIFIER}, subprocess.Popen")
    made = config(alerts={"on_failure": [NOTIFIER], "on_review": [shell(tmp_path / "ran")]})
    with pytest.raises(ConfigurationError, match=r"alerts.on_review\[0\].notifier.* no subclass of Airflow's BaseNoti"):
        onboarding_dag(made)
    FailureAlert("test", "d", made.alerts.on_review)({"run_id": "r"})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", ["this.s", "antigravity.fly_anywhere", "tests.support.recording_notifier.Path"])
def test_a_module_that_is_not_listed_is_not_imported(path: str) -> None:
    module = path.rpartition(".")[0]
    known = module in sys.modules
    with pytest.raises(ConfigurationError, match=r"'chase.notifiers\[0\].notifier' names .* which is not imported"):
        day_one_dag(config(chase={"notifiers": [path]}))
    assert (module in sys.modules) == known


@pytest.mark.parametrize("content", ["raise SystemExit", "1/0", "import no_such_package", ""])
def test_a_listed_class_that_cannot_be_imported_is_an_error_that_names_the_key(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_notifier.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(OPTION, "broken_notifier.Pager")
    monkeypatch.delitem(sys.modules, "broken_notifier", raising=False)
    with pytest.raises(ConfigurationError, match=r"on_failure\[0\].notifier' names broken_.* cannot be imported \("):
        onboarding_dag(config(alerts={"on_failure": "broken_notifier.Pager"}))


def test_notifiers_that_providers_declare_need_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OPTION)
    assert issubclass(notifier_class("airflow.providers.smtp.notifications.smtp.SmtpNotifier"), BaseNotifier)
    with pytest.raises(NotifierError, match="is not imported"):
        notifier_class("airflow.providers.smtp.hooks.smtp.SmtpHook")
    with pytest.raises(NotifierError, match="is not imported"):
        notifier_class("tests.support.recording_notifier.AnotherClass")


_RUNS = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("from airflow.sdk import BaseNotifier\nclass Pager(BaseNotifier):\n    def notify(self, context): ...", True),
        ("import airflow.sdk\nclass Pager(airflow.sdk.BaseNotifier):\n    def notify(self, context): ...", True),
        (f"{_RUNS}class Pager: ...", False),
        (f"{_RUNS}Pager = print", False),
        (f"{_RUNS}class Other(BaseNotifier): ...", False),
        (f"{_RUNS}def made():\n    class Pager(BaseNotifier): ...", False),
        ("class Pager(BaseNotifier", False),
        ("", False),
    ],
)
def test_a_notifier_of_ones_own_is_known_by_its_source_alone(
    source: str, may: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pagers"
    package.mkdir()
    (package / "__init__.py").write_text("" if may else _RUNS)
    (package / "night.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(OPTION)
    for module in ("pagers", "pagers.night"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    if may:
        assert issubclass(notifier_class("pagers.night.Pager"), BaseNotifier)
    else:
        with pytest.raises(NotifierError, match="is not imported"):
            notifier_class("pagers.night.Pager")
    for module in ("pagers", "pagers.night"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert not list(package.glob("ran"))


def test_a_listed_notifier_is_its_class() -> None:
    assert notifier_class(NOTIFIER) is RecordingNotifier


@pytest.mark.parametrize("name", ["conn", "var", "conf", "params"])
def test_a_notifiers_templates_reach_no_connection_variable_or_parameter(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordingNotifier, "messages", [])
    text = f"{{{{ {name} is defined }}}} {{{{ run_id }}}}"
    made = config(alerts={"on_failure": {"notifier": NOTIFIER, "arguments": {"text": text}}})
    FailureAlert("test", "d", made.alerts.on_failure)({"run_id": "run-1", name: "secret"})
    assert RecordingNotifier.messages == ["False run-1"]


@pytest.mark.parametrize("name", ["ti", "task_instance"])
def test_a_notifiers_templates_get_the_names_of_a_task_and_not_the_task_itself(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's own would hand out XComs, and by its context connections."""
    monkeypatch.setattr(RecordingNotifier, "messages", [])
    asked = ("task_id", "xcom_pull is defined", "get_template_context is defined")
    text = " ".join(f"{{{{ {name}.{one} }}}}" for one in asked)
    made = config(alerts={"on_failure": {"notifier": NOTIFIER, "arguments": {"text": text}}})
    FailureAlert("test", "d", made.alerts.on_failure)({"run_id": "run-1", name: "secret"})
    assert RecordingNotifier.messages == ["report False False"]
