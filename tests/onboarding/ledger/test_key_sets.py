"""Thousands of keys in one statement."""

from __future__ import annotations

import gc
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BindParameter, Connection, event, insert, select

from m3ter_onboarding.ledger import mirror, people
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.key_sets import AT_ONCE, one_of, sets_of
from m3ter_onboarding.ledger.worklist import Questions
from m3ter_provider.answer_values import usable_identity
from tests.support.world import World

STRANGE = ("it's", 'a"b', "{a,b}", "a\\b", "ß", "\U0001f600", "NULL", "", " a ", "a\0b", "\ud800", "x" * 500)


def test_a_condition_finds_its_keys_and_no_others(world: World) -> None:
    table = world.db.tables.mirror_user
    row = {"org_id": "o", "email": "e", "first_seen_ms": 1, "last_seen_ms": 1, "gone": False}
    people = [*STRANGE, "other"]
    with world.db.engine.begin() as connection:
        rows = [{**row, "m3ter_id": f"u{number}", "email_key": key} for number, key in enumerate(people)]
        connection.execute(insert(table), rows)
        found = connection.execute(select(table.c.m3ter_id).where(one_of(connection, table.c.email_key, STRANGE)))
        assert set(found.scalars()) == {f"u{number}" for number in range(len(STRANGE))}
        one = connection.execute(select(table.c.email_key).where(one_of(connection, table.c.email_key, ["a\0b"])))
        assert one.scalars().all() == [usable_identity("a\0b", 400)]
        assert not connection.execute(select(table).where(one_of(connection, table.c.email_key, []))).all()


@given(st.sets(st.integers(0, 10**6).map(str), max_size=50))
def test_every_key_is_in_one_set(keys: set[str]) -> None:
    assert [key for one in sets_of(keys) for key in one] == sorted(keys)


def test_a_statement_looks_for_no_more_than_so_many() -> None:
    assert [len(one) for one in sets_of(str(number) for number in range(2 * AT_ONCE + 1))] == [AT_ONCE, AT_ONCE, 1]


def test_no_look_up_of_people_reads_all_of_an_organisation(sqlite_world: World) -> None:
    """SQLite has no figures of its tables, and chooses an index by the form of a statement alone."""
    world, org_id = sqlite_world, sqlite_world.m3ter.org_id
    world.hire("e1")
    world.snapshot()
    asking = Questions()
    asking.add([Decision(1, "skip", "domain_not_allowed", "e1", "e1@example.com", "e1@example.com")])
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked[statement] = parameters

    event.listen(world.db.engine, "before_cursor_execute", note)
    try:
        mirror.users_of(world.db, org_id, ["e1@example.com"])
        mirror.invitations_of(world.db, org_id, ["e1@example.com"])
        mirror.doubles_of(world.db, org_id, ["e1@example.com"], world.now())
        people.read_ledger(world.db, org_id, ["e1@example.com"], ["e1"], planning=world.run("run-1"))
        people.among_invited(world.db, org_id, ["e1"])
        people.previous_addresses(world.db, org_id, ["e1"])
        with world.db.engine.connect() as connection:
            asking.still_asked(connection, world.db.tables, org_id)
    finally:
        event.remove(world.db.engine, "before_cursor_execute", note)
    plans = {}
    with world.db.engine.connect() as connection:
        for statement, parameters in asked.items():
            if "json_each" in statement or "employee_id IS NULL" in statement:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                plans[statement] = [row.detail for row in rows if row.detail.startswith("SEARCH")]
    assert len(plans) == 9
    for found in plans.values():
        assert len(found) == 1
        assert re.search(r"\(org_id=\? AND (email_key|alias_key|employee_id)=\?\)", found[0])


def test_a_look_up_leaves_no_keys_in_memory(world: World) -> None:
    """A plan makes six look-ups of 5,000 keys for each 5,000 people, and Python collects circles rarely meanwhile."""
    column, keys = world.db.tables.mirror_user.c.email_key, [f"kept-{number}@example.com" for number in range(50)]

    def look_up(connection: Connection) -> None:
        assert not connection.execute(select(column).where(one_of(connection, column, keys))).all()

    world.db.read(look_up, doing="looking up")
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        world.db.read(look_up, doing="looking up")
        gc.collect()
        kept = [one for one in gc.garbage if isinstance(one, BindParameter) and "kept-1@" in str(one.value)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert not kept
