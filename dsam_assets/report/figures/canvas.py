"""An empty figure with its words in place: title, subtitle, axis titles, and the state of the evidence."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsam_assets.report.figures.labels import label, safe
from dsam_assets.report.figures.style import FAINT, HEIGHT, LAYOUT, MUTED, RELIABILITY, X_AXIS, Y_AXIS

if TYPE_CHECKING:
    import plotly.graph_objects as go

SUBTITLE_CHARACTERS = 116
PANEL_HEIGHT, HEADER_HEIGHT = 190, 170
FACET_LEGEND = 22


@dataclass(frozen=True)
class Stamp:
    """What is printed on a figure about the evidence under it.

    Attributes:
        market: whose figure it is.
        reliability: final, provisional or blocked; None where no verdict bears on it (what is drawn before the fit).
    """

    market: str
    reliability: str | None = None


@dataclass(frozen=True)
class Words:
    """A figure's words. `x` and `y` say scale and unit."""

    title: str
    subtitle: str
    x: str
    y: str


def canvas(words: Words, stamp: Stamp, **layout: Any) -> go.Figure:
    """A figure with one panel; `layout` overrides the template."""
    import plotly.graph_objects as go

    figure = go.Figure()
    _dress(figure, words, stamp)
    figure.update_xaxes(title_text=safe(words.x), **_without_title(X_AXIS))
    figure.update_yaxes(title_text=safe(words.y), **_without_title(Y_AXIS))
    return figure.update_layout(**layout)


def facets(words: Words, stamp: Stamp, names: Sequence[str], *, columns: int = 3, **options: Any) -> go.Figure:
    """A figure with one small panel per name, `columns` side by side; axis titles stand once, at the edges.

    Panel i is at `row=i // columns + 1, col=i % columns + 1` (`place(i, columns)`). `options` go to `make_subplots`.
    """
    from plotly.subplots import make_subplots

    columns = max(1, min(columns, len(names)))
    rows = max(1, math.ceil(len(names) / columns))
    height = max(HEIGHT, HEADER_HEIGHT + PANEL_HEIGHT * rows)
    figure = make_subplots(
        rows, columns, subplot_titles=[label(name, 40) for name in names],
        horizontal_spacing=0.22 / columns, vertical_spacing=min(0.5 / rows, 58 / (height - HEADER_HEIGHT)), **options,
    )  # fmt: skip
    figure.update_annotations(font={"size": 12.5, "color": MUTED})
    _dress(figure, words, stamp)
    figure.update_xaxes(**_without_title(X_AXIS))
    figure.update_yaxes(**_without_title(Y_AXIS))
    for column in range(columns):
        last = (len(names) - 1 - column) // columns + 1
        figure.update_xaxes(title_text=safe(words.x), row=last, col=column + 1)
    figure.update_yaxes(title_text=safe(words.y), col=1)
    # The panels' names stand where a single panel has its legend.
    lower = figure.layout.margin.t + FACET_LEGEND
    for stamp_text in figure.select_annotations({"name": "stamp"}):
        stamp_text.yshift += FACET_LEGEND
    return figure.update_layout(
        height=height + FACET_LEGEND, margin_t=lower, legend_y=1 + 24 / (height - HEADER_HEIGHT)
    )


def place(index: int, columns: int) -> dict[str, int]:
    """Row and column of a panel, for plotly's `row=`, `col=`."""
    return {"row": index // columns + 1, "col": index % columns + 1}


def _without_title(axis: dict[str, Any]) -> dict[str, Any]:
    title = axis["title"]
    return {**{key: value for key, value in axis.items() if key != "title"},
            "title_standoff": title["standoff"], "title_font": title["font"]}  # fmt: skip


def _dress(figure: go.Figure, words: Words, stamp: Stamp) -> None:
    figure.update_layout(template="none")
    figure.update_layout(**LAYOUT, legend=_LEGEND)
    lines = _wrapped(words.subtitle)
    top = LAYOUT["margin"]["t"] + 17 * max(0, len(lines) - 1)
    figure.update_layout(
        title={
            "text": f"<b>{safe(words.title)}</b>", "x": 0, "xref": "paper", "xanchor": "left", "y": 1,
            "yref": "container", "yanchor": "top", "pad": {"t": 20}, "font": {"size": 18},
            "subtitle": {"text": "<br>".join(map(safe, lines)), "font": {"size": 12.5, "color": MUTED}},
        },
        margin_t=top,
    )  # fmt: skip
    _print(figure, stamp, top)


# Above the panel at its right end, where it cannot cover data and a long legend wraps upwards.
_LEGEND = {
    "orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom", "font": {"size": 11.5},
    "itemwidth": 30, "title": {"text": ""},
}  # fmt: skip


def _print(figure: go.Figure, stamp: Stamp, top: int) -> None:
    """Market and reliability in the top right corner."""
    text = safe(stamp.market)
    if stamp.reliability is not None:
        colour = RELIABILITY[stamp.reliability]
        text = f"{text}  <b><span style='color:{colour}'>{stamp.reliability.upper()}</span></b>"
    figure.add_annotation(
        text=text, showarrow=False, xref="paper", yref="paper", x=1, y=1, xanchor="right", yanchor="top",
        yshift=top - 22, font={"size": 11.5, "color": FAINT}, name="stamp",
    )  # fmt: skip


def _wrapped(text: str) -> list[str]:
    return [line for part in text.split("\n") for line in textwrap.wrap(part, SUBTITLE_CHARACTERS)] or [""]


def row_height(count: int, each: int = 24) -> int:
    """Height of a figure with `count` horizontal bars."""
    return max(HEIGHT, HEADER_HEIGHT + each * count)
