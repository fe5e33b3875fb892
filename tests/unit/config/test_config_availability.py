"""An accepted key whose behaviour is missing ends in an error; the same key at its default is silent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dsam_assets.config.availability import GAPS, check_available
from dsam_assets.config.key_paths import schema_keys
from dsam_assets.config.load import LoadedConfig
from dsam_assets.errors import NotAvailableYetError

Load = Callable[..., LoadedConfig]

MODEL = "model: {formula: kpi ~ trend}\n"
HEAD = "data: {path: data.csv, date_var: date}\n" + MODEL
PLAN = "budget: {total: 5}, channels: [{term: a, bounds: {max: 9}}]"

MISSING = {
    "security.allow_unsafe_formula": [HEAD + "security: {allow_unsafe_formula: true}"],
}

AVAILABLE = [
    HEAD,
    HEAD + "allocation: {enabled: true, scenario: target_efficiency, target_value: 2, " + PLAN + "}",
    HEAD + "allocation: {enabled: true, objective: {risk: {type: mean_minus_sd, lambda: 0.5}}, " + PLAN + "}",
    HEAD + "allocation: {enabled: true, objective: {risk: {type: quantile, quantile: 0.2}}, " + PLAN + "}",
    HEAD + "outputs: {save_decomp_csv: true, decomp_top_n: 3, save_fit_png: false, layout: flat, save_posterior: true}",
    HEAD + "outputs: {layout: stage_gated, save_model_rds: true, save_allocator_json: true}",
    HEAD + "fit: {method: mcmc, optimise: , mcmc: {init: random, thin: 2, control: {adapt_delta: 0.9}}}",
    HEAD + "fit: {mcmc: {parameterization: {positive_priors: noncentered}}}",
    HEAD + "diagnostics: {identifiability: {enabled: false}, enforce_publish_gate: true, gating: strict}",
    HEAD + "diagnostics: {model_selection: {max_draws: 100, top_n: 5, pareto_k_warn: 0.5, pareto_k_fail: 0.9}}",
    HEAD + "diagnostics: {time_series_selection: {enabled: false, n_folds: 3, save_png: false}}",
    HEAD
    + "allocation: {enabled: true, objective: {target: profit, value_per_kpi: 2, risk: {type: mean}}, "
    + PLAN
    + "}",
    HEAD + "allocation: {enabled: true, currency_scale: 2, reference_spend: 3, " + PLAN + "}",
    HEAD
    + "allocation: {scenario: max_response, level: population, hold_weak: false, scenarios: [{name: a, total: 5}]}",
    "data: {path: data.csv, format: csv, dictionary: {a: {unit: b}}}\n" + MODEL,
    "data: {path: data.csv, format: rds}\n" + MODEL,
    "data: {path: data.csv, format: parquet}\n" + MODEL,
    "data: {path: data.csv, format: long, date_var: d, long_id_col: a, long_variable_col: b, long_value_col: c}\n"
    + MODEL,
    "data: {path: data.csv, dictionary_path: dictionary.csv}\n" + MODEL,
    HEAD + "time_components: {enabled: true, holidays: {enabled: true, calendar_path: holidays.csv}}",
    HEAD + "outputs: {save_transform_assumptions_txt: true}",
    HEAD + "cre: {enabled: false}\npooling: {enabled: false}\nforecast: {enabled: false}",
]


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in MISSING.items() for text in texts])
def test_missing_features_say_so(load: Load, key: str, text: str) -> None:
    with pytest.raises(NotAvailableYetError) as caught:
        check_available(load(text))
    assert f"{key} is not available in this version yet" in str(caught.value)


@pytest.mark.parametrize("text", AVAILABLE)
def test_available_features_pass(load: Load, text: str) -> None:
    check_available(load(text))


def test_all_problems_come_in_one_error(load: Load) -> None:
    text = HEAD + "security: {allow_unsafe_formula: true}"
    with pytest.raises(NotAvailableYetError) as caught:
        check_available(load(text))
    found = str(caught.value)
    assert found.count("security.allow_unsafe_formula is not available") == 1
    assert "set it to false" in found


def test_every_gap_names_keys_of_the_schema() -> None:
    keys = list(schema_keys())
    for gap in GAPS:
        stem = gap.key.removesuffix("[]").removesuffix(".")
        assert stem in keys, gap.key
