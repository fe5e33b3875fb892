"""Names on a figure: shown literally, cut where they would not fit, and never mistaken for one another."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

LABEL_CHARACTERS = 26
WRAPPED_UP_TO = 10  # categories under an axis; more stand too close for words side by side
LEGEND_ABOVE = 5
LEGEND_ROW, LEGEND_KEY, CHARACTER = 19, 46, 6.6  # pixels


def safe(text: object) -> str:
    """Text as plotly shows it literally: a column's name may hold `<b>` or `&`."""
    return html.escape(str(text), quote=False)


def label(text: object, characters: int = LABEL_CHARACTERS) -> str:
    """A name that fits beside an axis. Its middle goes first: names often begin alike and differ at the end."""
    return safe(_cut(str(text), characters))


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    end = (characters - 1) // 3
    return f"{text[: characters - 1 - end]}…{text[len(text) - end :]}"


def wrapped_label(text: object, characters: int = 13, lines: int = 2) -> str:
    """A name that fits under an axis, over several lines."""
    parts = textwrap.wrap(str(text).replace("_", "_ "), characters, break_long_words=False) or [""]
    kept = parts if len(parts) <= lines else [*parts[: lines - 1], " ".join(parts[lines - 1 :])]
    return "<br>".join(label(part.replace("_ ", "_"), characters) for part in kept)


def categories(
    figure: go.Figure, axis: str, names: Iterable[object], *, characters: int = LABEL_CHARACTERS
) -> list[str]:
    """Give an axis its categories, from the left or from below, and return their keys in the same order.

    A category's key is its whole name; only what is shown is cut, so two names that look alike remain two categories.
    """
    names = list(names)
    keys = [safe(name) for name in names]
    flat = axis == "x" and len(keys) <= WRAPPED_UP_TO
    shown = [wrapped_label(name) if flat else label(name, characters) for name in names]
    options: dict[str, Any] = {
        "type": "category", "categoryorder": "array", "categoryarray": keys, "tickmode": "array", "tickvals": keys,
        "ticktext": shown, "tickangle": None if flat or axis == "y" else -45,  # None: upright where there is room
    }  # fmt: skip
    (figure.update_xaxes if axis == "x" else figure.update_yaxes)(**options)
    return keys


def room_for_legend(figure: go.Figure) -> go.Figure:
    """Put a legend of many entries below the panel, where it covers no words; the figure gets higher by its rows."""
    names = [trace.name or "" for trace in figure.data if trace.showlegend is not False]
    if len(names) <= LEGEND_ABOVE:
        return figure
    layout = figure.layout
    rows = legend_rows(names, layout.width - layout.margin.l - layout.margin.r)
    height = layout.height + LEGEND_ROW * rows
    below = 44 / (height - layout.margin.t - layout.margin.b - LEGEND_ROW * rows)
    return figure.update_layout(
        height=height, margin_b=layout.margin.b + LEGEND_ROW * rows,
        legend={"x": 0, "xanchor": "left", "y": -below, "yanchor": "top", "traceorder": "normal"},
    )  # fmt: skip


def legend_rows(names: Sequence[str], width: float) -> int:
    """Rows of a horizontal legend, whose columns are all as wide as the longest entry."""
    widest = LEGEND_KEY + CHARACTER * max(map(len, names))
    return -(-len(names) // max(1, int(width // widest)))
