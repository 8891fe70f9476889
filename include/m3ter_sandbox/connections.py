"""TCP connections that a fault can cut off: no answer, or half of one."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

__all__ = ["Connections"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connections:
    """The open connections of a server by the address of their client."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """Return uvicorn's own HTTP protocol, which also enters its connections here."""
        transports = self._transports
        base: Any = AutoHTTPProtocol

        class EnteredProtocol(base):  # type: ignore[misc]
            def connection_made(self, transport: asyncio.Transport) -> None:
                self.entered_as = tuple(transport.get_extra_info("peername")[:2])
                transports[self.entered_as] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.entered_as, None)
                super().connection_lost(exc)

        return EnteredProtocol

    def cut(self, client: tuple[str, int], *, reset: bool) -> None:
        """End a connection at once.

        :param client: host and port, as in the ASGI scope.
        :param reset: by RST, as a dying peer does; else by FIN, as an idle time-out does.
        """
        transport = self._transports.get(client)
        if transport is None:
            return
        if reset:
            found: socket.socket | None = transport.get_extra_info("socket")
            if found is not None:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        else:
            # Sends first what was written, e.g. half an answer.
            transport.close()
