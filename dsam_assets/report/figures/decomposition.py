"""Stage 30: what drives the fitted KPI: by predictor, by kind of driver, over time, and by channel beside its spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas, row_height
from dsam_assets.report.figures.intervals import error_bars, spread_words
from dsam_assets.report.figures.labels import categories, label, room_for_legend, safe
from dsam_assets.report.figures.pre_run import layers
from dsam_assets.report.figures.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    OTHER,
    PINK,
    SKY,
    VERMILION,
    ZERO,
    channel_colours,
    translucent,
)
from dsam_assets.report.numbers import percent

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

DRIVERS = {
    "baseline": OTHER, "trend": FAINT, "seasonality": SKY, "holidays": PINK, "controls": "#8C6D31", "media": BLUE,
    "total": INK,
}  # fmt: skip
NOT_SHOWN = ("(Intercept)", "offset()", "TOTAL")
INTERVAL = {"thickness": 1.4, "width": 0.0}


def decomp_predictor_impact(impact: pd.DataFrame, summary: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Total contribution of each predictor with its 90 % interval, largest on top; intercept and total left out.

    Args:
        impact: table `decomp_predictor_impact`; the rows of all panel units together, those marked `top_n`.
        summary: table `decomp_summary`.
        stamp: market and reliability.
    """
    rows = impact[(impact["group"] == "all") & ~impact["term"].isin(NOT_SHOWN)]
    shown = rows[rows["top_n"].astype(bool)].sort_values("rank", ascending=False)
    hidden = f" The {len(rows) - len(shown)} smallest are not shown." if len(rows) > len(shown) else ""
    words = Words(
        "What each predictor contributed",
        f"Sum over {int(summary['rows'].iloc[0]):,} rows, KPI scale, "
        f"{spread_words(shown['q05'], 'mean and 90 % interval')}; labels are shares of the fitted KPI.{hidden}",
        f"contribution to {summary['response'].iloc[0]} (KPI scale)", "",
    )  # fmt: skip
    figure = canvas(words, stamp, height=row_height(len(shown), 30))
    categories(figure, "y", shown["term"])
    for kind in dict.fromkeys(shown["term_group"]):
        part = shown[shown["term_group"] == kind]
        figure.add_bar(
            x=part["contribution"], y=[safe(term) for term in part["term"]], orientation="h", width=0.6, name=kind,
            marker_color=DRIVERS[kind],
            error_x=error_bars(part["contribution"], part["q05"], part["q95"], ZERO, **INTERVAL),
            customdata=part["share"], hovertemplate="%{y}: %{x:,.4g} (%{customdata:.1%} of the KPI)<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": ZERO, "width": 1})
    _share_labels(figure, shown)
    return figure.update_yaxes(showgrid=False)


def _share_labels(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Shares at the right edge, where no bar or interval can cover them."""
    for term, share in rows[["term", "share"]].itertuples(index=False):
        figure.add_annotation(
            x=1, xref="paper", xanchor="right", y=safe(term), text=percent(share), showarrow=False,
            font={"size": 11, "color": FAINT},
        )  # fmt: skip


def decomp_timeseries(series: pd.DataFrame, names: Mapping[str, str], stamp: Stamp) -> go.Figure:
    """Contributions of the media terms over time, stacked; panel units are added up.

    Args:
        series: table `decomp_timeseries`.
        names: term → name of its channel.
        stamp: market and reliability.
    """
    at = "date" if "date" in series else "row"
    media = series[series["term_group"] == "media"]
    wide = media.groupby([at, "term"])["contribution"].sum().unstack("term")
    order = wide.sum().sort_values(ascending=False).index
    total = series.groupby(at)["contribution"].sum()
    share = wide.sum().sum() / total.sum() if total.sum() else float("nan")
    words = Words(
        "What media contributed over time",
        f"KPI scale, stacked; media are {share:.1%} of the fitted KPI. What is above the stack, up to"
        " the KPI, is baseline, season and controls.", "", "contribution per period (KPI scale)",
    )  # fmt: skip
    figure = canvas(words, stamp, hovermode="x unified")
    stack = layers(wide[list(order)])
    known = [term for term in names if term in wide]
    others = [term for term in order if term not in names]
    colours = channel_colours([*known, *others], [term for term in stack if term in wide])
    for term, column in stack.items():
        colour = colours.get(term, OTHER)
        figure.add_scatter(
            x=wide.index, y=column, mode="lines", stackgroup="media", name=label(names.get(term, term)),
            line={"width": 0.6, "color": colour}, fillcolor=translucent(colour, 0.75), hovertemplate="%{y:,.4g}",
        )  # fmt: skip
    return room_for_legend(figure)


def decomp_waterfall(groups: pd.DataFrame, summary: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """The fitted KPI built up from its kinds of drivers.

    Args:
        groups: table `decomp_group_impact`; the rows of all panel units together.
        summary: table `decomp_summary`.
        stamp: market and reliability.
    """
    rows = groups[groups["group"] == "all"]
    words = Words(
        "Where the KPI comes from",
        f"Fitted {summary['response'].iloc[0]} over {int(summary['rows'].iloc[0]):,} rows, by kind of driver (KPI"
        " scale). Baseline is what the intercept stands for: all predictors at zero.",
        "", f"{summary['response'].iloc[0]} (KPI scale)",
    )  # fmt: skip
    return bridge(
        canvas(words, stamp, showlegend=False), list(rows["term_group"]), list(rows["start"]), list(rows["end"]),
        [percent(share) for share in rows["share"]], [DRIVERS[kind] for kind in rows["term_group"]],
    )  # fmt: skip


def bridge(
    figure: go.Figure,
    names: Sequence[str],
    starts: Sequence[float],
    ends: Sequence[float],
    texts: Sequence[str],
    colours: Sequence[str],
) -> go.Figure:
    """Bars from `starts` to `ends`, each beginning where the last one ended, joined by thin lines."""
    shown = categories(figure, "x", names)
    figure.add_bar(
        x=shown, base=list(starts), y=[end - start for start, end in zip(starts, ends, strict=True)], width=0.62,
        marker_color=list(colours), text=list(texts), textposition="outside", cliponaxis=False,
        hovertemplate="%{x}: %{y:,.4g}<extra></extra>",
    )  # fmt: skip
    for left, right, level in zip(shown[:-1], shown[1:], ends[:-1], strict=True):
        figure.add_scatter(
            x=[left, right], y=[level, level], mode="lines", line={"color": FAINT, "width": 1, "dash": "dot"},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    return figure


def channel_returns(channels: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Average and marginal return of each channel with 90 % intervals.

    Args:
        channels: table `decomp_channels`; the rows of all panel units together that have a return.
        stamp: market and reliability.
    """
    rows = channels[(channels["group"] == "all") & channels["metric_value"].notna()].sort_values("metric_value")
    metric, unit = str(rows["metric"].iloc[0]).upper(), str(rows["metric_unit"].iloc[0])
    words = Words(
        f"{metric} by channel", "Filled: average over all money spent. Hollow: the next unit of money, spent as the"
        f" last ones were. {spread_words(rows['metric_q05'], 'Intervals are 90 %')}.", f"{metric} ({unit})", "",
    )  # fmt: skip
    figure = canvas(words, stamp, height=row_height(len(rows), 38))
    at = np.arange(len(rows))
    for name, value, low, high, shift, symbol, colour in (
        ("average", "metric_value", "metric_q05", "metric_q95", 0.13, "circle", BLUE),
        ("marginal", "marginal_value", "marginal_q05", "marginal_q95", -0.13, "circle-open", VERMILION),
    ):
        figure.add_scatter(
            x=rows[value], y=at + shift, mode="markers", name=name,
            error_x=error_bars(rows[value], rows[low], rows[high], colour, **INTERVAL),
            marker={"color": colour, "size": 10, "symbol": symbol, "line": {"width": 2, "color": colour}},
            customdata=rows["channel"].map(safe), hovertemplate="%{customdata}: %{x:.3g}",
        )  # fmt: skip
    figure.update_yaxes(tickvals=at, ticktext=[label(name) for name in rows["channel"]], zeroline=False)
    if metric == "ROI" and "KPI" not in unit.split(" per ")[0]:
        figure.add_vline(x=1, line={"color": GREEN, "dash": "dash", "width": 1})
    return figure.update_yaxes(showgrid=False)


def decomposition_figures(tables: Mapping[str, pd.DataFrame], stamp: Stamp) -> dict[str, go.Figure]:
    """The figures of the stage that the tables allow.

    Args:
        tables: the tables of the asset `decomposition`.
        stamp: market and reliability.
    """
    summary, series, channels = tables["decomp_summary"], tables["decomp_timeseries"], tables.get("decomp_channels")
    figures = {
        "decomp_predictor_impact": decomp_predictor_impact(tables["decomp_predictor_impact"], summary, stamp),
        "decomp_waterfall": decomp_waterfall(tables["decomp_group_impact"], summary, stamp),
    }
    if (series["term_group"] == "media").any():
        names = {} if channels is None else dict(zip(channels["term"], channels["channel"], strict=True))
        figures["decomp_timeseries"] = decomp_timeseries(series, names, stamp)
    if channels is not None and channels.loc[channels["group"] == "all", "metric_value"].notna().any():
        figures["channel_returns"] = channel_returns(channels, stamp)
    return figures
