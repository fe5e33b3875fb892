"""Stage 50: how well the model predicts data it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.market_asset import STAN_PROGRAMS, Published, market_asset
from dsam_assets.assets.types import table_columns, tables_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.schema_data import DataSection
    from dsam_assets.config.schema_model import FitSection
    from dsam_assets.config.slices import DiagnosticsSlice, FormulaSlice, PriorsSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws


@market_asset(
    codec="tables",
    code=["selection", "design", "fit", "diagnostics", *STAN_PROGRAMS],
    resources=["stan"],
    columns=table_columns("loo_summary"),
    dagster_type=tables_type("loo", "PSIS-LOO in total and by row"),
)
def loo(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    config_data: DataSection,
    config_priors: PriorsSlice,
    config_fit: FitSection,
    config_diagnostics: DiagnosticsSlice,
) -> Published:
    """PSIS-LOO in total (`loo_summary`) and by row (`loo_pointwise`), influential rows scored again where the config
    asks for it, and whether the predictive distributions are calibrated."""
    from dsam_assets.design.labels import row_labels
    from dsam_assets.design.model_design import model_design
    from dsam_assets.fit.sample import mcmc_settings
    from dsam_assets.selection.evidence import selection_tables
    from dsam_assets.selection.reloo import refitter

    labels = row_labels(model_frame, config_data.date_var, design_matrix)
    design = model_design(design_matrix, config_priors)
    positive_priors = config_fit.mcmc.parameterization.positive_priors
    refit = refitter(mcmc_settings(config_fit), context.resources.stan, positive_priors=positive_priors)
    tables = selection_tables(posterior, design_matrix, labels, config_diagnostics, design=design, refit=refit)
    summary = tables["loo_summary"].iloc[0]
    return Published(
        tables, {key: summary[key] for key in ("status", "elpd_loo", "p_loo", "max_pareto_k") if summary.notna()[key]}
    )


@market_asset(
    codec="tables",
    code=["data", "design", "fit", "diagnostics", "selection", *STAN_PROGRAMS],
    resources=["stan"], pool="stan", kinds=["stan"],
    columns=table_columns("tscv_summary"),
    dagster_type=tables_type("tscv", "scores of predictions of weeks that the model had not seen"),
)  # fmt: skip
def tscv(
    context: dg.AssetExecutionContext,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    pooling_map: pd.DataFrame,
    config_formula: FormulaSlice,
    config_data: DataSection,
    config_priors: PriorsSlice,
    config_fit: FitSection,
    config_diagnostics: DiagnosticsSlice,
) -> Published:
    """Refits before each origin and scores of the weeks after it, where the config asks for them."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.data.pooling_map import PoolingMap
    from dsam_assets.selection.time_series import TimeSeriesInputs, time_series_tables
    from dsam_assets.selection.tscv_tables import tscv_facts

    inputs = TimeSeriesInputs(
        model_frame, config_formula, config_data, config_priors, config_fit, from_tables(holiday_features),
        PoolingMap.from_stored(pooling_map), diagnostics=config_diagnostics,
    )  # fmt: skip
    tables = time_series_tables(inputs, context.resources.stan)
    return Published(tables, tscv_facts(tables))
