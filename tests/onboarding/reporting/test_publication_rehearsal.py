"""Whether results could be published: found out without changing anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, inspect, text

from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.reporting.publication import publish
from m3ter_onboarding.reporting.publication_rehearsal import rehearse_publication
from tests.support.databases import engine_of
from tests.support.postgresql import PostgresDatabase
from tests.support.world import World

RIGHT = "the tables of results can be written (nothing was changed)."


@pytest.fixture
def postgresql(postgres_database: PostgresDatabase) -> Iterator[Engine]:
    """Return an empty warehouse."""
    engine = engine_of(postgres_database.url())
    yield engine
    engine.dispose()


def as_reader(owner: Engine, database: PostgresDatabase, rights: str) -> Engine:
    """Return the engine of a role that may read, and what else is said."""
    reader = f"reader_of_{database.name}"
    with owner.begin() as connection:
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        connection.execute(text(f"CREATE ROLE {reader} LOGIN"))
        connection.execute(text(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {reader}"))
    return engine_of(database.url().replace("postgres@", f"{reader}@"))


def test_postgresql_keeps_nothing_of_it(sqlite_world: World, postgresql: Engine) -> None:
    assert rehearse_publication(sqlite_world.db, postgresql, create_tables=True) == RIGHT
    assert inspect(postgresql).get_table_names() == []
    publish(sqlite_world.db, postgresql, sqlite_world.m3ter.org_id)
    assert rehearse_publication(sqlite_world.db, postgresql, create_tables=False) == RIGHT


@pytest.mark.parametrize("made", [False, True])
def test_a_role_that_may_only_read_is_refused(
    sqlite_world: World, postgresql: Engine, postgres_database: PostgresDatabase, made: bool
) -> None:
    if made:
        publish(sqlite_world.db, postgresql, sqlite_world.m3ter.org_id)
    reader = as_reader(postgresql, postgres_database, "SELECT")
    with pytest.raises(LedgerUnusableError, match=r"42501.*permission denied.*set `publish: false`"):
        rehearse_publication(sqlite_world.db, reader, create_tables=True)
    reader.dispose()


def test_rights_to_write_are_enough_where_the_tables_are_there(
    sqlite_world: World, postgresql: Engine, postgres_database: PostgresDatabase
) -> None:
    publish(sqlite_world.db, postgresql, sqlite_world.m3ter.org_id)
    writer = as_reader(postgresql, postgres_database, "SELECT, INSERT, UPDATE, DELETE")
    for create_tables in (False, True):
        assert rehearse_publication(sqlite_world.db, writer, create_tables=create_tables) == RIGHT
    writer.dispose()


def test_where_tables_would_stay_none_is_made(sqlite_world: World, tmp_path: Path) -> None:
    warehouse = engine_of(f"sqlite:///{tmp_path / 'warehouse.db'}")
    warehouse.dialect.name = "another"
    written: list[str] = []
    event.listen(warehouse, "before_cursor_execute", lambda *said: written.append(str(said[2])))
    found = rehearse_publication(sqlite_world.db, warehouse, create_tables=True)
    assert found == "10 of its tables are missing: the first run makes them, if it may."
    assert not any("CREATE" in statement for statement in written)
    warehouse.dispose()
