"""`report.html`: the sections and their figures as one page that needs nothing from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from dsam_assets.report.figures.page import plotly_script, script_safe
from dsam_assets.report.headlines import Headline
from dsam_assets.report.sections import Section

TEMPLATE = "report.html.j2"
# Title and subtitle are set as text above the figure, where a narrow screen can wrap them.
TOP_MARGIN = 44
FACET_ROOM = 26


@dataclass(frozen=True)
class PageFigure:
    """Words and height of a figure on the page."""

    title: str
    subtitle: str
    height: int


def report_page(
    title: str,
    lead: str,
    reliability: str,
    headlines: Sequence[Headline],
    sections: Sequence[Section],
    figures: Mapping[str, str],
    footer: str,
) -> str:
    """The page.

    Args:
        title: heading.
        lead: one sentence below it.
        reliability: final, provisional or blocked.
        headlines: the first numbers.
        sections: in order.
        figures: name → figure as plotly's JSON; sections name those that they show.
        footer: closing line.
    """
    from jinja2 import Environment, StrictUndefined

    wanted = {name for section in sections for name in section.figures}
    drawn = {name: _split(json.loads(text)) for name, text in sorted(figures.items()) if name in wanted}
    text = files("dsam_assets.report").joinpath("templates", TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text).render(
        title=title,
        lead=lead,
        reliability=reliability,
        headlines=headlines,
        sections=sections,
        figures={name: words for name, (words, _) in drawn.items()},
        plotly=plotly_script().decode("utf-8").replace("</script", "<\\/script"),
        data=script_safe(json.dumps({name: figure for name, (_, figure) in drawn.items()})),
        footer=footer,
    )


def _split(figure: dict[str, Any]) -> tuple[PageFigure, dict[str, Any]]:
    """A figure's words, and the figure without them."""
    layout = figure["layout"]
    title = layout.pop("title", {})
    removed = layout["margin"]["t"] - TOP_MARGIN
    notes = [note for note in layout.get("annotations", []) if note.get("name") != "stamp"]
    room = FACET_ROOM if len(layout) and any(key.startswith("xaxis2") for key in layout) else 0
    layout["margin"] = {**layout["margin"], "t": TOP_MARGIN + room}
    layout["annotations"] = notes
    layout["height"] = height = int(layout["height"] - removed + room)
    layout.pop("width", None)
    words = PageFigure(_text(title.get("text", "")), _text(title.get("subtitle", {}).get("text", "")), height)
    return words, {"data": figure["data"], "layout": layout}


def _text(marked: str) -> str:
    """Plotly's markup as plain text, which the template escapes again."""
    for mark in ("<b>", "</b>"):
        marked = marked.replace(mark, "")
    return html.unescape(marked.replace("<br>", " "))
