"""The figures of every stage, drawn from its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.report.figures.gallery import gallery

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.schema_data import DataSection
    from dsam_assets.config.slices import AllocationSlice, PlotsSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.diagnostics.stamped import StampedTables
    from dsam_assets.fit.draws import Draws
    from dsam_assets.report.figures.canvas import Stamp

CODE = ["report/figures", "fit/densities"]


@market_asset(codec="figures", code=CODE, resources=["images"], kinds=["plotly"])
def model_fit_plots(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    design_matrix_manifest: pd.DataFrame,
    prior_table: pd.DataFrame,
    posterior_summary: Mapping[str, pd.DataFrame],
    fitted: Mapping[str, pd.DataFrame],
    fit_metrics: pd.DataFrame,
    config_allocation: AllocationSlice,
    diagnostics_report: DiagnosticsReport,
    config_plots: PlotsSlice,
) -> Published:
    """Observed and fitted KPI, coefficients with intervals, and what the data added to the priors."""
    from dsam_assets.report.figures.model_fit import model_fit_figures

    figures = model_fit_figures(
        posterior, design_matrix, design_matrix_manifest, prior_table, posterior_summary["posterior_summary"],
        fitted["predictive"], fit_metrics, _media(posterior.terms, config_allocation),
        _stamp(context, diagnostics_report),
    )  # fmt: skip
    return _published(context, "model_fit_plots", figures, config_plots)


@market_asset(codec="figures", code=CODE, resources=["images"], kinds=["plotly"])
def pre_run_plots(
    context: dg.AssetExecutionContext,
    model_frame: pd.DataFrame,
    design_matrix: ModelMatrix,
    vif_report: pd.DataFrame,
    prior_predictive: Mapping[str, pd.DataFrame],
    config_data: DataSection,
    config_allocation: AllocationSlice,
    config_plots: PlotsSlice,
) -> Published:
    """Media spend, KPI beside spend, and collinearity: what to look at before believing a fit."""
    from dsam_assets.report.figures.pre_run import pre_run_figures

    channels = {channel.name: channel.spend_col for channel in config_allocation.allocation.channels}
    rows, kpi = model_frame.iloc[design_matrix.rows], design_matrix.response_name
    tables = {"vif_report": vif_report, **prior_predictive}
    figures = pre_run_figures(rows, kpi, channels, config_data.date_var, tables, _stamp(context))
    return _published(context, "pre_run_plots", figures, config_plots)


@market_asset(codec="figures", code=[*CODE, "diagnostics"], resources=["images"], kinds=["plotly"])
def diagnostics_plots(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    fitted: Mapping[str, pd.DataFrame],
    observed: Mapping[str, pd.DataFrame],
    residuals: pd.DataFrame,
    postfit_checks: Mapping[str, pd.DataFrame],
    loo: Mapping[str, pd.DataFrame],
    diagnostics_report: DiagnosticsReport,
    config_plots: PlotsSlice,
) -> Published:
    """Residuals, predictive checks, boundaries, variation within groups, chains and calibration."""
    from dsam_assets.report.figures.diagnostics import diagnostics_figures

    tables = {**fitted, **observed, "residuals": residuals, **postfit_checks, **loo}
    figures = diagnostics_figures(posterior, design_matrix, tables, _stamp(context, diagnostics_report))
    return _published(context, "diagnostics_plots", figures, config_plots)


@market_asset(codec="figures", code=CODE, resources=["images"], kinds=["plotly"])
def model_selection_plots(
    context: dg.AssetExecutionContext,
    loo: Mapping[str, pd.DataFrame],
    tscv: Mapping[str, pd.DataFrame],
    diagnostics_report: DiagnosticsReport,
    config_plots: PlotsSlice,
) -> Published:
    """Influential rows, their predictions without themselves, and the predictions of later weeks."""
    from dsam_assets.report.figures.model_selection import model_selection_figures

    folds = tscv.get("tscv_folds") if config_plots.draw_tscv else None
    figures = model_selection_figures(loo, folds, _stamp(context, diagnostics_report))
    return _published(context, "model_selection_plots", figures, config_plots)


@market_asset(codec="figures", code=CODE, resources=["images"], kinds=["plotly"])
def post_run_plots(
    context: dg.AssetExecutionContext,
    decomposition: Mapping[str, pd.DataFrame],
    refresh_drift: Mapping[str, pd.DataFrame],
    diagnostics_report: DiagnosticsReport,
    config_plots: PlotsSlice,
) -> Published:
    """What drives the KPI, by predictor, kind of driver, week and channel; and what changed since the last fit."""
    from dsam_assets.report.figures.decomposition import decomposition_figures
    from dsam_assets.report.figures.drift import drift_figures

    stamp = _stamp(context, diagnostics_report)
    figures = {**decomposition_figures(decomposition, stamp), **drift_figures(refresh_drift, stamp)}
    return _published(context, "post_run_plots", figures, config_plots)


@market_asset(codec="figures", code=CODE, resources=["images"], kinds=["plotly"])
def optimisation_plots(
    context: dg.AssetExecutionContext,
    allocation: StampedTables,
    response_curves: StampedTables,
    efficient_frontier: StampedTables,
    diagnostics_report: DiagnosticsReport,
    config_plots: PlotsSlice,
) -> Published:
    """The plan beside the reference, and what lies around it; nothing without an allocation."""
    from dsam_assets.report.figures.budget import budget_figures

    tables = {**allocation.tables, **response_curves.tables, **efficient_frontier.tables}
    figures = budget_figures(tables, _stamp(context, diagnostics_report)) if tables else {}
    return _published(context, "optimisation_plots", figures, config_plots)


@market_asset(codec="figures", code=CODE, resources=["images"], kinds=["plotly"])
def forecast_plots(
    context: dg.AssetExecutionContext,
    forecast: StampedTables,
    fitted: Mapping[str, pd.DataFrame],
    design_matrix: ModelMatrix,
    diagnostics_report: DiagnosticsReport,
    config_plots: PlotsSlice,
) -> Published:
    """The weeks ahead, and what the plan would bring over them; nothing without a forecast."""
    from dsam_assets.report.figures.forecast import forecast_figures

    stamp = _stamp(context, diagnostics_report)
    figures = forecast_figures(forecast.tables, fitted["predictive"], design_matrix.response_name, stamp)
    return _published(context, "forecast_plots", figures, config_plots)


def _media(terms: Iterable[str], section: AllocationSlice) -> set[str]:
    """The terms that stand for media: those of budget channels, and what the naming convention `m_…` says."""
    channels = {channel.term for channel in section.allocation.channels}
    return {term for term in terms if term in channels or term.startswith("m_")}


def _stamp(context: dg.AssetExecutionContext, report: DiagnosticsReport | None = None) -> Stamp:
    from dsam_assets.report.figures.canvas import Stamp

    return Stamp(context.partition_key, None if report is None else report.reliability)


def _published(
    context: dg.AssetExecutionContext, asset: str, figures: Mapping[str, Any], plots: PlotsSlice
) -> Published:
    images = context.resources.images
    drawn = gallery(asset, figures, plots, images.render)
    return Published(drawn, {**drawn.facts(), "browser": images.marker()})
