"""The page itself, its script and its style: by routes, since a mounted folder would be served without a login."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse

router = APIRouter()

_FOLDER = resources.files("m3ter_onboarding.page") / "static"
_KINDS = {"css": "text/css", "js": "text/javascript"}
#: All files as this process began with them: after an upgrade, and until a restart, new scripts would not fit it.
#: Browsers ask for them each time; see :mod:`~m3ter_onboarding.page.strict_headers`.
_FILES = {file.name: file.read_bytes() for file in _FOLDER.iterdir() if file.is_file()}


def text_of(name: str) -> str:
    """Return one of our own files."""
    return _FILES[name].decode()


@router.get("/")
def page() -> Response:
    """Return the page."""
    return HTMLResponse(text_of("index.html"))


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Return its script or its style."""
    kind = _KINDS.get(name.rpartition(".")[2])
    if kind is None or name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return Response(_FILES[name], media_type=kind)
