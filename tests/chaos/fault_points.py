"""Fault points: every statement and COMMIT of a database, every step of a request to m3ter, found by themselves.

They are taken from SQLAlchemy and aiohttp, not from our code: a statement or a call that is added later is a point as
soon as it runs, and cannot be forgotten. A point has a label that says where it is, such as
``claims._claim_new: INSERT``, ``COMMIT claiming invitations`` or ``POST invitations: sent``.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import aiohttp
from aiohttp.http_writer import StreamWriter
from sqlalchemy import Engine, event
from sqlalchemy.engine import default


def source_folders() -> tuple[Path, ...]:
    """Return where our own code is, as this process imports it."""
    found = [importlib.util.find_spec(name) for name in ("m3ter_onboarding", "m3ter_provider")]
    return tuple(Path(str(spec.origin)).parent for spec in found if spec is not None)


_OURS = tuple(str(folder) for folder in source_folders())


class FaultPoint(NamedTuple):
    """One place in a process where something may be made to go wrong.

    :param label: where.
    :param occurrence: how often this process has been there, from 1 on.
    """

    label: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.label} #{self.occurrence}"


Fault = Callable[[Any], None]
"""What is made to happen at a point; gets the DBAPI connection where there is one."""


def at_nth(number: int, fault: Fault) -> Fault:
    """Return a fault that happens once, at the *number*-th point from now, whichever that is (see ``before_any``)."""
    left = number

    def counting(connection: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            fault(connection)

    return counting


def die(_connection: Any) -> None:
    """End this process as a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


def freeze(_connection: Any) -> None:
    """Stop this process until it is resumed."""
    os.kill(os.getpid(), signal.SIGSTOP)


class FaultInjector:
    """Counts the fault points of this process, and injects a fault at some of them.

    :param faults: by point.
    :param before_any: called at every point, for faults at a random one.
    """

    def __init__(self, faults: Mapping[FaultPoint, Fault] | None = None, before_any: Fault | None = None) -> None:
        self._faults = dict(faults or {})
        self._before_any = before_any
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.reached: list[FaultPoint] = []

    def reach(self, label: str, connection: Any = None) -> None:
        """Note a point, and inject its fault."""
        with self._lock:
            self._counts[label] += 1
            point = FaultPoint(label, self._counts[label])
            self.reached.append(point)
        if self._before_any is not None:
            self._before_any(connection)
        fault = self._faults.get(point)
        if fault is not None:
            fault(connection)


_active: FaultInjector | None = None


def watch(injector: FaultInjector | None) -> None:
    """Let this process's statements and requests be points of *injector*, or of none."""
    global _active
    _install()
    _active = injector


def reached() -> tuple[FaultPoint, ...]:
    """Return the points that this process has reached."""
    return () if _active is None else tuple(_active.reached)


def _reach(label: str, connection: Any = None) -> None:
    if _active is not None:
        _active.reach(label, connection)


# -- where they come from -------------------------------------------------------------------------------------------

_installed = False


def _install() -> None:
    global _installed
    if _installed:
        return
    _installed = True
    event.listen(Engine, "before_cursor_execute", _before_statement)
    _wrap_commit()
    _wrap_sessions()


def _before_statement(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    _reach(f"{_caller(sys._getframe(1))}: {statement.split(maxsplit=1)[0].upper()}", connection.connection)


def _caller(frame: FrameType | None) -> str:
    """Return the function of ours that is nearest to a frame."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_OURS):
            return f"{Path(name).stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "elsewhere"


def _doing(frame: FrameType | None) -> str:
    """Return what the transaction around a frame is for, as the ledger names it."""
    while frame is not None:
        if "doing" in frame.f_locals and frame.f_code.co_filename.startswith(_OURS):
            return str(frame.f_locals["doing"])
        frame = frame.f_back
    return _caller(sys._getframe(2))


def _wrap_commit() -> None:
    commit = default.DefaultDialect.do_commit

    def do_commit(self: Any, dbapi_connection: Any) -> None:
        doing = _doing(sys._getframe(1))
        _reach(f"COMMIT {doing}", dbapi_connection)
        commit(self, dbapi_connection)
        _reach(f"COMMITTED {doing}", dbapi_connection)

    default.DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _wrap_sessions() -> None:
    begin = aiohttp.ClientSession.__init__

    def init(self: aiohttp.ClientSession, *args: Any, **kwargs: Any) -> None:
        kwargs["trace_configs"] = [*(kwargs.get("trace_configs") or ()), _trace()]
        begin(self, *args, **kwargs)

    aiohttp.ClientSession.__init__ = init  # type: ignore[method-assign]

    # aiohttp's own `on_request_chunk_sent` comes before the chunk is written.
    write_eof = StreamWriter.write_eof

    async def written(self: StreamWriter, chunk: bytes = b"") -> None:
        await write_eof(self, chunk)
        if (label := _request.get()) is not None:
            _request.set(None)
            _reach(f"{label}: sent")

    StreamWriter.write_eof = written  # type: ignore[method-assign]


_request: ContextVar[str | None] = ContextVar("request", default=None)


def _trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    def label(params: Any) -> str:
        return f"{params.method} {params.url.path.rpartition('/')[2]}"

    async def begins(_session: Any, _context: Any, params: Any) -> None:
        _request.set(label(params))
        _reach(f"{label(params)}: begins")

    async def answered(_session: Any, _context: Any, params: Any) -> None:
        _reach(f"{label(params)}: answered")

    trace.on_request_start.append(begins)
    trace.on_request_end.append(answered)
    return trace
