"""How figures look: colours, sizes and the one template. Data, no drawing.

Colours are Okabe and Ito's set (2008) without its yellow, which white paper swallows, and with three darker tones for
the ninth channel and on; they stay apart for the common kinds of colour blindness. Severity is never told by colour
alone: every figure that uses it says the word too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 900, 500
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, sans-serif"

INK, MUTED, FAINT, LINE, PAPER = "#1f2328", "#59636e", "#9aa4af", "#e6eaef", "#ffffff"
BLUE, ORANGE, GREEN, PINK, VERMILION, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"

OBSERVED, FITTED, PRIOR, ZERO = VERMILION, BLUE, FAINT, "#7d8590"
CATEGORIES = (BLUE, ORANGE, GREEN, PINK, VERMILION, SKY, "#7A4F9A", "#8C6D31", "#3E5C76", "#A23B52")
OTHER = "#B6BEC8"
SEVERITY = {"pass": GREEN, "warn": ORANGE, "fail": VERMILION, "skipped": OTHER, "not_computed": MUTED}
RELIABILITY = {"final": GREEN, "provisional": ORANGE, "blocked": VERMILION}

_AXIS: dict[str, Any] = {
    "gridcolor": LINE, "linecolor": FAINT, "zerolinecolor": ZERO, "zerolinewidth": 1, "tickcolor": FAINT,
    "ticks": "outside", "ticklen": 4, "automargin": True, "title": {"standoff": 10, "font": {"size": 12.5}},
    "tickfont": {"size": 11.5, "color": MUTED},
}  # fmt: skip

LAYOUT: dict[str, Any] = {
    "width": WIDTH,
    "height": HEIGHT,
    "paper_bgcolor": PAPER,
    "plot_bgcolor": PAPER,
    "font": {"family": FONT, "size": 12.5, "color": INK},
    "colorway": list(CATEGORIES),
    "margin": {"l": 72, "r": 36, "t": 108, "b": 64, "pad": 2},
    "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left"},
    "hovermode": "closest",
    "bargap": 0.28,
}
X_AXIS: dict[str, Any] = {**_AXIS, "showgrid": False, "showline": True}
Y_AXIS: dict[str, Any] = {**_AXIS, "showgrid": True, "showline": False}


def channel_colours(channels: Sequence[str], drawn: Sequence[str] = ()) -> dict[str, str]:
    """Channel → colour, by the config's order, so that a channel has one colour on all figures of a run.

    Where there are more channels than colours, those that are `drawn` take them, so that these stay apart.
    """
    names = channels if len(channels) <= len(CATEGORIES) else drawn or channels
    return {name: CATEGORIES[index % len(CATEGORIES)] for index, name in enumerate(names)}


def translucent(colour: str, opacity: float) -> str:
    """A `#rrggbb` colour as `rgba(…)`."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
