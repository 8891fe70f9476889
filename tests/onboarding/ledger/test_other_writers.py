"""Who beside the tasks may write to the ledger."""

from __future__ import annotations

from sqlalchemy import text

from m3ter_onboarding.ledger.other_writers import other_writers
from tests.support.world import World


def test_roles_that_may_write_are_named(world: World) -> None:
    assert other_writers(world.db) == ()
    if world.db.engine.dialect.name == "sqlite":
        return  # knows no roles
    with world.db.engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS m3ter_test_loader"))
        connection.execute(text("DROP ROLE IF EXISTS m3ter_test_reader"))
        connection.execute(text("CREATE ROLE m3ter_test_loader"))
        connection.execute(text("CREATE ROLE m3ter_test_reader"))
    try:
        with world.db.engine.begin() as connection:
            connection.execute(text("GRANT SELECT ON m3ter_onboarding_decision TO m3ter_test_reader"))
            connection.execute(text("GRANT SELECT, UPDATE ON m3ter_onboarding_decision TO m3ter_test_loader"))
        assert other_writers(world.db) == ("m3ter_test_loader",)
        with world.db.engine.begin() as connection:
            connection.execute(text("GRANT DELETE ON m3ter_invitation TO PUBLIC"))
        assert other_writers(world.db) == ("PUBLIC", "m3ter_test_loader")
    finally:
        with world.db.engine.begin() as connection:
            connection.execute(text("REVOKE ALL ON m3ter_invitation FROM PUBLIC"))
            for role in ("m3ter_test_loader", "m3ter_test_reader"):
                connection.execute(text(f"DROP OWNED BY {role}"))
                connection.execute(text(f"DROP ROLE {role}"))
