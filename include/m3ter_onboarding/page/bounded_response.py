"""Answers have a size: whatever people wrote into the warehouse, none is larger than the page says."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import JSONResponse

#: No answer has more bytes.
LARGEST = 200 * 1024
#: Texts are shortened to so many bytes, the next only where the one before did not do.
_STEPS = (800, 400, 200, 100, 50)
#: The page asks by these or hands them on to Airflow: half of one is of no use.
_ASKED_BY = frozenset({"after", "dag_id", "key", "ledger", "org_id", "plan_id", "plan_run_id", "run_id"})
#: Texts of our own.
_OURS = frozenset({"said", "way", "words"})


class BoundedResponse(JSONResponse):
    """JSON of no more than the largest size: where it would be more, the texts in it are shortened."""

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        rendered = super().render(content)
        # A person is invited again by the employee_id of their history.
        kept = frozenset({"employee_id"})
        for most in _STEPS:
            if len(rendered) <= LARGEST:
                break
            rendered = super().render(_shortened_within(content, most, kept=kept))
        return rendered


def _shortened_within(content: Any, most: int, *, kept: frozenset[str] = frozenset()) -> Any:
    if isinstance(content, dict):
        whole = _ASKED_BY | _OURS | kept
        # A cursor; where a run has it, a whole plan.
        if isinstance(content.get("before"), str):
            whole |= {"before"}
        return {name: one if name in whole else _shortened_within(one, most) for name, one in content.items()}
    if isinstance(content, (list, tuple)):
        return [_shortened_within(one, most) for one in content]
    return shortened_bytes(content, most) if isinstance(content, str) else content


def shortened_bytes(text: str, most: int) -> str:
    """Return a text of at most so many bytes, as JSON writes it."""
    if _size(text) <= most:
        return text
    kept = text[:most]
    while _size(kept) + _size("…") > most:
        # Never too far: no character has more than six bytes there.
        kept = kept[: len(kept) - max(1, (_size(kept) + _size("…") - most) // 6)]
    return f"{kept}…"


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
