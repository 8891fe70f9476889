"""Texts that somebody else wrote, shortened: no page is large because of one."""

from __future__ import annotations

from typing import overload


@overload
def shortened(text: str, most: int = 400) -> str: ...
@overload
def shortened(text: str | None, most: int = 400) -> str | None: ...
def shortened(text: str | None, most: int = 400) -> str | None:
    """Return a text of at most so many characters."""
    return text if text is None or len(text) <= most else f"{text[: most - 1]}…"
