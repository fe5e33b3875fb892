"""Stage 30: what the fitted model says, on the model scale and on the KPI scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.making import require_current
from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.assets.outcomes import DRIFT_CHECKS, check_result, check_specs
from dsam_assets.assets.types import table_columns, tables_type
from resources.fit_snapshots import FIT_PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.schema_data import DataSection
    from dsam_assets.config.slices import DecompositionSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.fit.draws import Draws


@market_asset(
    codec="tables", code=["fit"], columns=table_columns("posterior_summary"),
    dagster_type=tables_type("posterior_summary", "parameters, and coefficients by group"),
)  # fmt: skip
def posterior_summary(context: dg.AssetExecutionContext, posterior: Draws, design_matrix: ModelMatrix) -> Published:
    """Mean, spread and quantiles of every parameter, and for panels of every group's coefficients, in data units.

    Of a point estimate there is no spread, and the run folder has `optimisation_best.csv` in place of it.
    """
    from dsam_assets.fit.summary import summary_tables

    return Published(summary_tables(posterior, design_matrix))


@market_asset(
    codec="tables", code=["fit", "design"], columns=table_columns("fitted"),
    dagster_type=tables_type("fitted", "fitted values on both scales"),
)  # fmt: skip
def fitted(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    config_data: DataSection,
) -> Published:
    """Fitted values with intervals: `fitted` on the model scale and, for a log response, `fitted_kpi` on the KPI's."""
    from dsam_assets.design.labels import row_labels
    from dsam_assets.fit.fitted import fitted_tables

    labels = row_labels(model_frame, config_data.date_var, design_matrix)
    return Published(fitted_tables(posterior, design_matrix, labels), {"rows": len(labels)})


@market_asset(
    codec="tables", code=["fit", "design"], columns=table_columns("observed"),
    dagster_type=tables_type("observed", "observed response on both scales"),
)  # fmt: skip
def observed(
    context: dg.AssetExecutionContext, design_matrix: ModelMatrix, model_frame: pd.DataFrame, config_data: DataSection
) -> Published:
    """The observed response: `observed` on the model scale and, for a log response, `observed_kpi` on the KPI's."""
    from dsam_assets.design.labels import row_labels
    from dsam_assets.fit.fitted import observed_tables

    labels = row_labels(model_frame, config_data.date_var, design_matrix)
    return Published(observed_tables(design_matrix, labels), {"rows": len(labels)})


@market_asset(
    codec="tables", code=["data", "design", "fit", "diagnostics", "decomposition"],
    columns=table_columns("decomp_predictor_impact"),
    dagster_type=tables_type("decomposition", "what each term and channel contributed, with its reliability"),
)  # fmt: skip
def decomposition(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    prior_table: pd.DataFrame,
    diagnostics_report: DiagnosticsReport,
    config_data: DataSection,
    config_decomposition: DecompositionSlice,
) -> Published:
    """Contributions by term, group of terms, week and channel on the KPI scale, with ROI or CPA and the evidence per
    channel; refused when a gate blocks decisions."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.decomposition.decompose import decompose, facts
    from dsam_assets.design.additions import generated_terms
    from dsam_assets.design.labels import row_labels
    from dsam_assets.diagnostics.report import enforce

    enforce(diagnostics_report)
    labels = row_labels(model_frame, config_data.date_var, design_matrix)
    tables = decompose(
        posterior, design_matrix, labels, model_frame, config_decomposition, prior_table, diagnostics_report,
        generated_terms(from_tables(holiday_features)),
    )  # fmt: skip
    return Published(tables, facts(tables))


@market_asset(
    codec="tables", code=["config", "design", "fit", "diagnostics", "selection", "drift"], after=FIT_PARTS,
    columns=table_columns("drift_channels"), check_specs=check_specs("refresh_drift", DRIFT_CHECKS),
    dagster_type=tables_type("refresh_drift", "the fit beside the one before, with its checks"),
)  # fmt: skip
def refresh_drift(context: dg.AssetExecutionContext, diagnostics_report: DiagnosticsReport) -> Published:
    """What changed since the last fit: coefficients, returns and shares, what may have moved them (new rows, revised
    cells, config, code, sampler noise), and how well the rows of both are predicted. It warns and never halts.

    Both fits are read from the store: this one, and the one before, which is kept when this asset is made. So the fit
    before is the last one whose verdict let decisions through, and running again what has not changed changes nothing.
    """
    from dsam_assets.diagnostics.report import enforce
    from dsam_assets.drift.compare import checks_of, compare_fits, facts
    from resources.fit_snapshots import previous_fit, stored_fit, stored_records
    from resources.generations import Generations

    enforce(diagnostics_report)
    store, market = context.resources.store.open(), context.partition_key
    require_current(store, market, FIT_PARTS)
    records, kept = stored_records(store, market), Generations(store, market)
    tables = compare_fits(lambda: previous_fit(kept, records), stored_fit(store, market, records))
    kept.keep(records)
    return Published(tables, facts(tables), [check_result(row, "explore") for row in checks_of(tables)])
