"""Ledgers that hostile values are written to, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables
from tests.support.databases import engine_of
from tests.support.postgresql import PostgresServer


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerDatabase]:
    """Return an empty ledger; what one example writes is there for the next."""
    url = f"sqlite:///{tmp_path_factory.mktemp('fuzzing') / 'ledger.db'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.new_database().url()
    db = LedgerDatabase(engine_of(url), write_patience=1.0)
    prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
    yield db
    db.close()
