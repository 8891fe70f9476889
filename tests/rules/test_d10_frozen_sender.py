"""docs/delivery.md, rule 10: a worker that is frozen in mid-transaction does not hold up the others for ever."""

from __future__ import annotations

from sqlalchemy import text, update

from m3ter_onboarding.ledger import mirror
from tests.support.world import WorldDatabase


def test_d10_a_lock_is_waited_for_no_longer_than_its_holder_may_be_frozen(
    postgresql_world_database: WorldDatabase,
) -> None:
    db = postgresql_world_database.db
    mirror.begin_pass(db, "an-organisation")
    table = db.tables.mirror_org
    with db.engine.connect() as connection, connection.begin():
        connection.execute(update(table).values(claims=1))
        limits = connection.execute(
            text("SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')")
        ).one()
    assert tuple(limits) == ("10s", "15s")
