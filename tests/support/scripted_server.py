"""A server that misbehaves on the socket as a test wants, in ways that no HTTP framework allows."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    on_connection: int = field(default=1)

    def json(self) -> dict[str, object]:
        return dict(json.loads(self.body))


class HangupError(Exception):
    """Close the connection without an answer."""


class ResetError(Exception):
    """Reset the connection without an answer."""


Behaviour = Callable[[Received], bytes]


def answer(status: int, content: object = None, *, raw: bytes | None = None, **headers: str) -> bytes:
    body = raw if raw is not None else b"" if content is None else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def token(request: Received) -> bytes:
    return answer(200, {"access_token": "a-token-of-the-test", "expires_in": 18000})


def created(request: Received) -> bytes:
    return answer(200, {"id": "inv-1", "email": request.json()["email"]})


class ScriptedServer:
    """Listens on a free port and lets functions answer.

    :param post: answers a POST of an invitation.
    :param get: answers every GET.
    :param token: answers a token request.
    :param port: where to listen; 0: a free port.
    :param drip_seconds: how long to wait after each byte of an answer to a POST of an invitation.
    :param stop: ends the dripping.
    :param tls: speak https.
    """

    def __init__(
        self,
        post: Behaviour = created,
        get: Behaviour = lambda request: answer(200, {"data": []}),
        token: Behaviour = token,
        *,
        port: int = 0,
        drip_seconds: float = 0,
        stop: threading.Event | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._post, self._get, self._token = post, get, token
        self.received: list[Received] = []
        self._drip_seconds, self._stop = drip_seconds, stop or threading.Event()
        self._socket = socket.create_server(("127.0.0.1", port))
        self._connections: list[socket.socket] = []
        self._tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_listening()

    def stop_listening(self) -> None:
        """Refuse new connections and close the open ones."""
        for open_socket in (self._socket, *self._connections):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()

    @property
    def posts(self) -> list[Received]:
        return [request for request in self.received if request.path.endswith("/invitations") and request.body]

    @property
    def gets(self) -> list[Received]:
        return [request for request in self.received if request.method == "GET"]

    @property
    def tokens(self) -> list[Received]:
        return [request for request in self.received if request.path == "/oauth/token"]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection, len(self._connections)), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        count = 0
        if self._tls:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        stream = connection.makefile("rb")
        try:
            while line := stream.readline():
                count += 1
                method, path, _ = line.decode().split(" ", 2)
                headers = {}
                while header := stream.readline().decode().strip():
                    name, _, value = header.partition(":")
                    headers[name.strip().lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", "0")))
                request = Received(method, path, headers, body, number, count)
                self.received.append(request)
                behaviour = self._get if method == "GET" else self._token if path == "/oauth/token" else self._post
                if behaviour is self._post and self._drip_seconds:
                    for byte in behaviour(request):
                        connection.sendall(bytes([byte]))
                        self._stop.wait(self._drip_seconds)
                else:
                    connection.sendall(behaviour(request))
        except ResetError:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (HangupError, OSError, ValueError):
            pass
        finally:
            stream.close()
            connection.close()
