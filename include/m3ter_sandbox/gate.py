"""What stands before the API: the journal, the rate limits, and the faults."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any

from m3ter_sandbox.answers import Answer, error
from m3ter_sandbox.api import MAX_BODY_BYTES, Api, Operation, Request, find_operation
from m3ter_sandbox.clock import Clock
from m3ter_sandbox.connections import Connections
from m3ter_sandbox.faults import Fault, FaultPlan, Faults
from m3ter_sandbox.journal import Entry, Journal
from m3ter_sandbox.limits import OrganizationLimit, SourceLimit
from m3ter_sandbox.switches import Switches
from m3ter_sandbox.tokens import Tokens

__all__ = ["Gate"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _TooLargeError(Exception):
    """A body is larger than m3ter takes."""


class _ClientLeftError(Exception):
    """The client closed its connection, or the sandbox is being reset or stopped."""


class Gate:
    """The ASGI application for m3ter's paths.

    Everything that changes m3ter's state runs in one piece on the event loop, so counts and limits are exact.

    :param sleep: waits for seconds; injected by tests.
    """

    def __init__(
        self,
        api: Api,
        *,
        org_id: str,
        tokens: Tokens,
        clock: Clock,
        switches: Callable[[], Switches],
        connections: Connections,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api, self._org_id, self._tokens, self._clock = api, org_id, tokens, clock
        self._switches, self._connections, self._sleep = switches, connections, sleep
        self.faults, self.journal = Faults(), Journal()
        self._organization_limit, self._source_limit = OrganizationLimit(), SourceLimit()
        self._late: set[asyncio.Task[None]] = set()
        self._released = asyncio.Event()

    def reset(self) -> None:
        """Forget journal, faults and limits, end every hang, and drop commits that are still to come."""
        self.faults.clear()
        self.journal.clear()
        self._organization_limit, self._source_limit = OrganizationLimit(), SourceLimit()
        self.release()
        self._released = asyncio.Event()

    def release(self) -> None:
        """End every hang without an answer and drop commits that are still to come."""
        for task in self._late:
            task.cancel()
        self._released.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        arrived = self._clock.steady()
        method, path = scope["method"], scope["raw_path"].decode("latin-1")
        client = (scope["client"][0], scope["client"][1]) if scope.get("client") else ("unknown", 0)
        operation, _ = find_operation(method, path)
        kind = operation.kind if operation else f"{method} (unknown path)"
        query = scope["query_string"].decode("latin-1")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        entry = self.journal.open(arrived, method, path, kind, query, client, tuple(headers))
        try:
            # Limits come first: a client over them is refused for any request.
            answer = self._limited(operation, path, client[0])
            try:
                body = await _read_body(receive)
            except _TooLargeError:
                answer = answer or error(413)
                body = b""
            request = Request(method, path, query, headers, body, client[0])
            if answer is None:
                name = operation.name if operation else None
                plan = self.faults.choose(method, path, name, request.email)
                entry.fault = plan.label
                answer = await self._planned(plan, request, receive, send, client, entry)
            if answer is not None:
                await self._send(answer, send)
                self._close(entry, answer.status, "answered")
        except _ClientLeftError:
            self._connections.cut(client, reset=False)
            self._close(entry, None, "client left")
            await _gone(receive)

    def _close(self, entry: Entry, status: int | None, outcome: str) -> None:
        self.journal.close(entry, self._clock.steady(), status, outcome)

    def _limited(self, operation: Operation | None, path: str, source: str) -> Answer | None:
        switches, now = self._switches(), self._clock.steady()
        wait = self._source_limit.admit(now, source, switches.requests_per_five_minutes)
        is_token = operation is not None and operation.name == "GenerateToken"
        ours = path.startswith(f"/organizations/{self._org_id}/") or (is_token and switches.count_token_requests)
        if not wait and ours:
            wait = self._organization_limit.admit(now, switches.requests_per_second, switches.window)
        if not wait:
            return None
        headers = {}
        if switches.retry_after == "seconds":
            headers["Retry-After"] = str(math.ceil(wait))
        elif switches.retry_after == "date":
            headers["Retry-After"] = formatdate(math.ceil(self._date() + wait), usegmt=True)
        return error(429, headers=headers)

    async def _planned(
        self,
        plan: FaultPlan,
        request: Request,
        receive: Receive,
        send: Send,
        client: tuple[str, int],
        entry: Entry,
    ) -> Answer | None:
        """Let happen what the plan says; None if the client got no complete answer."""
        if plan.latency:
            await self._wait(plan.latency, receive)
        fault = plan.fault
        if fault is None:
            return self._api.answer(request)
        if fault.kind == "revoke_token":
            self._tokens.revoke(request.bearer or "")
            return self._api.answer(request)
        if fault.kind == "late_commit":
            admitted = self._api.admit(request)
            if isinstance(admitted, Answer):
                plan.give_back()
                return admitted
            self._commit_late(fault.seconds or 0, admitted)
        elif fault.when == "after" or fault.kind in ("garbled", "truncated"):
            answer = self._api.answer(request)
            if not answer.succeeded:
                plan.give_back()
                entry.fault = None
                return answer
            if fault.kind == "garbled":
                return _garbled(answer, fault.garble)
            if fault.kind == "truncated":
                await self._send(answer, send, half=True)
                await self._cut(client, receive, entry, "truncated")
                return None
            return await self._struck(fault, answer, request, receive, client, entry)
        return await self._struck(fault, None, request, receive, client, entry)

    async def _struck(
        self,
        fault: Fault,
        answer: Answer | None,
        request: Request,
        receive: Receive,
        client: tuple[str, int],
        entry: Entry,
    ) -> Answer | None:
        """Answer with the fault.

        :param answer: what m3ter would have answered, where it has done what was asked.
        """
        seen = fault.answer if fault.kind == "late_commit" else fault.kind
        if seen == "status":
            return error(fault.status, fault.message, fault.headers)
        if seen == "504":
            return error(504)
        if seen in ("drop", "reset"):
            await self._cut(client, receive, entry, "reset" if seen == "reset" else "dropped")
            return None
        # A hang, or a late commit of which the client sees nothing.
        await self._wait(fault.seconds if fault.kind == "hang" else None, receive)
        return answer or self._api.answer(request)

    async def _cut(self, client: tuple[str, int], receive: Receive, entry: Entry, outcome: str) -> None:
        self._close(entry, None, outcome)
        self._connections.cut(client, reset=outcome == "reset")
        # uvicorn would answer 500 for an application that returns while its connection is still there.
        await _gone(receive)

    async def _wait(self, seconds: float | None, receive: Receive) -> None:
        """Wait, for ever if None.

        :raises _ClientLeftError: the client did not wait as long.
        """
        released = self._released
        ends = [asyncio.ensure_future(_gone(receive)), asyncio.ensure_future(released.wait())]
        nap = None if seconds is None else asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait(ends + ([nap] if nap else []), return_when=asyncio.FIRST_COMPLETED)
            if nap is None or not nap.done():
                raise _ClientLeftError
        finally:
            for task in [*ends, *([nap] if nap else [])]:
                task.cancel()

    def _commit_late(self, seconds: float, work: Callable[[], Answer]) -> None:
        async def commit() -> None:
            await self._sleep(seconds)
            work()

        task = asyncio.ensure_future(commit())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _date(self) -> float:
        return self._clock.now() + self._switches().date_header_skew_seconds

    async def _send(self, answer: Answer, send: Send, *, half: bool = False) -> None:
        headers = {"Date": formatdate(math.floor(self._date()), usegmt=True)}
        if answer.body:
            headers["Content-Type"] = answer.content_type
        headers |= {"Content-Length": str(len(answer.body))} | answer.headers
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        body = answer.body[: len(answer.body) // 2] if half else answer.body
        await send({"type": "http.response.body", "body": body, "more_body": half})


async def _read_body(receive: Receive) -> bytes:
    """Read a whole body.

    :raises _TooLargeError: it is larger than m3ter takes; the rest was read and thrown away.
    :raises _ClientLeftError: the client went away before its end.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientLeftError
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY_BYTES:
            parts.append(part)
        if not message.get("more_body", False):
            break
    if size > MAX_BODY_BYTES:
        raise _TooLargeError
    return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _garbled(answer: Answer, how: str) -> Answer:
    """Return the answer with status 200 and a body that no client can use."""
    body = {
        "text": b"upstream connect error or disconnect/reset before headers",
        "html": b"<!doctype html><title>Just a moment</title><p>Checking your browser",
        "cut": answer.body[: max(1, len(answer.body) * 2 // 3)],
        "empty": b"",
        "array": b"[]",
        "missing_id": b'{"version":1}',
        "not_utf8": b'{"id":"\xff\xfe"}',
    }[how]
    return Answer(200, body, content_type="text/html" if how == "html" else "application/json")
