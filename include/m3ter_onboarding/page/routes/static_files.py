"""The page itself, its script and its style: by routes, since a mounted folder would be served without a login."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse

router = APIRouter()

_FOLDER = resources.files("m3ter_onboarding.page") / "static"
_KINDS = {"css": "text/css", "js": "text/javascript"}


def text_of(name: str) -> str:
    """Return one of our own files."""
    return (_FOLDER / name).read_text(encoding="utf-8")


@router.get("/")
def page() -> Response:
    """Return the page."""
    return HTMLResponse(text_of("index.html"))


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Return its script or its style."""
    kind = _KINDS.get(name.rpartition(".")[2])
    if kind is None or name not in {file.name for file in _FOLDER.iterdir()}:
        raise HTTPException(404, "There is no such file.")
    return Response((_FOLDER / name).read_bytes(), media_type=kind)
