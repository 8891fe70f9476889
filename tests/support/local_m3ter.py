"""A sandbox without a server: requests go straight to its ASGI application, on a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx

from m3ter_sandbox.app import App
from m3ter_sandbox.clock import Clock
from m3ter_sandbox.sandbox import Sandbox, Setup

Result = TypeVar("Result")


START = 1_790_000_000.25  # 2026-09-21T14:13:20.250Z


class FrozenTime:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.naps: list[float] = []

    def clock(self) -> Clock:
        return Clock(wall=lambda: START + self.seconds, monotonic=lambda: 1000.0 + self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(0)


class LocalM3ter:
    """Speaks to one sandbox; keeps a token."""

    def __init__(self, setup: Setup | None = None, **switches: object) -> None:
        self.time = FrozenTime()
        setup = setup or Setup(switches={"requests_per_second": 0, **switches}, random_seed=1)
        self.sandbox = Sandbox(setup, clock=self.time.clock(), sleep=lambda seconds: self.time.sleep(seconds))
        self._app = App(self.sandbox, ["sandbox"])
        self.org_id = setup.credentials.org_id
        self._basic = (setup.credentials.access_key_id, setup.credentials.api_secret)
        self._token: str | None = None
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self.sandbox.close()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return await client.request(method, path, **options)

    def raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as it is."""
        return self.run(self.send(method, path, **options))

    def token(self) -> str:
        """Fetch a new token."""
        answer = self.raw("POST", "/oauth/token", json={"grant_type": "client_credentials"}, auth=self._basic)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def call(self, method: str, path: str, content: object = None, *, token: str | None = None) -> httpx.Response:
        """Send a request of the organisation, with a token."""
        self._token = token or self._token or self.token()
        headers = {"Authorization": f"Bearer {self._token}"}
        body = None if content is None else json.dumps(content).encode()
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self.raw(method, f"/organizations/{self.org_id}/{path}", content=body, headers=headers)

    def invite(self, email: str = "ada@example.com", **fields: object) -> httpx.Response:
        return self.call("POST", "invitations", {"email": email, "firstName": "Ada", "lastName": "Byron", **fields})

    def listed(self, name: str = "invitations", **query: object) -> list[dict[str, Any]]:
        """Return all entries of a list, page by page."""
        found: list[dict[str, Any]] = []
        following: str | None = None
        while True:
            parameters = {**query, **({"nextToken": following} if following else {})}
            answer = self.call("GET", f"{name}?{httpx.QueryParams(parameters)}")  # type: ignore[arg-type]
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["data"]
            following = page.get("nextToken")
            if not following:
                return found

    def control(self, method: str, path: str, content: object = None) -> Any:
        options = {} if content is None else {"json": content}
        answer = self.raw(method, f"/_sandbox/{path}", **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def emails(self) -> dict[str, int]:
        return self.sandbox.organization.mailbox.sent_to()
