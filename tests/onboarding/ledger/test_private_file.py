"""The file of a SQLite ledger: its owner's alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from m3ter_onboarding.ledger import private_file
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.private_file import _file_of


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("uri", ["sqlite:///{file}", "sqlite:///file:{file}?uri=true"])
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_new_ledger_and_what_sqlite_puts_beside_it_are_the_owners(tmp_path: Path, uri: str, journal: str) -> None:
    db = LedgerDatabase(create_engine(uri.format(file=tmp_path / "ledger.db")))
    with db.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute(text("CREATE TABLE one (a)"))
        connection.execute(text("INSERT INTO one VALUES (1)"))
        found = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    db.close()
    assert set(found.values()) == {"0o600"}
    assert len(found) > 1, found


def test_an_existing_file_keeps_its_mode_and_is_warned_about_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(private_file, "_warned", set())
    file = tmp_path / "ledger.db"
    file.touch(mode=0o644)
    for _ in range(2):
        db = LedgerDatabase(create_engine(f"sqlite:///{file}"))
        assert db.now_ms()
        db.close()
    assert file.stat().st_mode & 0o777 == 0o644
    assert len(caplog.messages) == 1
    assert f"may open the ledger's file ({file}, mode 0644)" in caplog.messages[0]
    file.chmod(0o600)
    monkeypatch.setattr(private_file, "_warned", set())
    caplog.clear()
    db = LedgerDatabase(create_engine(f"sqlite:///{file}"))
    assert db.now_ms()
    db.close()
    assert caplog.messages == []


@pytest.mark.parametrize(
    "name", ["", ":memory:", "file::memory:?cache=shared", "file:/x.db?mode=ro", "file:x?mode=memory"]
)
def test_a_database_without_a_file_makes_none(name: str) -> None:
    assert _file_of(name) is None
