"""Stage 70: the KPI of the weeks ahead, as the future data say and under the budget plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.glance import column_types
from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.assets.types import table_columns, tables_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.schema_data import DataSection
    from dsam_assets.config.schema_forecast import ForecastSection
    from dsam_assets.config.slices import AllocationSlice, FormulaSlice, PriorsSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.diagnostics.stamped import StampedTables
    from dsam_assets.fit.draws import Draws


@market_asset(
    codec="bulk_tables", code=["forecast/future_data", "data"],
    sources=["future_file", "calendar_file"], always_run=True,
    dagster_type=tables_type("future_frame", "future data and their holiday columns"),
)  # fmt: skip
def future_frame(
    context: dg.AssetExecutionContext,
    model_frame: pd.DataFrame,
    config_formula: FormulaSlice,
    config_data: DataSection,
    config_forecast: ForecastSection,
) -> Published:
    """The predictors of the weeks ahead: the future data file, read as the data file is, and its holiday columns."""
    from dsam_assets.forecast.future_data import load_future, no_tables

    if not config_forecast.enabled:
        return Published(no_tables(), {"enabled": False})
    future = load_future(config_data, config_forecast, config_formula.time_components, model_frame)
    facts = {"enabled": True, "path": future.where, "rows": len(future.frame)}
    return Published(future.tables(), facts, columns=column_types(future.frame))


@market_asset(
    codec="forecast",
    code=["forecast", "allocation", "selection", "diagnostics", "design", "data", "fit"],
    columns=table_columns("forecast"),
    dagster_type=tables_type("forecast", "forecast tables with their reliability", lambda found: found.tables),
)
def forecast(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    pooling_map: pd.DataFrame,
    future_frame: Mapping[str, pd.DataFrame],
    allocation: StampedTables,
    diagnostics_report: DiagnosticsReport,
    config_formula: FormulaSlice,
    config_data: DataSection,
    config_priors: PriorsSlice,
    config_allocation: AllocationSlice,
    config_forecast: ForecastSection,
) -> Published:
    """Posterior predictive of the weeks ahead by row and in total, and the budget plan's outcome; refused when a gate
    blocks decisions."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.data.pooling_map import PoolingMap
    from dsam_assets.diagnostics.report import enforce
    from dsam_assets.forecast.forecast import forecast_market, plan_input
    from dsam_assets.forecast.future_data import future_of
    from dsam_assets.forecast.joined import ModelSource

    enforce(diagnostics_report)
    source = ModelSource(
        model_frame, config_formula, config_data, design_matrix, from_tables(holiday_features),
        PoolingMap.from_stored(pooling_map),
    )  # fmt: skip
    found = forecast_market(
        posterior, source, config_priors, future_of(future_frame, config_forecast), diagnostics_report,
        horizon=config_forecast.horizon, plan=plan_input(allocation, config_allocation),
    )  # fmt: skip
    return Published(found, found.facts())
