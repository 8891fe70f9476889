"""``m3ter-onboarding check``: what it says, what it calls, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from m3ter_onboarding.cli.check import check_configuration
from m3ter_onboarding.cli.command import main
from m3ter_onboarding.cli.ddl import ledger_ddl
from m3ter_onboarding.cli.dry_plan import read_m3ter
from m3ter_onboarding.cli.failure import CommandError
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.ledger.database import open_ledger
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION
from m3ter_sandbox.testing import API_SECRET, SandboxServer
from tests.support.older_ledgers import load_ledger, run_script
from tests.support.postgresql import PostgresServer

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def config(tmp_path: Path, airflow_db: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the files that ``init`` writes for SQLite, beside a warehouse with its table."""
    # Set by the command; set here first, so that it is as before afterwards.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT")
    assert main(["init", str(tmp_path), "--warehouse", "sqlite", "--name", "acme"]) == 0
    with closing(sqlite3.connect(tmp_path / "people.db")) as database:
        database.execute(
            "CREATE TABLE employees (employee_number, work_email, first_name, last_name, mobile_number,"
            " m3ter_policies, start_date, last_day, office_time_zone, loaded_at)"
        )
    warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "people.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
    return tmp_path / "acme.yaml"


def change(config: Path, old: str, new: str) -> None:
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")


def check(config: Path, *, connect: bool = False) -> tuple[int, str]:
    """Return the exit status and what was said."""
    said: list[str] = []
    status = check_configuration(config, connect=connect, say=said.append, now=NOW)
    return status, "\n".join(said)


def line(said: str, title: str) -> str:
    """Return what stands behind a title among what was said without asking anybody."""
    return _line(said.rpartition("\n\n")[0], title)


def answer(said: str, title: str) -> str:
    """Return what one of the three that were asked answered."""
    return _line(said.rpartition("\n\n")[2], title)


def _line(text: str, title: str) -> str:
    [found] = [line for line in text.splitlines() if line.startswith(f"{title} ")]
    return found.removeprefix(title).strip()


def test_check_warns_where_the_query_can_forget(config: Path) -> None:
    assert "WARNING" not in check(config)[1]
    query = config.with_name("acme_new_hires.sql")
    change(query, "datetime(loaded_at) >= :window_start", "start_date >= date(:window_start)")
    status, said = check(config)
    assert status == 0
    assert line(said, "WARNING").startswith("The query can forget people: its window begins on start_date")


def test_check_warns_where_rows_may_ask_for_any_policy(config: Path) -> None:
    change(config, "# allowed_permission_policies: [Viewer, Analyst] ", "allowed_permission_policies: [Analyst]")
    status, said = check(config)
    assert (status, "WARNING" in said) == (0, False)
    assert line(said, "policies").startswith("none for rows that name none; Analyst may be asked for")
    change(config, "allowed_permission_policies: [Analyst]", "allowed_permission_policies: any")
    status, said = check(config)
    assert status == 0
    assert line(said, "policies").startswith("none for rows that name none; any may be asked for")
    assert line(said, "WARNING") == (
        "`allowed_permission_policies` is any: everybody who can write a row of the warehouse can hand out every"
        " permission policy of m3ter, except those that make an administrator. Name those that rows may ask for."
    )
    change(
        config,
        "allowed_permission_policies: any",
        "allow_administrator_policies: true\nallowed_permission_policies: any",
    )
    assert "every permission policy of m3ter, also those that make an administrator" in line(
        check(config)[1], "WARNING"
    )


def test_check_says_what_a_run_of_today_reads(config: Path) -> None:
    change(config, "schedule: null ", 'schedule: "0 6 * * *" ')
    change(config, "time_zone: UTC ", "time_zone: America/New_York ")
    change(config, "permission_policies: []", "permission_policies: [Viewer]")
    status, said = check(config)
    assert status == 0
    # Six in the morning in New York, in winter.
    assert line(said, "today's run") == "is for 2026-11-25 11:00 to 2026-11-26 11:00 UTC."
    assert line(said, "it reads").startswith("2026-11-22 11:00 to 2026-11-26 11:00 UTC (`look_back_days` is 3)")
    assert ":window_start = 2026-11-22 11:00:00 UTC, :window_end = 2026-11-26 11:00:00 UTC" in said
    assert "m3ter_onboarding__acme" in line(said, "DAG")
    assert line(said, "policies").startswith(
        "Viewer for rows that name none; Viewer may be asked for, those that make an"
    )
    assert line(said, "limits").startswith("at most 100 invitations in one run")
    assert "the first run makes what is missing" in said.replace("\n              ", " ")


def test_check_says_whose_rows_are_read(config: Path) -> None:
    change(config, "\nquery:", "\norganisation: acme\norganisations: [acme, globex]\nquery:")
    status, said = check(config)
    assert status == 0
    assert line(said, "rows") == "those whose column organisation is exactly 'acme'; there are 2 of them."
    assert ":organisation = 'acme' (if the query uses it)" in " ".join(said.split())


def test_check_connect_runs_a_query_of_several_organisations(config: Path) -> None:
    change(config, "\nquery:", "\norganisation: acme\nquery:")
    assert "WRONG: The query lacks organisation." in answer(check(config, connect=True)[1], "warehouse")
    query = config.with_name("acme_new_hires.sql")
    change(query, "employee_id,", "employee_id, :organisation AS organisation,")
    assert answer(check(config, connect=True)[1], "warehouse").startswith("right: the query runs")


def test_before_six_today_is_yesterday(config: Path) -> None:
    change(config, "schedule: null ", 'schedule: "0 13 * * *" ')
    assert line(check(config)[1], "today's run") == "is for 2026-11-24 13:00 to 2026-11-25 13:00 UTC."


def test_a_dag_without_a_schedule_reads_up_to_now(config: Path) -> None:
    assert line(check(config)[1], "today's run") == "is for 2026-11-23 12:00 to 2026-11-26 12:00 UTC."


def test_check_calls_nothing_without_connect(
    config: Path, m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection())
    (config.parent / "people.db").unlink()
    assert check(config)[0] == 0
    assert not (config.parent / "people.db").exists()
    assert m3ter_sandbox.requests() == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_invitations: 100", "max_invitation: 100", "did you mean 'max_invitations'?"),
        ("name: acme", "name: all", "'name'"),
        ("acme_new_hires.sql", "other.sql", "other.sql does not exist"),
    ],
)
def test_a_wrong_configuration_ends_with_1_and_names_file_and_key(
    config: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    change(config, old, new)
    assert main(["check", str(config)]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert str(config) in captured.err
    assert captured.err.startswith("m3ter-onboarding: ")


def test_a_query_without_its_parameters_is_wrong(config: Path) -> None:
    (config.parent / "acme_new_hires.sql").write_text("SELECT 1", encoding="utf-8")
    with pytest.raises(CommandError, match="does not use :window_start and :window_end"):
        check(config)


def test_check_connects_to_warehouse_ledger_and_m3ter(
    config: Path, m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection(allow_invitations=False))
    status, said = check(config, connect=True)
    assert status == 0, said
    assert answer(said, "warehouse").startswith("right: ")
    assert answer(said, "ledger") == (
        "right: it answers, and has no tables yet: the first run makes them (tried, and taken back)."
    )
    assert "allow_invitations" in answer(said, "m3ter")
    assert {request["method"] for request in m3ter_sandbox.requests() if "token" not in request["path"]} <= {"GET"}
    assert m3ter_sandbox.emails() == {}
    with closing(sqlite3.connect(config.parent / "people.db")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("employees",)]


@pytest.fixture
def with_queries(config: Path) -> Path:
    """Return a configuration with a query of ``exclude`` and one of the access review."""
    with closing(sqlite3.connect(config.parent / "people.db")) as database:
        database.executescript(
            "CREATE TABLE leave (number, address, why);"
            "INSERT INTO leave VALUES (1, 'ann@example.com', 'parental'), (2, 'bob@example.com', NULL);"
        )
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}\nexclude: {{query: leave.sql}}\naccess_review: {{query: jobs.sql}}\n", encoding="utf-8")
    config.with_name("leave.sql").write_text(
        "SELECT number AS employee_id, why AS reason FROM leave;", encoding="utf-8"
    )
    config.with_name("jobs.sql").write_text("SELECT work_email AS email FROM employees", encoding="utf-8")
    return config


def test_check_runs_the_other_two_queries_where_they_are_configured(with_queries: Path) -> None:
    said = check(with_queries, connect=True)[1]
    assert answer(said, "exclude") == (
        "right: the query of `exclude` runs, and its columns are right (at most one row was read)."
    )
    assert answer(said, "access review") == (
        "right: the query of `access_review` runs, and its columns are right (at most one row was read)."
    )
    assert "ann@" not in said
    said = check(with_queries)[1]
    assert "access_review" not in said


@pytest.mark.parametrize(
    ("file", "query", "title", "sentence"),
    [
        ("leave.sql", "SELECT why AS reason FROM leave", "exclude", "It must have employee_id or email"),
        ("leave.sql", "SELECT number AS employee_id FROM absence", "exclude", "refused the query of `exclude`"),
        ("leave.sql", "DELETE FROM leave", "exclude", "returns no rows at all; it must be a SELECT"),
        (
            "jobs.sql",
            "SELECT address AS email, why FROM leave",
            "access review",
            "the columns email, why. It must have",
        ),
        ("jobs.sql", "SELECT employee_number AS employee_id FROM employees", "access review", "It must have email"),
        ("jobs.sql", "SELECT email FROM nowhere", "access review", "refused the query of `access_review`"),
    ],
)
def test_check_judges_the_other_two_queries_as_the_tasks_do(
    with_queries: Path, file: str, query: str, title: str, sentence: str
) -> None:
    with_queries.with_name(file).write_text(query, encoding="utf-8")
    status, said = check(with_queries, connect=True)
    assert status == 1
    assert answer(said, title).startswith("WRONG: ")
    assert sentence in answer(said, title)
    assert "ann@example.com" not in said
    (other,) = {"exclude", "access review"} - {title}
    assert answer(said, "warehouse").startswith("right: ")
    assert answer(said, other).startswith("right: ")
    with closing(sqlite3.connect(with_queries.parent / "people.db")) as database:
        assert database.execute("SELECT count(*) FROM leave").fetchall() == [(2,)]


def test_a_ledger_that_is_there_is_proved(
    config: Path, m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection())
    with closing(open_ledger("warehouse")) as db:
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
    status, said = check(config, connect=True)
    assert status == 0, said
    assert "can guard against a second e-mail" in answer(said, "ledger")
    with closing(sqlite3.connect(config.parent / "people.db")) as database:
        assert database.execute("SELECT count(*) FROM m3ter_invitation").fetchall() == [(0,)]
        database.execute("DROP INDEX uq_m3ter_invitation_live_employee")
    status, said = check(config, connect=True)
    assert status == 1
    assert "a second live row of one employee was accepted" in answer(said, "ledger")


@pytest.fixture
def split(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a configuration whose ledger is beside the warehouse."""
    ledger = {"conn_type": "sqlite", "host": str(config.parent / "ledger.db")}
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER", json.dumps(ledger))
    text = config.read_text(encoding="utf-8")
    config.write_text(f"{text}\nledger_conn_id: ledger\n", encoding="utf-8")
    return config


def content(config: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(config.parent / "people.db")) as database:
        return database.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_check_tries_whether_results_can_be_published_and_changes_nothing(split: Path) -> None:
    before = content(split)
    said = check(split, connect=True)[1]
    assert answer(said, "published") == "right: the tables of results can be written (nothing was changed)."
    assert content(split) == before
    with closing(sqlite3.connect(split.parent / "people.db")) as database:  # an older version's
        database.execute("CREATE TABLE m3ter_invitation (org_id, invitation_id, state)")
        database.execute("INSERT INTO m3ter_invitation VALUES ('o', 1, 'sent')")
        database.commit()
    before = content(split)
    assert answer(check(split, connect=True)[1], "published").startswith("right: ")
    assert content(split) == before


def test_check_names_tables_of_results_that_a_person_must_make(split: Path) -> None:
    change(split, "# create_tables: true ", "create_tables: false ")
    said = answer(check(split, connect=True)[1], "published")
    assert said.startswith("WRONG: ")
    assert "m3ter-onboarding ddl --published" in said


def test_a_warehouse_that_may_only_be_read_is_found_out_before_the_first_run(
    split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = {"conn_type": "sqlite", "host": str(split.parent / "people.db"), "extra": {"mode": "ro"}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
    said = check(split, connect=True)[1]
    assert answer(said, "warehouse").startswith("right: ")
    assert answer(said, "published").startswith("WRONG: ")
    assert "set `publish: false` where it may only be read" in answer(said, "published")
    split.write_text(split.read_text(encoding="utf-8") + "publish: false\n", encoding="utf-8")
    said = check(split, connect=True)[1]
    assert "publish" not in said.rpartition("\n\n")[2]
    assert line(said, "published") == "nothing: `publish` is false, the warehouse is only read."


def test_a_warehouse_that_holds_the_ledger_gets_nothing(split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER", os.environ["AIRFLOW_CONN_WAREHOUSE"])
    with closing(open_ledger("ledger")) as db:
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
    expected = "right: the warehouse holds the ledger itself; nothing is published."
    assert answer(check(split, connect=True)[1], "published") == expected


def test_tables_that_somebody_else_must_make_are_asked_for(config: Path) -> None:
    change(config, "# create_tables: true ", "create_tables: false ")
    status, said = check(config, connect=True)
    assert status == 1
    assert answer(said, "ledger").startswith("WRONG: ")
    assert "m3ter-onboarding ddl" in answer(said, "ledger")


def test_each_fault_is_said_and_none_hides_another(
    config: Path, m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = json.loads(m3ter_sandbox.airflow_connection()) | {"password": "not-the-secret-of-anybody"}
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", json.dumps(wrong))
    query = config.parent / "acme_new_hires.sql"
    query.write_text(query.read_text(encoding="utf-8").replace("AS email", "AS e_mail"), encoding="utf-8")
    status, said = check(config, connect=True)
    assert status == 1
    assert "did you mean email?" in answer(said, "warehouse")
    assert answer(said, "ledger").startswith("right: ")
    assert answer(said, "m3ter").startswith("WRONG: ")
    assert "secret" in answer(said, "m3ter")
    assert "not-the-secret-of-anybody" not in said
    assert API_SECRET not in said


def test_an_undefined_connection_is_named(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE")
    monkeypatch.delenv("AIRFLOW_CONN_M3TER_DEFAULT", raising=False)
    status, said = check(config, connect=True)
    assert status == 1
    assert said.count("WRONG") == 3
    assert "'warehouse'" in answer(said, "warehouse")


def test_connections_of_the_metadata_database_are_found(
    config: Path, m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    monkeypatch.delenv("AIRFLOW_CONN_M3TER_DEFAULT", raising=False)
    change(config, "m3ter_conn_id: m3ter_default ", "m3ter_conn_id: m3ter_kept ")
    kept = json.loads(m3ter_sandbox.airflow_connection(allow_invitations=False))
    with create_session() as session:
        session.add(Connection(conn_id="m3ter_kept", **{**kept, "extra": json.dumps(kept["extra"])}))
    try:
        status, said = check(config, connect=True)
    finally:
        with create_session() as session:
            session.query(Connection).filter(Connection.conn_id == "m3ter_kept").delete()
    assert status == 0, said
    assert answer(said, "m3ter").startswith("right: ")


def test_check_works_where_airflow_has_no_database(config: Path, m3ter_sandbox: SandboxServer, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW__", "_AIRFLOW"))}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path / "nobody's home"),
        "AIRFLOW_CONN_M3TER_DEFAULT": m3ter_sandbox.airflow_connection(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "m3ter_onboarding", "check", "--connect", str(config)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("right: ") == 4
    assert not (tmp_path / "nobody's home" / "airflow.db").exists()


def employ(config: Path, *people: tuple[str, str]) -> None:
    """Let the warehouse hold people who were loaded yesterday: employee number and address."""
    with closing(sqlite3.connect(config.parent / "people.db")) as database:
        database.executemany(
            "INSERT INTO employees (employee_number, work_email, first_name, last_name, loaded_at)"
            " VALUES (?, ?, 'Given', 'Family', '2026-11-25 12:00:00')",
            people,
        )
        database.commit()


def whole(config: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return everything that the database holds."""
    with closing(sqlite3.connect(config.parent / "people.db")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in names}


@pytest.mark.parametrize("mirrored", [False, True])
def test_check_plans_a_run_of_now_and_writes_nothing(
    config: Path, m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, mirrored: bool
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection())
    m3ter_sandbox.seed(invitations=[{"email": "invited@example.com"}], users=[{"email": "member@example.com"}])
    employ(config, ("1", "new@example.com"), ("2", "invited@example.com"), ("3", "member@example.com"), ("4", "nobody"))
    if mirrored:
        loaded = load_config(config)
        with closing(open_ledger("warehouse")) as db:
            prepare_tables(db, create_tables=True, now=NOW, package_version="0")
            asyncio.run(read_m3ter(loaded, db))
    before = whole(config)
    status, said = check(config, connect=True)
    assert status == 0, said
    assert answer(said, "plan") == (
        "right: a run of now would read 2026-11-20 12:00 to 2026-11-26 12:00 UTC and decide about 4 rows,"
        " 1 invalid:email, 1 invite:new, 1 skip:already_invited, 1 skip:already_member (nothing was written)."
    )
    assert "new@example.com" not in said
    assert whole(config) == before
    assert m3ter_sandbox.emails() == {}


def test_a_plan_is_not_tried_where_something_else_is_wrong(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_M3TER_DEFAULT", raising=False)
    assert answer(check(config, connect=True)[1], "plan") == "not tried, since something above is wrong."


def test_tables_of_an_older_version_are_said_to_be_so(
    config: Path, m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection())
    with closing(open_ledger("warehouse")) as db:
        load_ledger(db.engine, 3)
    before = whole(config)
    status, said = check(config, connect=True)
    assert status == 0, said
    assert answer(said, "ledger") == (
        f"right: its tables have version 3, this package's {SCHEMA_VERSION}: the next run brings them up to date"
        " (tried, and taken back)."
    )
    assert whole(config) == before
    change(config, "# create_tables: true ", "create_tables: false ")
    status, said = check(config, connect=True)
    assert status == 1
    assert f"have version 3, this package needs {SCHEMA_VERSION}" in answer(said, "ledger")


class TestRightsOnPostgresql:
    """As a role that tasks use, whose rights somebody else grants."""

    @pytest.fixture
    def as_role(
        self,
        config: Path,
        postgres_server: PostgresServer,
        m3ter_sandbox: SandboxServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[Engine]:
        """Yield the owner's engine; the ledger's connection is the role's."""
        monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", m3ter_sandbox.airflow_connection())
        database = postgres_server.new_database()
        owner, role = create_engine(database.url()), f"tasks_{secrets.token_hex(4)}"
        with owner.begin() as connection:
            connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        run_script(owner, ledger_ddl("postgresql", role=role))
        ledger = json.loads(database.airflow_connection()) | {"login": role}
        monkeypatch.setenv("AIRFLOW_CONN_LEDGER", json.dumps(ledger))
        config.write_text(
            config.read_text(encoding="utf-8") + "\nledger_conn_id: ledger\ncreate_tables: false\npublish: false\n",
            encoding="utf-8",
        )
        self.role = role
        yield owner
        owner.dispose()

    def test_what_ddl_grants_is_enough(self, as_role: Engine, config: Path) -> None:
        said = answer(check(config, connect=True)[1], "ledger")
        assert said.startswith("right: its tables have version"), said

    def test_each_missing_right_is_named(self, as_role: Engine, config: Path) -> None:
        with as_role.begin() as connection:
            connection.execute(text(f"REVOKE DELETE ON m3ter_onboarding_worklist FROM {self.role}"))
            connection.execute(text(f"REVOKE UPDATE ON m3ter_invitation FROM {self.role}"))
            connection.execute(text(f"REVOKE USAGE ON SEQUENCE m3ter_invitation_invitation_id_seq FROM {self.role}"))
        said = answer(check(config, connect=True)[1], "ledger")
        assert said.startswith("WRONG: the user of the connection 'ledger' lacks rights that a run needs: ")
        named = said.partition("needs: ")[2].partition(". Let")[0].split(", ")
        assert sorted(named) == [
            "DELETE on m3ter_onboarding_worklist",
            "UPDATE on m3ter_invitation",
            "USAGE on the sequence of m3ter_invitation",
        ]


@pytest.mark.parametrize(
    "arguments", [[], ["check"], ["chekc", "x"], ["check", "x", "--conect"], ["init", "x", "--warehouse", "excel"]]
)
def test_a_wrong_command_line_ends_with_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: m3ter-onboarding" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["init"], ["check"], ["ddl"]])
def test_each_command_has_examples_in_its_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "examples:\n  m3ter-onboarding " in out
    assert max(map(len, out.splitlines())) <= 120


def test_help_and_mistakes_come_at_once() -> None:
    script = (
        "import sys\nfrom m3ter_onboarding.cli.command import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('airflow', 'pydantic', 'sqlalchemy', 'yaml') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
