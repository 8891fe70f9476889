"""DAG files as Airflow parses them: with no connection, each for itself, with what the YAML says about them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, AssetAll, AssetOrTimeSchedule, CronDataIntervalTimetable
from airflow.sdk.definitions.asset import AssetNameRef, AssetUriRef
from airflow.sdk.exceptions import ParamValidationError

from m3ter_onboarding import accepted_asset, day_one_asset, invited_asset, onboarding_dag
from m3ter_onboarding.config.run_parameters import Mode

DAG_FILE = '''"""A DAG of Airflow."""

from m3ter_onboarding import onboarding_dag

dag = onboarding_dag("{name}.yaml")
'''
QUERY = "SELECT employee_id, email, first_name, last_name FROM hires WHERE at >= :window_start AND at < :window_end"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty DAGs folder with a query in it."""
    (tmp_path / "new_hires.sql").write_text(QUERY)
    return tmp_path


def write(folder: Path, name: str, **values: Any) -> None:
    """Write one organisation's YAML and DAG file."""
    everything = {"name": name, "warehouse_conn_id": "warehouse", "query": "new_hires.sql", **values}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(everything))
    (folder / f"{name}.py").write_text(DAG_FILE.format(name=name))


def parse(folder: Path) -> DagBag:
    """Parse a folder as Airflow does."""
    return DagBag(dag_folder=str(folder))


def dag_of(folder: Path, **values: Any) -> DAG:
    """Return the only DAG of a configuration."""
    write(folder, "acme", **values)
    bag = parse(folder)
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    dag = bag.dags["m3ter_onboarding__acme"]
    assert isinstance(dag, DAG)
    return dag


@pytest.mark.parametrize(
    ("own", "dags"),
    [
        ("dags", ["m3ter_day_one__demo", "m3ter_onboarding__demo"]),
        ("demo/dags", ["m3ter_onboarding__demo_finance"]),
    ],
)
def test_the_projects_own_dags_can_be_parsed_with_no_connection(project_root: Path, own: str, dags: list[str]) -> None:
    bag = parse(project_root / own)
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert sorted(bag.dags) == dags
    for dag in bag.dags.values():
        assert {"m3ter", "onboarding"} <= dag.tags
        assert dag.owner != "airflow"
        assert dag.doc_md
        assert dag.description


def test_a_broken_configuration_leaves_the_others_alone(folder: Path) -> None:
    write(folder, "one")
    write(folder, "two", max_invitation=3)
    write(folder, "three")
    bag = parse(folder)
    assert sorted(bag.dags) == ["m3ter_onboarding__one", "m3ter_onboarding__three"]
    ((file, error),) = bag.import_errors.items()
    assert file.endswith("two.py")
    assert "two.yaml: the key 'max_invitation' is unknown (did you mean 'max_invitations'?)" in error


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schedule": "every day"}, "'schedule' is 'every day'"),
        ({"time_zone": "Mars/Olympus"}, "'time_zone' is 'Mars/Olympus'"),
        ({"query": "nowhere.sql"}, "'query': the SQL file"),
        ({"dag": {"default_args": {"retries": 0}}}, "'dag.default_args.retries' is 0"),
        ({"max_invitations": "many"}, "'max_invitations' is 'many'"),
        ({"settle_after": "soon"}, "'settle_after' is 'soon'"),
        ({"m3ter_conn_id": "no space"}, "'m3ter_conn_id' is 'no space'"),
    ],
)
def test_an_import_error_names_the_key(folder: Path, values: dict[str, Any], said: str) -> None:
    write(folder, "acme", **values)
    bag = parse(folder)
    assert bag.dags == {}
    ((_, error),) = bag.import_errors.items()
    assert said in error


def test_yaml_that_is_none_names_file_and_line(folder: Path) -> None:
    write(folder, "acme")
    (folder / "acme.yaml").write_text("name: acme\nquery: [unclosed\n")
    ((_, error),) = parse(folder).import_errors.items()
    assert re.search(r"acme\.yaml, line \d+, column \d+: this is not valid YAML", error)


def test_the_order_of_the_tasks(folder: Path) -> None:
    dag = dag_of(folder)
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "snapshot": {"plan"},
        "plan": {"approve"},
        "approve": {"send"},
        "send": {"report"},
        "report": set(),
    }
    report = dag.get_task("report")
    assert report.is_teardown
    assert report.on_failure_fail_dagrun, "the report decides the run's colour"
    assert all(task.retries and task.retries >= 2 for task in dag.tasks)
    assert dag.get_task("send").retry_delay >= timedelta(minutes=1)


def test_one_sender_at_a_time_is_a_pool_of_send_alone(folder: Path) -> None:
    dag = dag_of(folder, dag={"pool": "m3ter", "send_pool": "m3ter_acme"})
    pools = {task.task_id: task.pool for task in dag.tasks}
    assert pools.pop("send") == "m3ter_acme"
    assert set(pools.values()) == {"m3ter"}


def test_new_dags_start_paused_and_do_not_catch_up(folder: Path) -> None:
    dag = dag_of(folder)
    assert dag.is_paused_upon_creation
    assert not dag.catchup


def test_the_dag_section_of_the_yaml_reaches_the_dag(folder: Path) -> None:
    dag = dag_of(
        folder,
        schedule="30 5 * * 1-5",
        time_zone="Europe/Berlin",
        dag={
            "owner": "people-data",
            "tags": ["hr"],
            "pool": "m3ter",
            "queue": "small",
            "max_active_runs": 2,
            "dagrun_timeout": "12h",
            "send_timeout": "90m",
            "default_args": {"retries": 5, "retry_delay": "2m", "execution_timeout": "30m"},
        },
    )
    assert dag.tags == {"hr"}
    assert dag.max_active_runs == 2
    assert dag.dagrun_timeout == timedelta(hours=12)
    for task in dag.tasks:
        assert (task.owner, task.pool, task.queue, task.retries) == ("people-data", "m3ter", "small", 5)
        assert task.retry_delay == timedelta(minutes=2)
    assert dag.get_task("plan").execution_timeout == timedelta(minutes=30)
    assert dag.get_task("approve").execution_timeout is None, "a person thinks as long as the plan is valid"
    assert dag.get_task("send").execution_timeout == timedelta(minutes=90)


@pytest.mark.filterwarnings("ignore:The airflow.security.permissions module")
def test_access_control_reaches_the_dag(folder: Path) -> None:
    write(folder, "acme", dag={"access_control": {"People": ["can_read"]}})
    (dag,) = parse(folder).dags.values()
    assert dag.access_control == {"People": {"DAGs": {"can_read"}}}


def test_a_daily_run_covers_a_day(folder: Path) -> None:
    """Airflow's own ``@daily`` has empty intervals."""
    timetable = dag_of(folder, schedule="@daily").timetable
    assert type(timetable).__name__ == "CronDataIntervalTimetable"


def test_the_form_of_a_run_has_every_parameter(folder: Path) -> None:
    params = dag_of(folder).params
    assert set(params) == {
        "mode",
        "max_invitations",
        "only_employee",
        "interval_start",
        "interval_end",
        "allow_backfill_send",
        "only_plan",
    }
    assert params.dump() == {
        "mode": "normal",
        "max_invitations": None,
        "only_employee": None,
        "interval_start": None,
        "interval_end": None,
        "allow_backfill_send": False,
        "only_plan": None,
    }
    for name in params:
        assert params.get_param(name).schema["title"]
    assert params.get_param("mode").schema["enum"] == [mode.value for mode in Mode]
    assert set(params.get_param("mode").schema["values_display"]) == {mode.value for mode in Mode}
    without_section = {name for name in params if "section" not in params.get_param(name).schema}
    assert without_section == {"mode", "only_employee"}, "all sections are closed at first"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "everything"),
        ("max_invitations", -1),
        ("max_invitations", "many"),
        ("only_employee", "x" * 251),
        ("interval_start", "yesterday"),
        ("interval_start", "2026-11-10"),
        ("interval_end", "2026-11-10T00:00:00"),
        ("allow_backfill_send", "yes"),
    ],
)
def test_a_wrong_value_is_refused_before_the_run_starts(folder: Path, name: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        dag_of(folder).params.get_param(name).resolve(value)


@pytest.mark.parametrize(
    "value", [None, "", "2026-11-10T00:00:00.000Z", "2026-11-10T00:00:00+01:00", "2026-11-10 00:00Z"]
)
def test_an_instant_as_the_form_sends_it_is_accepted(folder: Path, value: object) -> None:
    dag_of(folder).params.get_param("interval_start").resolve(value)


def test_a_parse_reads_yaml_and_query_and_no_connection(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parse that opened a socket would fail here: every one is refused."""
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a DAG file opened a connection while it was parsed")

    write(folder, "acme")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert onboarding_dag(folder / "acme.yaml").dag_id == "m3ter_onboarding__acme"


def test_a_schedule_may_name_assets(folder: Path) -> None:
    dag = dag_of(folder, schedule={"assets": ["analytics.new_hires", "s3://lake/new_hires"]})
    assert dag.timetable.asset_condition == AssetAll(
        AssetNameRef("analytics.new_hires"), AssetUriRef("s3://lake/new_hires")
    )
    beside = dag_of(folder, schedule={"assets": "analytics.new_hires", "cron": "0 6 * * *"}, time_zone="Europe/Berlin")
    assert isinstance(beside.timetable, AssetOrTimeSchedule)
    assert beside.timetable.timetable == CronDataIntervalTimetable("0 6 * * *", timezone="Europe/Berlin")
    assert beside.timetable.asset_condition == AssetAll(AssetNameRef("analytics.new_hires"))


@pytest.mark.parametrize(
    ("schedule", "named"),
    [
        ({"assets": []}, "schedule"),
        ({"cron": "0 6 * * *"}, "assets"),
        ({"assets": ["a"], "cron": "6 Uhr"}, "cron"),
        ({"assets": [3]}, "assets"),
        ({"assets": ["a"], "crom": "0 6 * * *"}, "crom"),
        (["a"], "schedule"),
    ],
)
def test_a_schedule_that_is_none_is_an_error_that_names_it(folder: Path, schedule: object, named: str) -> None:
    write(folder, "acme", schedule=schedule)
    (error,) = parse(folder).import_errors.values()
    assert named in error
    assert "acme.yaml" in error


def test_the_assets_that_a_dag_updates_are_public(folder: Path) -> None:
    send = dag_of(folder).get_task("send")
    assert [outlet.name for outlet in send.outlets] == [f"{invited_asset('acme').name}__if_any"]
    assert len({one("acme").uri for one in (invited_asset, accepted_asset, day_one_asset)}) == 3
