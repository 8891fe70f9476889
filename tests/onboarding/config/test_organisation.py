from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from m3ter_onboarding.config.allowed_policies import ANY, named_policies
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError

QUERY = "SELECT employee_id FROM hires WHERE loaded_at >= :window_start AND loaded_at < :window_end"
LEAST = "name: acme\nwarehouse_conn_id: warehouse\nquery: sql/hires.sql\n"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str, query: str | None = QUERY) -> Path:
        if query is not None:
            (tmp_path / "sql").mkdir(exist_ok=True)
            (tmp_path / "sql" / "hires.sql").write_text(query, encoding="utf-8")
        path = tmp_path / "acme.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    # Not chained: pydantic's and YAML's own errors quote what they read.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    message = str(caught.value)
    assert str(path) in message
    return message


def test_least_configuration_has_the_documented_defaults(write: Any) -> None:
    config = load_config(write(LEAST))
    assert config.m3ter_conn_id == "m3ter_default"
    assert config.ledger_conn_id == "warehouse"
    assert config.create_tables is True
    assert config.schedule == "0 6 * * *"
    assert config.time_zone == "UTC"
    assert config.look_back == timedelta(days=3)
    assert config.max_age == timedelta(days=90)
    assert config.invite_days_before_start is None
    assert (config.max_invitations, config.max_percent, config.max_invitations_per_day) == (100, None, None)
    assert config.approval_above is None
    assert config.plan_valid_for == timedelta(hours=24)
    assert config.settle_after == timedelta(minutes=2)
    assert config.fail_on_refused is True
    assert (config.reinvite, config.cool_off_days, config.if_rehire) == ("never", 7, "review")
    assert config.start_at == datetime(2025, 1, 1, tzinfo=timezone.utc)
    assert config.query_text == QUERY
    assert config.dag.task_arguments()["retries"] >= 2


def test_everything_that_can_be_set(write: Any) -> None:
    config = load_config(
        write(
            LEAST
            + """
m3ter_conn_id: m3ter_acme
ledger_conn_id: ledger
ledger_schema: onboarding
create_tables: false
schedule: null
time_zone: Australia/Sydney
start_date: 2026-01-01
look_back_days: 0
max_age_days: 30
invite_days_before_start: 7
permission_policies: Viewer
allowed_permission_policies: [Viewer, Analyst]
max_invitations: null
max_percent: 12.5
max_invitations_per_day: 50
approval_above: 10
plan_valid_for: 90m
settle_after: 0.5
fail_on_refused: false
min_expected_rows: 1
exclude: {addresses: [Root@Example.com], domains: example.org, employee_ids: [1001, E2]}
reinvite: 2
if_rehire: invite
expiry_grace_days: 3
dag:
  owner: people
  tags: [hr]
  display_name: Acme
  pool: m3ter
  queue: slow
  access_control: {people: [can_read], audit: {DAG Runs: can_read}}
  max_active_runs: 1
  dagrun_timeout: 12h
  default_args: {retries: 5, retry_delay: 90s}
"""
        )
    )
    assert config.schedule is None
    assert config.start_at.isoformat() == "2026-01-01T00:00:00+11:00"
    assert config.permission_policies == ("Viewer",)
    assert config.max_invitations is None
    assert config.plan_valid_for == timedelta(minutes=90)
    assert config.settle_after == timedelta(seconds=0.5)
    assert config.exclude.employee_ids == ("1001", "E2")
    assert config.exclude.domains == ("example.org",)
    assert config.dag.granted() == {"people": {"DAGs": {"can_read"}}, "audit": {"DAG Runs": {"can_read"}}}
    arguments = config.dag.task_arguments()
    assert (arguments["owner"], arguments["pool"], arguments["queue"]) == ("people", "m3ter", "slow")
    assert (arguments["retries"], arguments["retry_delay"]) == (5, timedelta(seconds=90))
    assert "root@example.com" not in repr(config).lower()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("max_invitation: 3", ["'max_invitation' is unknown", "did you mean 'max_invitations'?"]),
        ("dag: {ownr: x}", ["'dag.ownr' is unknown", "'owner'"]),
        ("dag: {default_args: {retry: 3}}", ["'dag.default_args.retry' is unknown", "'retries'"]),
        ("dag: {default_args: {retries: 1}}", ["'dag.default_args.retries' is 1", "greater than or equal to 2"]),
        ("dag: {access_control: {people: [can_fly]}}", ["dag.access_control", "can_fly"]),
        ("max_invitations: -1", ["'max_invitations' is -1"]),
        ("max_invitations: many", ["'max_invitations' is 'many'"]),
        ("max_invitations: true", ["'max_invitations' is True"]),
        ("create_tables: 'yes'", ["'create_tables' is 'yes'"]),
        ("schedule: 0 25 * * *", ["'schedule'", "five cron fields"]),
        ("schedule: '@once'", ["'schedule'", "@daily"]),
        ("schedule: 0 0 6 * * *", ["'schedule'", "five cron fields"]),
        ("time_zone: Europe/Londn", ["'time_zone' is 'Europe/Londn'", "IANA"]),
        ("time_zone: Europe", ["'time_zone'"]),
        ("time_zone: ../../etc/passwd", ["'time_zone'"]),
        ("start_date: yesterday", ["'start_date' is 'yesterday'"]),
        ("settle_after: soon", ["'settle_after' is 'soon'", "2m"]),
        ("settle_after: 0", ["'settle_after'", "longer than nothing"]),
        ("plan_valid_for: 1e9d", ["'plan_valid_for'"]),
        ("plan_valid_for: 99999d", ["'plan_valid_for'", "ten years"]),
        ("max_percent: 101", ["'max_percent' is 101"]),
        ("max_percent: much", ["'max_percent' is 'much'"]),
        ("allowed_permission_policies: [1]", ["'allowed_permission_policies[0]' is 1"]),
        ("allowed_permission_policies: {a: 1}", ["'allowed_permission_policies' is {'a': 1}"]),
        ("permission_policies: [1]\nallowed_permission_policies: null", ["'permission_policies[0]' is 1"]),
        ("if_rehire: always", ["'if_rehire' is 'always'", "'review' or 'invite'"]),
        ("if_expired: invite", ["'if_expired' is no longer there", "reinvite: never, once", "cool_off_days"]),
        ("reinvite: always", ["'reinvite' is 'always'", "never, once, or a number from 1 to 5"]),
        ("reinvite: 6", ["'reinvite' is 6", "from 1 to 5"]),
        ("reinvite: 0", ["'reinvite' is 0", "from 1 to 5"]),
        ("reinvite: true", ["'reinvite' is True"]),
        ("cool_off_days: -1", ["'cool_off_days' is -1"]),
        ("ledger_schema: a.b; drop", ["'ledger_schema'"]),
        ("permission_policies: [1]", ["'permission_policies[0]' is 1"]),
        ("exclude: {addresses: [3]}", ["'exclude.addresses[0]'"]),
        ("exclude: {addresses: [ann]}", ["'exclude.addresses'", "no e-mail address"]),
        ("exclude: {domains: ['*.example.com']}", ["'exclude.domains'", "without *"]),
        ("exclude: {domains: [example]}", ["'exclude.domains'", "no domain"]),
        ("api_secret: s3cr3t-value", ["'api_secret' is unknown"]),
        ("m3ter_conn_id: 'a b'", ["'m3ter_conn_id' is 'a b'"]),
    ],
)
def test_a_wrong_value_is_named_with_file_key_and_way_out(write: Any, line: str, expected: list[str]) -> None:
    message = refusal(write(LEAST + line + "\n"))
    for part in expected:
        assert part in message
    assert "s3cr3t-value" not in message
    assert "pydantic" not in message


def test_all_problems_are_named_at_once(write: Any) -> None:
    message = refusal(write("name: a b\nquery: sql/hires.sql\nlook_back_days: -1\n"))
    for key in ("name", "warehouse_conn_id", "look_back_days"):
        assert f"'{key}'" in message


def test_name_all_is_the_pause_switch(write: Any) -> None:
    assert "pause switch" in refusal(write(LEAST.replace("acme", "All")))


def test_a_default_that_follows_another_key_is_no_problem_of_its_own(write: Any) -> None:
    assert "ledger_conn_id" not in refusal(write(LEAST.replace("acme", "All")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "found none"),
        ("- a\n- b\n", "found none"),
        ("name: [acme\n", "line 2"),
        ("name: acme\nname: other\n", "'name' appears twice"),
        ("name: \x00\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(write: Any, text: str, expected: str) -> None:
    assert expected in refusal(write(text))


def test_files_that_are_not_there_or_not_readable(tmp_path: Path, write: Any) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing.yaml")
    assert "cannot be read" in refusal(tmp_path)
    assert "sql/hires.sql" in refusal(write(LEAST, query=None))
    path = write(LEAST)
    path.write_bytes(b"name: \xff\xfe")
    assert "UTF-8" in refusal(path)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("  \n", "is empty"),
        ("SELECT 1", ":window_start and :window_end"),
        ("SELECT 1 WHERE a >= :window_start", "does not use :window_end"),
        ("SELECT 1 -- :window_start :window_end", "does not use"),
        (QUERY + " AND region = :region", ":region"),
    ],
)
def test_a_query_must_bind_the_window_and_nothing_else(write: Any, query: str, expected: str) -> None:
    assert expected in refusal(write(LEAST, query=query))


def test_colons_that_are_no_parameters(write: Any) -> None:
    query = QUERY + " AND a::text <> '12:30 :no' /* :neither */ -- :nor\n"
    assert load_config(write(LEAST, query=query)).query_text == query


def test_hash_follows_content_and_query_and_nothing_else(write: Any, tmp_path: Path) -> None:
    first = load_config(write(LEAST)).hash
    elsewhere = tmp_path / "moved"
    (elsewhere / "sql").mkdir(parents=True)
    (elsewhere / "sql" / "hires.sql").write_text(QUERY)
    (elsewhere / "other.yaml").write_text("# a comment\n" + LEAST)
    assert load_config(elsewhere / "other.yaml").hash == first
    assert load_config(write(LEAST + "max_invitations: 100\n")).hash == first
    assert load_config(write(LEAST + "max_invitations: 99\n")).hash != first
    assert load_config(write(LEAST, query=QUERY + "\n-- changed")).hash != first


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ("", ()),
        ("permission_policies: [Viewer, p-1]", ("Viewer", "p-1")),
        ("permission_policies: Viewer\nallowed_permission_policies: null", ("Viewer",)),
        ("permission_policies: Viewer\nallowed_permission_policies:", ("Viewer",)),
        ("allowed_permission_policies: null", ()),
        ("permission_policies: Viewer\nallowed_permission_policies: []", ()),
        ("allowed_permission_policies: Analyst", ("Analyst",)),
        ("allowed_permission_policies: [Viewer, Analyst]\npermission_policies: Viewer", ("Viewer", "Analyst")),
        ("allowed_permission_policies: any", ANY),
        ("permission_policies: Viewer\nallowed_permission_policies: ' any '", ANY),
        ("allowed_permission_policies: [Any company, Company]", ("Any company", "Company")),
    ],
)
def test_policies_that_may_be_given_are_the_configured_ones_unless_others_are_named(
    write: Any, lines: str, allowed: Any
) -> None:
    config = load_config(write(f"{LEAST}\n{lines}\n"))
    assert config.allowed_permission_policies == allowed
    assert named_policies(config.allowed_permission_policies) == (() if allowed == ANY else allowed)


@pytest.mark.parametrize("value", ["[any]", "[Viewer, any]", "[' ANY ', Viewer]", "Any", "ANY"])
def test_the_word_any_stands_alone(write: Any, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(write(f"{LEAST}\nallowed_permission_policies: {value}\n"))
    assert "the key 'allowed_permission_policies' is " in str(caught.value)
    assert "the word `any` stands alone, in lower case and in no list" in str(caught.value)


def test_hash_says_which_policies_may_be_given(write: Any) -> None:
    def hash_of(lines: str) -> str:
        return load_config(write(f"{LEAST}\npermission_policies: [Viewer]\n{lines}\n")).hash

    only_defaults = hash_of("")
    assert hash_of("allowed_permission_policies: null") == only_defaults
    assert hash_of("allowed_permission_policies: [Viewer]") == only_defaults
    others = [hash_of(f"allowed_permission_policies: {value}") for value in ("any", "[]", "[Viewer, Analyst]")]
    assert len({only_defaults, *others}) == 4


def test_a_configuration_does_not_change(write: Any) -> None:
    config = load_config(write(LEAST))
    with pytest.raises(ValidationError):
        config.name = "other"  # type: ignore[misc]


def test_a_configuration_can_be_made_from_memory() -> None:
    config = OnboardingConfig.from_mapping({"name": "a", "warehouse_conn_id": "w", "query": "q.sql"}, query_text=QUERY)
    assert config.ledger_conn_id == "w"


def test_the_example_loads(project_root: Path) -> None:
    config = load_config(project_root / "include" / "config" / "example.yaml")
    assert config.name == "example"


def test_loading_imports_neither_hooks_nor_ledger() -> None:
    # In a fresh interpreter: by now the other tests have imported everything.
    code = (
        "import sys, m3ter_onboarding.config.yaml_file\n"
        "heavy = ('m3ter_provider.hooks', 'm3ter_onboarding.source.warehouse', 'm3ter_onboarding.ledger', 'aiohttp')\n"
        "assert not (found := [name for name in sys.modules if name.startswith(heavy)]), found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_query_of_exclude_is_read_from_its_file_and_counts_for_the_hash(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(QUERY)
    yaml_file = tmp_path / "a.yaml"
    yaml_file.write_text("name: a\nwarehouse_conn_id: w\nquery: q.sql\nexclude: {query: left.sql}\n")
    with pytest.raises(ConfigurationError, match=r"key 'exclude.query': the SQL file .*left.sql does not exist"):
        load_config(yaml_file)
    (tmp_path / "left.sql").write_text("SELECT email FROM people_who_left -- :window_start")
    config = load_config(yaml_file)
    assert config.exclusions_text.startswith("SELECT email")
    (tmp_path / "left.sql").write_text("SELECT email FROM others")
    assert load_config(yaml_file).hash != config.hash
    (tmp_path / "left.sql").write_text("SELECT email FROM left WHERE at > :window_start")
    with pytest.raises(ConfigurationError, match="uses :window_start, and no parameters are given"):
        load_config(yaml_file)
    (tmp_path / "left.sql").write_text(" ")
    with pytest.raises(ConfigurationError, match="is empty"):
        load_config(yaml_file)
