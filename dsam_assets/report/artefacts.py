"""What a run folder holds: artefact → stage → file, and layout → folder.

The single place that names artefact files and stage folders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dsam_assets.report.conditions import Condition
from dsam_assets.report.figures.catalogue import DRAWINGS, FIGURE_JSON, Drawing
from dsam_assets.report.stages import Stage

Layout = Literal["staged", "flat", "stage_gated"]

STAGED_FOLDERS: dict[Stage, str] = {
    "run_metadata": "00_run_metadata",
    "pre_run": "10_pre_run",
    "model_fit": "20_model_fit",
    "post_run": "30_post_run",
    "decomposition": "30_post_run",
    "diagnostics": "40_diagnostics",
    "model_selection": "50_model_selection",
    "response_curves": "60_optimisation",
    "optimisation": "60_optimisation",
    "forecast": "70_forecast",
    "interpretation": "80_interpretation",
}
STAGE_GATED_FOLDERS: dict[Stage, str] = {
    "run_metadata": "00_run_metadata",
    "pre_run": "10_pre_diagnostics",
    "model_fit": "20_model_fit",
    "post_run": "30_model_assessment",
    "decomposition": "40_decomposition",
    "diagnostics": "50_diagnostics",
    "model_selection": "50_diagnostics",
    "response_curves": "60_response_curves",
    "optimisation": "70_optimisation",
    "forecast": "70_optimisation",
    "interpretation": "80_interpretation",
}

MANIFEST = "run_manifest.json"


@dataclass(frozen=True)
class Artefact:
    """One file of a run folder.

    Attributes:
        file: its name.
        asset: the asset that it comes from.
        member: the file that this asset keeps in the store.
        stage: its stage.
        switch: name of the `outputs` key that turns it off, or `None` where there is none; of several keys, each of
            which asks for it, all must be off.
        condition: when it applies.
    """

    file: str
    asset: str
    member: str
    stage: Stage
    switch: str | tuple[str, ...] | None = None
    condition: Condition = "always"

    @property
    def switches(self) -> tuple[str, ...]:
        """The keys of `outputs` that ask for it."""
        return (self.switch,) if isinstance(self.switch, str) else self.switch or ()


# The file that an optimisation keeps beside its draws, and a sampler does not.
POINT_MEMBER = "optimisation_best.csv"


def _of_drawing(drawing: Drawing) -> tuple[Artefact, Artefact]:
    """A figure's page, and its image where there is one."""
    name, asset, stage, when = drawing.name, drawing.asset, drawing.stage, drawing.when
    page = Artefact(f"{name}.html", asset, f"{name}{FIGURE_JSON}", stage, condition=when)
    return page, Artefact(f"{name}.png", asset, f"{name}.png", stage, drawing.switch, when)


BUDGET_DOCUMENTS = ("budget_optimisation.json", "budget_response_curves.json", "budget_efficient_frontier.json")


def _budget_tables() -> tuple[tuple[str, Stage, tuple[str, ...]], ...]:
    """Assets of the decision with their stages and tables."""
    return (
        ("allocation", "optimisation", (
            "budget_summary", "budget_allocation", "budget_diagnostics", "budget_roi_cpa", "budget_impact",
            "budget_kpi_waterfall", "budget_confidence_comparison", "budget_spend_share", "budget_scenarios",
            "budget_scenario_spend",
        )),
        ("response_curves", "response_curves", (
            "budget_response_curves", "budget_response_points", "budget_marginal_roi",
        )),
        ("efficient_frontier", "optimisation", (
            "budget_efficient_frontier", "budget_frontier_spend", "budget_sensitivity",
        )),
    )  # fmt: skip


# Tables by name, with when they are written.
_DECOMPOSITION: tuple[tuple[str, Condition], ...] = (
    ("decomp_summary", "always"), ("decomp_predictor_impact", "always"), ("decomp_group_impact", "always"),
    ("decomp_timeseries", "always"), ("decomp_channels", "media"), ("channel_evidence", "media"),
)  # fmt: skip
_DRIFT: tuple[tuple[str, Condition], ...] = (
    ("drift_summary", "always"), ("refresh_drift_checks", "always"), ("drift_channels", "drift_media"),
    ("drift_parameters", "drift"), ("drift_causes", "drift"), ("drift_settings", "drift"), ("drift_columns", "drift"),
    ("drift_cells", "drift"),
)  # fmt: skip
_CHECKED: tuple[tuple[str, Condition], ...] = (
    ("residual_diagnostics", "always"), ("boundary_hits", "bounds"), ("within_variation", "panel"),
    ("identifiability", "identifiability"), ("high_leverage", "leverage"),
)  # fmt: skip
_FOLDS: tuple[tuple[str, Condition], ...] = (
    ("tscv_summary", "tscv"), ("tscv_folds", "tscv_folds"), ("tscv_pointwise", "tscv_pointwise"),
)  # fmt: skip
_FORECAST: tuple[tuple[str, Condition], ...] = (
    ("forecast", "forecast"), ("forecast_model_scale", "forecast_log"), ("forecast_summary", "forecast"),
    ("forecast_extrapolation", "forecast"), ("forecast_plan", "forecast_plan"), ("forecast_scores", "forecast_scores"),
)  # fmt: skip

ARTEFACTS: tuple[Artefact, ...] = (
    Artefact("config.original.yaml", "resolved_config", "config.original.yaml", "run_metadata"),
    Artefact("config.resolved.yaml", "resolved_config", "config.resolved.yaml", "run_metadata"),
    Artefact("session_info.txt", "session_info", "session_info.txt", "run_metadata", "save_session_info_txt"),
    Artefact(
        "design_matrix_manifest.csv", "design_matrix_manifest", "design_matrix_manifest.csv", "pre_run",
        "save_design_matrix_manifest_csv",
    ),
    Artefact(
        "transform_assumptions.txt", "transform_assumptions", "transform_assumptions.txt", "pre_run",
        "save_transform_assumptions_txt",
    ),
    *(
        Artefact(f"transform_sensitivity_{name}.csv", "transform_sensitivity", f"transform_sensitivity_{name}.csv",
                 "pre_run", f"save_transform_sensitivity_{name}_csv", "sensitivity")
        for name in ("summary", "parameters")
    ),
    Artefact(
        "holiday_feature_manifest.csv", "holiday_features", "holiday_feature_manifest.csv", "pre_run",
        condition="holidays",
    ),
    Artefact("data_dictionary.csv", "data_dictionary", "data_dictionary.csv", "pre_run", "save_data_dictionary_csv"),
    Artefact("spec_summary.csv", "spec_summary", "spec_summary.csv", "pre_run", "save_spec_summary_csv"),
    Artefact("vif_report.csv", "vif_report", "vif_report.csv", "pre_run", "save_vif_report_csv", "predictors"),
    Artefact("stationarity_report.csv", "stationarity_report", "stationarity_report.csv", "pre_run"),
    Artefact("transfer_entropy_report.csv", "transfer_entropy_report", "transfer_entropy_report.csv", "pre_run"),
    Artefact("prior_predictive_summary.csv", "prior_predictive", "prior_predictive_summary.csv", "pre_run"),
    Artefact("prior_predictive_rows.csv", "prior_predictive", "prior_predictive_rows.csv", "pre_run"),
    Artefact(
        "prior_predictive_rows_kpi.csv", "prior_predictive", "prior_predictive_rows_kpi.csv", "pre_run",
        condition="log_response",
    ),
    Artefact("dropped_groups.csv", "design_matrix", "dropped_groups.csv", "pre_run", condition="dropped_groups"),
    Artefact("prior_table.csv", "prior_table", "prior_table.csv", "pre_run"),
    Artefact("model.nc", "posterior", "model.nc", "model_fit", "save_model"),
    Artefact("posterior.nc", "posterior", "posterior.nc", "model_fit", "save_posterior", "sampled"),
    Artefact(
        "fit_metrics_by_group.csv", "fit_metrics", "fit_metrics.csv", "model_fit",
        ("save_fitted_csv", "save_fit_png", "save_residuals_csv", "save_diagnostics_png"),
    ),
    Artefact("observed.csv", "observed", "observed.csv", "post_run", "save_observed_csv"),
    Artefact("observed_kpi.csv", "observed", "observed_kpi.csv", "post_run", "save_observed_csv", "log_response"),
    Artefact("fitted.csv", "fitted", "fitted.csv", "post_run", "save_fitted_csv"),
    Artefact("fitted_kpi.csv", "fitted", "fitted_kpi.csv", "post_run", "save_fitted_csv", "log_response"),
    Artefact("predictive.csv", "fitted", "predictive.csv", "post_run", "save_fitted_csv"),
    Artefact(
        "posterior_summary.csv", "posterior_summary", "posterior_summary.csv", "post_run",
        "save_posterior_summary_csv", "sampled",
    ),
    Artefact(
        "group_coefficients.csv", "posterior_summary", "group_coefficients.csv", "post_run",
        "save_posterior_summary_csv", "panel",
    ),
    *(
        Artefact(f"{name}.csv", "decomposition", f"{name}.csv", "decomposition", "save_decomp_csv", condition)
        for name, condition in _DECOMPOSITION
    ),
    *(
        Artefact(f"{name}.csv", "refresh_drift", f"{name}.csv", "decomposition", condition=condition)
        for name, condition in _DRIFT
    ),
    Artefact("optimisation_runs.csv", "posterior", "optimisation_runs.csv", "post_run", condition="optimised"),
    Artefact(POINT_MEMBER, "posterior", POINT_MEMBER, "post_run", condition="optimised"),
    Artefact(
        "chain_diagnostics.txt", "chain_diagnostics", "chain_diagnostics.txt", "diagnostics",
        "save_chain_diagnostics_txt", "sampled",
    ),
    Artefact("residuals.csv", "residuals", "residuals.csv", "diagnostics", "save_residuals_csv"),
    Artefact("residuals_latent.csv", "residuals", "residuals.csv", "diagnostics", condition="log_response"),
    Artefact(
        "diagnostics_report.csv", "diagnostics_report", "diagnostics_report.csv", "diagnostics",
        "save_diagnostics_report_csv",
    ),
    Artefact(
        "diagnostics_summary.txt", "diagnostics_report", "diagnostics_summary.txt", "diagnostics",
        "save_diagnostics_summary_txt",
    ),
    Artefact("waivers.csv", "diagnostics_report", "waivers.csv", "diagnostics", condition="waivers"),
    *(
        Artefact(f"{name}.csv", "postfit_checks", f"{name}.csv", "diagnostics", condition=condition)
        for name, condition in _CHECKED
    ),
    Artefact(
        "predictor_risk_register.csv", "postfit_checks", "predictor_risk_register.csv", "diagnostics",
        "save_predictor_risk_register_csv", "predictors",
    ),
    Artefact("calibration_report.json", "diagnostics_report", "calibration_report.json", "diagnostics"),
    Artefact("calibration_summary.csv", "loo", "calibration_summary.csv", "diagnostics"),
    *(
        Artefact(f"calibration_{name}.csv", "loo", f"calibration_{name}.csv", "diagnostics", condition="loo")
        for name in ("pit", "ecdf", "coverage")
    ),
    Artefact("convergence_report.json", "diagnostics_report", "convergence_report.json", "diagnostics"),
    Artefact("pareto_k_summary.json", "diagnostics_report", "pareto_k_summary.json", "diagnostics"),
    Artefact("loo_summary.csv", "loo", "loo_summary.csv", "model_selection", "save_model_selection_csv"),
    Artefact(
        "loo_pointwise.csv", "loo", "loo_pointwise.csv", "model_selection", "save_model_selection_pointwise_csv",
        "loo",
    ),
    *(
        Artefact(f"{name}.csv", "tscv", f"{name}.csv", "model_selection", condition=condition)
        for name, condition in _FOLDS
    ),
    *(
        Artefact(f"{name}.csv", asset, f"{name}.csv", stage, "save_allocator_csv", "allocation")
        for asset, stage, names in _budget_tables()
        for name in names
    ),
    *(
        Artefact(file, asset, file, stage, "save_allocator_json", "allocation")
        for (asset, stage, _), file in zip(_budget_tables(), BUDGET_DOCUMENTS, strict=True)
    ),
    *(artefact for drawing in DRAWINGS for artefact in _of_drawing(drawing)),
    *(
        Artefact(name, "report", name, "interpretation")
        for name in ("report.html", "business_report.md", "interpretation.json")
    ),
    *(
        Artefact(f"{name}.csv", "forecast", f"{name}.csv", "forecast", condition=condition)
        for name, condition in _FORECAST
    ),
    Artefact("forecast.json", "forecast", "forecast.json", "forecast", condition="forecast"),
)  # fmt: skip

# Assets that a halting verdict refuses; a halted run folder holds none of an earlier run's.
DECISIONS = (
    "forecast_plots",
    "post_run_plots",
    "optimisation_plots",
    "decomposition",
    "refresh_drift",
    "allocation",
    "response_curves",
    "efficient_frontier",
    "report",
    "forecast",
)

ASSET_STAGES: dict[str, Stage] = {
    "resolved_config": "run_metadata",
    "session_info": "run_metadata",
    "model_frame": "pre_run",
    "pooling_map": "pre_run",
    "prior_table": "pre_run",
    "pre_run_checks": "pre_run",
    "fit_checks": "diagnostics",
    "run_bundle": "interpretation",
    "future_frame": "forecast",
    **{artefact.asset: artefact.stage for artefact in ARTEFACTS},
    "posterior": "model_fit",
    "loo": "model_selection",
    "diagnostics_report": "diagnostics",
}


def folder(stage: Stage, layout: Layout) -> str:
    """Folder of a stage under a layout; empty for `flat`."""
    if layout == "flat":
        return ""
    return (STAGED_FOLDERS if layout == "staged" else STAGE_GATED_FOLDERS)[stage]
