"""Stage 10: the data before the fit: spend, KPI beside spend, collinearity, and what the priors expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, place, row_height
from dsam_assets.report.figures.labels import categories, label, room_for_legend, safe
from dsam_assets.report.figures.series import axis_of, panels_of, shown_rows, thinned
from dsam_assets.report.figures.style import (
    BLUE,
    CATEGORIES,
    OBSERVED,
    OTHER,
    PRIOR,
    SEVERITY,
    VERMILION,
    channel_colours,
    translucent,
)

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

VIF_WARN, VIF_FAIL = 5.0, 10.0
VIF_SHOWN = 100.0
MOST_LAYERS = len(CATEGORIES)


def media_spend_timeseries(spend: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Spend by channel over time, stacked, the largest channel at the bottom.

    Args:
        spend: one column per channel, index: date or row; summed over panel units.
        stamp: market.
    """
    totals = spend.sum().sort_values(ascending=False)
    flat = [str(name) for name in spend if spend[name].nunique() <= 1]
    note = f" Never changes: {', '.join(flat)}; its effect cannot be learnt." if flat else ""
    words = Words(
        "Media spend over time",
        f"{len(totals)} channels, {len(spend):,} periods, {totals.sum():,.0f} in all (units of the spend columns)."
        f"{note}",
        "", "spend per period",
    )  # fmt: skip
    figure = canvas(words, stamp, hovermode="x unified")
    stack = layers(spend[list(totals.index)])
    colours = channel_colours(list(map(str, spend)), [name for name in stack if name in spend])
    for name, column in stack.items():
        colour = colours.get(name, OTHER)
        figure.add_scatter(
            x=spend.index, y=column, mode="lines", stackgroup="spend", name=label(name),
            line={"width": 0.6, "color": colour}, fillcolor=translucent(colour, 0.75), hovertemplate="%{y:,.0f}",
        )  # fmt: skip
    return room_for_legend(figure)


def layers(columns: pd.DataFrame, most: int = MOST_LAYERS) -> Mapping[str, pd.Series]:
    """The first columns one by one and the rest as one, so that a stack never needs more colours than there are."""
    if columns.shape[1] <= most:
        return {str(name): columns[name] for name in columns}
    kept = {str(name): columns[name] for name in columns.columns[: most - 1]}
    rest = columns.columns[most - 1 :]
    return {**kept, f"{len(rest)} others": columns[rest].sum(axis=1)}


def kpi_media_overlay(kpi: pd.Series, spend: pd.Series, name: str, stamp: Stamp) -> go.Figure:
    """KPI on the left axis and total spend on the right, over time.

    Args:
        kpi: index: date or row.
        spend: the same index; spend of all channels.
        name: the KPI's name.
        stamp: market.
    """
    correlation = float(np.corrcoef(kpi, spend)[0, 1])
    words = Words(
        "KPI beside media spend",
        f"Correlation {correlation:.2f}. The two axes have their own scales: look at timing, not at height. Moving"
        " together is no proof of an effect.", "", f"{name} (KPI scale)",
    )  # fmt: skip
    figure = canvas(words, stamp)
    figure.add_scatter(x=kpi.index, y=kpi, mode="lines", name=label(name), line={"color": BLUE, "width": 1.7})
    figure.add_scatter(
        x=spend.index, y=spend, mode="lines", name="total media spend (right)", yaxis="y2",
        line={"color": VERMILION, "width": 1.4, "dash": "dot"},
    )  # fmt: skip
    axis = {
        "overlaying": "y", "side": "right", "tickmode": "auto", "showgrid": False, "automargin": True,
        "rangemode": "tozero", "tickfont": {"color": VERMILION},
        "title": {"text": "spend per period (units of the spend columns)", "font": {"size": 12.5}},
    }  # fmt: skip
    return figure.update_layout(yaxis2=axis)


def vif_bar(report: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Variance inflation factor of each predictor: green below 5, amber below 10, red from 10.

    Args:
        report: table `vif_report`.
        stamp: market.
    """
    rows = report[report["vif"].notna()].sort_values("vif")
    shown = rows["vif"].clip(upper=VIF_SHOWN)
    high = int((rows["vif"] >= VIF_FAIL).sum())
    words = Words(
        "Collinearity of the predictors (variance inflation factor)",
        f"{high} of {len(rows)} predictors are at 10 or above: their standard errors are three times what independent"
        " predictors would have, so the prior says more and the data less.", "VIF (log scale)", "",
    )  # fmt: skip
    figure = canvas(words, stamp, height=row_height(len(rows)), showlegend=False)
    figure.add_bar(
        x=shown, y=categories(figure, "y", rows["term"]), orientation="h", width=0.6,
        marker_color=[SEVERITY[vif_severity(value)] for value in rows["vif"]],
        text=["∞" if np.isinf(value) else f"{value:.1f}" for value in rows["vif"]],
        textposition="outside", cliponaxis=False,
        hovertext=[safe(name) for name in rows["term"]], hovertemplate="%{hovertext}: %{text}<extra></extra>",
    )  # fmt: skip
    for limit, status in ((VIF_WARN, "warn"), (VIF_FAIL, "fail")):
        figure.add_vline(x=limit, line={"color": SEVERITY[status], "dash": "dash", "width": 1})
    top = np.log10(max(VIF_FAIL, float(shown.max()) if len(rows) else 1.0)) + 0.12
    ticks = [1, 2, 5, 10, 20, 50, 100]
    return figure.update_xaxes(type="log", range=[0, top], tickvals=ticks).update_yaxes(showgrid=False)


def vif_severity(value: float) -> str:
    return "fail" if value >= VIF_FAIL else "warn" if value >= VIF_WARN else "pass"


def prior_predictive(rows: pd.DataFrame, summary: pd.DataFrame, kpi: str, stamp: Stamp) -> go.Figure:
    """What the prior expects of the KPI (50 % and 95 % intervals) with what was observed; one panel per panel unit.

    Args:
        rows: table `prior_predictive_rows_kpi`, or `prior_predictive_rows` where the scales are one.
        summary: table `prior_predictive_summary`.
        kpi: name of the KPI.
        stamp: market.
    """
    values = summary.set_index("metric")["value"]
    words = Words(
        "What the priors expect, before the data speak",
        f"{values['share_inside']:.0%} of the prior's draws lie near the observed range, and the 95 % band holds"
        f" {values['rows_covered']:.0%} of the observed values (model scale). Wide is open-minded; a band that misses"
        " the data is not.", axis_of(rows), f"{kpi} (KPI scale)",
    )  # fmt: skip
    panels = panels_of(rows)
    figure = facets(words, stamp, list(panels), columns=2) if len(panels) > 1 else canvas(words, stamp)
    for index, frame in enumerate(panels.values()):
        for trace in _prior_traces(thinned(frame), show=index == 0):
            figure.add_trace(trace, **(place(index, 2) if len(panels) > 1 else {}))
    # The prior of a log response reaches over many orders of magnitude.
    wide = rows["q25"].min() > 0 and rows["q975"].max() > 50 * rows["observed"].max()
    return figure.update_yaxes(type="log", exponentformat="power", nticks=5) if wide else figure


def _prior_traces(frame: pd.DataFrame, *, show: bool) -> Iterator[go.Scatter]:
    import plotly.graph_objects as go

    x, bare = shown_rows(frame), {"mode": "lines", "line_width": 0, "hoverinfo": "skip"}
    for name, low, high, opacity in (("95 %", "q025", "q975", 0.25), ("50 %", "q25", "q75", 0.45)):
        yield go.Scatter(x=x, y=frame[high], showlegend=False, **bare)
        yield go.Scatter(
            x=x, y=frame[low], fill="tonexty", fillcolor=translucent(PRIOR, opacity), name=f"{name} of the prior",
            legendgroup=name, showlegend=show, **bare,
        )  # fmt: skip
    yield go.Scatter(
        x=x, y=frame["observed"], mode="lines", line={"color": OBSERVED, "width": 1.4}, name="observed",
        legendgroup="observed", showlegend=show,
    )  # fmt: skip


def spend_by_period(frame: pd.DataFrame, columns: Mapping[str, str], period: Sequence[object]) -> pd.DataFrame:
    """Spend per channel and period, summed over panel units, in order of the periods.

    Args:
        frame: the modelled rows.
        columns: channel → spend column.
        period: date or position of each row.
    """
    known = {name: frame[column].to_numpy(dtype=float) for name, column in columns.items() if column in frame}
    import pandas as pd

    return thinned(pd.DataFrame(known, index=list(period)).groupby(level=0).sum())


def pre_run_figures(
    frame: pd.DataFrame,
    kpi: str,
    channels: Mapping[str, str],
    period: str | None,
    tables: Mapping[str, pd.DataFrame],
    stamp: Stamp,
) -> dict[str, go.Figure]:
    """The figures of the stage that the data allow.

    Args:
        frame: the modelled rows.
        kpi: response column.
        channels: channel → spend column.
        period: date column; None without one, then rows are numbered.
        tables: `vif_report` and the tables of the prior predictive.
        stamp: market.
    """
    import pandas as pd

    vif = tables["vif_report"]
    figures = {"vif_bar": vif_bar(vif, stamp)} if vif["vif"].notna().sum() > 1 else {}
    prior = tables.get("prior_predictive_rows_kpi", tables.get("prior_predictive_rows"))
    if prior is not None and len(prior):
        figures["prior_predictive"] = prior_predictive(prior, tables["prior_predictive_summary"], kpi, stamp)
    when = pd.to_datetime(frame[period]) if period else pd.RangeIndex(len(frame))
    spend = spend_by_period(frame, channels, list(when))
    if spend.shape[1]:
        figures["media_spend_timeseries"] = media_spend_timeseries(spend, stamp)
        total = spend.sum(axis=1)
        values = thinned(frame[[kpi]].groupby(list(when)).sum())[kpi]
        if total.std() > 0 and values.std() > 0:
            figures["kpi_media_overlay"] = kpi_media_overlay(values, total, kpi, stamp)
    return figures
