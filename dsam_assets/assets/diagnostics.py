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
    from dsam_assets.config.slices import DiagnosticsSlice, GatingSlice
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
    config_diagnostics: DiagnosticsSlice,
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
    codec="table", code=["fit", "diagnostics"], dagster_type=table_type("fit_checks"),
    columns=table_columns("fit_checks"),
)  # fmt: skip
def fit_checks(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    loo: Mapping[str, pd.DataFrame],
    config_diagnostics: DiagnosticsSlice,
) -> Published:
    """The sampler's checks (R-hat, effective sample size, divergences, energy) or the optimiser's, calibration, and
    Pareto k, judged."""
    from dsam_assets.diagnostics.gate_table import gate_frame
    from dsam_assets.diagnostics.verdicts import fit_checks as checks

    found = checks(posterior, loo, config_diagnostics)
    return Published(gate_frame(found), {row.check_id: row.status for row in found})


@market_asset(
    codec="report", code=["diagnostics"], columns=table_columns("diagnostics_report"),
    dagster_type=tables_type("report", "the verdict", lambda made: made.report.tables()),
    check_specs=check_specs("diagnostics_report", FIT_CHECKS), resources=["clock"], always_run=True,
)  # fmt: skip
def diagnostics_report(
    context: dg.AssetExecutionContext,
    pre_run_checks: pd.DataFrame,
    prior_predictive: Mapping[str, pd.DataFrame],
    fit_checks: pd.DataFrame,
    postfit_checks: Mapping[str, pd.DataFrame],
    loo: Mapping[str, pd.DataFrame],
    config_gating: GatingSlice,
) -> Published:
    """The verdict of the day: every check judged under the policy and the waivers, and whether decisions may follow.

    All that is expensive is judged in the tables that it reads, so it is made anew in every run and cannot outlive a
    waiver. Its content changes only when a check or what became of a waiver does; otherwise everything below is reused.
    Materialised by itself, an asset that takes this verdict refuses one that rests on a waiver which has since expired,
    even when nothing else has changed (`market_asset`): no stored plan outlives the waiver that it was made under.
    """
    from dsam_assets.diagnostics.verdicts import Verdict, verdict

    tables = (
        pre_run_checks, prior_predictive["prior_predictive_checks"], fit_checks, postfit_checks["postfit_checks"],
    )  # fmt: skip
    report = verdict(tables, config_gating, context.resources.clock.today())
    converged = "does not apply" if report.converged is None else report.converged
    shown = {"overall": report.overall, "reliability": report.reliability, "converged": converged}
    rows = [row for row in report.results if row.check_id in FIT_CHECKS]
    shown |= {"waived": report.waived or "nothing", "holds_until": str(report.holds_until or "any day")}
    return Published(Verdict(report, loo), shown, [check_result(row, report.policy_mode) for row in rows])
