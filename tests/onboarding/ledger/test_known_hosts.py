"""Which m3ter an organisation's id belongs to: the first one that was read, until a person says otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.ledger import mirror
from m3ter_onboarding.ledger.known_hosts import (
    Confirmation,
    Place,
    check_admitted,
    check_host,
    confirm_host,
    is_admitted,
    known_host,
    record_reading,
)
from tests.support.world import World

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
REAL, SANDBOX = Place("org-1", "https://api.m3ter.com"), Place("org-1", "http://127.0.0.1:8321")


def test_the_first_reading_fixes_the_host_and_another_one_is_refused(world: World) -> None:
    db = world.db
    check_host(db, SANDBOX)  # a ledger of an older version knows none yet
    assert known_host(db, "org-1") is None
    record_reading(db, REAL, "dag-1", NOW)
    record_reading(db, REAL, "dag-1", NOW + timedelta(days=1))
    check_host(db, REAL)
    with pytest.raises(
        LedgerUnusableError, match=r"org-1 at https://api.m3ter.com, .* leads to http://127.0.0.1:8321:"
    ):
        check_host(db, SANDBOX)
    with pytest.raises(LedgerUnusableError, match="same-m3ter"):
        record_reading(db, SANDBOX, "dag-2", NOW)
    assert known_host(db, "org-1") == REAL.base_url
    assert not is_admitted(db, "dag-2", "org-1"), "a sandbox lets anybody in"
    check_host(db, Place("org-2", SANDBOX.base_url))
    a = db.tables.admission.c
    rows = db.read(lambda c: c.execute(select(a.dag_id, a.org_id, a.first_at, a.last_at)).all(), doing="looking")
    assert [tuple(row) for row in rows] == [("dag-1", "org-1", NOW, NOW + timedelta(days=1))]


def test_only_dags_that_m3ter_let_in_use_what_the_ledger_holds(world: World) -> None:
    record_reading(world.db, REAL, "dag-1", NOW)
    check_admitted(world.db, "dag-1", "org-1")
    for dag, org in (("dag-1", "org-2"), ("dag-2", "org-1")):
        with pytest.raises(LedgerUnusableError, match=f"No snapshot of {dag} has read the organisation {org}"):
            check_admitted(world.db, dag, org)


def test_a_persons_word_changes_the_host_and_m3ter_is_read_anew(world: World) -> None:
    db = world.db
    record_reading(db, REAL, "dag-1", NOW)
    mirror.mark_complete(db, "org-1", mirror.begin_pass(db, "org-1"))
    stale = Confirmation(SANDBOX, "https://elsewhere.example", "olga", NOW)
    assert not confirm_host(db, stale)
    assert known_host(db, "org-1") == REAL.base_url
    word = Confirmation(SANDBOX, REAL.base_url, "olga", NOW)
    assert confirm_host(db, word)
    assert confirm_host(db, word), "the same word once more, after a COMMIT that nobody heard of"
    check_host(db, SANDBOX)
    with pytest.raises(LedgerUnusableError):
        check_host(db, REAL)
    o = db.tables.organisation.c
    row = db.read(lambda c: c.execute(select(o.confirmed_by, o.confirmed_at, o.first_seen_at)).one(), doing="looking")
    assert tuple(row) == ("olga", NOW, NOW)
    assert mirror.read_state(db, "org-1").complete_ms is None
