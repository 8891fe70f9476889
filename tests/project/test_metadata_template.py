"""The metadata database that all of a machine's tests and demos begin with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from demo.metadata_template import copy_whole


def test_a_copy_holds_what_still_lies_in_the_log(tmp_path: Path) -> None:
    database, copy = tmp_path / "airflow.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE dag_bundle (name)")
        writer.commit()
        copy_whole(database, copy)
    with closing(sqlite3.connect(copy)) as reader:
        assert reader.execute("SELECT name FROM sqlite_master").fetchall() == [("dag_bundle",)]
