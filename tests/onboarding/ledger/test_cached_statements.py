"""SQLAlchemy compiles each statement of a run once, and not each time that it is executed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from tests.support.world import World


def test_every_statement_of_a_run_can_be_cached(world: World) -> None:
    compiled_anew = set()

    def note(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if context.compiled is not None and not context.isddl and context.cache_hit is CacheStats.NO_CACHE_KEY:
            compiled_anew.add(statement)

    world.hire("E1", "E2")
    event.listen(world.db.engine, "before_cursor_execute", note)
    try:
        world.whole_run()
        world.whole_run("run-2")
    finally:
        event.remove(world.db.engine, "before_cursor_execute", note)
    assert compiled_anew == set()
