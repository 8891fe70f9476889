"""A server that answers like m3ter and does next to nothing besides, so that the clients are the limit.

``python -m benchmarks._peers.server`` prints its port and ends with its standard input. It knows tokens, invitations
and their list; users and policies are empty. Each POST of an invitation is an e-mail that it counts. Steered by
``POST /_bench/reset`` with the fields of :class:`Switches`, read by ``GET /_bench/counts``.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PAGE = 100
_REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Switches:
    """How it answers.

    :param latency: seconds before each answer.
    :param limit: requests in a second of the clock; 0: any number.
    :param lost_before: the share of POSTs of invitations that end without answer and effect.
    :param lost_after: the share of them that end without answer after their effect.
    :param seed: of the draws.
    :param invitations: that it has from the beginning; they were made in the last 300 days, the newest a day ago.
    """

    latency: float = 0.0
    limit: int = 0
    lost_before: float = 0.0
    lost_after: float = 0.0
    seed: int = 1
    invitations: int = 0


class M3ter:
    """What it holds, and how it answers one request."""

    def __init__(self) -> None:
        self.reset(Switches())

    def reset(self, switches: Switches) -> None:
        """Begin anew."""
        self.switches = switches
        self._draws = random.Random(switches.seed)
        self._invitations = list(_earlier_invitations(switches.invitations))
        self._emails: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._second, self._in_second = 0, 0

    def counts(self) -> dict[str, int]:
        """Return what was received and done."""
        return {
            **self._requests,
            "requests": sum(self._requests.values()),
            "emails": self._emails.total(),
            "people": len(self._emails),
            "twice": sum(number > 1 for number in self._emails.values()),
        }

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes] | None:
        """Return status and body of an answer; None: the connection is closed without one."""
        path = urlsplit(target).path
        kind = path.rpartition("/")[2]
        if path.startswith("/_bench/"):
            if method == "POST":
                self.reset(Switches(**json.loads(body)))
            return 200, json.dumps(self.counts()).encode()
        if self._too_many():
            self._requests["limited"] += 1
            return 429, b'{"message":"Too many requests"}'
        self._requests[f"{method} {kind}"] += 1
        if method == "POST":
            if kind == "invitations":
                return self._invite(json.loads(body))
            return 200, b'{"access_token":"bench-token","token_type":"Bearer","expires_in":18000}'
        if kind == "me":
            return 200, b'{"serviceUser":{"id":"bench-service-user","name":"bench","version":1}}'
        if kind == "invitations":
            return 200, self._page(parse_qs(urlsplit(target).query))
        return 200, b'{"data":[]}'

    def _too_many(self) -> bool:
        if not self.switches.limit:
            return False
        if (second := int(time.time())) != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second > self.switches.limit

    def _invite(self, sent: dict[str, Any]) -> tuple[int, bytes] | None:
        drawn = self._draws.random()
        if drawn < self.switches.lost_before:
            return None
        self._emails[sent["email"].casefold()] += 1
        answer = _invitation(sent, len(self._invitations), datetime.now(timezone.utc))
        self._invitations.append(answer)
        return None if drawn < self.switches.lost_before + self.switches.lost_after else (200, answer)

    def _page(self, query: dict[str, list[str]]) -> bytes:
        """Return a page of invitations, newest first; its token is the place where the next one begins."""
        end = int(query["nextToken"][0]) if "nextToken" in query else len(self._invitations)
        begin = max(0, end - _PAGE)
        following = b',"nextToken":"%d"' % begin if begin else b""
        return b'{"data":[' + b",".join(reversed(self._invitations[begin:end])) + b"]" + following + b"}"


def _invitation(sent: dict[str, Any], number: int, made_at: datetime) -> bytes:
    """Return an invitation as m3ter answers and lists it."""
    made = {
        **sent,
        "id": f"bench-{number}",
        "version": 1,
        "accepted": False,
        "invitingPrincipalId": "bench-service-user",
        "createdBy": "bench-service-user",
        "dtCreated": made_at.isoformat(timespec="milliseconds"),
        "dtExpiry": (made_at + timedelta(days=30)).isoformat(timespec="milliseconds"),
    }
    return json.dumps(made).encode()


def _earlier_invitations(many: int) -> Iterator[bytes]:
    """Yield invitations of earlier days, the oldest first."""
    newest = datetime.now(timezone.utc) - timedelta(days=1)
    for number in range(many):
        sent = {"email": f"earlier-{number}@example.com", "firstName": "New", "lastName": "Hire"}
        yield _invitation(sent, number, newest - timedelta(days=300) * ((many - number) / many))


class Connection(asyncio.Protocol):
    """One connection; one request after the other, each with a ``Content-Length`` where it has a body."""

    def __init__(self, m3ter: M3ter) -> None:
        self._m3ter = m3ter
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the request is whole."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, target, _ = first.split(" ")
        answer = self._m3ter.answer(method, target, rest[:length])
        latency = 0.0 if target.startswith("/_bench/") else self._m3ter.switches.latency
        closes = headers.get("connection") == "close"
        if latency:
            asyncio.get_running_loop().call_later(latency, self._write, answer, closes)
        else:
            self._write(answer, closes)

    def _write(self, answer: tuple[int, bytes] | None, closes: bool) -> None:
        if answer is None:
            self._transport.close()
            return
        status, body = answer
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        if closes:
            self._transport.close()


async def serve() -> None:
    """Answer until the standard input ends."""
    loop, m3ter = asyncio.get_running_loop(), M3ter()
    server = await loop.create_server(lambda: Connection(m3ter), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
