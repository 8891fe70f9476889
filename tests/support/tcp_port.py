"""A TCP port of a PostgreSQL that listens on a unix socket only: libpq uses no TLS there, whatever it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def tcp_port_of(folder: Path) -> Iterator[int]:
    """Pass on what arrives at a port of 127.0.0.1, and give its number.

    :param folder: of the server's unix socket.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, folder), daemon=True).start()
        yield int(listening.getsockname()[1])


def _accept(listening: socket.socket, folder: Path) -> None:
    with suppress(OSError):  # the port is closed
        while True:
            client = listening.accept()[0]
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(folder / ".s.PGSQL.5432"))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
