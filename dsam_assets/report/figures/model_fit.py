"""Stage 20: does the model follow the KPI, and what did the data say about each coefficient?"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.fit.densities import density_table
from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, place, row_height
from dsam_assets.report.figures.intervals import error_bars
from dsam_assets.report.figures.labels import categories, safe
from dsam_assets.report.figures.series import axis_of, panels_of, shown_rows, thinned
from dsam_assets.report.figures.style import FITTED, OBSERVED, OTHER, PRIOR, ZERO, translucent
from dsam_assets.report.numbers import compact

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

FACET_COLUMNS = 2
_METRIC_WORDS = {
    "r2": ("R²", ".3f"), "rmse": ("RMSE", ""), "mae": ("MAE", ""), "me": ("bias", ""),
    "smape": ("sMAPE", ".1%"), "coverage_95": ("95 % interval covers", ".1%"),
}  # fmt: skip


def fit_timeseries(predictive: pd.DataFrame, metrics: pd.DataFrame, kpi: str, stamp: Stamp) -> go.Figure:
    """Observed KPI, predictive median and 95 % predictive interval by row; one panel per panel unit.

    Args:
        predictive: table `predictive`, KPI scale.
        metrics: table `fit_metrics`; its overall row is the subtitle.
        kpi: name of the KPI.
        stamp: market and reliability.
    """
    words = Words(
        "Observed and fitted KPI over time", _metrics_line(metrics), axis_of(predictive), f"{kpi} (KPI scale)"
    )
    panels = panels_of(predictive)
    figure = facets(words, stamp, list(panels), columns=FACET_COLUMNS) if len(panels) > 1 else canvas(words, stamp)
    for index, frame in enumerate(panels.values()):
        where = place(index, FACET_COLUMNS) if len(panels) > 1 else {}
        for trace in _fit_traces(thinned(frame), show=index == 0):
            figure.add_trace(trace, **where)
    return figure


def _fitted(frame: pd.DataFrame, kpi: str = "") -> str:
    """How the fitted values are called: a point estimate has no median."""
    return " ".join(filter(None, ("fitted", kpi, "(median)" if frame["q025"].notna().any() else "")))


def _fit_traces(frame: pd.DataFrame, *, show: bool) -> Iterator[go.Scatter]:
    import plotly.graph_objects as go

    x, bare = shown_rows(frame), {"mode": "lines", "hoverinfo": "skip"}
    if frame["q025"].notna().all():
        yield go.Scatter(x=x, y=frame["q975"], line_width=0, showlegend=False, legendgroup="band", **bare)
        yield go.Scatter(
            x=x, y=frame["q025"], fill="tonexty", fillcolor=translucent(FITTED, 0.18), line_width=0,
            name="95 % predictive interval", showlegend=show, legendgroup="band", **bare,
        )  # fmt: skip
    yield go.Scatter(
        x=x, y=frame["q50"], mode="lines", line={"color": FITTED, "width": 1.8}, name=_fitted(frame),
        legendgroup="fitted", showlegend=show,
    )  # fmt: skip
    yield go.Scatter(
        x=x, y=frame["observed"], mode="lines+markers", line={"color": OBSERVED, "width": 1.1}, marker_size=3.5,
        name="observed", legendgroup="observed", showlegend=show,
    )  # fmt: skip


def _metrics_line(metrics: pd.DataFrame) -> str:
    """The overall metrics as one line: `In sample, model scale: R² 0.952 · RMSE 0.05`."""
    overall = metrics[metrics["group"] == "all"]
    known = dict(zip(overall["metric"], overall["q50"].astype(float), strict=True))
    parts = [
        f"{word} {f'{known[name]:{form}}' if form else compact(known[name])}"
        for name, (word, form) in _METRIC_WORDS.items()
        if _is_known(known, name)
    ]
    return f"In sample, model scale: {' · '.join(parts)} · {int(overall['rows'].iloc[0]):,} rows"


def _is_known(values: Mapping[str, float], name: str) -> bool:
    return name in values and math.isfinite(values[name])


def fit_scatter(predictive: pd.DataFrame, metrics: pd.DataFrame, kpi: str, stamp: Stamp) -> go.Figure:
    """Observed against fitted KPI with the line of equality; one panel per panel unit.

    Arguments as `fit_timeseries`.
    """
    words = Words(
        "Observed against fitted KPI", f"{_metrics_line(metrics)}. Dashed: perfect fit.",
        f"{_fitted(predictive, kpi)}, KPI scale", f"observed {kpi}",
    )  # fmt: skip
    panels = panels_of(predictive)
    figure = facets(words, stamp, list(panels), columns=3) if len(panels) > 1 else canvas(words, stamp)
    for index, frame in enumerate(panels.values()):
        for trace in _scatter_traces(thinned(frame)):
            figure.add_trace(trace, **(place(index, min(3, len(panels))) if len(panels) > 1 else {}))
    return figure


def _scatter_traces(frame: pd.DataFrame) -> Iterator[go.Scatter]:
    import plotly.graph_objects as go

    ends = [min(frame["q50"].min(), frame["observed"].min()), max(frame["q50"].max(), frame["observed"].max())]
    yield go.Scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": ZERO, "dash": "dash", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    yield go.Scatter(
        x=frame["q50"], y=frame["observed"], mode="markers", showlegend=False,
        text=[str(position)[:10] for position in shown_rows(frame)],
        marker={"color": translucent(FITTED, 0.55), "size": 6, "line": {"color": FITTED, "width": 0.6}},
        hovertemplate="%{text}<br>fitted %{x:,.4g}<br>observed %{y:,.4g}<extra></extra>",
    )  # fmt: skip


def posterior_forest(summary: pd.DataFrame, effects: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Coefficients with 90 % intervals, largest effect on top, without the intercept; those that exclude zero coloured.

    Coefficients of predictors in different units cannot share an axis, so each is shown per standard deviation of its
    column: the change of the response when the predictor moves by one of its own sds. The hover has the coefficient.

    Args:
        summary: table `posterior_summary`.
        effects: table `design_matrix_manifest`, for the sd of each column.
        stamp: market and reliability.
    """
    spread = effects.set_index("term")["sd"]
    rows = summary[summary["parameter"].isin(spread[spread > 0].index)].assign(
        unit=lambda frame: frame["parameter"].map(spread)
    )
    rows = rows.assign(effect=rows["q50"] * rows["unit"]).sort_values("effect", key=np.abs)
    apart = int(((rows["q05"] > 0) | (rows["q95"] < 0)).sum())
    words = Words(
        "What each predictor does",
        f"Median and 90 % credible interval; {apart} of {len(rows)} intervals exclude zero (coloured). Population"
        " effects in a panel; the intercept is not shown.",
        "change of the response per standard deviation of the predictor (model scale)", "",
    )  # fmt: skip
    figure = canvas(words, stamp, height=row_height(len(rows)), showlegend=False)
    figure.add_vline(x=0, line={"color": ZERO, "width": 1})
    categories(figure, "y", rows["parameter"])
    for coloured in (False, True):
        _forest_rows(figure, rows[((rows["q05"] > 0) | (rows["q95"] < 0)) == coloured], FITTED if coloured else OTHER)
    return figure.update_yaxes(showgrid=False)


def _forest_rows(figure: go.Figure, rows: pd.DataFrame, colour: str) -> None:
    unit, middle = rows["unit"], rows["effect"]
    figure.add_scatter(
        x=middle, y=[safe(name) for name in rows["parameter"]], mode="markers", marker={"color": colour, "size": 9},
        error_x=error_bars(middle, rows["q05"] * unit, rows["q95"] * unit, colour, thickness=2.2, width=0),
        customdata=rows[["parameter", "q50", "q05", "q95"]],
        hovertemplate="%{customdata[0]}<br>coefficient %{customdata[1]:.4g} (90 %: %{customdata[2]:.4g} to "
        "%{customdata[3]:.4g})<extra></extra>",
    )  # fmt: skip


def prior_posterior(densities: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Prior (grey) and posterior (blue) density of each media coefficient.

    Args:
        densities: table of `fit.densities.density_table`.
        stamp: market and reliability.
    """
    words = Words(
        "What the data taught about each media coefficient",
        "Grey: prior. Blue: posterior. Where the two coincide, the result is an assumption and not a finding.",
        "coefficient, in data units", "density",
    )  # fmt: skip
    terms = list(dict.fromkeys(densities["term"]))
    figure = facets(words, stamp, terms, columns=3)
    for index, term in enumerate(terms):
        part = densities[densities["term"] == term]
        for name, colour in (("prior", PRIOR), ("posterior", FITTED)):
            figure.add_scatter(
                x=part["value"], y=part[name], mode="lines", fill="tozeroy", fillcolor=translucent(colour, 0.25),
                line={"color": colour, "width": 1.6}, name=name, legendgroup=name, showlegend=index == 0,
                **place(index, min(3, len(terms))),
            )  # fmt: skip
    return figure.update_yaxes(showticklabels=False, rangemode="tozero")


def model_fit_figures(
    draws: Draws,
    matrix: ModelMatrix,
    effects: pd.DataFrame,
    priors: pd.DataFrame,
    summary: pd.DataFrame,
    predictive: pd.DataFrame,
    metrics: pd.DataFrame,
    media: Collection[str],
    stamp: Stamp,
) -> dict[str, go.Figure]:
    """The figures of the stage; a point estimate has no intervals and no densities to draw.

    Args:
        draws: the posterior.
        matrix: the model.
        effects: table `design_matrix_manifest`.
        priors: table `prior_table`.
        summary: table `posterior_summary`.
        predictive: table `predictive`.
        metrics: table `fit_metrics`.
        media: media terms.
        stamp: market and reliability.
    """
    figures = {
        "fit_timeseries": fit_timeseries(predictive, metrics, matrix.response_name, stamp),
        "fit_scatter": fit_scatter(predictive, metrics, matrix.response_name, stamp),
    }
    if draws.is_point:
        return figures
    figures["posterior_forest"] = posterior_forest(summary, effects, stamp)
    densities = density_table(draws, priors, [term for term in draws.terms if term in media])
    if len(densities):
        figures["prior_posterior"] = prior_posterior(densities, stamp)
    return figures
