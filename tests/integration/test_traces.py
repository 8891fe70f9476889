"""What whole runs leave behind in Airflow: no secret, token, address or name, in good runs and in failing ones.

Logs of tasks and components, tracebacks, XComs, rendered fields, run conf and audit log: all of it is either a file in
AIRFLOW_HOME or a row of the metadata database, and both are searched as they are.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.airflow_api import AirflowApiError
from demo.airflow_stack import AirflowStack
from m3ter_sandbox.testing import ACCESS_KEY_ID
from tests.support.airflow_organisation import FIRST_NAME, LAST_NAME, SECRET, Organisation, organisation
from tests.support.postgresql import PostgresServer
from tests.support.world import QUERY

pytestmark = pytest.mark.slow

WRONG_SECRET = "markersecret-that-is-wrong"
CREATE = {"operation": "CreateOrgUserInvitation"}


def good(org: Organisation) -> None:
    org.hire(5)
    run_id = org.run_once()
    assert len(org.m3ter.emails()) == 5
    assert org.stack.api.xcoms(org.dag_id, run_id, "plan")["return_value"]["rows"] == 5
    assert org.stack.api.rendered_fields(org.dag_id, run_id, "send") == {
        "config_name": "traces_good",
        "m3ter_conn_id": "traces_good_m3ter",
        "warehouse_conn_id": "traces_good_warehouse",
        "ledger_conn_id": "traces_good_warehouse",
        "ledger_schema": None,
    }
    assert any(entry["event"] == "trigger_dag_run" for entry in org.stack.api.audit_log(org.dag_id))


def one_person(org: Organisation) -> None:
    org.hire(5)
    org.run_once(only_employee="E-002")


def wrong_secret(org: Organisation) -> None:
    org.hire(5)
    org.connect_m3ter(password=WRONG_SECRET)
    org.fails(org.trigger())


def wrong_values(org: Organisation) -> None:
    """A query that the database refuses because of a person's value, and rows that cannot be invited."""
    org.hire(2, email=f"{FIRST_NAME} {LAST_NAME} <{LAST_NAME}@example.com>")
    org.hire(2, first=11, start_date=f"{LAST_NAME}'s first day")
    org.run_once()
    cast = QUERY.replace("start_date", "CAST(email AS integer) AS start_date")
    org.configure({}, cast.replace("email,", "no_such_column AS email,") if org.warehouse.name == "sqlite" else cast)
    org.fails(org.trigger())


def refused(org: Organisation) -> None:
    """m3ter's message quotes the person that it refused."""
    org.hire(5)
    text = f"{LAST_NAME}.1@example.com ({FIRST_NAME} {LAST_NAME}) is not wanted"
    org.m3ter.faults(**CREATE, kind="status", status=400, message=text)
    org.fails(org.trigger())


def forbidden(org: Organisation) -> None:
    org.hire(5)
    org.m3ter.faults(**CREATE, kind="status", status=403, message=f"{FIRST_NAME} {LAST_NAME} may not")
    org.fails(org.trigger())


def unknown(org: Organisation) -> None:
    """No POST gets a usable answer, and garbled ones quote the person."""
    org.hire(12)
    org.m3ter.faults(**CREATE, kind="garbled", garble="missing_id", count=6)
    org.m3ter.faults(**CREATE, kind="status", status=504, when="after", message=f"late: {LAST_NAME}.1@example.com")
    org.run_once()
    assert len(org.m3ter.emails()) == 12


def wrong_parameter(org: Organisation) -> None:
    """What the form cannot know to be wrong fails the run; the run's conf itself is what somebody typed."""
    org.hire(1)
    with pytest.raises(AirflowApiError, match=r"400 .*Invalid input for param interval_start"):
        org.trigger(interval_start="2026-11-10")
    org.fails(org.trigger(interval_start="2040-01-01T00:00:00Z"))


SCENARIOS: dict[str, Callable[[Organisation], None]] = {
    "good": good,
    "one_person": one_person,
    "wrong_secret": wrong_secret,
    "wrong_values": wrong_values,
    "refused": refused,
    "forbidden": forbidden,
    "unknown": unknown,
    "wrong_parameter": wrong_parameter,
}


def tokens(folders: Iterable[Path]) -> set[str]:
    """Return every access token that the local m3ters of some organisations gave out."""
    found: set[str] = set()
    for folder in folders:
        with closing(sqlite3.connect(folder / "m3ter.db")) as connection:
            found |= {value for (value,) in connection.execute("SELECT value FROM token")}
    return found


def searched_for(folders: Iterable[Path]) -> list[bytes]:
    """Return what must be nowhere, in lower case."""
    given_out = tokens(folders)
    assert given_out
    basic = [base64.b64encode(f"{ACCESS_KEY_ID}:{secret}".encode()).decode() for secret in (SECRET, WRONG_SECRET)]
    markers = [FIRST_NAME, LAST_NAME, SECRET, WRONG_SECRET, *basic, *given_out]
    return [marker.lower().encode() for marker in markers]


def files(stack: AirflowStack) -> Iterator[tuple[str, bytes]]:
    """Return every file that Airflow wrote, the metadata database included where it is one."""
    for path in sorted(stack.home.rglob("*")):
        if path.is_file() and stack.dags_folder not in path.parents:
            yield str(path.relative_to(stack.home)), path.read_bytes()


def postgres_tables(server: PostgresServer) -> Iterator[tuple[str, bytes]]:
    """Return every table of the metadata database as text."""
    with psycopg.connect(host=str(server.folder), user="postgres", dbname="airflow") as connection:
        names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for name in names:
            rows = connection.execute(f'SELECT row_to_json(t)::text FROM "{name}" t'.encode())
            yield name, "\n".join(row for (row,) in rows).encode()


def assert_nothing_left(places: Iterable[tuple[str, bytes]], markers: list[bytes], seen: bytes) -> None:
    """Check that no place holds a marker, and that the search sees what is there.

    :param seen: something harmless that must be found.
    """
    found = set()
    left = []
    for name, content in places:
        lower = content.lower()
        left += [f"{name}: {_around(lower, marker)}" for marker in markers if marker in lower]
        if seen in lower:
            found.add(name)
    assert not left, "\n".join(left)
    assert len(found) > 1, f"the search does not see {seen!r}"


def _around(content: bytes, marker: bytes) -> str:
    at = content.index(marker)
    return content[max(at - 300, 0) : at + 300].decode(errors="replace")


@pytest.fixture(scope="module")
def folders(airflow_sqlite: AirflowStack, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Run every scenario on SQLite metadata and SQLite ledgers; return the organisations' folders."""

    def run(name: str, scenario: Callable[[Organisation], None]) -> Path:
        folder = tmp_path_factory.mktemp(f"traces_{name}")
        values: dict[str, Any] = {"dag": {"default_args": {"retries": 2, "retry_delay": "1s"}}}
        with organisation(airflow_sqlite, f"traces_{name}", folder, values=values) as org:
            scenario(org)
        return folder

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(partial(run, name, scenario)) for name, scenario in SCENARIOS.items()]
        return [future.result() for future in futures]


def test_files_and_metadata_hold_no_personal_data(airflow_sqlite: AirflowStack, folders: list[Path]) -> None:
    markers = searched_for(folders)
    assert_nothing_left(files(airflow_sqlite), markers, b"m3ter_onboarding__traces_refused")
    names = [name for name, _ in files(airflow_sqlite)]
    assert "airflow.db" in names
    assert sum("task_id=send" in name for name in names) >= 5


def test_the_other_tests_left_no_personal_data(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Tests that ran before in this session: killed, orphaned, cleared, refused."""
    folders = [file.parent for file in tmp_path_factory.getbasetemp().glob("*/m3ter.db")]
    if not [folder for folder in folders if not folder.name.startswith("traces_")]:
        pytest.skip("no other test ran before this one")
    airflow_postgres: AirflowStack = request.getfixturevalue("airflow_postgres")
    postgres_server: PostgresServer = request.getfixturevalue("postgres_server")
    markers = searched_for(folders)
    assert_nothing_left(files(airflow_postgres), markers, b"m3ter_onboarding__")
    assert_nothing_left(postgres_tables(postgres_server), markers, b"m3ter_onboarding__")
