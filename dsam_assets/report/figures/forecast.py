"""Stage 70: the weeks ahead behind the weeks that are known, and what the plan would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dsam_assets.forecast.totals import more_or_less, spend_change
from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, place
from dsam_assets.report.figures.intervals import error_bars, spread_words
from dsam_assets.report.figures.series import axis_of, panels_of, shown_rows, thinned
from dsam_assets.report.figures.style import FAINT, FITTED, OBSERVED, VERMILION, translucent
from dsam_assets.report.numbers import compact

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

# Periods of the past that are shown before the forecast: a year of weeks.
KNOWN_PERIODS = 52


def forecast(ahead: pd.DataFrame, past: pd.DataFrame, summary: pd.DataFrame, kpi: str, stamp: Stamp) -> go.Figure:
    """Observed KPI of the last periods, then the predictive median with 50 % and 90 % intervals, by panel unit.

    Args:
        ahead: table `forecast`, KPI scale.
        past: table `predictive` of the modelled rows.
        summary: table `forecast_summary`.
        kpi: name of the KPI.
        stamp: market and reliability.
    """
    words = Words("The weeks ahead", _total(summary), axis_of(ahead), f"{kpi} (KPI scale)")
    panels, known = panels_of(ahead), panels_of(past)
    figure = facets(words, stamp, list(panels), columns=2) if len(panels) > 1 else canvas(words, stamp)
    for index, (name, rows) in enumerate(panels.items()):
        where = place(index, 2) if len(panels) > 1 else {}
        for trace in _traces(thinned(rows), known.get(name), show=index == 0):
            figure.add_trace(trace, **where)
    return figure


def _total(summary: pd.DataFrame) -> str:
    """The total over all panel units in a sentence."""
    rows = summary[(summary["path"] == "base") & (summary["quantity"] == "predicted")]
    row = rows[rows["group"] == "all"].iloc[0] if (rows["group"] == "all").any() else rows.iloc[0]
    band = "" if row["q05"] != row["q05"] else f" (90 %: {compact(row['q05'])} to {compact(row['q95'])})"
    return (
        f"Expected in all over {int(row['periods'])} periods: {compact(row['mean'])}{band}, if the predictors go as the"
        f" future data say. {spread_words(rows['q05'], 'Bands: 50 % and 90 % of what will be observed')}."
    )


def _traces(rows: pd.DataFrame, past: pd.DataFrame | None, *, show: bool) -> Iterator[go.Scatter]:
    import plotly.graph_objects as go

    if past is not None:
        tail = past.tail(KNOWN_PERIODS)
        yield go.Scatter(
            x=shown_rows(tail), y=tail["observed"], mode="lines", line={"color": FAINT, "width": 1.4},
            name="observed", legendgroup="observed", showlegend=show,
        )  # fmt: skip
    x, bare = shown_rows(rows), {"mode": "lines", "line_width": 0, "hoverinfo": "skip"}
    for name, low, high, opacity in (("90 %", "q05", "q95", 0.16), ("50 %", "q25", "q75", 0.32)):
        if rows[f"predicted_{low}"].notna().all():
            yield go.Scatter(x=x, y=rows[f"predicted_{high}"], showlegend=False, **bare)
            yield go.Scatter(
                x=x, y=rows[f"predicted_{low}"], fill="tonexty", fillcolor=translucent(FITTED, opacity),
                name=f"{name} interval", legendgroup=name, showlegend=show, **bare,
            )  # fmt: skip
    yield go.Scatter(
        x=x, y=rows["predicted_q50"], mode="lines+markers", line={"color": FITTED, "width": 1.8}, marker_size=4,
        name="forecast (median)" if rows["predicted_q05"].notna().any() else "forecast",
        legendgroup="median", showlegend=show,
    )  # fmt: skip
    if rows["observed"].notna().any():
        yield go.Scatter(
            x=x, y=rows["observed"], mode="markers", marker={"color": OBSERVED, "size": 5}, name="observed since",
            legendgroup="since", showlegend=show,
        )  # fmt: skip


def forecast_paths(summary: pd.DataFrame, plan: pd.DataFrame, kpi: str, stamp: Stamp) -> go.Figure:
    """Total expected KPI under the planned spend, under the budget plan, and under even spending, with 90 % intervals.

    Args:
        summary: table `forecast_summary`.
        plan: table `forecast_plan`.
        kpi: name of the KPI.
        stamp: market and reliability.
    """
    rows = summary[(summary["quantity"] == "expected") & (summary["group"] == summary["group"].iloc[-1])]
    if (summary["group"] == "all").any():
        rows = summary[(summary["quantity"] == "expected") & (summary["group"] == "all")]
    paths = rows[rows["path"].isin(["base", "even", "plan"])].set_index("path").loc[["base", "even", "plan"]]
    gain = rows[rows["path"] == "plan_minus_even"].iloc[0]
    sure = gain["probability_positive"]
    chance = "" if sure != sure else f", better with probability {sure:.0%} (paired by draw)"
    spread = spread_words(paths["q05"], "Intervals are 90 % and move together")
    words = Words(
        "What the budget plan would bring over the weeks ahead",
        f"Against the weeks' own budget spread evenly, the plan{_spending(plan)} changes the total by"
        f" {compact(gain['mean'], signed=True)}{chance}. {spread}.",
        "", f"total {kpi} (KPI scale, expected)",
    )  # fmt: skip
    figure = canvas(words, stamp, showlegend=False)
    names = ["as the future data say", "the same budget, spread evenly", "the budget plan"]
    figure.add_scatter(
        x=names, y=paths["mean"], mode="markers", marker={"size": 12, "color": [FITTED, FAINT, VERMILION]},
        error_y=error_bars(paths["mean"], paths["q05"], paths["q95"], FAINT, width=6),
        hovertemplate="%{x}: %{y:,.4g}<extra></extra>",
    )  # fmt: skip
    return figure


def _spending(plan: pd.DataFrame) -> str:
    """How much more or less the plan spends, where it is not the same."""
    otherwise = more_or_less(spend_change(plan))
    return f" spends {otherwise} and" if otherwise else ""


def forecast_figures(
    tables: Mapping[str, pd.DataFrame], past: pd.DataFrame, kpi: str, stamp: Stamp
) -> dict[str, go.Figure]:
    """The figures of the stage.

    Args:
        tables: the tables of the asset `forecast`; without any, nothing is drawn.
        past: table `predictive`.
        kpi: name of the KPI.
        stamp: market and reliability.
    """
    if "forecast" not in tables:
        return {}
    summary = tables["forecast_summary"]
    figures = {"forecast": forecast(tables["forecast"], past, summary, kpi, stamp)}
    if {"base", "even", "plan"} <= set(summary["path"]):
        figures["forecast_paths"] = forecast_paths(summary, tables["forecast_plan"], kpi, stamp)
    return figures
