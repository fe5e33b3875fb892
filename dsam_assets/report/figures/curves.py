"""Stage 60: what spend buys, channel by channel: response curves and marginal returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dsam_assets.report.figures.canvas import Stamp, Words, facets, place, rule
from dsam_assets.report.figures.intervals import spread_words
from dsam_assets.report.figures.style import BLUE, FAINT, INK, VERMILION, translucent

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

COLUMNS = 3
POINTS = {"reference": (INK, "circle", "reference"), "optimised": (VERMILION, "diamond", "plan")}


def budget_response_curves(curves: pd.DataFrame, points: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Response of each channel to its spend with 50 % and 90 % bands, reference and plan; beyond the data dotted.

    Args:
        curves: table `budget_response_curves`.
        points: table `budget_response_points`.
        stamp: market and reliability.
    """
    unit = str(curves["response_unit"].iloc[0])
    words = Words(
        "What spend buys: response curves",
        f"{spread_words(curves['lower'], 'Posterior mean with 50 % and 90 % bands')}, other channels at their"
        " reference. Dotted: more than was ever spent, so the curve is the formula's and not the data's.",
        "spend per period", f"response ({unit_words(unit)})",
    )  # fmt: skip

    def draw(figure: go.Figure, rows: pd.DataFrame, where: dict[str, int], first: bool) -> None:
        for low, high, opacity in (("lower", "upper", 0.14), ("lower_50", "upper_50", 0.26)):
            _band(figure, rows, low, high, opacity, where)
        _line(figure, rows, "mean", where)

    return _by_channel(words, stamp, curves, points, "mean", draw)


def budget_marginal_roi(marginal: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Return on the next unit of money at each spend with its 90 % band, reference and plan.

    Args:
        marginal: table `budget_marginal_roi`.
        stamp: market and reliability.
    """
    metric, unit = str(marginal["metric"].iloc[0]).upper(), str(marginal["metric_unit"].iloc[0])
    words = Words(
        f"Marginal {metric} by spend",
        f"{'What the next unit of money returns' if metric == 'ROI' else 'What the next unit of KPI costs'},"
        f" {spread_words(marginal['value_lower'], 'with its 90 % band')}. At the plan it is the same in every channel"
        " that no bound holds.",
        "spend per period", f"marginal {metric} ({unit})",
    )  # fmt: skip

    def draw(figure: go.Figure, rows: pd.DataFrame, where: dict[str, int], first: bool) -> None:
        _band(figure, rows, "value_lower", "value_upper", 0.16, where)
        _line(figure, rows, "value", where)

    curves = marginal[marginal["point"] == "curve"]
    return _by_channel(words, stamp, curves, marginal[marginal["point"] != "curve"], "value", draw)


def unit_words(unit: str) -> str:
    """A response unit of the tables in words."""
    return {"kpi": "KPI units per period", "relative": "relative change of the KPI"}.get(unit, unit)


type _Draw = Callable[[go.Figure, pd.DataFrame, dict[str, int], bool], None]


def _by_channel(
    words: Words, stamp: Stamp, curves: pd.DataFrame, points: pd.DataFrame, value: str, draw: _Draw
) -> go.Figure:
    names = list(dict.fromkeys(curves["channel"]))
    figure = facets(words, stamp, names, columns=COLUMNS)
    references: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        where, own = place(index, min(COLUMNS, len(names))), points[points["channel"] == name]
        draw(figure, curves[curves["channel"] == name], where, index == 0)
        _points(figure, own, value, where, show=index == 0)
        spends = own.loc[own["point"] == "reference", "spend"]
        references += [rule("x", spend, index, color=FAINT, width=0.8, dash="dot") for spend in spends]
    figure.update_layout(shapes=references)
    return figure.update_yaxes(rangemode="tozero").update_xaxes(rangemode="tozero")


def _band(figure: go.Figure, rows: pd.DataFrame, low: str, high: str, opacity: float, where: dict[str, int]) -> None:
    if rows[low].isna().all():
        return
    bare = {"mode": "lines", "line_width": 0, "hoverinfo": "skip", "showlegend": False, **where}
    figure.add_scatter(x=rows["spend"], y=rows[high], **bare)
    figure.add_scatter(x=rows["spend"], y=rows[low], fill="tonexty", fillcolor=translucent(BLUE, opacity), **bare)


def _line(figure: go.Figure, rows: pd.DataFrame, value: str, where: dict[str, int]) -> None:
    beyond = rows["extrapolated"].astype("boolean").fillna(value=False).astype(bool)
    # The first point beyond joins the two parts.
    inside = rows[~beyond]
    outside = rows[beyond | (rows["spend"] == (inside["spend"].max() if len(inside) else -1))]
    for part, dash in ((inside, "solid"), (outside, "dot")):
        if len(part) > 1:
            figure.add_scatter(
                x=part["spend"], y=part[value], mode="lines", line={"color": BLUE, "width": 1.8, "dash": dash},
                showlegend=False, hovertemplate="spend %{x:,.0f}: %{y:,.4g}<extra></extra>", **where,
            )  # fmt: skip


def _points(figure: go.Figure, rows: pd.DataFrame, value: str, where: dict[str, int], *, show: bool) -> None:
    for point, (colour, symbol, name) in POINTS.items():
        part = rows[rows["point"] == point]
        figure.add_scatter(
            x=part["spend"], y=part[value], mode="markers", name=name, legendgroup=point, showlegend=show,
            marker={"color": colour, "size": 9, "symbol": symbol, "line": {"color": "white", "width": 1}},
            hovertemplate=f"{name}: spend %{{x:,.0f}}, %{{y:,.4g}}<extra></extra>", **where,
        )  # fmt: skip
