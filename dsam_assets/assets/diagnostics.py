"""Stage 40: the evidence, and the verdict that every decision asset takes as an input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.assets.outcomes import FIT_CHECKS, check_result, check_specs
from dsam_assets.assets.types import table_columns, table_type, tables_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.schema_data import DataSection
    from dsam_assets.config.schema_diagnostics import DiagnosticsSection
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws


@market_asset(
    codec="table", code=["design", "diagnostics"], dagster_type=table_type("residuals"),
    columns=table_columns("residuals"),
)  # fmt: skip
def residuals(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    config_data: DataSection,
) -> Published:
    """Observed − fitted on the model scale, row by row."""
    from dsam_assets.design.labels import row_labels
    from dsam_assets.diagnostics.residual_table import residual_table

    labels = row_labels(model_frame, config_data.date_var, design_matrix)
    return Published(residual_table(posterior, design_matrix, labels))


@market_asset(codec="text", code=["diagnostics"])
def chain_diagnostics(context: dg.AssetExecutionContext, posterior: Draws) -> Published:
    """R-hat, effective sample sizes and Monte Carlo errors by parameter, and sampler behaviour by chain; of a point
    estimate, that it has no chains."""
    from dsam_assets.diagnostics.chain_table import chain_diagnostics_text

    return Published({"chain_diagnostics.txt": chain_diagnostics_text(posterior)})


@market_asset(
    codec="tables", code=["data", "design", "fit", "diagnostics"], columns=table_columns("postfit_checks"),
    dagster_type=tables_type("postfit_checks", "judged rows and the tables behind them"),
)  # fmt: skip
def postfit_checks(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    holiday_features: Mapping[str, pd.DataFrame],
    prior_table: pd.DataFrame,
    config_data: DataSection,
    config_diagnostics: DiagnosticsSection,
) -> Published:
    """Residual autocorrelation, boundary hits, within variation, identifiability, leverage, predictor risk register."""
    from dsam_assets.data.holidays import from_tables
    from dsam_assets.design.additions import generated_terms
    from dsam_assets.design.labels import row_labels
    from dsam_assets.diagnostics.postfit import postfit_checks as checks

    labels = row_labels(model_frame, config_data.date_var, design_matrix)
    found = checks(
        posterior, design_matrix, labels, prior_table, config_diagnostics.identifiability,
        config_diagnostics.policy_mode, generated_terms(from_tables(holiday_features)),
    )  # fmt: skip
    return Published(found.published(), {row.check_id: row.status for row in found.gates})


@market_asset(
    codec="report", code=["diagnostics"], columns=table_columns("diagnostics_report"),
    dagster_type=tables_type("report", "the verdict", lambda made: {"diagnostics_report": made.report.to_frame()}),
    check_specs=check_specs("diagnostics_report", FIT_CHECKS),
)  # fmt: skip
def diagnostics_report(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    pre_run_checks: pd.DataFrame,
    prior_predictive: Mapping[str, pd.DataFrame],
    postfit_checks: Mapping[str, pd.DataFrame],
    loo: Mapping[str, pd.DataFrame],
    config_diagnostics: DiagnosticsSection,
) -> Published:
    """The verdict: every check judged under the policy, the overall status, and whether decisions may follow."""
    from dsam_assets.diagnostics.verdicts import Verdict, verdict_of_fit

    report = verdict_of_fit(
        posterior, pre_run_checks, prior_predictive["prior_predictive_checks"], postfit_checks["postfit_checks"], loo,
        config_diagnostics,
    )  # fmt: skip
    converged = "does not apply" if report.converged is None else report.converged
    shown = {"overall": report.overall, "reliability": report.reliability, "converged": converged}
    rows = [row for row in report.results if row.check_id in FIT_CHECKS]
    return Published(Verdict(report, loo), shown, [check_result(row, report.policy_mode) for row in rows])
