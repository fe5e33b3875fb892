"""A picture of ranks: how far their empirical distribution is from uniform, with the band that holds it all at once."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np
from calibration_models import RANKED, Ranks
from uniform_ranks import band

from dsam_assets.scales import FloatArray

LEVEL = 0.95
COLUMNS, WIDTH, HEIGHT, GAP, TOP = 6, 150, 84, 34, 44
REACH = 0.16  # of the vertical axis, up and down


def figure(name: str, ranks: Ranks) -> str:
    """One panel per quantity, the wrong posterior's last in red, as SVG text."""
    panels = [(quantity, values, "#1f5fa8") for quantity, values in ranks.right.items()]
    panels += [(f"{quantity}, 20 % too large", values, "#b3261e") for quantity, values in ranks.wrong.items()]
    lines = -(-len(panels) // COLUMNS)
    wide, high = COLUMNS * (WIDTH + GAP) + GAP, TOP + lines * (HEIGHT + GAP) + 14
    size = len(panels[0][1])
    title = f"{name}: ECDF of {size} ranks less uniform, and {LEVEL:.0%} simultaneous band"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        f'<text x="{GAP}" y="20" font-size="13">{escape(title)}</text>',
    ]
    for position, (quantity, values, colour) in enumerate(panels):
        left, top = GAP + (position % COLUMNS) * (WIDTH + GAP), TOP + (position // COLUMNS) * (HEIGHT + GAP)
        parts += _panel(left, top, quantity, values, colour)
    return "\n".join([*parts, "</svg>", ""])


def _panel(left: int, top: int, quantity: str, values: FloatArray, colour: str) -> list[str]:
    limits = band(len(values), RANKED, LEVEL)
    ecdf = np.cumsum(np.bincount(values, minlength=RANKED + 1))[:-1] / len(values)
    upper = _points(left, top, limits.at, limits.high - limits.at)
    lower = _points(left, top, limits.at[::-1], (limits.low - limits.at)[::-1])
    ends = np.concatenate([[0.0], limits.at, [1.0]])
    line = _points(left, top, ends, np.concatenate([[0.0], ecdf - limits.at, [0.0]]))
    middle = top + HEIGHT / 2
    return [
        f'<text x="{left}" y="{top - 5}">{escape(quantity)}</text>',
        f'<polygon points="{upper} {lower}" fill="#e3e7ec"/>',
        f'<line x1="{left}" x2="{left + WIDTH}" y1="{middle}" y2="{middle}" stroke="#9aa3ad" stroke-width="0.7"/>',
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.4"/>',
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#c9ced4"/>',
        f'<text x="{left - 4}" y="{top + 8}" text-anchor="end" font-size="8">+{REACH}</text>',
        f'<text x="{left - 4}" y="{top + HEIGHT}" text-anchor="end" font-size="8">−{REACH}</text>',
    ]


def _points(left: int, top: int, at: FloatArray, difference: FloatArray) -> str:
    x = left + WIDTH * at
    y = top + HEIGHT * (0.5 - np.clip(difference, -REACH, REACH) / (2 * REACH))
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
