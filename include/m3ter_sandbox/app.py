"""The ASGI application of a sandbox."""

from __future__ import annotations

from starlette.applications import Starlette

from m3ter_sandbox.control import control_routes
from m3ter_sandbox.gate import Receive, Scope, Send
from m3ter_sandbox.mailbox_page import mailbox_routes
from m3ter_sandbox.sandbox import Sandbox

__all__ = ["App"]


class App:
    """Answers m3ter's paths by the gate, the others by the control API and the mailbox page."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._gate = sandbox.gate
        self._pages = Starlette(routes=[*control_routes(sandbox), *mailbox_routes(sandbox)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] == "http" and not (path == "/" or path.startswith(("/_sandbox", "/mailbox"))):
            await self._gate(scope, receive, send)
        else:
            await self._pages(scope, receive, send)
