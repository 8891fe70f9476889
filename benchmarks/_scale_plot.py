"""Processor time and memory of plans against the number of people; SVG, written here.

Both axes of a panel are logarithmic: what grows as the people do is a line of slope one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 340, 260, 60, 40, 80
_COLOURS = ("#1f77b4", "#d08a2e")
_PANELS = (("cpu", "CPU s"), ("peak_mib", "peak MiB"))


def svg(measured: Sequence[dict[str, Any]]) -> str:
    """Return the picture.

    :param measured: plans, each with ``database``, ``people`` and its figures.
    """
    parts = [_panel(measured, figure, name, number) for number, (figure, name) in enumerate(_PANELS)]
    width, height = 2 * _WIDTH + _GAP + 2 * _LEFT, _HEIGHT + 2 * _TOP + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="12" role="img" aria-label="Time and memory of plans, by people">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(measured: Sequence[dict[str, Any]], figure: str, name: str, number: int) -> str:
    left = _LEFT + number * (_WIDTH + _GAP)
    people, figures = [one["people"] for one in measured], [one[figure] for one in measured]
    across = _Axis(min(people), max(people), left, left + _WIDTH)
    up = _Axis(min(figures), max(figures), _TOP + _HEIGHT, _TOP)
    parts = [
        f'<text x="{left}" y="{_TOP - 14}" font-weight="bold">{escape(name)}</text>',
        f'<rect x="{left}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999"/>',
    ]
    for value in sorted(set(people)):
        parts.append(
            f'<text x="{across.at(value):.0f}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{value:,}</text>'
        )
    for row, database in enumerate(dict.fromkeys(one["database"] for one in measured)):
        mine = sorted((one["people"], one[figure]) for one in measured if one["database"] == database)
        points = [(across.at(many), up.at(value)) for many, value in mine]
        colour = _COLOURS[row % len(_COLOURS)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), (_, value) in zip(points, mine, strict=True):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            label = f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
            parts.append(f'<text x="{x - 6:.1f}" y="{y + (-7 if row else 16):.1f}" text-anchor="end">{label}</text>')
        said = f"{database}: slope {_slope(mine):.2f}"
        parts.append(f'<text x="{left + 10}" y="{_TOP + 18 + 16 * row}" fill="{colour}">{escape(said)}</text>')
    return "\n".join(parts)


class _Axis:
    """A logarithmic axis between two values.

    :param start: where the least value stands, in pixels; a tenth of the length is left free at both ends.
    """

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        room = (end - start) / 10
        self._least, self._span = math.log(least), math.log(most / least) or 1.0
        self._start, self._length = start + room, end - start - 2 * room

    def at(self, value: float) -> float:
        """Return where a value stands."""
        return self._start + self._length * (math.log(value) - self._least) / self._span


def _slope(sizes: Sequence[tuple[int, float]]) -> float:
    """Return the power of the number of people with which a figure grows from the first to the last; 1: linear."""
    (few, small), (many, large) = sizes[0], sizes[-1]
    return math.log(large / small) / math.log(many / few) if many > few else math.nan
