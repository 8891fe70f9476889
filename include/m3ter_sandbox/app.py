"""The ASGI application of a sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.applications import Starlette

from m3ter_sandbox.admission import Admission
from m3ter_sandbox.control import control_routes
from m3ter_sandbox.gate import Receive, Scope, Send
from m3ter_sandbox.mailbox_page import mailbox_routes
from m3ter_sandbox.sandbox import Sandbox

__all__ = ["App"]


class App:
    """Answers m3ter's paths by the gate, the others by the control API and the mailbox page.

    :param hosts: under which it is reached, beside the loopback names.
    """

    def __init__(self, sandbox: Sandbox, hosts: Iterable[str] = ()) -> None:
        self._gate, self._admission = sandbox.gate, Admission(hosts)
        self._pages = Starlette(routes=[*control_routes(sandbox), *mailbox_routes(sandbox)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        of_m3ter = not (path == "/" or path.startswith(("/_sandbox", "/mailbox")))
        if scope["type"] == "http" and (refusal := self._admission.refusal(scope, steers=not of_m3ter)):
            await refusal(scope, receive, send)
        elif scope["type"] == "http" and of_m3ter:
            await self._gate(scope, receive, send)
        else:
            await self._pages(scope, receive, send)
