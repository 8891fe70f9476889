"""The file of a ledger in SQLite: nobody but its owner may read it, for it holds people."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine, event

log = logging.getLogger(__name__)

#: Files that this process has warned about.
_warned: set[str] = set()


def keep_private(engine: Engine) -> None:
    """Make a missing file for its owner alone; SQLite gives its mode to what it puts beside it (journal, WAL)."""
    if not event.contains(engine, "do_connect", _before_connecting):
        event.listen(engine, "do_connect", _before_connecting)


def leave_missing(engine: Engine) -> None:
    """Make no file: for those who only read, a missing one is an error."""
    if event.contains(engine, "do_connect", _before_connecting):
        event.remove(engine, "do_connect", _before_connecting)


def _before_connecting(_dialect: Any, _record: Any, arguments: list[Any], _options: dict[str, Any]) -> None:
    file = _file_of(str(arguments[0])) if arguments else None
    if file is None:
        return
    with suppress(OSError):  # it exists; or SQLite says why it cannot be made
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return
    with suppress(OSError):
        mode = stat.S_IMODE(Path(file).stat().st_mode)
        if mode & 0o077 and file not in _warned:
            _warned.add(file)
            log.warning(
                "Other users of this machine may open the ledger's file (%s, mode %04o), which holds people. If nobody"
                " but Airflow's user needs it: chmod 600 it, and the files -wal, -shm and -journal beside it.",
                file,
                mode,
            )


def _file_of(name: str) -> str | None:
    """Return the file that SQLite opens for a name, or None where there is none, or it may not be made."""
    if not name.startswith("file:"):
        return None if not name or name == ":memory:" else name
    url = urlsplit(name)
    return None if "mode=" in url.query or ":memory:" in url.path else unquote(url.path)
