"""Stage 60: what other budgets than the plan's would bring, each split in the best way."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas
from dsam_assets.report.figures.curves import unit_words
from dsam_assets.report.figures.intervals import spread_words
from dsam_assets.report.figures.labels import categories, label, room_for_legend, safe
from dsam_assets.report.figures.style import BLUE, INK, VERMILION, channel_colours
from dsam_assets.report.numbers import compact

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

ROOM_FOR_WORDS = 1.12  # above the highest bar


def budget_efficient_frontier(frontier: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Expected response of the best plan at each budget with its 90 % interval; the plan's budget marked.

    Args:
        frontier: table `budget_efficient_frontier`.
        stamp: market and reliability.
    """
    rows = frontier[frontier["point"] != "reference"].sort_values("budget")
    unit = unit_words(str(rows["response_unit"].iloc[0]))
    words = Words(
        "What more or less budget would bring",
        f"Best plan at each budget, {spread_words(rows['response_lower'], 'mean and 90 % interval')}. Where the line"
        " flattens, further money buys little.",
        "budget per period", f"response ({unit})",
    )  # fmt: skip
    figure = canvas(words, stamp)
    if rows["response_lower"].notna().any():
        bare = {"mode": "lines", "line_width": 0, "hoverinfo": "skip", "showlegend": False}
        figure.add_scatter(x=rows["budget"], y=rows["response_upper"], **bare)
        figure.add_scatter(
            x=rows["budget"], y=rows["response_lower"], fill="tonexty", fillcolor="rgba(0,114,178,0.14)", **bare
        )
    figure.add_scatter(
        x=rows["budget"], y=rows["response_mean"], mode="lines+markers", name="best plan", marker_size=6,
        line={"color": BLUE, "width": 1.8}, customdata=rows["multiplier"],
        hovertemplate="%{customdata:.0%} of the budget (%{x:,.0f}): %{y:,.4g}<extra></extra>",
    )  # fmt: skip
    for name, part, symbol, colour in (
        ("this plan", rows[np.isclose(rows["multiplier"], 1.0)], "diamond", VERMILION),
        ("reference split", frontier[frontier["point"] == "reference"], "circle", INK),
    ):
        if len(part):
            figure.add_scatter(
                x=part["budget"], y=part["response_mean"], mode="markers", name=name,
                marker={"color": colour, "size": 12, "symbol": symbol, "line": {"color": "white", "width": 1}},
            )  # fmt: skip
    return figure


def budget_scenarios(scenarios: pd.DataFrame, spend: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """The best split of each named budget, or of somewhat less and more than the plan's, and what it changes.

    Args:
        scenarios: table `budget_scenarios`.
        spend: table `budget_scenario_spend`; a budget that the bounds do not allow has no rows.
        stamp: market and reliability.
    """
    rows = scenarios.sort_values("budget", kind="stable")
    unit = str(rows["response_unit"].iloc[0])
    words = Words(
        "What other budgets would do",
        f"Best split of each budget. Above: expected change against the reference ({unit_words(unit)}).",
        "", "money per period",
    )  # fmt: skip
    figure = canvas(words, stamp, barmode="stack")
    names = categories(figure, "x", rows["scenario"])
    colours = channel_colours(list(spend["channel"].unique()))
    for channel, part in spend.groupby("channel", sort=False):
        figure.add_bar(
            x=[safe(name) for name in part["scenario"]], y=part["spend_currency"], name=label(channel), width=0.6,
            marker_color=colours[str(channel)], marker_line={"color": "white", "width": 1}, customdata=part["share"],
            hovertemplate="%{y:,.0f} (%{customdata:.0%})",
        )  # fmt: skip
    tops = spend.groupby("scenario")["spend_currency"].sum()
    heights = [float(tops.get(name, 0.0)) for name in rows["scenario"]]
    figure.add_scatter(
        x=names, y=heights, mode="text", text=[_change(row, unit) for row in rows.to_dict("records")],
        textposition="top center", textfont={"color": INK}, showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    return room_for_legend(figure.update_yaxes(range=[0, max(heights) * ROOM_FOR_WORDS]))


def _change(row: dict[Hashable, Any], unit: str) -> str:
    if row["status"] != "ok":
        return "not possible"
    change = row["delta_kpi_mean"]
    return f"{change:+.1%}" if unit == "relative" else compact(change, signed=True)
