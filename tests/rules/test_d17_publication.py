"""D17: the copies in the warehouse are current, whenever and wherever a publication ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, insert, literal, select, text, update

from m3ter_onboarding.errors import LedgerError
from m3ter_onboarding.reporting.publication import publish
from m3ter_onboarding.reporting.published_tables import ROW_VERSION, published_tables
from m3ter_onboarding.source.window import Window
from m3ter_sandbox.testing import SandboxServer
from tests.support.databases import engine_of, sqlite_connection
from tests.support.world import DAY, WINDOW, World, world_database_on

LATER = Window(DAY + timedelta(days=60), DAY + timedelta(days=61))


class Published:
    """A warehouse beside the ledger."""

    def __init__(self, world: World, engine: Engine) -> None:
        self.world, self.engine = world, engine
        self.tables = published_tables(world.db.tables, engine.dialect.name)

    def publish(self, **values: Any) -> int | None:
        return publish(self.world.db, self.engine, self.world.m3ter.org_id, **values)

    def states(self) -> dict[str, str]:
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT email_key, state FROM m3ter_invitation ORDER BY invitation_id"))
            return {row.email_key: row.state for row in rows}

    def differences(self) -> list[str]:
        """Return the tables whose copy is not the ledger's, row by row."""
        found = []
        for copy in self.tables.all():
            columns = [column.name for column in copy.rows.table.columns]
            content = []
            for engine, table in ((self.world.db.engine, copy.rows.table), (self.engine, copy.table)):
                chosen = select(*(table.c[name] for name in columns))
                with engine.connect() as connection:
                    content.append(sorted(repr(tuple(row)) for row in connection.execute(chosen)))
            if content[0] != content[1]:
                found.append(copy.table.name)
        return found

    def people(self) -> dict[str | None, Any]:
        return people_of(self.engine)


def people_of(engine: Engine) -> dict[str | None, Any]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM m3ter_onboarding_person")).all()
    found = {row.employee_id or row.email: row for row in rows}
    assert len(found) == len(rows), "one row a person"
    return found


@pytest.fixture(params=["sqlite_warehouse", "postgresql_warehouse"])
def beside(request: pytest.FixtureRequest, m3ter: SandboxServer, tmp_path: Path) -> Iterator[Published]:
    """A ledger in one kind of database, its warehouse in the other."""
    database = request.getfixturevalue("postgres_server").new_database()
    path = tmp_path / "a.db"
    places = [(f"sqlite:///{path}", sqlite_connection(path)), (database.url(), database.airflow_connection())]
    if request.param == "postgresql_warehouse":
        places.reverse()
    warehouse = engine_of(places[0][0])
    with world_database_on(*places[1]) as own:
        yield Published(own.world(m3ter), warehouse)
    warehouse.dispose()


@pytest.fixture
def copied(sqlite_world: World, tmp_path: Path) -> Iterator[Published]:
    """Both in SQLite, in files of their own."""
    engine = engine_of(f"sqlite:///{tmp_path / 'warehouse.db'}")
    yield Published(sqlite_world, engine)
    engine.dispose()


def a_run(world: World, run: str = "run-1", window: Window = WINDOW) -> None:
    """Snapshot, plan and send, recorded as the tasks do."""
    world.begin_run(world.run(run), window)
    world.whole_run(run, window=window)


def test_d17_invitation_that_changes_after_its_person_left_the_window_is_published(beside: Published) -> None:
    world = beside.world
    world.hire("e1", "e2", "broken@")
    a_run(world)
    beside.publish()
    assert beside.differences() == []
    assert beside.states() == {"e1@example.com": "sent", "e2@example.com": "sent"}
    world.m3ter.accept("e1@example.com")
    a_run(world, "run-2", LATER)
    assert beside.publish()
    assert beside.states() == {"e1@example.com": "accepted", "e2@example.com": "sent"}
    assert beside.differences() == []
    assert beside.publish() == 0
    assert {name: row.state for name, row in beside.people().items()} == {
        "e1": "accepted",
        "e2": "sent",
        "broken@": "invalid",
    }
    shown = [
        {name: (row.state, row.reason, row.decision, row.open_question) for name, row in people.items()}
        for people in (beside.people(), people_of(world.db.engine))
    ]
    assert shown[0] == shown[1]


def test_d17_second_publication_writes_nothing(copied: Published) -> None:
    copied.world.hire("e1", "broken@")
    a_run(copied.world)
    assert copied.publish()
    written: list[str] = []
    event.listen(copied.engine, "before_cursor_execute", lambda *arguments: written.append(arguments[2]))
    assert copied.publish() == 0
    assert not [statement for statement in written if not statement.lstrip().startswith(("SELECT", "PRAGMA"))]


class KilledError(BaseException):
    """The process ended here."""


def test_d17_publication_that_is_killed_anywhere_is_finished_by_the_next(copied: Published) -> None:
    world, left = copied.world, [-1]
    world.hire("e1", "e2", "broken@")
    a_run(world)

    def die(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        left[0] -= statement.startswith(("DELETE", "INSERT"))
        if left[0] == 0:
            raise KilledError

    event.listen(copied.engine, "before_cursor_execute", die)
    copied.publish()
    for steps in range(1, 100):
        left[0] = -1
        with copied.engine.begin() as connection:
            for copy in copied.tables.all():
                connection.execute(delete(copy.table))
        left[0] = steps
        try:
            copied.publish()
        except KilledError:
            left[0] = -1
            copied.publish()
            assert copied.differences() == [], f"killed at statement {steps}"
        else:
            break
    assert 12 < steps < 99


def test_d17_event_that_is_missing_far_back_is_published(copied: Published) -> None:
    events = copied.world.db.tables.event
    row = {"invitation_id": 1, "org_id": copied.world.m3ter.org_id, "to_state": "sent", "why": "found", "at": DAY}
    with copied.world.db.engine.begin() as connection:
        connection.execute(insert(events), [{**row, "event_id": number} for number in range(1, 12_001)])
    assert copied.publish() == 12_000
    table = copied.tables.event.table
    with copied.engine.begin() as connection:
        connection.execute(delete(table).where(table.c.event_id.in_([17, 11_998])))
    assert copied.publish() == 2
    assert copied.differences() == []


def test_d17_change_without_an_event_is_published(copied: Published) -> None:
    copied.world.hire("e1")
    a_run(copied.world)
    copied.publish()
    invitation = copied.world.db.tables.invitation
    with copied.world.db.engine.begin() as connection:
        connection.execute(update(invitation).values(state="superseded", updated_at=DAY))
    assert copied.publish() == 1
    assert copied.states() == {"e1@example.com": "superseded"}


def test_d17_rows_of_others_stay(copied: Published) -> None:
    copied.world.hire("e1")
    a_run(copied.world)
    copied.publish()
    with copied.engine.begin() as connection:
        for copy in copied.tables.all():
            values = {name: "another" for name in ("org_id", "plan_id") if name in ("org_id", *copy.rows.key)}
            columns = [literal(values[c.name]) if c.name in values else c for c in copy.table.columns]
            chosen = select(*columns)
            connection.execute(copy.table.insert().from_select(list(copy.table.columns.keys()), chosen))
    copied.world.m3ter.accept("e1@example.com")
    a_run(copied.world, "run-2", LATER)
    copied.publish()
    with copied.engine.connect() as connection:
        states = connection.execute(text("SELECT org_id, state FROM m3ter_invitation")).all()
    assert {tuple(row) for row in states} == {("another", "sent"), (copied.world.m3ter.org_id, "accepted")}


def test_d17_tables_of_an_older_version_get_their_columns_and_rows_once(copied: Published) -> None:
    """Without keys and versions, and a row is there twice."""
    copied.world.hire("e1")
    a_run(copied.world)
    invitation = copied.tables.invitation.table
    old = [column.name for column in invitation.columns if column.name not in ("answer", ROW_VERSION)]
    with copied.engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE m3ter_invitation ({', '.join(old)})"))
        row = f"1, '{copied.world.m3ter.org_id}', 'e1@example.com', 'sending'"
        for _ in range(2):
            connection.execute(
                text(f"INSERT INTO m3ter_invitation (invitation_id, org_id, email_key, state) VALUES ({row})")
            )
    copied.publish()
    assert copied.differences() == []
    assert copied.publish() == 0


def test_d17_missing_table_or_column_is_named_where_none_may_be_made(copied: Published) -> None:
    copied.world.hire("e1")
    a_run(copied.world)
    with pytest.raises(LedgerError, match=r"lacks dag_id.*ddl --published"):
        copied.publish(create_tables=False)
    copied.publish()
    with copied.engine.begin() as connection:
        connection.execute(text("DROP VIEW m3ter_onboarding_person"))
        connection.execute(text("ALTER TABLE m3ter_invitation DROP COLUMN answer"))
    with pytest.raises(LedgerError, match=r"m3ter_invitation lacks answer.*ddl --published"):
        copied.publish(create_tables=False)


def test_d17_view_shows_where_each_person_stands(world: World) -> None:
    """In the ledger's own database, without any publication."""
    world.m3ter.seed(invitations=[{"email": "byhand@example.com"}], users=[{"email": "member@example.com"}])
    world.hire("e1", "e2")
    world.hire("e3", first_name="")
    world.hire("e4", email="byhand@example.com")
    world.hire("e5", permission_policies="Nowhere")
    a_run(world)
    world.m3ter.accept("e2@example.com")
    a_run(world, "run-2")
    people = people_of(world.db.engine)
    assert {name: (row.state, row.reason, row.open_question) for name, row in people.items()} == {
        "e1": ("sent", "answered", None),
        "e2": ("accepted", "found_as_user", None),
        "e3": ("invalid", "first_name", "invalid:first_name"),
        "e4": ("adopted", "found", None),
        "e5": ("invalid", "policy", "invalid:policy"),
        "member@example.com": ("accepted", "found", None),
    }
    assert people["e1"].invitation_id == world.row("e1")["invitation_id"]
    assert people["e1"].decision == "skip:already_invited"
    assert people["e4"].email == "byhand@example.com"
    assert people["e3"].since is not None
    assert people["e3"].open_since == people["e3"].since


def test_d17_view_shows_an_employee_once_whose_address_changed(world: World) -> None:
    world.hire("e1")
    a_run(world)
    world.correct("e1", email="other@example.com")
    a_run(world, "run-2")
    (row,) = people_of(world.db.engine).values()
    assert (row.employee_id, row.email, row.state) == ("e1", "e1@example.com", "sent")
    assert row.open_question == row.decision == "review:email_changed"
