"""``m3ter-onboarding erase``: it counts, asks, erases, and refuses in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, create_engine, select

from m3ter_onboarding.cli.command import main
from m3ter_onboarding.cli.erase import ErasureOptions, erase
from m3ter_onboarding.reporting.publication import publish
from m3ter_onboarding.source.warehouse import warehouse_engine
from tests.support.databases import airflow_connection_named, sqlite_connection
from tests.support.ledger_rows import back_up
from tests.support.task_runs import m3ter_connection
from tests.support.world import QUERY, World


@pytest.fixture
def org(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An organisation with one person whose invitation has expired."""
    monkeypatch.setenv("AIRFLOW_VAR_M3TER_ONBOARDING_ERASURE_SECRET", "a long random text of a test")
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    (ann,) = sqlite_world.hire("Ann-1")
    sqlite_world.whole_run()
    sqlite_world.m3ter.expire(ann)
    sqlite_world.snapshot()
    with m3ter_connection(sqlite_world):
        yield sqlite_world


def configured(org: World, folder: Path, **values: Any) -> Path:
    settings = {
        "name": "test",
        "warehouse_conn_id": org.warehouse_conn_id,
        "ledger_conn_id": org.warehouse_conn_id,
        "query": "hires.sql",
        **values,
    }
    (folder / "hires.sql").write_text(QUERY, encoding="utf-8")
    file = folder / "test.yaml"
    file.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()), encoding="utf-8")
    return file


def held(org: World) -> str:
    return str(back_up(org.db)).lower()


def published(engine: Engine) -> str:
    """Return all rows of the warehouse's tables, as text."""
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return str([list(connection.execute(select(table))) for table in tables.sorted_tables]).lower()


def test_it_counts_asks_and_erases(org: World, tmp_path: Path) -> None:
    file, said = configured(org, tmp_path), list[str]()
    options = ErasureOptions(employee_id="Ann-1")
    assert erase(file, options, say=said.append, ask=lambda question: "no") == 1
    assert said[-1] == "Nothing was erased."
    assert "ann-1" in held(org)
    assert erase(file, options, say=said.append, ask=lambda question: "yes") == 0
    assert "ann-1" not in held(org)
    assert "       1  invitation(s); states, ids and instants stay" in said
    assert "ann-1" not in "".join(said).lower()
    assert erase(file, options, say=said.append, ask=lambda question: "yes") == 0
    assert said[-1] == "There was nothing left to erase."


def test_with_yes_it_does_not_ask(org: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", str(configured(org, tmp_path)), "--email", "ann-1@example.com", "--yes"]) == 0
    assert "Erased and recorded:" in capsys.readouterr().out
    assert "ann-1" not in held(org)


def test_a_refusal_is_a_sentence(org: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(configured(org, tmp_path))
    assert main(["erase", file, "--before", "soon"]) == 2
    assert "such as 2026-01-31" in capsys.readouterr().err
    assert main(["erase", file, "--before", "2999-01-01", "--yes"]) == 1
    assert "max_age_days" in capsys.readouterr().err
    assert main(["erase", file, "--before", "2020-01-01", "--yes"]) == 0
    with pytest.raises(SystemExit):
        main(["erase", file])


def test_what_was_published_to_the_warehouse_goes_too(org: World, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.db"
    create_engine(f"sqlite:///{warehouse}").connect().close()
    with airflow_connection_named(sqlite_connection(warehouse)) as conn_id:
        engine = warehouse_engine(conn_id)
        assert publish(org.db, engine, org.m3ter.org_id)
        file = configured(org, tmp_path, warehouse_conn_id=conn_id)
        assert erase(file, ErasureOptions(employee_id="Ann-1", yes=True), say=lambda line: None) == 0
        assert "ann-1" not in published(engine)
        publish(org.db, engine, org.m3ter.org_id)
        assert "ann-1" not in published(engine)
        assert "erased:" in published(engine)
        engine.dispose()
