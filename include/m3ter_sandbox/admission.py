"""Which requests a sandbox answers at all: those to its own names, and not those that another site's page makes.

It asks for no password, so a page that somebody has open in a browser could steer it: by a form or a script that POSTs
to it, or under a name of its own that leads to this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import Scope

__all__ = ["Admission"]

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


class Admission:
    """Decides by a request's headers.

    :param names: hosts beside the loopback names under which the sandbox is reached, such as a Compose service's.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(name.lower().strip("[]") for name in names) - _WILDCARDS

    def refusal(self, scope: Scope, *, steers: bool) -> JSONResponse | None:
        """Return the answer to a request that is not admitted.

        :param steers: whether the request is to the control API or the mailbox, which browsers may reach.
        """
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not self._is_ours(host):
            return JSONResponse(
                {"message": "This is no name of the sandbox; --allow-host NAME at its start allows one."},
                421,
            )
        if steers and scope["method"] not in _READING and _is_cross_site(headers, f"{scope['scheme']}://{host}"):
            return JSONResponse({"message": "The request comes from a page of another site."}, 403)
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        return name in self._names or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_cross_site(headers: dict[str, str], own: str) -> bool:
    """Decide by what every browser says; a client that is no browser says neither."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() != own.lower():
        return True
    return headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
