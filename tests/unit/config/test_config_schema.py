"""The schema's keys and defaults, against the specification's tables typed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from dsam_assets.config.key_paths import dotted, keys_of, leaves, schema_keys
from dsam_assets.config.resolved import to_plain
from dsam_assets.config.schema import Config

Make = Callable[..., Config]

# The Config Schema page, for `data.path: data.csv`, `model.formula: kpi ~ trend + m_tv` and no other key.
SPECIFIED: dict[str, Any] = {
    "schema_version": 1,
    "data.path": "data.csv",
    "data.format": "csv",
    "data.date_var": None,
    "data.date_format": None,
    "data.na_action": "omit",
    "data.long_id_col": None,
    "data.long_variable_col": None,
    "data.long_value_col": None,
    "data.dictionary_path": None,
    "data.dictionary": {},
    "model.name": "model",
    "model.formula": "kpi ~ trend + m_tv",
    "model.type": "blm",
    "model.kpi_type": "revenue",
    "model.scale": True,
    "model.force_recompile": False,
    "cre.enabled": False,
    "cre.vars": [],
    "cre.group": None,
    "cre.prefix": "cre_mean_",
    "pooling.enabled": False,
    "pooling.grouping_vars": [],
    "pooling.map_path": None,
    "pooling.map_format": None,
    "pooling.min_waves": None,
    "transforms.mode": "fixed_formula",
    "transforms.sensitivity.enabled": False,
    "transforms.sensitivity.scenarios": [],
    "priors.use_defaults": True,
    "priors.overrides": [],
    "boundaries.overrides": [],
    "time_components.enabled": False,
    "time_components.holidays.enabled": False,
    "time_components.holidays.calendar_path": None,
    "time_components.holidays.date_col": None,
    "time_components.holidays.label_col": "holiday",
    "time_components.holidays.date_format": None,
    "time_components.holidays.week_start": "monday",
    "time_components.holidays.timezone": "UTC",
    "time_components.holidays.prefix": "holiday_",
    "time_components.holidays.window_before": 0,
    "time_components.holidays.window_after": 0,
    "time_components.holidays.aggregation_rule": "count",
    "time_components.holidays.overlap_policy": "count_all",
    "time_components.holidays.add_to_formula": True,
    "time_components.holidays.overwrite_existing": False,
    "fit.method": "mcmc",
    "fit.seed": None,
    "fit.optimise.n_runs": 10,
    "fit.mcmc.chains": 4,
    "fit.mcmc.iter": 2000,
    "fit.mcmc.warmup": 1000,
    "fit.mcmc.cores": 1,
    "fit.mcmc.refresh": 0,
    "fit.mcmc.parameterization.positive_priors": "centered",
    "allocation.enabled": False,
    "allocation.scenario": "max_response",
    "allocation.target_value": None,
    "allocation.n_candidates": 2000,
    "allocation.seed": None,
    "allocation.budget.total": None,
    "allocation.channels": [],
    "allocation.reference_spend": None,
    "allocation.currency_scale": None,
    "allocation.posterior.draws": 500,
    "allocation.objective.target": "kpi_uplift",
    "allocation.objective.value_per_kpi": None,
    "allocation.objective.kpi_baseline": None,
    "allocation.objective.allow_relative_log_uplift": False,
    "allocation.objective.risk.type": "mean",
    "allocation.objective.risk.lambda": 0,
    "allocation.objective.risk.quantile": 0.1,
    "outputs.root_dir": "results",
    "outputs.run_dir": None,
    "outputs.overwrite": False,
    "outputs.layout": "staged",
    "outputs.decomp_top_n": 8,
    "outputs.save_posterior_summary_csv": True,
    "outputs.save_fitted_csv": True,
    "outputs.save_observed_csv": True,
    "outputs.save_chain_diagnostics_txt": True,
    "outputs.save_diagnostics_report_csv": True,
    "outputs.save_diagnostics_summary_txt": True,
    "outputs.save_session_info_txt": True,
    "outputs.save_transform_sensitivity_summary_csv": True,
    "outputs.save_transform_sensitivity_parameters_csv": True,
    "outputs.save_transform_assumptions_txt": True,
    "outputs.save_data_dictionary_csv": True,
    "outputs.save_allocator_csv": True,
    "outputs.save_allocator_png": True,
    "outputs.save_allocator_json": False,
    "outputs.save_decomp_csv": True,
    "outputs.save_decomp_png": True,
    "outputs.save_spec_summary_csv": True,
    "outputs.save_design_matrix_manifest_csv": True,
    "outputs.save_vif_report_csv": True,
    "outputs.save_predictor_risk_register_csv": True,
    "outputs.save_fit_png": True,
    "outputs.save_residuals_csv": True,
    "outputs.save_diagnostics_png": True,
    "outputs.save_model_selection_csv": True,
    "outputs.save_model_selection_pointwise_csv": True,
    "forecast.enabled": False,
    "diagnostics.enabled": True,
    "diagnostics.policy_mode": "publish",
    "diagnostics.enforce_publish_gate": False,
    "diagnostics.model_selection.enabled": True,
    "diagnostics.model_selection.method": "psis_loo",
    "diagnostics.model_selection.max_draws": None,
    "diagnostics.model_selection.pareto_k_warn": 0.7,
    "diagnostics.model_selection.pareto_k_fail": math.inf,
    "diagnostics.model_selection.moment_match": False,
    "diagnostics.model_selection.reloo": False,
    "diagnostics.model_selection.top_n": 10,
    "diagnostics.time_series_selection.enabled": False,
    "diagnostics.time_series_selection.method": "blocked_cv",
    "diagnostics.time_series_selection.horizon_weeks": 13,
    "diagnostics.time_series_selection.n_folds": 4,
    "diagnostics.time_series_selection.stride_weeks": 13,
    "diagnostics.time_series_selection.min_train_weeks": 52,
    "diagnostics.time_series_selection.save_pointwise": False,
    "diagnostics.time_series_selection.save_png": True,
    "diagnostics.identifiability.enabled": True,
    "diagnostics.identifiability.media_terms": [],
    "diagnostics.identifiability.baseline_terms": [],
    "diagnostics.identifiability.baseline_regex": ["^t(_|$)", "^sin[0-9]", "^cos[0-9]", "^holiday_"],
    "diagnostics.identifiability.abs_corr_warn": 0.80,
    "diagnostics.identifiability.abs_corr_fail": 0.95,
    "security.allow_unsafe_formula": False,
}

# Keys that the page names without a default, or that the design adds.
ADDED: dict[str, Any] = {
    "outputs.save_model": True,
    "outputs.save_posterior": False,
    "fit.optimise.iter": 2000,
    "fit.optimise.seed": None,
    "fit.optimise.init": "random",
    "fit.optimise.algorithm": "lbfgs",
    "fit.optimise.hessian": False,
    "fit.optimise.as_vector": True,
    "fit.mcmc.thin": 1,
    "fit.mcmc.seed": None,
    "fit.mcmc.init": None,
    "fit.mcmc.control.adapt_delta": None,
    "fit.mcmc.control.max_treedepth": 10,
    "fit.mcmc.control.stepsize": None,
    "fit.mcmc.control.metric": "diag_e",
    "fit.mcmc.control.adapt_init_buffer": None,
    "fit.mcmc.control.adapt_term_buffer": None,
    "fit.mcmc.control.adapt_window": None,
    "allocation.scenarios": [],
    "allocation.level": "population",
    "allocation.hold_weak": False,
    "forecast.data_path": None,
    "forecast.horizon": None,
    "diagnostics.gating": "warn",
    "diagnostics.waivers": [],
}

ROWS = {
    "data.dictionary.<term>": ["unit", "cadence", "source", "transform", "rationale"],
    "transforms.sensitivity.scenarios[]": ["name", "formula"],
    "priors.overrides[]": ["parameter", "family", "mean", "sd"],
    "boundaries.overrides[]": ["parameter", "lower", "upper"],
    "allocation.channels[]": ["term", "name", "spend_col", "bounds", "currency_col", "response"],
    "allocation.channels[].bounds": ["min", "max"],
    "allocation.channels[].response": ["type", "scale", "k", "n"],
    "allocation.scenarios[]": ["name", "total"],
    "diagnostics.waivers[]": ["check", "subject", "who", "why", "expires"],
}

ROOT = [
    "schema_version", "data", "model", "cre", "pooling", "transforms", "priors", "boundaries", "time_components",
    "fit", "allocation", "outputs", "forecast", "diagnostics", "security",
]  # fmt: skip


def test_keys_and_defaults_are_those_of_the_specification(make: Make) -> None:
    plain = to_plain(make())
    found: dict[str, Any] = {}

    def flatten(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                flatten(item, f"{path}.{key}".removeprefix("."))
        else:
            found[path] = value

    flatten(plain, "")
    assert found == SPECIFIED | ADDED
    assert list(plain) == ROOT


@pytest.mark.parametrize("section", ROWS)
def test_row_contracts(section: str) -> None:
    assert list(keys_of(section)) == ROWS[section]


def test_every_key_is_described() -> None:
    undescribed = [path for path, field in schema_keys().items() if not (field.description or "").strip()]
    assert undescribed == []


def test_row_defaults(make: Make) -> None:
    config = make(
        {
            "priors.overrides": [{"parameter": "a", "mean": 1, "sd": 2}],
            "boundaries.overrides": [{"parameter": "a"}],
            "allocation.channels": [{"term": "m_tv"}, {"term": "m_tv2", "name": "TV"}],
        }
    )
    assert config.priors.overrides[0].family == "normal"
    assert (config.boundaries.overrides[0].lower, config.boundaries.overrides[0].upper) == (-math.inf, math.inf)
    first, second = config.allocation.channels
    assert (first.name, first.spend_col, first.bounds.min, first.bounds.max) == ("m_tv", "m_tv", 0.0, math.inf)
    assert (first.response.type, first.currency_col) == ("identity", None)
    assert (second.name, second.spend_col) == ("TV", "TV")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "blm"),
        ({"model.type": "auto"}, "blm"),
        ({"model.formula": "y ~ x + (1 | g)"}, "re"),
        ({"model.formula": "y ~ `a|b` + x"}, "blm"),
        ({"model.formula": "`a|b` ~ x"}, "blm"),
        ({"model.formula": "y ~ `a|b` + (1 | `g h`)"}, "re"),
        ({"model.formula": "y ~ x + (1 | g)", "cre.enabled": True}, "cre"),
        ({"pooling.enabled": True}, "pooled"),
        ({"pooling.enabled": True, "cre.enabled": True}, "pooled"),
        ({"model.type": "re", "cre.enabled": True}, "cre"),
        ({"model.type": "blm", "pooling.enabled": True}, "pooled"),
        ({"model.type": "re", "pooling.enabled": True}, "re"),
        ({"model.type": "blm", "cre.enabled": True}, "blm"),
    ],
)
def test_model_type_resolution(make: Make, changes: dict[str, Any], kind: str) -> None:
    assert make(changes).model.type == kind


def test_model_type_switches_its_section_on(make: Make) -> None:
    assert make({"model.type": "cre"}).cre.enabled
    assert make({"model.type": "pooled"}).pooling.enabled
    assert not make({"model.type": "cre", "cre.enabled": False}).cre.enabled


@pytest.mark.parametrize(
    ("path", "expected"), [("a.csv", "csv"), ("a.RDS", "rds"), ("a.parquet", "parquet"), ("x.y/a.pq", "parquet")]
)
def test_data_format_is_inferred(make: Make, path: str, expected: str) -> None:
    assert make({"data.path": path}).data.format == expected
    assert make({"data.path": path, "data.format": "long"}).data.format == "long"


def test_stride_defaults_to_the_horizon(make: Make) -> None:
    key = "diagnostics.time_series_selection"
    assert make({f"{key}.horizon_weeks": 8}).diagnostics.time_series_selection.stride_weeks == 8
    changes = {f"{key}.horizon_weeks": 8, f"{key}.stride_weeks": 2}
    assert make(changes).diagnostics.time_series_selection.stride_weeks == 2


def test_output_aliases(make: Make) -> None:
    assert make({"outputs.save_model_rds": False}).outputs.save_model is False
    assert make({"outputs.save_posterior_rds": True}).outputs.save_posterior is True
    assert make({"outputs.save_model_rds": False, "outputs.save_model": False}).outputs.save_model is False
    with pytest.raises(ValidationError, match="different values"):
        make({"outputs.save_model_rds": False, "outputs.save_model": True})


@pytest.mark.parametrize("key", ["fit", "priors.overrides", "allocation.channels", "cre", "data.dictionary", "outputs"])
def test_an_empty_section_or_list_means_its_defaults(make: Make, key: str) -> None:
    assert make({key: None}) == make()


ACCEPTED = [
    ("fit.mcmc.chains", 1),
    ("fit.seed", 0),
    ("fit.seed", 2**32 - 1),
    ("fit.mcmc.init", None),
    ("fit.mcmc.init", "random"),
    ("fit.mcmc.init", 0),
    ("fit.mcmc.init", 0.5),
    ("fit.optimise.algorithm", "LBFGS"),
    ("fit.optimise.algorithm", "BFGS"),
    ("fit.mcmc.control.adapt_delta", 0.99),
    ("fit.mcmc.control.metric", "dense_e"),
    ("allocation.n_candidates", 10),
    ("allocation.posterior.draws", None),
    ("allocation.budget.total", 1),
    ("allocation.objective.risk.lambda", 0),
    ("allocation.reference_spend", [1, 2.5]),
    ("allocation.reference_spend", {"TV": 0}),
    ("pooling.min_waves", 1),
    ("diagnostics.model_selection.top_n", 0),
    ("diagnostics.model_selection.pareto_k_fail", ".Inf"),
    ("diagnostics.model_selection.pareto_k_fail", "Inf"),
    ("diagnostics.identifiability.abs_corr_fail", math.inf),
    ("boundaries.overrides", [{"parameter": "a", "lower": "-Inf", "upper": "-.inf"}]),
    ("outputs.layout", "stage_gated"),
    ("data.format", "parquet"),
    ("diagnostics.waivers", [{"check": "loo_pareto_k", "who": "b", "why": "c", "expires": "2030-02-28"}]),
]

REFUSED = [
    ("fit.optimise.algorithm", "newton"),
    ("schema_version", 2),
    ("schema_version", "1"),
    ("schema_version", True),
    ("schema_version", 1.0),
    ("data.path", ""),
    ("data.path", "  "),
    ("data.path", None),
    ("data.path", 3),
    ("data.format", "xlsx"),
    ("data.na_action", "drop"),
    ("model.scale", "yes"),
    ("model.scale", 1),
    ("model.scale", None),
    ("model.type", "hierarchical"),
    ("model.formula", None),
    ("model.formula", ["y ~ x"]),
    ("fit.mcmc.chains", 0),
    ("fit.mcmc.chains", "4"),
    ("fit.mcmc.chains", 4.0),
    ("fit.mcmc.chains", True),
    ("fit.mcmc.chains", None),
    ("fit.seed", -1),
    ("fit.seed", 2**32),
    ("fit.seed", 1.5),
    ("fit.mcmc.refresh", -1),
    ("fit.mcmc.init", -1),
    ("fit.mcmc.init", True),
    ("fit.mcmc.init", "zero"),
    ("fit.mcmc.init", math.inf),
    ("fit.mcmc.control.adapt_delta", 1),
    ("fit.mcmc.control.adapt_delta", 0),
    ("fit.mcmc.control.adapt_delta", True),
    ("fit.mcmc.control.max_treedepth", 0),
    ("fit.mcmc.control.max_treedepth", 21),
    ("fit.mcmc.control.stepsize", 0),
    ("fit.mcmc.control.metric", "unit"),
    ("fit.mcmc.adapt_delta", 0.9),
    ("fit.mcmc.parameterization.other", 1),
    ("fit.optimise.algorithm", "adam"),
    ("fit.optimise.n_runs", 0),
    ("priors.use_defaults", False),
    ("priors.use_defaults", 1),
    ("priors.overrides", [{"parameter": "a", "mean": 0, "sd": 0}]),
    ("priors.overrides", [{"parameter": "a", "mean": math.inf, "sd": 1}]),
    ("priors.overrides", [{"parameter": "a", "mean": 0}]),
    ("priors.overrides", [{"parameter": "a", "mean": 0, "sd": 1, "family": "cauchy"}]),
    ("priors.overrides", {"parameter": "a"}),
    ("boundaries.overrides", [{"parameter": "a", "lower": "low"}]),
    ("boundaries.overrides", [{"parameter": "a", "lower": math.nan}]),
    ("boundaries.overrides", [{"parameter": "a", "lower": True}]),
    ("transforms.mode", "adstock"),
    ("time_components.holidays.window_before", -1),
    ("time_components.holidays.week_start", "Monday"),
    ("allocation.n_candidates", 9),
    ("allocation.posterior.draws", 0),
    ("allocation.budget.total", 0),
    ("allocation.budget.total", math.inf),
    ("allocation.target_value", 0),
    ("allocation.currency_scale", 0),
    ("allocation.objective.kpi_baseline", 0),
    ("allocation.objective.risk.lambda", -0.1),
    ("allocation.objective.risk.lambda_", 0.1),
    ("allocation.objective.risk.quantile", 0),
    ("allocation.objective.risk.quantile", 1),
    ("allocation.reference_spend", -1),
    ("allocation.reference_spend", [1, "2"]),
    ("allocation.reference_spend", [True]),
    ("allocation.reference_spend", {"TV": math.inf}),
    ("allocation.channels", [{"name": "TV"}]),
    ("allocation.channels", [{"term": "a", "bounds": {"min": -1}}]),
    ("allocation.channels", [{"term": "a", "bounds": {"min": math.inf}}]),
    ("allocation.channels", [{"term": "a", "response": {"type": "hill", "k": 0, "n": 1}}]),
    ("allocation.channels", [{"term": "a", "response": {"type": "power"}}]),
    ("pooling.min_waves", 0),
    ("outputs.layout", "nested"),
    ("outputs.decomp_top_n", 0),
    ("outputs.save_fit_png", 1),
    ("forecast.horizon", 0),
    ("diagnostics.policy_mode", "audit"),
    ("diagnostics.gating", "on"),
    ("diagnostics.model_selection.method", "waic"),
    ("diagnostics.model_selection.max_draws", 0),
    ("diagnostics.model_selection.top_n", -1),
    ("diagnostics.time_series_selection.n_folds", 0),
    ("diagnostics.time_series_selection.stride_weeks", 0),
    ("diagnostics.identifiability.abs_corr_warn", 1),
    ("diagnostics.identifiability.abs_corr_warn", -0.1),
    ("diagnostics.waivers", [{"check": "loo_pareto_k", "who": "b", "why": "c", "expires": "31/01/2030"}]),
    ("diagnostics.waivers", [{"check": "loo_pareto_k", "who": "b", "why": "c", "expires": "2030-02-30"}]),
    ("data.dictionary", {"m_tv": {"units": "GBP"}}),
    ("unknown", 1),
]


@pytest.mark.parametrize(("key", "value"), ACCEPTED)
def test_valid_values(make: Make, key: str, value: object) -> None:
    make({key: value})


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_invalid_values(make: Make, key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        make({key: value})
    assert dotted(tuple(caught.value.errors()[0]["loc"])).startswith(key)


def test_values_are_normalised(make: Make) -> None:
    assert make({"fit.optimise.algorithm": "LBFGS"}).fit.optimise.algorithm == "lbfgs"
    assert make({"model.formula": "y ~ x\n"}).model.formula == "y ~ x"
    assert make({"allocation.reference_spend": [1, 2]}).allocation.reference_spend == (1.0, 2.0)
    assert isinstance(make({"allocation.budget.total": 5}).allocation.budget.total, float)


def test_a_config_cannot_be_changed(make: Make) -> None:
    config = make()
    with pytest.raises(ValidationError, match="frozen"):
        config.fit.mcmc.chains = 2


def test_building_a_config_leaves_the_input_alone(make: Make) -> None:
    raw: dict[str, Any] = {
        "data": {"path": "a.csv"},
        "model": {"formula": "y ~ x"},
        "outputs": {"save_model_rds": True},
    }
    Config.model_validate(raw)
    assert raw == {"data": {"path": "a.csv"}, "model": {"formula": "y ~ x"}, "outputs": {"save_model_rds": True}}


def test_leaves_reach_into_rows(make: Make) -> None:
    found = {dotted(path): value for path, value in leaves(make({"allocation.channels": [{"term": "a"}]}))}
    assert found["allocation.channels[0].bounds.min"] == 0
    assert found["allocation.objective.risk.lambda"] == 0
