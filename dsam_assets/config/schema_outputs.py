"""`outputs`: where a run is written, and which artefacts; `security`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dsam_assets.config.schema_base import PositiveInt, Section, Text, Unit

Layout = Literal["staged", "flat", "stage_gated"]

OUTPUT_ALIASES = {"save_model_rds": "save_model", "save_posterior_rds": "save_posterior"}
"""Names of the original's switches → ours; the files are netCDF here."""


class OutputsSection(Section):
    """`outputs`: run folder and artefact switches."""

    root_dir: Text = Field(default="results", description="Folder of the run folders, relative to this config.")
    run_dir: Text | None = Field(
        default=None,
        examples=["uk_latest"],
        description="Fixed run folder, relative to root_dir; null makes a dated one.",
    )
    overwrite: bool = Field(
        default=False, description="Replace an existing run folder, if it holds nothing but a run's files."
    )
    layout: Layout = Field(default="staged", description="Folders inside a run: staged, flat or stage_gated.")
    decomp_top_n: Annotated[PositiveInt, Unit("terms")] = Field(
        default=8, description="How many terms the decomposition's figures show; marked in decomp_predictor_impact.csv."
    )
    save_model: bool = Field(
        default=True, description="model.nc: everything needed to reload the fit. Alias: save_model_rds."
    )
    save_posterior: bool = Field(default=False, description="posterior.nc: the draws. Alias: save_posterior_rds.")
    save_posterior_summary_csv: bool = Field(default=True, description="posterior_summary.csv.")
    save_fitted_csv: bool = Field(
        default=True, description="fitted.csv, fitted_kpi.csv (log response) and predictive.csv."
    )
    save_observed_csv: bool = Field(
        default=True, description="observed.csv, and observed_kpi.csv for log-response models."
    )
    save_chain_diagnostics_txt: bool = Field(default=True, description="chain_diagnostics.txt.")
    save_diagnostics_report_csv: bool = Field(default=True, description="diagnostics_report.csv: one row per check.")
    save_diagnostics_summary_txt: bool = Field(default=True, description="diagnostics_summary.txt.")
    save_session_info_txt: bool = Field(default=True, description="session_info.txt: versions and settings.")
    save_transform_sensitivity_summary_csv: bool = Field(default=True, description="transform_sensitivity_summary.csv.")
    save_transform_sensitivity_parameters_csv: bool = Field(
        default=True, description="transform_sensitivity_parameters.csv."
    )
    save_transform_assumptions_txt: bool = Field(default=True, description="transform_assumptions.txt.")
    save_data_dictionary_csv: bool = Field(default=True, description="data_dictionary.csv.")
    save_allocator_csv: bool = Field(default=True, description="budget_*.csv.")
    save_allocator_png: bool = Field(default=True, description="budget_*.png.")
    save_allocator_json: bool = Field(default=False, description="budget_optimisation.json.")
    save_decomp_csv: bool = Field(default=True, description="decomp_*.csv and channel_evidence.csv.")
    save_decomp_png: bool = Field(default=True, description="decomp_*.png.")
    save_spec_summary_csv: bool = Field(default=True, description="spec_summary.csv.")
    save_design_matrix_manifest_csv: bool = Field(default=True, description="design_matrix_manifest.csv.")
    save_vif_report_csv: bool = Field(default=True, description="vif_report.csv.")
    save_predictor_risk_register_csv: bool = Field(default=True, description="predictor_risk_register.csv.")
    save_fit_png: bool = Field(default=True, description="PNGs of the fit; the pages are always written.")
    save_residuals_csv: bool = Field(default=True, description="residuals.csv.")
    save_diagnostics_png: bool = Field(default=True, description="PNGs of diagnostics and model selection.")
    save_model_selection_csv: bool = Field(default=True, description="loo_summary.csv.")
    save_model_selection_pointwise_csv: bool = Field(default=True, description="loo_pointwise.csv.")

    @model_validator(mode="before")
    @classmethod
    def _rename_aliases(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        for alias, name in OUTPUT_ALIASES.items():
            if alias in raw and name in raw and raw[alias] != raw[name]:
                raise PydanticCustomError(
                    "dsam_rule",
                    "has {alias} and {name} with different values; they are one switch: keep {name}",
                    {"alias": alias, "name": name},
                )
        return {OUTPUT_ALIASES.get(key, key): value for key, value in raw.items()}


class SecuritySection(Section):
    """`security`."""

    allow_unsafe_formula: bool = Field(
        default=False,
        description="Let formulas run arbitrary Python where the grammar refuses. Told in the run and its report.",
    )
