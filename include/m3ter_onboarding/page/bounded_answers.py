"""Answers have a size: whatever people wrote into the warehouse, none is larger than the page says."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import JSONResponse

#: No answer has more bytes.
LARGEST = 200 * 1024
#: Texts are cut to so many bytes, the next only where the one before did not do.
_STEPS = (800, 400, 200, 100, 50)
#: What the page asks by or hands on to Airflow: half of it is of no use.
_ASKED_BY = frozenset({"after", "dag_id", "key", "ledger", "org_id", "plan_id", "plan_run_id", "run_id"})
#: Our own words.
_OURS = frozenset({"said", "way", "words"})


class Bounded(JSONResponse):
    """JSON of no more than the largest size: where it would be more, the texts in it are cut."""

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        found = super().render(content)
        # Of one person's story, the employee is invited again by it.
        kept = frozenset({"employee_id"})
        for most in _STEPS:
            if len(found) <= LARGEST:
                break
            found = super().render(_cut_in(content, most, kept=kept))
        return found


def _cut_in(content: Any, most: int, *, kept: frozenset[str] = frozenset()) -> Any:
    if isinstance(content, dict):
        whole = _ASKED_BY | _OURS | kept
        return {name: one if name in whole else _cut_in(one, most) for name, one in content.items()}
    if isinstance(content, (list, tuple)):
        return [_cut_in(one, most) for one in content]
    return cut_bytes(content, most) if isinstance(content, str) else content


def cut_bytes(text: str, most: int) -> str:
    """Shorten a text to so many bytes, as JSON writes it."""
    if _size(text) <= most:
        return text
    kept = text[:most]
    while _size(kept) + _size("…") > most:
        # Never too far: no character has more than six bytes there.
        kept = kept[: len(kept) - max(1, (_size(kept) + _size("…") - most) // 6)]
    return f"{kept}…"


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
