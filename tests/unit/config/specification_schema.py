"""The page "Config Schema": its minimal config, and every key, default and rule that it documents."""

from __future__ import annotations

from math import inf

from specification_page import Page

BARS = "model: {formula: kpi ~ m_tv + trend + (1 | market)}\n"
POOLING = "pooling: {grouping_vars: [channel], map_path: map.csv}\n"

page = SCHEMA = Page("Config Schema")

MINIMAL = """\
schema_version: 1

data:
  path: data/your_data.csv
  format: csv

model:
  formula: y ~ x1 + x2
"""
page.loads(
    MINIMAL,
    data__format="csv",
    data__na_action="omit",
    model__name="my_run",
    model__type="blm",
    model__scale=True,
    fit__method="mcmc",
    fit__mcmc__iter=2000,
    diagnostics__policy_mode="publish",
    outputs__layout="staged",
    cre__enabled=False,
    pooling__enabled=False,
    allocation__enabled=False,
    forecast__enabled=False,
)
# root sections: all of them, empty
page.loads(
    "schema_version: 1\ncre:\npooling:\ntransforms:\npriors:\nboundaries:\ntime_components:\nfit:\nallocation:\n"
    "outputs:\nforecast:\ndiagnostics:\nsecurity:\n",
    model__type="blm",
    fit__mcmc__chains=4,
)
page.refuses("schema_version: 2\n", "schema_version must be 1")
page.refuses("modle: {formula: y ~ x}\n", "modle is not a key of the config")
page.refuses("fit: {mcmc: {itr: 100}}\n", "fit.mcmc.itr is not a key of the config")

# data
page.refuses("data: {format: csv}\n", "data.path is required")
page.refuses("data: {path: nowhere.csv}\n", "data.path – the file does not exist")
page.loads("data: {path: data.rds}\n", data__format="rds")
page.loads("data: {path: data.csv, date_format: '%d/%m/%Y', na_action: error}\n", data__na_action="error")
page.refuses("data: {path: data.csv, format: xlsx}\n", "data.format must be")
page.refuses("data: {path: data.csv, na_action: drop}\n", "data.na_action must be omit or error")
LONG = "format: long, date_var: date, long_id_col: id, long_variable_col: variable, long_value_col: value"
page.loads(f"data: {{path: data.csv, {LONG}}}\n", data__format="long", data__long_id_col="id")
for _column in ("date_var: date, ", "long_id_col: id, ", "long_variable_col: variable, ", ", long_value_col: value"):
    _key = _column.strip(", ").partition(":")[0]
    page.refuses(f"data: {{path: data.csv, {LONG.replace(_column, '')}}}\n", f"data.{_key} is required when")
page.refuses(
    f"data: {{path: data.csv, {LONG.replace('value_col: value', 'value_col: id')}}}\n",
    "data.long_value_col must differ from the other long-format columns",
)
page.loads("data: {path: data.csv, dictionary_path: dictionary.csv}\n")
page.refuses("data: {path: data.csv, dictionary_path: nowhere.csv}\n", "data.dictionary_path – the file does not exist")
page.loads(
    "data: {path: data.csv, dictionary: {m_tv: {unit: GRP, cadence: weekly, source: agency, transform: none, "
    "rationale: media}}}\n",
    data__dictionary__m_tv__unit="GRP",
)
page.refuses("data: {path: data.csv, dictionary: {m_tv: {owner: me}}}\n", "data.dictionary.m_tv.owner is not a key")

# model
page.loads("model: {formula: kpi ~ trend, name: France, kpi_type: subscriptions}\n", model__name="France")
page.refuses("model: {name: uk}\n", "model.formula is required")
page.refuses("model: {formula: kpi + trend}\n", "model.formula must have the form response ~ terms")
page.refuses("model: {formula: ~ trend}\n", "model.formula must have the form response ~ terms")
page.refuses("model: {formula: kpi ~ trend, kpi_type: clicks}\n", "model.kpi_type must be revenue or subscriptions")
page.refuses("model: {formula: kpi ~ trend, scale: 1}\n", "model.scale must be true or false")
page.loads("model: {formula: kpi ~ trend, scale: false}\n", model__scale=False)
page.refuses("model: {formula: kpi ~ trend, type: hierarchical}\n", "model.type must be")

# model type resolution
page.loads(
    f"model: {{formula: kpi ~ trend + m_tv, type: auto}}\n{POOLING.replace('{', '{enabled: true, ')}",
    model__type="pooled",
)
page.loads(f"{BARS}cre: {{enabled: true, vars: [m_tv]}}\n", model__type="cre")
page.loads(BARS, model__type="re")
page.loads("model: {formula: kpi ~ trend}\n", model__type="blm")
for _kind in ("re", "cre"):
    page.refuses(
        f"model: {{formula: kpi ~ trend, type: {_kind}}}\ncre: {{vars: [trend]}}\n",
        f"model.type {_kind} needs bar terms",
    )
page.refuses("cre: {enabled: true, vars: [m_tv]}\n", "model.type cre needs bar terms")
page.refuses(BARS.replace("}", ", type: blm}"), "model.type blm cannot be used with bar terms")
page.refuses(BARS.replace("}", ", type: pooled}") + POOLING, "model.type pooled cannot be used with bar terms")

# cre
page.loads(
    BARS.replace("}", ", type: cre}") + "cre: {vars: [m_tv]}\n",
    cre__enabled=True,
    cre__group=None,
    cre__prefix="cre_mean_",
    cre__vars=("m_tv",),
)
page.refuses(
    "model: {formula: kpi ~ trend, type: blm}\ncre: {enabled: true, vars: [trend]}\n",
    "cre.enabled cannot be true for model.type: blm",
)
page.refuses(
    "model: {formula: kpi ~ trend, type: pooled}\n" + POOLING + "cre: {enabled: true, vars: [trend]}\n",
    "cre.enabled cannot be true for model.type: pooled",
)
page.refuses(f"{BARS}cre: {{enabled: true}}\n", "cre.vars must name at least one column")

# pooling
page.loads(
    "model: {formula: kpi ~ trend + m_tv, type: pooled}\n" + POOLING,
    pooling__enabled=True,
    pooling__map_format="csv",
    pooling__min_waves=None,
    pooling__grouping_vars=("channel",),
)
page.loads(
    "model: {formula: kpi ~ m_tv, type: pooled}\n" + POOLING.replace("map.csv", "map.rds"), pooling__map_format="rds"
)
for _kind in ("re", "cre"):
    page.refuses(
        BARS.replace("}", f", type: {_kind}}}") + "cre: {vars: [m_tv]}\n" + POOLING.replace("{", "{enabled: true, "),
        f"pooling.enabled cannot be true for model.type: {_kind}",
    )
page.refuses("pooling: {enabled: true, map_path: map.csv}\n", "pooling.grouping_vars must name at least one column")
page.refuses("pooling: {enabled: true, grouping_vars: [channel]}\n", "pooling.map_path is required when")
page.refuses(
    POOLING.replace("{", "{enabled: true, ").replace("map.csv", "nowhere.csv"),
    "pooling.map_path – the file does not exist",
)
page.refuses(POOLING.replace("}", ", map_format: xlsx}"), "pooling.map_format must be")
page.refuses(POOLING.replace("}", ", min_waves: 0}"), "pooling.min_waves must be at least 1")
page.loads(POOLING.replace("}", ", min_waves: 8}"), pooling__min_waves=8, pooling__enabled=False)

# transforms
page.loads("transforms: {mode: fixed_formula}\n", transforms__sensitivity__enabled=False)
page.refuses("transforms: {mode: adstock}\n", "transforms.mode must be fixed_formula")
SCENARIO = "{name: root, formula: kpi ~ trend + sqrt(m_tv)}"
SENSITIVITY = f"fit: {{method: optimise}}\ntransforms: {{sensitivity: {{enabled: true, scenarios: [{SCENARIO}]}}}}\n"
page.loads(SENSITIVITY, transforms__sensitivity__scenarios__0__name="root")
page.refuses(SENSITIVITY.replace("optimise", "mcmc"), "transforms.sensitivity.enabled requires fit.method: optimise")
page.refuses(SENSITIVITY.replace(SCENARIO, ""), "transforms.sensitivity.scenarios must have at least one row")
page.refuses(SENSITIVITY.replace("root", "base"), "transforms.sensitivity.scenarios[0].name must not be base")
page.refuses(
    SENSITIVITY.replace(SCENARIO, f"{SCENARIO}, {SCENARIO}"), "transforms.sensitivity.scenarios[1].name must be unique"
)
page.refuses(SENSITIVITY.replace("name: root, ", ""), "transforms.sensitivity.scenarios[0].name is required")
page.refuses(SENSITIVITY.replace("sqrt(m_tv)", "system(m_tv)"), "`system` is not an allowed call")

# priors and boundaries
page.loads("priors: {use_defaults: true, overrides: []}\n", priors__use_defaults=True)
page.refuses("priors: {use_defaults: false}\n", "priors.use_defaults must be true")
page.refuses(
    "priors: {overrides: [{parameter: m_tv, mean: 0, sd: 1, family: cauchy}]}\n",
    "priors.overrides[0].family must be normal or lognormal_ms",
)
page.refuses(
    "priors: {overrides: [{parameter: m_tv, mean: 0, sd: 0}]}\n", "priors.overrides[0].sd must be greater than 0"
)
page.refuses("priors: {overrides: [{parameter: m_tv, sd: 1}]}\n", "priors.overrides[0].mean is required")
page.loads(
    "priors: {overrides: [{parameter: noise_sd, family: lognormal_ms, mean: 2, sd: 1}]}\n",
    priors__overrides__0__family="lognormal_ms",
)
page.loads(
    f"{BARS}priors: {{overrides: [{{parameter: 'sd_1[m_tv]', family: lognormal_ms, mean: 2, sd: 1}}]}}\n",
    priors__overrides__0__parameter="sd_1[m_tv]",
)
page.refuses(
    "priors: {overrides: [{parameter: m_tv, family: lognormal_ms, mean: 2, sd: 1}]}\n",
    "priors.overrides[0].family can be lognormal_ms only for noise_sd and sd_<index>[<term>]",
)
page.refuses(
    "priors: {overrides: [{parameter: noise_sd, family: lognormal_ms, mean: 0, sd: 1}]}\n",
    "priors.overrides[0].mean must be greater than 0 for lognormal_ms",
)
page.loads(
    "boundaries: {overrides: [{parameter: m_tv}]}\n",
    boundaries__overrides__0__lower=-inf,
    boundaries__overrides__0__upper=inf,
)

# time_components
HOLIDAYS = "time_components: {enabled: true, holidays: {enabled: true, calendar_path: holidays.csv}}\n"
page.loads(HOLIDAYS, time_components__holidays__week_start="monday", time_components__holidays__label_col="holiday")
page.loads(HOLIDAYS.replace("holidays.csv", "holidays.rds"))
page.refuses(HOLIDAYS.replace(", calendar_path: holidays.csv", ""), "calendar_path is required when holidays are")
page.refuses(HOLIDAYS.replace("holidays.csv", "nowhere.csv"), "calendar_path – the file does not exist")
page.refuses("data: {path: data.csv}\n" + HOLIDAYS, "data.date_var is required when holidays are enabled")
for _day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"):
    page.loads(HOLIDAYS.replace(".csv", f".csv, week_start: {_day}"), time_components__holidays__week_start=_day)
for _rule, _words in (
    ("week_start: Monday", "week_start must be"),
    ("window_before: -1", "window_before must be at least 0"),
    ("window_after: -1", "window_after must be at least 0"),
    ("aggregation_rule: sum", "aggregation_rule must be count or any"),
    ("overlap_policy: keep", "overlap_policy must be count_all or dedupe_label_date"),
):
    page.refuses(HOLIDAYS.replace(".csv", f".csv, {_rule}"), f"time_components.holidays.{_words}")

# fit
page.loads("fit: {method: optimise, seed: 7}\n", fit__optimise__n_runs=10, fit__seed=7)
page.refuses("fit: {method: vb}\n", "fit.method must be mcmc or optimise")
page.loads(
    "fit: {optimise: {n_runs: 5, iter: 100, seed: 1, init: random, algorithm: LBFGS, hessian: true, "
    "as_vector: false}}\n",
    fit__optimise__algorithm="lbfgs",
    fit__optimise__as_vector=False,
)
page.refuses("fit: {optimise: {chains: 4}}\n", "fit.optimise.chains is not a key")
page.loads(
    "fit: {mcmc: {chains: 2, iter: 400, warmup: 200, thin: 2, cores: 2, refresh: 10, seed: 3, init: 0.5, "
    "control: {adapt_delta: 0.99}, parameterization: {positive_priors: noncentered}}}\n",
    fit__mcmc__thin=2,
    fit__mcmc__control__adapt_delta=0.99,
    fit__mcmc__parameterization__positive_priors="noncentered",
)
page.refuses("fit: {mcmc: {parameterization: {scale_priors: centered}}}\n", "scale_priors is not a key")
page.refuses("fit: {mcmc: {parameterization: {positive_priors: half}}}\n", "must be centered or noncentered")

# allocation
CHANNEL = "{term: m_tv, bounds: {max: 100}}"
PLAN = f"allocation: {{enabled: true, budget: {{total: 50}}, channels: [{CHANNEL}]}}\n"
page.loads(
    PLAN,
    allocation__n_candidates=2000,
    allocation__posterior__draws=500,
    allocation__channels__0__name="m_tv",
    allocation__channels__0__spend_col="m_tv",
    allocation__channels__0__bounds__min=0.0,
    allocation__channels__0__response__type="identity",
    allocation__objective__risk__type="mean",
)
page.refuses(PLAN.replace("budget: {total: 50}, ", ""), "allocation.budget.total is required for scenario max_response")
page.refuses(PLAN.replace("50", "0"), "allocation.budget.total must be greater than 0")
page.refuses(PLAN.replace(CHANNEL, ""), "allocation.channels must have at least one row")
page.refuses(PLAN.replace("{enabled", "{n_candidates: 9, enabled"), "allocation.n_candidates must be at least 10")
page.refuses(PLAN.replace("{enabled", "{currency_scale: 0, enabled"), "allocation.currency_scale must be greater")
page.refuses(
    PLAN.replace("{enabled", "{posterior: {draws: 0}, enabled"), "allocation.posterior.draws must be at least 1"
)
page.refuses(PLAN.replace("{enabled", "{scenario: best, enabled"), "allocation.scenario must be")
OBJECTIVE = "{objective: {%s}, enabled"
page.refuses(PLAN.replace("{enabled", OBJECTIVE % "target: profit"), "allocation.objective.value_per_kpi is required")
page.loads(
    PLAN.replace("{enabled", OBJECTIVE % "target: profit, value_per_kpi: 3"), allocation__objective__value_per_kpi=3
)
page.refuses(PLAN.replace("{enabled", OBJECTIVE % "kpi_baseline: 0"), "allocation.objective.kpi_baseline must be")
page.refuses(
    PLAN.replace("{enabled", OBJECTIVE % "risk: {type: mean_minus_sd, lambda: -1}"),
    "allocation.objective.risk.lambda must be at least 0",
)
for _quantile in (0, 1):
    page.refuses(
        PLAN.replace("{enabled", OBJECTIVE % f"risk: {{type: quantile, quantile: {_quantile}}}"),
        "allocation.objective.risk.quantile must be",
    )
TARGET = PLAN.replace("{enabled", "{scenario: target_efficiency, target_value: 2, enabled")
page.refuses(TARGET.replace("target_value: 2, ", ""), "allocation.target_value is required for scenario target_")
page.refuses(TARGET.replace("target_value: 2", "target_value: 0"), "allocation.target_value must be greater than 0")

# allocation.channels[]
page.refuses(PLAN.replace("term: m_tv", "name: TV"), "allocation.channels[0].term is required")
page.refuses(PLAN.replace(CHANNEL, f"{CHANNEL}, {CHANNEL}"), "allocation.channels[1].term must be unique")
page.refuses(
    PLAN.replace(CHANNEL, f"{CHANNEL}, {{term: trend, name: m_tv, bounds: {{max: 9}}}}"),
    "allocation.channels[1].name must be unique",
)
page.refuses(PLAN.replace("max: 100", "min: -1, max: 100"), "allocation.channels[0].bounds.min must be at least 0")
page.refuses(PLAN.replace("max: 100", "min: 40, max: 30"), "allocation.channels[0].bounds.max must be at least")
page.refuses(PLAN.replace(", bounds: {max: 100}", ""), "allocation.channels[0].bounds.max must be finite")
for _response in ("type: atan, scale: 2", "type: log1p, scale: 2", "type: hill, k: 2, n: 1.5"):
    page.loads(
        PLAN.replace("term: m_tv", f"term: m_tv, response: {{{_response}}}"),
        allocation__channels__0__response__type=_response.split(",")[0].removeprefix("type: "),
    )
for _response, _missing in (("atan", "scale"), ("log1p", "scale"), ("hill, n: 1", "k"), ("hill, k: 1", "n")):
    page.refuses(
        PLAN.replace("term: m_tv", f"term: m_tv, response: {{type: {_response}}}"),
        f"allocation.channels[0].response.{_missing} is required",
    )
    page.refuses(
        PLAN.replace("term: m_tv", f"term: m_tv, response: {{type: {_response}, {_missing}: 0}}"),
        f"allocation.channels[0].response.{_missing} must be greater than 0",
    )

# outputs
page.loads("outputs: {root_dir: out, run_dir: first, overwrite: true, layout: flat}\n", outputs__layout="flat")
page.refuses("outputs: {layout: nested}\n", "outputs.layout must be")
page.refuses("outputs: {decomp_top_n: 0}\n", "outputs.decomp_top_n must be at least 1")
page.loads(
    "outputs: {save_model_rds: false, save_posterior_rds: true}\n",
    outputs__save_model=False,
    outputs__save_posterior=True,
)
for _switch in (
    "posterior_summary_csv",
    "fitted_csv",
    "observed_csv",
    "chain_diagnostics_txt",
    "session_info_txt",
    "diagnostics_report_csv",
    "diagnostics_summary_txt",
    "transform_sensitivity_summary_csv",
    "transform_sensitivity_parameters_csv",
    "transform_assumptions_txt",
    "data_dictionary_csv",
    "allocator_csv",
    "allocator_png",
    "allocator_json",
    "decomp_csv",
    "decomp_png",
    "spec_summary_csv",
    "design_matrix_manifest_csv",
    "vif_report_csv",
    "predictor_risk_register_csv",
    "fit_png",
    "residuals_csv",
    "diagnostics_png",
    "model_selection_csv",
    "model_selection_pointwise_csv",
):
    page.loads(f"outputs: {{save_{_switch}: false}}\n", **{f"outputs__save_{_switch}": False})
    page.refuses(f"outputs: {{save_{_switch}: 'no'}}\n", f"outputs.save_{_switch} must be true or false")

# forecast, diagnostics, security
page.refuses("forecast: {enabled: true}\n", "forecast.data_path is required when forecast is enabled")
page.loads(
    "diagnostics: {enabled: true, policy_mode: strict, enforce_publish_gate: true}\n", diagnostics__policy_mode="strict"
)
page.refuses("diagnostics: {policy_mode: audit}\n", "diagnostics.policy_mode must be")
LOO = "diagnostics: {model_selection: {%s}}\n"
page.loads(
    LOO % "method: psis_loo, max_draws: 100, pareto_k_warn: 0.5, pareto_k_fail: 0.7, top_n: 0",
    diagnostics__model_selection__top_n=0,
)
page.loads(LOO % "pareto_k_warn: .Inf", diagnostics__model_selection__pareto_k_warn=inf)
page.refuses(LOO % "method: waic", "diagnostics.model_selection.method must be psis_loo")
page.refuses(LOO % "max_draws: 0", "diagnostics.model_selection.max_draws must be at least 1")
page.refuses(LOO % "pareto_k_warn: 1.5", "diagnostics.model_selection.pareto_k_warn")
page.refuses(LOO % "pareto_k_fail: 0.7", "diagnostics.model_selection.pareto_k_fail")
page.refuses(LOO % "top_n: -1", "diagnostics.model_selection.top_n must be at least 0")
page.loads(
    LOO % "moment_match: true, reloo: true",
    diagnostics__model_selection__moment_match=True,
    diagnostics__model_selection__reloo=True,
)
FOLDS = "diagnostics: {time_series_selection: {%s}}\n"
page.loads(
    FOLDS % "horizon_weeks: 8",
    diagnostics__time_series_selection__stride_weeks=8,
    diagnostics__time_series_selection__n_folds=4,
    diagnostics__time_series_selection__min_train_weeks=52,
)
for _key in ("horizon_weeks", "n_folds", "stride_weeks", "min_train_weeks"):
    page.refuses(FOLDS % f"{_key}: 0", f"diagnostics.time_series_selection.{_key} must be at least 1")
page.refuses(FOLDS % "method: kfold", "diagnostics.time_series_selection.method must be")
page.refuses(
    "fit: {method: optimise}\n" + FOLDS % "enabled: true",
    "diagnostics.time_series_selection.enabled requires fit.method: mcmc",
)
page.refuses("data: {path: data.csv}\n" + FOLDS % "enabled: true", "data.date_var is required for time-series")
page.loads(FOLDS % "enabled: true, save_pointwise: true", diagnostics__time_series_selection__enabled=True)
IDENT = "diagnostics: {identifiability: {%s}}\n"
page.loads(
    IDENT % "enabled: false",
    diagnostics__identifiability__abs_corr_warn=0.8,
    diagnostics__identifiability__abs_corr_fail=0.95,
    diagnostics__identifiability__baseline_regex=("^t(_|$)", "^sin[0-9]", "^cos[0-9]", "^holiday_"),
)
page.refuses(IDENT % "abs_corr_warn: 1", "diagnostics.identifiability.abs_corr_warn must be less than 1")
page.refuses(IDENT % "abs_corr_fail: 0.8", "diagnostics.identifiability.abs_corr_fail must be greater than abs_corr_w")
page.refuses(IDENT % "abs_corr_fail: 1.1", "diagnostics.identifiability.abs_corr_fail must be greater than abs_corr_w")
page.loads("security: {allow_unsafe_formula: true}\n", security__allow_unsafe_formula=True)
for _call in (
    "log(m_tv)",
    "exp(m_tv)",
    "sqrt(m_tv)",
    "atan(m_tv)",
    "sin(m_tv)",
    "cos(m_tv)",
    "tan(m_tv)",
    "I(m_tv^2)",
    "offset(m_tv)",
    "pmax(m_tv, 0)",
    "pmin(m_tv, 9)",
    "abs(m_tv)",
    "dplyr::lag(m_tv)",
    "dplyr::lead(m_tv)",
    "trend:m_tv",
    "trend*m_tv",
    "trend/m_tv",
    "(trend + m_tv)^2 - m_tv",
    "(1 | market)",
):
    page.loads(f"model: {{formula: 'kpi ~ trend + {_call}'}}\n")
UNSAFE = "security: {allow_unsafe_formula: true}\n"
for _call in ("poly(m_tv, 2)", "base::log(m_tv)", "dplyr::mutate(m_tv)", "system(m_tv)"):
    page.refuses(f"model: {{formula: 'kpi ~ trend + {_call}'}}\n", "is not an allowed call")
for _call in ("poly(m_tv, 2)", "system(m_tv)"):
    page.loads(f"{UNSAFE}model: {{formula: 'kpi ~ trend + {_call}'}}\n")
page.refuses(UNSAFE + "model: {formula: 'kpi ~ base::log(m_tv)'}\n", "neither part of a formula nor Python")
