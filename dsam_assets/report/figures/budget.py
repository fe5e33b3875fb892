"""Stage 60: the plan beside the reference: spend, shares, returns, response, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, row_height
from dsam_assets.report.figures.curves import unit_words
from dsam_assets.report.figures.decomposition import bridge
from dsam_assets.report.figures.intervals import error_bars, spread_words
from dsam_assets.report.figures.labels import categories, label, room_for_legend, safe
from dsam_assets.report.figures.style import BLUE, FAINT, GREEN, INK, MUTED, OTHER, VERMILION, ZERO, channel_colours
from dsam_assets.report.numbers import compact

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

REFERENCE, PLAN = OTHER, BLUE
# A segment narrower than this has no room for its percentage.
LABELLED_SHARE = 0.04


def budget_roi_cpa(roi: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """ROI or CPA by channel and in total, reference beside plan, with 90 % intervals.

    Args:
        roi: table `budget_roi_cpa`.
        stamp: market and reliability.
    """
    metric, unit = str(roi["metric"].iloc[0]).upper(), str(roi["metric_unit"].iloc[0])
    better = "higher" if metric == "ROI" else "lower"
    words = Words(
        f"{metric} by channel: reference and plan",
        f"Average over all spend from zero ({better} is better); "
        f"{spread_words(roi[['value_reference_lower', 'value_optimised_lower']], '90 % intervals')}. A channel"
        " that gets more money becomes less efficient on average: that is what saturation means.",
        "", f"{metric} ({unit})",
    )  # fmt: skip
    return _pairs(words, stamp, roi, "value", f"{metric} %{{y:.3g}}")


def budget_contribution(roi: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Response by channel and in total, reference beside plan, the change written above.

    Args:
        roi: table `budget_roi_cpa`.
        stamp: market and reliability.
    """
    total = roi[roi["is_total"].astype(bool)].iloc[0]
    base = float(total["mean_reference"])
    gain = f"{(float(total['mean_optimised']) - base) / base:+.1%}" if base else "n/a"
    words = Words(
        "Response by channel: reference and plan",
        f"Expected response above zero spend; the total changes by {gain}. Labels: change of the mean.",
        "", f"response ({unit_words(str(roi['response_unit'].iloc[0]))})",
    )  # fmt: skip
    figure = _pairs(words, stamp, roi, "mean", "%{y:,.4g}", interval=False)
    for channel, delta, first, second in roi[
        ["channel", "delta_response", "mean_reference", "mean_optimised"]
    ].itertuples(index=False):
        figure.add_annotation(
            x=safe(channel), y=max(first, second), text=compact(delta, signed=True), showarrow=False, yshift=12,
            font={"size": 11, "color": GREEN if delta > 0 else VERMILION if delta < 0 else MUTED},
        )  # fmt: skip
    return figure


def _pairs(
    words: Words, stamp: Stamp, rows: pd.DataFrame, value: str, hover: str, *, interval: bool = True
) -> go.Figure:
    figure = canvas(words, stamp, barmode="group", bargroupgap=0.06)
    names = categories(figure, "x", rows["channel"])
    for when, colour, name in (("reference", REFERENCE, "reference"), ("optimised", PLAN, "plan")):
        middle, bars = rows[f"{value}_{when}"], None
        if interval:
            low, high = (rows[f"{value}_{when}_{end}"] for end in ("lower", "upper"))
            bars = error_bars(middle, low, high, MUTED, thickness=1.2, width=3)
        figure.add_bar(x=names, y=middle, name=name, marker_color=colour, error_y=bars, hovertemplate=hover)
    if rows["is_total"].astype(bool).any() and len(rows) > 1:
        figure.add_vline(x=len(rows) - 1.5, line={"color": FAINT, "width": 1, "dash": "dot"})
    return figure


def budget_impact(impact: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Change of spend (left) and of response (right) by channel; the largest change of response on top.

    Args:
        impact: table `budget_impact`.
        stamp: market and reliability.
    """
    channels = impact[impact["kind"] == "channel"].sort_values("delta_response_mean", key=np.abs)
    rows = _stacked(impact[impact["kind"] == "total"], impact[impact["kind"] == "interaction"], channels)
    total = impact[impact["kind"] == "total"].iloc[0]
    joint = " INTERACTION: what channels do jointly on the log scale." if "interaction" in set(impact["kind"]) else ""
    words = Words(
        "What the plan changes",
        f"In all: spend {compact(total['delta_spend'], signed=True)}, response"
        f" {compact(total['delta_response_mean'], signed=True)} ({unit_words(str(total['response_unit']))}).{joint}",
        "", "",
    )  # fmt: skip
    figure = facets(words, stamp, ["Change of spend per period", "Change of response per period"], columns=2,
                    shared_yaxes=True)  # fmt: skip
    names = categories(figure, "y", rows["channel"], characters=20)
    for column, value in ((1, "delta_spend"), (2, "delta_response_mean")):
        muted = rows["kind"] != "channel"
        colours = np.where(muted, OTHER, np.where(rows[value] >= 0, GREEN, VERMILION))
        figure.add_bar(
            x=rows[value], y=names, orientation="h", marker_color=colours, width=0.6, showlegend=False, row=1,
            col=column,
            text=[compact(change, signed=True) for change in rows[value]], textposition="auto",
            hovertemplate="%{y}: %{x:+,.4g}<extra></extra>",
        )  # fmt: skip
        figure.add_vline(x=0, line={"color": ZERO, "width": 1}, row=1, col=column)
    return figure.update_layout(height=row_height(len(rows), 34) + 22).update_yaxes(showgrid=False)


def _stacked(*parts: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([part for part in parts if len(part)])


def budget_confidence_comparison(comparison: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Response of each channel under reference and plan with 90 % intervals, and of the whole in total.

    Args:
        comparison: table `budget_confidence_comparison`.
        stamp: market and reliability.
    """
    against = comparison[comparison["rival"] == "reference"]
    rows = against[~against["is_total"].astype(bool)].iloc[::-1]
    total = against[against["is_total"].astype(bool)]
    chance = float(total["probability_better"].iloc[0]) if len(total) else float("nan")
    sure = "" if np.isnan(chance) else f" The whole plan beats the reference in {chance:.0%} of the draws (paired)."
    words = Words(
        "How sure is the difference?",
        f"Response of each channel, mean and 90 % interval.{sure} Overlap of the two intervals alone says little: both"
        " move together.", f"response ({unit_words(str(rows['unit'].iloc[0]))})", "",
    )  # fmt: skip
    figure = canvas(words, stamp, height=row_height(len(rows), 40))
    for who, colour, shift, name in (("rival", MUTED, 0.14, "reference"), ("plan", VERMILION, -0.14, "plan")):
        middle, low, high = (rows[f"{who}_{end}"] for end in ("mean", "lower", "upper"))
        figure.add_scatter(
            x=middle, y=np.arange(len(rows)) + shift, mode="markers", marker={"color": colour, "size": 8}, name=name,
            error_x=error_bars(middle, low, high, colour, width=0),
        )  # fmt: skip
    return figure.update_yaxes(
        tickvals=np.arange(len(rows)),
        ticktext=[label(name) for name in rows["channel"]],
        showgrid=False,
        zeroline=False,
    )


def budget_spend_share(share: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """The split of the money under reference and plan, as two stacked bars.

    Args:
        share: table `budget_spend_share`.
        stamp: market and reliability.
    """
    rows, total = share[~share["is_total"].astype(bool)], share[share["is_total"].astype(bool)].iloc[0]
    words = Words(
        "How the budget is split",
        f"Shares of the money per period: {total['spend_reference_currency']:,.0f} at the reference,"
        f" {total['spend_optimised_currency']:,.0f} in the plan.", "share of the money", "",
    )  # fmt: skip
    figure = canvas(words, stamp, barmode="stack", height=380)
    colours = channel_colours(list(rows["channel"]))
    for row in rows.to_dict("records"):
        shares = [row["share_optimised"], row["share_reference"]]
        figure.add_bar(
            x=shares, y=["plan", "reference"], orientation="h", name=label(row["channel"]), width=0.62,
            marker_color=colours[row["channel"]], marker_line={"color": "white", "width": 1},
            text=[f"{part:.0%}" if part >= LABELLED_SHARE else "" for part in shares], textposition="inside",
            insidetextanchor="middle", textangle=0, textfont={"color": "white"}, hovertemplate="%{x:.1%}",
        )  # fmt: skip
    figure.update_layout(legend_traceorder="normal")
    return room_for_legend(figure.update_xaxes(tickformat=".0%", range=[0, 1]).update_yaxes(showgrid=False))


def budget_kpi_waterfall(waterfall: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """The way from the reference to the plan, channel by channel.

    Args:
        waterfall: table `budget_kpi_waterfall`.
        stamp: market and reliability.
    """
    unit = unit_words(str(waterfall["response_unit"].iloc[0]))
    ends = waterfall[waterfall["kind"] == "channel"]
    change = float(ends["delta_kpi_mean"].sum())
    words = Words(
        "From the reference to the plan",
        f"Expected change {compact(change, signed=True)} ({unit}), channel by channel, largest gain first.", "",
        f"KPI ({unit})",
    )  # fmt: skip
    colours = [INK if kind != "channel" else GREEN if delta >= 0 else VERMILION
               for kind, delta in waterfall[["kind", "delta_kpi_mean"]].itertuples(index=False)]  # fmt: skip
    texts = ["" if kind == "start" else compact(delta, signed=True)
             for kind, delta in waterfall[["kind", "delta_kpi_mean"]].itertuples(index=False)]  # fmt: skip
    figure = bridge(
        canvas(words, stamp, showlegend=False), list(waterfall["step"]),
        list(waterfall["kpi_from"]), list(waterfall["kpi_to"]), texts, colours,
    )  # fmt: skip
    levels = np.concatenate([waterfall["kpi_from"], waterfall["kpi_to"]])
    if levels.min() > 0:  # the whole KPI would hide the change
        room = 0.2 * (levels[levels > 0].max() - levels[levels > 0].min() or 1.0)
        figure.update_yaxes(range=[levels.min() - room, levels.max() + room])
    return figure


def budget_sensitivity(sensitivity: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Change of the KPI when one channel's planned spend moves by up to a fifth and the others stay.

    Args:
        sensitivity: table `budget_sensitivity`.
        stamp: market and reliability.
    """
    rows = sensitivity[(sensitivity["rest"] == "held") & sensitivity["delta_kpi_mean"].notna()]
    unit = unit_words(str(rows["response_unit"].iloc[0]))
    words = Words(
        "How much does each channel's budget matter?",
        "One channel moves by up to 20 % of its planned spend, the others stay. Steep: the channel to get right.",
        "change of the channel's planned spend", f"change of the KPI ({unit})",
    )  # fmt: skip
    figure = canvas(words, stamp)
    figure.add_hline(y=0, line={"color": ZERO, "dash": "dash", "width": 1})
    reach = rows.groupby("channel")["delta_kpi_mean"].agg(np.ptp).sort_values(ascending=False)
    colours = channel_colours(list(rows["channel"].unique()))
    for name in reach.index:
        part = rows[rows["channel"] == name].sort_values("change")
        figure.add_scatter(
            x=part["change"], y=part["delta_kpi_mean"], mode="lines+markers", name=label(name), marker_size=4.5,
            line={"color": colours[name], "width": 1.8},
        )  # fmt: skip
    return room_for_legend(figure.update_xaxes(tickformat="+.0%"))


def budget_figures(tables: Mapping[str, pd.DataFrame], stamp: Stamp) -> dict[str, go.Figure]:
    """The figures of the plan and of what lies around it.

    Args:
        tables: tables of the assets `allocation`, `response_curves` and `efficient_frontier`.
        stamp: market and reliability.
    """
    from dsam_assets.report.figures.curves import budget_marginal_roi, budget_response_curves
    from dsam_assets.report.figures.other_budgets import budget_efficient_frontier, budget_scenarios

    curves, points = tables["budget_response_curves"], tables["budget_response_points"]
    figures = {
        "budget_spend_share": budget_spend_share(tables["budget_spend_share"], stamp),
        "budget_impact": budget_impact(tables["budget_impact"], stamp),
        "budget_response_curves": budget_response_curves(curves, points, stamp),
        "budget_marginal_roi": budget_marginal_roi(tables["budget_marginal_roi"], stamp),
        "budget_roi_cpa": budget_roi_cpa(tables["budget_roi_cpa"], stamp),
        "budget_contribution": budget_contribution(tables["budget_roi_cpa"], stamp),
        "budget_sensitivity": budget_sensitivity(tables["budget_sensitivity"], stamp),
        "budget_efficient_frontier": budget_efficient_frontier(tables["budget_efficient_frontier"], stamp),
        "budget_scenarios": budget_scenarios(tables["budget_scenarios"], tables["budget_scenario_spend"], stamp),
        "budget_kpi_waterfall": budget_kpi_waterfall(tables["budget_kpi_waterfall"], stamp),
    }
    comparison = tables["budget_confidence_comparison"]
    if comparison["plan_lower"].notna().any():  # a point estimate is as sure of everything
        figures["budget_confidence_comparison"] = budget_confidence_comparison(comparison, stamp)
    return figures
