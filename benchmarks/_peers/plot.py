"""The result as one picture: bars of invitations a second, a panel for each case; SVG, written here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks._peers.cases import RAW
from benchmarks._peers.figures import Line

_WIDTH, _NAMES, _BAR, _GAP = 860, 250, 15, 5
_LONGEST = _WIDTH - _NAMES - 170
_OURS = ("M3ter", "delivery", "our")


def svg(lines: Sequence[Line]) -> str:
    """Return the picture; in each panel the quickest has the longest bar."""
    parts, y = [], 20
    for case in dict.fromkeys(line.case for line in lines):
        panel = [line for line in lines if line.case == case]
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(case)}</text>')
        y += 10
        quickest = max(line.rate for line in panel)
        for line in panel:
            parts.append(_bar(line, y, _LONGEST * line.rate / quickest))
            y += _BAR + _GAP
        y += 26
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
        ' font-family="sans-serif" font-size="12" role="img" aria-label="Invitations a second, by case and peer">\n'
        f'<rect width="{_WIDTH}" height="{y}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(line: Line, y: int, length: float) -> str:
    colour = "#555555" if line.peer == RAW else "#1f77b4" if line.peer.startswith(_OURS) else "#d08a2e"
    wrong = [f"{count:,} {name}" for count, name in ((line.twice, "twice"), (line.lost, "left out")) if count]
    said = f"{line.rate:,.0f}/s" + "".join(f", {text}" for text in wrong)
    middle = y + _BAR - 3
    return (
        f'<text x="{_NAMES - 6}" y="{middle}" text-anchor="end">{escape(line.peer)}</text>'
        f'<rect x="{_NAMES}" y="{y}" width="{max(length, 1):.1f}" height="{_BAR}" fill="{colour}"/>'
        f'<text x="{_NAMES + max(length, 1) + 6:.1f}" y="{middle}">{escape(said)}</text>'
    )
