"""``m3ter-onboarding init``: what it writes works as it is, and nothing that exists is touched."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterable
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml
from airflow.sdk import Connection
from packaging.requirements import Requirement

from m3ter_onboarding.cli.command import main
from m3ter_onboarding.cli.warehouses import WAREHOUSES
from m3ter_onboarding.config.names import EVERYBODY, NOBODY
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.source.columns import OPTIONAL_COLUMNS, REQUIRED_COLUMNS


def init(folder: Path, *options: str) -> int:
    return main(["init", str(folder), *options])


def _case(words: Iterable[str]) -> list[str]:
    return sorted({word for known in words for word in (known, known.upper(), known.capitalize())})


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_the_dag_can_be_imported_as_it_is(tmp_path: Path, warehouse: str) -> None:
    assert init(tmp_path / "dags", "--warehouse", warehouse, "--name", "acme") == 0
    dag_file = tmp_path / "dags" / "m3ter_onboarding_acme.py"
    made = runpy.run_path(str(dag_file))
    dag, status = made["dag"], made["status"]
    assert (dag.dag_id, status.dag_id) == ("m3ter_onboarding__acme", "m3ter_invitation_status__acme")
    assert made["day_one"].dag_id == "m3ter_day_one__acme"
    assert dag.schedule is None, "nothing runs before somebody asked for it"
    config = load_config(tmp_path / "dags" / "acme.yaml")
    assert config.ledger_conn_id == ("warehouse" if WAREHOUSES[warehouse].kind.holds_ledger else "ledger")
    # Airflow passes over files without these words.
    assert {"airflow", "dag"} <= set(re.findall(r"[a-z]+", dag_file.read_text(encoding="utf-8").lower()))


def test_every_key_that_is_commented_out_is_right(tmp_path: Path) -> None:
    assert init(tmp_path, "--name", "acme") == 0
    path = tmp_path / "acme.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = re.compile(r"(\s*)# (\s*[a-z_]+:.*)")
    uncommented = "\n".join(keys.sub(r"\1\2", line) if keys.fullmatch(line) else line for line in lines)
    assert len(yaml.safe_load(uncommented)) > len(yaml.safe_load("\n".join(lines))) + 8
    path.write_text(uncommented, encoding="utf-8")
    config = load_config(path)
    assert config.exclude.domains == ("contractors.example.com",)
    assert config.dag.default_args.retries == 2


def test_the_next_steps_have_the_exact_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "my dags", "--warehouse", "snowflake", "--name", "acme") == 0
    out = capsys.readouterr().out
    exports = dict(re.findall(r"^ +export (\w+)='(\{.*\})'$", out, re.MULTILINE))
    assert set(exports) == {"AIRFLOW_CONN_M3TER_DEFAULT", "AIRFLOW_CONN_WAREHOUSE", "AIRFLOW_CONN_LEDGER"}
    kinds = {name: yaml.safe_load(value)["conn_type"] for name, value in exports.items()}
    assert kinds["AIRFLOW_CONN_WAREHOUSE"] == "snowflake"
    assert "allow_invitations" not in exports["AIRFLOW_CONN_M3TER_DEFAULT"], "sending is a later step"
    assert f"check --connect '{tmp_path}/my dags/acme.yaml'" in out
    assert "airflow-provider-m3ter[snowflake,postgres]" in out


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_each_warehouse_gets_its_connection_its_extra_and_its_place_for_the_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], warehouse: str
) -> None:
    assert init(tmp_path, "--warehouse", warehouse, "--name", "acme") == 0
    out, kind = capsys.readouterr().out, WAREHOUSES[warehouse].kind
    exports = dict(re.findall(r"^ +export AIRFLOW_CONN_(\w+)='(\{.*\})'$", out, re.MULTILINE))
    assert Connection.from_json(exports["WAREHOUSE"], conn_id="warehouse").conn_type == kind.conn_type
    assert ("LEDGER" in exports) == (not kind.holds_ledger)
    extras = re.findall(r"airflow-provider-m3ter\[([\w,]+)\]", out)[0].split(",")
    assert {kind.extra, *([] if kind.holds_ledger else ["postgres"])} == set(extras)
    declared = metadata("airflow-provider-m3ter")
    assert set(extras) <= set(declared.get_all("Provides-Extra", []))
    required = [Requirement(text) for text in declared.get_all("Requires-Dist", [])]
    brought = {r.name.lower() for r in required if r.marker and r.marker.evaluate({"extra": kind.extra})}
    assert {package.partition("[")[0] for package in kind.packages} <= brought


@pytest.mark.parametrize("existing", ["m3ter_onboarding_acme.py", "acme.yaml", "acme_new_hires.sql"])
def test_init_overwrites_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], existing: str) -> None:
    (tmp_path / existing).write_text("mine")
    assert init(tmp_path, "--name", "acme") == 1
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "mine"
    error = capsys.readouterr().err
    assert str(tmp_path / existing) in error
    assert "another --name" in error


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert init(tmp_path, "--name", "acme") == 1
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_two_organisations_live_in_one_folder(tmp_path: Path) -> None:
    assert init(tmp_path, "--name", "acme") == 0
    assert init(tmp_path, "--name", "other", "--warehouse", "bigquery") == 0
    assert len(list(tmp_path.iterdir())) == 6


def test_a_folder_that_is_a_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dags").write_text("")
    assert init(tmp_path / "dags", "--name", "acme") == 1
    assert str(tmp_path / "dags") in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a b", "../x", "", "é", "x" * 101, "acme\n", *_case(NOBODY | EVERYBODY)])
def test_a_name_that_no_configuration_can_have_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert init(tmp_path, f"--name={name}") == 2
    assert list(tmp_path.iterdir()) == []
    assert "Choose another" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["acme", "123", "0x1f", "0x_", "0_", "2026-01-01", "-x", "_", "---", "z", "x" * 100])
def test_a_name_that_init_takes_is_one_that_check_takes(tmp_path: Path, name: str) -> None:
    assert init(tmp_path, f"--name={name}") == 0
    config = load_config(tmp_path / f"{name}.yaml")
    assert config.name == name
    assert config.query == f"{name}_new_hires.sql"


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_the_query_says_what_the_contract_is(tmp_path: Path, warehouse: str) -> None:
    init(tmp_path, "--name", "acme", "--warehouse", warehouse)
    text = (tmp_path / "acme_new_hires.sql").read_text(encoding="utf-8")
    comment = text.partition("SELECT")[0]
    assert all(column in comment for column in REQUIRED_COLUMNS + OPTIONAL_COLUMNS)
