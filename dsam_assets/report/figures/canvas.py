"""An empty figure with its words in place: title, subtitle, axis titles, and the state of the evidence."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsam_assets.report.figures.labels import label, safe
from dsam_assets.report.figures.style import FAINT, HEIGHT, LAYOUT, MUTED, RELIABILITY, X_AXIS, Y_AXIS

if TYPE_CHECKING:
    import plotly.graph_objects as go

SUBTITLE_CHARACTERS = 116
PANEL_HEIGHT, HEADER_HEIGHT = 190, 170
FACET_LEGEND = 22
TITLE_PIXELS, STAMP_PIXELS = 8.9, 6.6  # of a character, about
SHORTEST_MARKET = 8


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

    axes = {"xaxis": _axis(X_AXIS, words.x), "yaxis": _axis(Y_AXIS, words.y)}
    # In one piece: plotly takes fifteen times as long to update a layout bit by bit.
    figure = go.Figure(layout={**_dress(words, stamp), **axes})
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
    grid = figure.layout.to_plotly_json()
    titles = [{**note, "font": {"size": 12.5, "color": MUTED}} for note in grid.pop("annotations")]
    # The panels' names stand where a single panel has its legend.
    layout = _dress(words, stamp, FACET_LEGEND)
    layout["annotations"] = [*titles, *layout["annotations"]]
    layout["height"] = height + FACET_LEGEND
    layout["legend"] = {**layout["legend"], "y": 1 + 24 / (height - HEADER_HEIGHT)}
    figure.layout = {**layout, **_facet_axes(grid, words, len(names), columns)}
    return figure


def _facet_axes(grid: Mapping[str, Any], words: Words, panels: int, columns: int) -> dict[str, Any]:
    """The grid's axes, dressed; titles at the left edge and under the last panel of each column."""
    found = {}
    for name, axis in grid.items():
        if not name.startswith(("xaxis", "yaxis")):
            continue
        index = int(name[len("xaxis") :] or 1) - 1
        row, column = divmod(index, columns)
        last = row == (panels - 1 - column) // columns
        if name.startswith("xaxis"):
            found[name] = {**_axis(X_AXIS, words.x if last else ""), **axis}
        else:
            found[name] = {**_axis(Y_AXIS, words.y if column == 0 else ""), **axis}
    return found


def place(index: int, columns: int) -> dict[str, int]:
    """Row and column of a panel, for plotly's `row=`, `col=`."""
    return {"row": index // columns + 1, "col": index % columns + 1}


def rule(axis: str, at: float, panel: int, **line: Any) -> dict[str, Any]:
    """A line across one panel of `facets`, for `layout.shapes`; plotly's own way takes milliseconds for each.

    Args:
        axis: `x` or `y`, the axis that `at` is a value of.
        at: where.
        panel: position of the panel among all.
        line: its form.
    """
    other, number = "y" if axis == "x" else "x", str(panel + 1) if panel else ""
    return {
        "type": "line", f"{axis}ref": f"{axis}{number}", f"{other}ref": f"{other}{number} domain",
        f"{axis}0": at, f"{axis}1": at, f"{other}0": 0, f"{other}1": 1, "line": line,
    }  # fmt: skip


def _axis(form: Mapping[str, Any], title: str) -> dict[str, Any]:
    return {**form, "title": {**form["title"], "text": safe(title)}}


def _dress(words: Words, stamp: Stamp, lower: int = 0) -> dict[str, Any]:
    """Template, words and stamp as a layout; `lower` is the room that panels need for their names."""
    lines = _wrapped(words.subtitle)
    top = LAYOUT["margin"]["t"] + 17 * max(0, len(lines) - 1) + lower
    return {
        "template": "none",
        **LAYOUT,
        "legend": _LEGEND,
        "title": {
            "text": f"<b>{safe(words.title)}</b>", "x": 0, "xref": "paper", "xanchor": "left", "y": 1,
            "yref": "container", "yanchor": "top", "pad": {"t": 20}, "font": {"size": 18},
            "subtitle": {"text": "<br>".join(map(safe, lines)), "font": {"size": 12.5, "color": MUTED}},
        },
        "margin": {**LAYOUT["margin"], "t": top},
        "annotations": [_stamp_note(stamp, top, len(words.title))],
    }  # fmt: skip


# Above the panel at its right end, where it cannot cover data and a long legend wraps upwards.
_LEGEND = {
    "orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom", "font": {"size": 11.5},
    "itemwidth": 30, "title": {"text": ""},
}  # fmt: skip


def _stamp_note(stamp: Stamp, top: int, title: int) -> dict[str, Any]:
    """Market and reliability in the top right corner, on the line of the title; a long name gives way to it."""
    room = LAYOUT["width"] - LAYOUT["margin"]["l"] - LAYOUT["margin"]["r"] - TITLE_PIXELS * title
    left = int(room / STAMP_PIXELS) - len(stamp.reliability or "") - 4
    text = label(stamp.market, max(SHORTEST_MARKET, left))
    if stamp.reliability is not None:
        colour = RELIABILITY[stamp.reliability]
        text = f"{text}  <b><span style='color:{colour}'>{stamp.reliability.upper()}</span></b>"
    return {
        "text": text, "showarrow": False, "xref": "paper", "yref": "paper", "x": 1, "y": 1, "xanchor": "right",
        "yanchor": "top", "yshift": top - 22, "font": {"size": 11.5, "color": FAINT}, "name": "stamp",
    }  # fmt: skip


def _wrapped(text: str) -> list[str]:
    bound = re.sub(r"(?<=\d) (?=%)", "\u00a0", text)  # a number and its unit stay on one line
    lines = [line for part in bound.split("\n") for line in textwrap.wrap(part, SUBTITLE_CHARACTERS)]
    return [line.replace("\u00a0", " ") for line in lines] or [""]


def row_height(count: int, each: int = 24) -> int:
    """Height of a figure with `count` horizontal bars."""
    return max(HEIGHT, HEADER_HEIGHT + each * count)
