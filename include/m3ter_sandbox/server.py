"""The sandbox behind a socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable

import uvicorn

from m3ter_sandbox.app import App
from m3ter_sandbox.sandbox import Sandbox

__all__ = ["bind", "serve", "url_of"]


def bind(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    :param port: 0 for a free one.
    :raises OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's algorithm off only then: it costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL under which this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, sandbox: Sandbox, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._sandbox, self._on_started = sandbox, on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Hanging requests would otherwise be waited for.
        self._sandbox.gate.release()
        await super().shutdown(sockets)


def serve(
    sandbox: Sandbox,
    listener: socket.socket,
    on_started: Callable[[], None],
    *,
    hosts: Iterable[str] = (),
    until_stdin_closes: bool = False,
) -> None:
    """Answer requests until a signal (SIGINT, SIGTERM) ends it.

    :param on_started: called once, when requests are answered.
    :param hosts: names under which it is reached, beside the loopback names.
    :param until_stdin_closes: also end when standard input does, i.e. with the process that holds its other end.
    """
    config = uvicorn.Config(
        App(sandbox, hosts),
        http=sandbox.connections.protocol(),
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, sandbox, on_started)
    if until_stdin_closes:

        def watch() -> None:
            with contextlib.suppress(OSError, ValueError):
                while os.read(sys.stdin.fileno(), 4096):
                    pass
            server.should_exit = True

        threading.Thread(target=watch, name="stdin", daemon=True).start()
    try:
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        listener.close()
        sandbox.close()
