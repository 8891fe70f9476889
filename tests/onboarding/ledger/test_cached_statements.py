"""SQLAlchemy compiles each statement of a run once, and not each time that it is executed; aliases are made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from m3ter_onboarding.ledger.tables import once_more, tables_in
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


def test_a_second_name_of_a_table_is_made_once(project_root: Path) -> None:
    plan = tables_in(None).plan
    assert once_more(plan, "newer") is once_more(plan, "newer")
    assert once_more(plan, "newer") is not once_more(plan, "older")
    ledger = project_root / "include" / "m3ter_onboarding" / "ledger"
    with_own = {path.name for path in ledger.rglob("*.py") if ".alias(" in path.read_text()}
    assert with_own == {"tables.py"}
