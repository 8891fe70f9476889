"""What the demo keeps between two starts."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from demo.scene import _still_the_same_m3ter
from demo.warehouse import Warehouse
from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.known_hosts import Place, check_host, record_reading
from m3ter_onboarding.ledger.schema import prepare_tables

NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)


def test_the_demos_ledger_follows_its_own_m3ter_to_another_port(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.db")
    today: Any = SimpleNamespace(org_id="org-1", url="http://127.0.0.1:2")
    _still_the_same_m3ter(today, warehouse)  # the first start: the ledger has no tables yet
    db = LedgerDatabase(create_engine(f"sqlite:///{warehouse.path}"))
    prepare_tables(db, create_tables=True, now=NOW, package_version="0")
    record_reading(db, Place("org-1", "http://127.0.0.1:1"), "dag", NOW)
    with pytest.raises(LedgerUnusableError):
        check_host(db, Place("org-1", today.url))
    _still_the_same_m3ter(today, warehouse)
    check_host(db, Place("org-1", today.url))
    db.close()


def test_the_demos_warehouse_is_its_owners_file(tmp_path: Path) -> None:
    assert Warehouse(tmp_path / "warehouse.db").path.stat().st_mode & 0o777 == 0o600
