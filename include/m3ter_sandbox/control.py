"""The control API under ``/_sandbox``: JSON over HTTP, no token, never counted nor limited."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from m3ter_sandbox.answers import Writer
from m3ter_sandbox.clock import to_iso
from m3ter_sandbox.entries import RefusalError
from m3ter_sandbox.faults import Fault
from m3ter_sandbox.sandbox import Sandbox
from m3ter_sandbox.seed import SeedError
from m3ter_sandbox.store import Row

__all__ = ["control_routes", "email_entries"]

_LARGEST_SHIFT = 1_000_000_000  # seconds; some 30 years

Handler = Callable[[Request], Awaitable[Response]]


class BadControlRequestError(Exception):
    """The control API was used wrongly; the text says how.

    :param status: of the answer.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


async def _content(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    # A form, or a script of another site without leave, cannot send this type.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadControlRequestError("The body needs the header 'Content-Type: application/json'.", 415)
    try:
        content = json.loads(raw)
    except ValueError:
        raise BadControlRequestError("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise BadControlRequestError("The body must be a JSON object.")
    return content


def _email(content: dict[str, Any]) -> str:
    value = content.get("email")
    if not isinstance(value, str):
        raise BadControlRequestError("The body needs 'email'.")
    return value


def _explained(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(str(part) for part in one['loc']) or 'value'}: {one['msg']}" for one in found)


def _answering(handler: Handler) -> Handler:
    """Turn what a handler raises into an answer."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except BadControlRequestError as error:
            return JSONResponse({"message": str(error)}, error.status)
        except SeedError as error:
            return JSONResponse({"message": str(error)}, 400)
        except ValidationError as error:
            return JSONResponse({"message": _explained(error)}, 400)
        except RefusalError as refusal:
            return JSONResponse({"message": refusal.message or "There is no such entry."}, refusal.status)

    return answer


def email_entries(rows: Iterable[Row], now_ms: int, base_url: str = "/") -> list[dict[str, Any]]:
    """Write e-mails as JSON.

    :param now_ms: m3ter's time in milliseconds since the epoch, by which an invitation is pending or expired.
    :param base_url: of the sandbox, for the links.
    """
    entries = []
    for row in rows:
        state = None
        if row["kind"] == "invitation" and row["accepted"] is not None:
            state = "accepted" if row["accepted"] else "expired" if row["dt_expiry"] <= now_ms else "pending"
        entries.append(
            {
                "id": row["id"],
                "kind": row["kind"],
                "to": row["address"],
                "name": row["name"],
                "subject": row["subject"],
                "sentAt": to_iso(row["sent_at"]),
                "invitationId": row["invitation_id"],
                "userId": row["user_id"],
                "state": state,
                "link": f"{base_url}mailbox?q={quote(row['address'])}#{row['id']}" if row["invitation_id"] else None,
            }
        )
    return entries


class _Control:
    """The answers of the control API, by path."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox, self._organization = sandbox, sandbox.organization

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "orgId": self._organization.org_id, **self._organization.totals()})

    async def emails(self, request: Request) -> Response:
        return JSONResponse(self._organization.mailbox.sent_to(request.query_params.get("kind", "invitation")))

    async def mailbox(self, request: Request) -> Response:
        return JSONResponse(
            email_entries(self._organization.mailbox.list(), self._sandbox.clock.now_ms(), str(request.base_url))
        )

    async def counts(self, request: Request) -> Response:
        sent = sum(self._organization.mailbox.sent_to().values())
        return JSONResponse({**self._sandbox.gate.journal.counts(), "emails": sent})

    async def requests(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._sandbox.gate.journal.clear()
            return JSONResponse({})
        return JSONResponse(self._sandbox.gate.journal.requests())

    async def faults(self, request: Request) -> Response:
        if request.method == "POST":
            number = self._sandbox.gate.faults.add(Fault.model_validate(await _content(request)))
            return JSONResponse({"id": number})
        if request.method == "DELETE":
            return JSONResponse({"cleared": self._sandbox.gate.faults.clear()})
        return JSONResponse(self._sandbox.gate.faults.describe())

    async def one_fault(self, request: Request) -> Response:
        if not self._sandbox.gate.faults.clear(request.path_params["number"]):
            raise RefusalError(404, "There is no fault with this number.")
        return JSONResponse({"cleared": 1})

    async def switches(self, request: Request) -> Response:
        if request.method == "PATCH":
            self._sandbox.switch(await _content(request))
        return JSONResponse(self._sandbox.switches.model_dump(mode="json"))

    async def invitations(self, request: Request) -> Response:
        writer = Writer(self._sandbox.switches)
        return JSONResponse([writer.invitation(row) for row in self._organization.entries.everything("invitation")])

    async def users(self, request: Request) -> Response:
        writer = Writer(self._sandbox.switches)
        rows = self._organization.entries.everything("user")
        return JSONResponse([writer.user(row, self._organization.org_id) for row in rows])

    async def seed(self, request: Request) -> Response:
        return JSONResponse(self._sandbox.seed(await _content(request)))

    async def accept(self, request: Request) -> Response:
        content = await _content(request)
        invitation_id = content.get("invitationId")
        if invitation_id is None:
            invitation_id = self._organization.invitations.newest_open(_email(content))["id"]
        user = self._organization.invitations.accept(str(invitation_id))
        return JSONResponse(Writer(self._sandbox.switches).user(user, self._organization.org_id))

    async def expire(self, request: Request) -> Response:
        return JSONResponse({"expired": self._organization.invitations.expire(_email(await _content(request)))})

    async def revoke_tokens(self, request: Request) -> Response:
        return JSONResponse({"revoked": self._sandbox.tokens.revoke()})

    async def clock(self, request: Request) -> Response:
        if request.method == "POST":
            advance = (await _content(request)).get("advance")
            if isinstance(advance, bool) or not isinstance(advance, (int, float)) or not abs(advance) <= _LARGEST_SHIFT:
                raise BadControlRequestError(f"The body needs 'advance': seconds, at most {_LARGEST_SHIFT} either way.")
            self._sandbox.shift(advance)
        return JSONResponse({"now": to_iso(self._sandbox.clock.now_ms()), "shift": self._sandbox.clock.shift})

    async def reset(self, request: Request) -> Response:
        self._sandbox.reset()
        return JSONResponse({})


def control_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the control API."""
    control = _Control(sandbox)
    table: list[tuple[str, Handler, list[str]]] = [
        ("health", control.health, ["GET"]),
        ("emails", control.emails, ["GET"]),
        ("mailbox", control.mailbox, ["GET"]),
        ("counts", control.counts, ["GET"]),
        ("requests", control.requests, ["GET", "DELETE"]),
        ("faults", control.faults, ["GET", "POST", "DELETE"]),
        ("faults/{number:int}", control.one_fault, ["DELETE"]),
        ("switches", control.switches, ["GET", "PATCH"]),
        ("invitations", control.invitations, ["GET"]),
        ("users", control.users, ["GET"]),
        ("seed", control.seed, ["POST"]),
        ("accept", control.accept, ["POST"]),
        ("expire", control.expire, ["POST"]),
        ("revoke_tokens", control.revoke_tokens, ["POST"]),
        ("clock", control.clock, ["GET", "POST"]),
        ("reset", control.reset, ["POST"]),
    ]
    return [Route(f"/_sandbox/{name}", _answering(handler), methods=methods) for name, handler, methods in table]
