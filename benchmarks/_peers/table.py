"""The result as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks._peers.figures import Line, Measured, Spread

_HEAD = (
    "| peer | wall s | speed ÷ raw | CPU µs each | CPU ÷ raw | peak MiB | requests | tokens | twice | left out |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def markdown(lines: Sequence[Line]) -> str:
    """Return one table, with a heading line for each case; a tilde marks what was scaled from fewer people."""
    parts = [_HEAD]
    for case in dict.fromkeys(line.case for line in lines):
        parts.append(f"| **{case}** | | | | | | | | | |")
        parts += [_row(line) for line in lines if line.case == case]
    return "\n".join(parts) + "\n"


def as_json(machine: dict[str, Any], measured: Sequence[Measured], lines: Sequence[Line]) -> str:
    """Return everything, every round too."""
    content = {
        "machine": machine,
        "lines": [asdict(line) for line in lines],
        "measured": [{name: _short(value) for name, value in asdict(one).items()} for one in measured],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _row(line: Line) -> str:
    scaled = line.people != line.asked
    name = f"{line.peer} ({line.people} people)" if scaled else line.peer
    return (
        f"| {name} | {'~' if scaled else ''}{_spread(line.wall, '.2f')} | {_spread(line.speed, '.2f')}"
        f" | {_spread(line.cpu, ',.0f')} | {_spread(line.cpu_ratio, '.1f')} | {line.peak_mib:.0f}"
        f" | {line.requests:,} | {line.tokens:,} | {line.twice:,} | {line.lost:,} |"
    )


def _spread(values: Spread, form: str) -> str:
    median, least, most = (format(one, form) for one in (values.median, values.least, values.most))
    return median if least == most else f"{median} ({least}–{most})"


def _short(value: Any) -> Any:
    return round(value, 5) if isinstance(value, float) else value
