"""A worker that stands still in mid-transaction (suspended, swapped out) does not hold up the others for ever."""

from __future__ import annotations

from sqlalchemy import text, update

from m3ter_onboarding.ledger import mirror
from tests.support.world import Stage


def test_d10_a_lock_is_waited_for_no_longer_than_its_holder_may_stand_still(postgresql_stage: Stage) -> None:
    db = postgresql_stage.db
    mirror.begin_pass(db, "an-organisation")
    table = db.tables.mirror_org
    with db.engine.connect() as connection, connection.begin():
        connection.execute(update(table).values(claims=1))
        limits = connection.execute(
            text("SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')")
        ).one()
    assert tuple(limits) == ("10s", "15s")
