"""Stage 40: predictive checks, boundaries, variation within groups, and calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.diagnostics.convergence import MIN_CHAINS, convergence, ebfmi
from dsam_assets.diagnostics.kpi_autocorrelation import kpi_autocorrelation
from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, place, row_height
from dsam_assets.report.figures.labels import categories
from dsam_assets.report.figures.residuals import (
    residuals_acf,
    residuals_hist,
    residuals_timeseries,
    residuals_vs_fitted,
)
from dsam_assets.report.figures.sampler import energy, rank_trace
from dsam_assets.report.figures.series import axis_of, panels_of, shown_rows, thinned
from dsam_assets.report.figures.style import BLUE, FITTED, OBSERVED, SEVERITY, ZERO, translucent

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

# Documented colours of the share of draws next to a boundary: none, some, a tenth or more.
BOUNDARY_WARN, BOUNDARY_FAIL = 0.0, 0.10
WITHIN_LIMITS = (0.05, 0.10)


def ppc(predictive: pd.DataFrame, kpi: str, stamp: Stamp) -> go.Figure:
    """Fan of posterior predictive intervals (50 % and 90 %) with the observed KPI; one panel per panel unit.

    Args:
        predictive: table `predictive`, KPI scale.
        kpi: name of the KPI.
        stamp: market and reliability.
    """
    inside = {
        share: predictive["observed"].between(predictive[low], predictive[high]).mean()
        for share, low, high in (("50 %", "q25", "q75"), ("90 %", "q05", "q95"))
    }
    words = Words(
        "Posterior predictive check",
        " and ".join(f"the {share} band holds {found:.0%}" for share, found in inside.items()).capitalize()
        + " of the observed values. Values outside in a row point to weeks that the model does not understand.",
        axis_of(predictive), f"{kpi} (KPI scale)",
    )  # fmt: skip
    panels = panels_of(predictive)
    figure = facets(words, stamp, list(panels), columns=2) if len(panels) > 1 else canvas(words, stamp)
    for index, frame in enumerate(panels.values()):
        for trace in _fan(thinned(frame), show=index == 0):
            figure.add_trace(trace, **(place(index, 2) if len(panels) > 1 else {}))
    return figure


def _fan(frame: pd.DataFrame, *, show: bool) -> Iterator[go.Scatter]:
    import plotly.graph_objects as go

    x = shown_rows(frame)
    for name, low, high, opacity in (("90 %", "q05", "q95", 0.16), ("50 %", "q25", "q75", 0.32)):
        yield go.Scatter(x=x, y=frame[high], mode="lines", line_width=0, hoverinfo="skip", showlegend=False)
        yield go.Scatter(
            x=x, y=frame[low], mode="lines", line_width=0, hoverinfo="skip", fill="tonexty",
            fillcolor=translucent(FITTED, opacity), name=f"{name} interval", legendgroup=name, showlegend=show,
        )  # fmt: skip
    yield go.Scatter(
        x=x, y=frame["q50"], mode="lines", line={"color": FITTED, "width": 1.4}, name="median", legendgroup="median",
        showlegend=show,
    )  # fmt: skip
    yield go.Scatter(
        x=x, y=frame["observed"], mode="markers", marker={"color": OBSERVED, "size": 4.5}, name="observed",
        legendgroup="observed", showlegend=show,
    )  # fmt: skip


def boundary_hits(hits: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Share of draws next to each finite boundary: green none, amber under a tenth, red a tenth or more.

    Args:
        hits: table `boundary_hits`; structural boundaries are left out.
        stamp: market and reliability.
    """
    rows = hits[~hits["structural"].astype(bool) & hits["hit_frac"].notna()].sort_values("hit_frac")
    sides = [f"{name} ≥ {bound:g}" if side == "lower" else f"{name} ≤ {bound:g}"
             for name, side, bound in rows[["parameter", "side", "bound"]].itertuples(index=False)]  # fmt: skip
    bad = int((rows["hit_frac"] >= BOUNDARY_FAIL).sum())
    words = Words(
        "How often a coefficient presses against its boundary",
        "Share of draws within 0.3 posterior sd of the boundary. Green: none; amber: under 10 %; red: 10 % or more"
        f" ({bad} of {len(rows)}): there the boundary, not the data, makes the estimate.",
        "share of posterior draws", "",
    )  # fmt: skip
    figure = canvas(words, stamp, height=row_height(len(rows)), showlegend=False)
    names = categories(figure, "y", sides, characters=34)
    colours = [SEVERITY[_hit_severity(share)] for share in rows["hit_frac"]]
    figure.add_bar(
        x=rows["hit_frac"], y=names, orientation="h", marker_color=colours, width=0.55,
        text=[f"  {share:.1%}" for share in rows["hit_frac"]], textposition="outside", cliponaxis=False,
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=rows["hit_frac"], y=names, mode="markers", marker={"color": colours, "size": 8}, hoverinfo="skip"
    )
    figure.add_vline(x=BOUNDARY_FAIL, line={"color": SEVERITY["fail"], "dash": "dash", "width": 1})
    largest = max(BOUNDARY_FAIL * 1.25, float(rows["hit_frac"].max()) * 1.12 if len(rows) else 0)
    return figure.update_xaxes(range=[0, largest], tickformat=".0%").update_yaxes(showgrid=False)


def _hit_severity(share: float) -> str:
    return "fail" if share >= BOUNDARY_FAIL else "warn" if share > BOUNDARY_WARN else "pass"


def within_variation(variation: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Share of each predictor's variance that lies within groups; under 5 % red, under 10 % amber.

    Args:
        variation: table `within_variation`.
        stamp: market and reliability.
    """
    rows = variation[variation["ratio"].notna()].sort_values("ratio", ascending=False)
    keys = rows["grouping"].nunique()
    terms = [term if keys == 1 else f"{term} | {key}"
             for term, key in rows[["term", "grouping"]].itertuples(index=False)]  # fmt: skip
    low, high = WITHIN_LIMITS
    words = Words(
        "How much of each predictor varies within groups",
        "Var(x − group mean) / Var(x). Below the dashed lines (5 % and 10 %) a coefficient rests on differences between"
        " groups, which other differences between the groups can explain as well.",
        "share of the variance within groups", "",
    )  # fmt: skip
    figure = canvas(words, stamp, height=row_height(len(rows)), showlegend=False)
    names = categories(figure, "y", terms, characters=34)
    severity = ["fail" if ratio < low else "warn" if ratio < high else "pass" for ratio in rows["ratio"]]
    figure.add_bar(
        x=rows["ratio"], y=names, orientation="h", width=0.55, marker_color=[SEVERITY[name] for name in severity],
        text=[f"{ratio:.1%}" for ratio in rows["ratio"]], textposition="outside", cliponaxis=False,
    )  # fmt: skip
    for limit, name in ((low, "fail"), (high, "warn")):
        figure.add_vline(x=limit, line={"color": SEVERITY[name], "dash": "dash", "width": 1})
    return figure.update_xaxes(range=[0, 1.08], tickformat=".0%").update_yaxes(showgrid=False)


def calibration_ecdf(ecdf: pd.DataFrame, coverage: pd.DataFrame, summary: pd.DataFrame, stamp: Stamp) -> go.Figure:
    """Two views of calibration with simultaneous bands: LOO-PIT against uniform, and coverage of central intervals.

    Args:
        ecdf: table `calibration_ecdf`.
        coverage: table `calibration_coverage`.
        summary: table `calibration_summary`, one row.
        stamp: market and reliability.
    """
    verdict = summary.iloc[0]
    words = Words(
        "Are the predictive distributions calibrated?",
        f"{str(verdict['diagnosis']).capitalize()}: {verdict['meaning']} (p = {verdict['p_value']:.2g},"
        f" {int(verdict['n_scored']):,} rows). Shaded: where a calibrated model stays, in all points at once.", "", "",
    )  # fmt: skip
    figure = facets(words, stamp, ["LOO-PIT: ECDF minus uniform", "Interval coverage minus nominal"], columns=2)
    gap = coverage.assign(**{name: coverage[name] - coverage["level"] for name in ("observed", "lower", "upper")})
    for column, x, frame, y in ((1, ecdf["x"], ecdf, "ecdf_difference"), (2, gap["level"], gap, "observed")):
        bare = {"mode": "lines", "line_width": 0, "hoverinfo": "skip", "showlegend": False, "row": 1, "col": column}
        figure.add_scatter(x=x, y=frame["upper"], **bare)
        figure.add_scatter(x=x, y=frame["lower"], fill="tonexty", fillcolor=translucent(BLUE, 0.15), **bare)
        marks = np.where(frame["outside"].astype(bool), SEVERITY["fail"], BLUE)
        figure.add_scatter(
            x=x, y=frame[y], row=1, col=column, showlegend=False, line={"color": BLUE, "width": 1.8},
            mode="lines+markers", marker={"color": marks, "size": 6 if column == 2 else 2.5},
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": ZERO, "width": 1})
    figure.update_xaxes(title_text="LOO-PIT value", tickformat=".1f", row=1, col=1)
    figure.update_xaxes(title_text="nominal coverage", tickformat=".0%", row=1, col=2)
    figure.update_yaxes(title_text="difference (share of rows)", col=1)
    return figure.update_yaxes(tickformat="+.0%")


def diagnostics_figures(
    draws: Draws,
    matrix: ModelMatrix,
    tables: Mapping[str, pd.DataFrame],
    stamp: Stamp,
) -> dict[str, go.Figure]:
    """The figures of the stage that this fit allows.

    Args:
        draws: the posterior.
        matrix: the model.
        tables: `predictive`, `residuals`, the tables of post-fit checks and of calibration, and for a log response
            `observed_kpi` and `fitted_kpi`.
        stamp: market and reliability.
    """
    kpi, log = matrix.response_name, matrix.response_scale == "log"
    scale = f"log({kpi})" if log else kpi
    figures = {
        "residuals_timeseries": residuals_timeseries(tables["residuals"], scale, stamp),
        "residuals_vs_fitted": residuals_vs_fitted(tables["residuals"], scale, stamp),
        "residuals_hist": residuals_hist(tables["residuals"], scale, stamp),
        **_autocorrelations(tables, kpi, log, stamp),
    }
    if not draws.is_point:
        figures |= _of_draws(draws, tables, kpi, stamp)
    if "within_variation" in tables and tables["within_variation"]["ratio"].notna().any():
        figures["within_variation"] = within_variation(tables["within_variation"], stamp)
    if len(tables.get("calibration_pit", ())):
        ecdf, coverage, summary = (tables[f"calibration_{name}"] for name in ("ecdf", "coverage", "summary"))
        figures["calibration_ecdf"] = calibration_ecdf(ecdf, coverage, summary, stamp)
    return figures


def _autocorrelations(tables: Mapping[str, pd.DataFrame], kpi: str, log: bool, stamp: Stamp) -> dict[str, go.Figure]:
    """On the KPI scale and, for a log response, on the log scale too; that of the model's scale is what is judged."""
    judged = tables["residual_diagnostics"].dropna(subset=["lag", "acf"])
    plain = kpi_autocorrelation(tables["observed_kpi"], tables["fitted_kpi"]).dropna() if log else judged
    figures = {}
    if len(plain):
        figures["residuals_acf"] = residuals_acf(plain, kpi, stamp)
    if log and len(judged):
        figures["residuals_latent_acf"] = residuals_acf(judged, f"log({kpi})", stamp)
    return figures


def _of_draws(draws: Draws, tables: Mapping[str, pd.DataFrame], kpi: str, stamp: Stamp) -> dict[str, go.Figure]:
    figures = {"ppc": ppc(tables["predictive"], kpi, stamp)}
    hits = tables.get("boundary_hits")
    if hits is not None and (~hits["structural"].astype(bool) & hits["hit_frac"].notna()).any():
        figures["boundary_hits"] = boundary_hits(hits, stamp)
    numbers = convergence(draws)
    if numbers.chains >= MIN_CHAINS and np.isfinite(numbers.rhat).any():
        figures["rank_trace"] = rank_trace(draws, numbers, stamp)
    level = draws.sampler.get("energy")
    if level is not None and np.isfinite(level).all() and level.std() > 0:
        figures["energy"] = energy(draws, ebfmi(level), stamp)
    return figures
