"""An empty, migrated SQLite metadata database, made once per version of Airflow and copied afterwards."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path


class MigrationError(RuntimeError):
    """`airflow db migrate` failed; the text quotes what it said."""


def migrate(environment: Mapping[str, str]) -> None:
    """Make or upgrade the metadata database that an environment's settings name.

    :param environment: of the command; complete
    :raises MigrationError: when the command fails
    """
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise MigrationError(f"airflow db migrate failed:\n{done.stdout.decode(errors='replace')[-4000:]}")


def make_metadata_database(database: Path, cache: Path, environment: Mapping[str, str]) -> None:
    """Make a new SQLite metadata database, by a copy where the cache has one.

    :param database: the file that the environment's settings name
    :param cache: a directory, shared by any number of callers
    :param environment: for the command that makes it, where the cache is empty
    """
    template = cache / f"airflow-{importlib.metadata.version('apache-airflow')}.db"
    if template.exists():
        shutil.copyfile(template, database)
        return
    migrate(environment)
    cache.mkdir(parents=True, exist_ok=True)
    partial = template.with_suffix(f".{os.getpid()}")  # several callers at once must not see half a file
    copy_whole(database, partial)
    partial.replace(template)


def copy_whole(database: Path, copy: Path) -> None:
    """Copy a SQLite database with what lies in the log beside its file, where a process did not close it."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
