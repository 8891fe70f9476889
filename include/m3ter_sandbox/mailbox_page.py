"""The mailbox: a page with the e-mails that m3ter would have sent, and a button to accept each invitation."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from m3ter_sandbox.control import email_entries
from m3ter_sandbox.entries import RefusalError
from m3ter_sandbox.sandbox import Sandbox

__all__ = ["mailbox_routes"]

PAGE_SIZE = 100
# Nothing on the page may load or run anything that a name or an address holds.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1c2430, #e6e9ee); --dim: light-dark(#5a6675, #9aa5b4);
  --page: light-dark(#f4f6f9, #12161c); --card: light-dark(#fff, #1b2129); --line: light-dark(#dce1e8, #2c3541);
  --accent: light-dark(#0b62d6, #6cabff); --on-accent: light-dark(#fff, #08203f); --good: light-dark(#1a7f37, #57c775);
  --warn: light-dark(#9a6700, #e0b252); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
p { margin: .25rem 0; color: var(--dim); }
form.find { display: flex; gap: .5rem; margin: 1.25rem 0; }
input { flex: 1; min-width: 0; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); color: inherit; font: inherit; }
button { padding: .45rem .9rem; border: 1px solid var(--accent); border-radius: .5rem; background: var(--accent);
  color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
button:focus-visible, a:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .6rem; }
li { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; padding: .8rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; }
li > div { flex: 1 1 18rem; min-width: 0; overflow-wrap: anywhere; }
li small { color: var(--dim); }
li:target { border-color: var(--accent); }
.state { font-weight: 600; color: var(--dim); }
.accepted { color: var(--good); } .expired { color: var(--warn); } .twice { color: var(--warn); font-weight: 600; }
nav { display: flex; justify-content: space-between; margin-top: 1.25rem; }
nav a { color: var(--accent); }
.note { padding: .6rem 1rem; border: 1px solid var(--line); border-left: 4px solid var(--warn); border-radius: .5rem;
  background: var(--card); color: inherit; }
"""


def _entry(one: dict[str, Any], sent: int) -> str:
    state = one["state"] or ""
    action = ""
    if state == "pending":
        invitation, label = escape(one["invitationId"]), escape(f"Accept the invitation of {one['to']}")
        action = (
            '<form method="post" action="/mailbox/accept">'
            f'<input type="hidden" name="id" value="{invitation}"><button aria-label="{label}">Accept</button></form>'
        )
    twice = f' <span class="twice">{sent} e-mails to this address</span>' if sent > 1 else ""
    shown = f'<span class="state {state}">{state}</span>' if state else ""
    return (
        f'<li id="{escape(one["id"])}"><div><strong>{escape(one["to"])}</strong>{twice}<br>{escape(one["subject"])}'
        f"<br><small>to {escape(one['name'])} · {escape(one['sentAt'])}</small></div>{shown}{action}</li>"
    )


def _page(sandbox: Sandbox, wanted: str, number: int, note: str) -> str:
    counts = sandbox.organization.mailbox.sent_to()
    mailbox = sandbox.organization.mailbox
    total = mailbox.size()
    pages = max(1, -(-mailbox.size(wanted) // PAGE_SIZE))
    number = min(max(number, 1), pages)
    rows = mailbox.list(wanted, newest_first=True, limit=PAGE_SIZE, skip=(number - 1) * PAGE_SIZE)
    shown = email_entries(rows, sandbox.clock.now_ms())
    items = "".join(_entry(one, counts.get(one["to"].strip().casefold(), 1)) for one in shown)
    doubled = sum(1 for sent in counts.values() if sent > 1)
    verdict = f"Addresses e-mailed more than once: {doubled}." if doubled else "No address was e-mailed twice."
    query = f"&q={quote(wanted)}" if wanted else ""
    newer = f'<a href="/mailbox?page={number - 1}{query}">← Newer</a>' if number > 1 else "<span></span>"
    older = f'<a href="/mailbox?page={number + 1}{query}">Older →</a>' if number < pages else "<span></span>"
    body = f"<ul>{items}</ul>" if items else "<p>No e-mail here yet.</p>"
    warning = f'<p class="note" role="alert">{escape(note)}</p>' if note else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>m3ter sandbox: mailbox</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>Mailbox of the m3ter sandbox</h1>"
        f"<p>E-mails that a real m3ter would have sent: {total}. {verdict}</p>{warning}"
        f'<form class="find" role="search"><input name="q" type="search" aria-label="Name or address"'
        f' placeholder="Name or address" value="{escape(wanted)}"><button>Find</button></form>'
        f"{body}<nav>{newer}<span>Page {number} of {pages}</span>{older}</nav></main></body></html>"
    )


def mailbox_routes(sandbox: Sandbox) -> list[Route]:
    """Return the routes of the mailbox page."""

    def shown(request: Request, note: str = "", status: int = 200) -> Response:
        number = request.query_params.get("page", "1")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 1
        text = _page(sandbox, request.query_params.get("q", ""), page, note)
        return HTMLResponse(text, status, headers=_HEADERS)

    async def mailbox(request: Request) -> Response:
        return shown(request)

    async def home(request: Request) -> Response:
        return RedirectResponse("/mailbox", 302)

    async def accept(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("latin-1"))
        invitation_id = form.get("id", [""])[0]
        try:
            sandbox.organization.invitations.accept(invitation_id)
        except RefusalError as refusal:
            return shown(request, refusal.message or "There is no such invitation.", refusal.status)
        return RedirectResponse("/mailbox", 303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/mailbox", mailbox, methods=["GET"]),
        Route("/mailbox/accept", accept, methods=["POST"]),
    ]
