"""The server in a process of its own, and the way to steer it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks._peers.server import Switches

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Server:
    """A running server.

    :param url: where it is reached.
    """

    url: str

    def reset(self, switches: Switches) -> None:
        """Begin anew with other switches."""
        self._call("reset", json.dumps(asdict(switches)).encode())

    def counts(self) -> dict[str, int]:
        """Return what it received and did since the last reset."""
        counts: dict[str, int] = self._call("counts", None)
        return counts

    def _call(self, name: str, body: bytes | None) -> Any:
        request = urllib.request.Request(f"{self.url}/_bench/{name}", body, {"Connection": "close"})
        with _DIRECT.open(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def running_server() -> Iterator[Server]:
    """Run the server while the body runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._peers.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.communicate(timeout=10)
