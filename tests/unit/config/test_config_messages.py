"""What an analyst reads when a config is wrong: key, line, rule, value, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dsam_assets.config.load import LoadedConfig
from dsam_assets.config.problems import MOST_SHOWN
from dsam_assets.errors import ConfigError

Load = Callable[..., LoadedConfig]

HEAD = "data: {path: data.csv}\nmodel: {formula: kpi ~ trend}\n"


def message(load: Load, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text)
    found = str(caught.value)
    assert "pydantic" not in found
    assert "http" not in found
    assert "Traceback" not in found
    return found


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("modle: {}", "did you mean model?"),
        ("Fit: {}", "did you mean fit?"),
        ("fit: {mcmc: {chain: 4}}", "did you mean fit.mcmc.chains?"),
        ("fit: {mcmc: {control: {adaptdelta: 0.9}}}", "did you mean fit.mcmc.control.adapt_delta?"),
        ("fit: {mcmc: {control: {adapt-delta: 0.9}}}", "did you mean fit.mcmc.control.adapt_delta?"),
        ("fit: {iter: 4}", "`iter` belongs to `fit.optimise` or `fit.mcmc`"),
        ("fit: {mcmc: {adapt_delta: 0.9}}", "`adapt_delta` belongs to `fit.mcmc.control`"),
        ("fit: {mcmc: {Max-Treedepth: 9}}", "`max_treedepth` belongs to `fit.mcmc.control`"),
        (
            "diagnostics: {method: x}",
            "`method` belongs to `diagnostics.model_selection` or `diagnostics.time_series_selection`",
        ),
        ("policy_mode: strict", "`policy_mode` belongs to `diagnostics`"),
        ("outputs: {formula_safety: true}", "valid keys of `outputs`: root_dir, run_dir"),
        ("allocation: {channels: [{trem: a}]}", "did you mean allocation.channels[0].term?"),
        (
            "allocation: {channels: [{term: a, bounds: {maximum: 3}}]}",
            "did you mean allocation.channels[0].bounds.max?",
        ),
        (
            "allocation: {channels: [{term: a, bounds: {ceil: 3}}]}",
            "valid keys of `allocation.channels[].bounds`: min, max",
        ),
        ("allocation: {channels: [{term: a, respones: {}}]}", "did you mean allocation.channels[0].response?"),
        ("priors: {overrides: [{parameter: a, mean: 1, std: 1}]}", "did you mean priors.overrides[0].sd?"),
        ("data: {path: data.csv, dictionary: {m_tv: {units: GBP}}}", "did you mean data.dictionary.m_tv.unit?"),
    ],
)
def test_unknown_keys_get_the_nearest_valid_one(load: Load, text: str, suggestion: str) -> None:
    head = "model: {formula: kpi ~ trend}\n" if text.startswith("data") else HEAD
    found = message(load, head + text)
    assert suggestion in found
    assert "is not a key of the config" in found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("fit: {mcmc: {chains: '4'}}", ["fit.mcmc.chains must be a whole number", '"4"', "without quotes", ": 4"]),
        ("fit: {mcmc: {chains: 4.0}}", ["must be a whole number", "4.0", "write 4"]),
        ("fit: {mcmc: {iter: 2_000}}", ["must be a whole number", '"2_000"', "separators: 2000"]),
        ("fit: {mcmc: {chains: true}}", ["must be a whole number", "true"]),
        ("fit: {mcmc: {chains: 0}}", ["fit.mcmc.chains must be at least 1", "0"]),
        ("fit: {mcmc: {chains: }}", ["must be a whole number", "delete the line to use the default"]),
        ("fit: {mcmc: {control: {adapt_delta: 1}}}", ["must be less than 1", "1"]),
        ("fit: 3", ["fit must be a section with keys method, seed, optimise, mcmc", "3"]),
        ("fit: {method: mcmcm}", ["must be mcmc or optimise", "did you mean mcmc?"]),
        ("diagnostics: {enforce_publish_gate: yes}", ["must be true or false", '"yes"', "write true"]),
        ("diagnostics: {enforce_publish_gate: 'False'}", ["must be true or false", "write false"]),
        ("diagnostics: {policy_mode: Publish}", ["must be explore, publish or strict", "did you mean publish?"]),
        ("outputs: {root_dir: 3}", ["must be text", "quotes"]),
        ("priors: {overrides: [{parameter: a, mean: .Inf, sd: 1}]}", ["[0].mean must be finite", ".Inf"]),
        ("priors: {overrides: [{parameter: a, mean: -Inf, sd: 1}]}", ["[0].mean must be finite", "-Inf"]),
        ("priors: {overrides: [{parameter: a, sd: 1}]}", ["priors.overrides[0].mean is required"]),
        ("priors: {overrides: {a: 1}}", ["priors.overrides must be a list", "a section with 1 key"]),
        ("priors: {use_defaults: false}", ["priors.use_defaults must be true", "false"]),
        ("diagnostics: {waivers: [{check: loo_pareto_k, who: b, why: c, expires: soon}]}", ["YYYY-MM-DD", '"soon"']),
        (
            "diagnostics: {waivers: [{check: loo_paretok, who: b, why: c, expires: 2030-01-01}]}",
            ["diagnostics.waivers[0].check is not a check", "loo_paretok", "did you mean loo_pareto_k?"],
        ),
        (
            "diagnostics: {waivers: [{check: everything, who: b, why: c, expires: 2030-01-01}]}",
            ["is not a check", "write one of pre_response_finite", "sampler_rhat_max"],
        ),
        (
            "diagnostics: {waivers: [{check_id: a, who: b, why: c, expires: 2030-01-01}]}",
            ["diagnostics.waivers[0].check_id is not a key", "did you mean diagnostics.waivers[0].check?"],
        ),
        (
            "diagnostics: {waivers: [{check: loo_pareto_k, who: ' ', why: '', expires: 2030-01-01}]}",
            ["diagnostics.waivers[0].who must not be empty", "diagnostics.waivers[0].why must not be empty"],
        ),
        ("diagnostics: {waivers: [{check: loo_pareto_k, who: b, why: c}]}", ["waivers[0].expires is required"]),
        ("allocation: {reference_spend: [1, -2]}", ["must be a spend of at least 0"]),
        ("outputs: {save_model: true, save_model_rds: false}", ["save_model_rds and save_model", "one switch"]),
    ],
)
def test_wrong_values_are_explained(load: Load, text: str, parts: list[str]) -> None:
    found = message(load, HEAD + text)
    assert [part for part in parts if part not in found] == []
    assert "line 3" in found


def test_missing_essentials(load: Load) -> None:
    assert "model is required" in message(load, "data: {path: data.csv}")
    found = message(load, "data: {}\nmodel: {name: x}")
    assert "data.path is required" in found
    assert "model.formula is required" in found
    assert "write csv, long, parquet or rds" in message(load, "data: {path: data.txt}\nmodel: {formula: y ~ x}")


def test_several_problems_come_together_in_the_order_of_the_file(load: Load) -> None:
    found = message(load, "diagnostics: {gate: x}\n" + HEAD + "forecast: {horizon: 0}\nfit: {mcmc: {chains: 0}}\n")
    lines = found.splitlines()
    assert lines[0].startswith("3 problems in ")
    assert lines[0].endswith("uk.yaml:")
    assert [line.split()[:3] for line in lines[1:] if line.strip().startswith("line")] == [
        ["line", "1", "diagnostics.gate"],
        ["line", "4", "forecast.horizon"],
        ["line", "5", "fit.mcmc.chains"],
    ]


def test_rules_between_keys_come_together_with_missing_files(load: Load) -> None:
    text = "data: {path: dta.csv}\nmodel: {formula: kpi ~ trend, type: re}\nfit: {mcmc: {warmup: 5000}}\n"
    found = message(load, text)
    assert found.startswith("3 problems")
    assert "line 1  data.path" in found
    assert "data.csv?" in found
    assert "line 2  model.type" in found
    assert "line 3  fit.mcmc.warmup" in found


def test_one_problem_fills_the_fields_of_the_error(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(HEAD + "fit: {mcmc: {chains: 0}}")
    error = caught.value
    assert error.what == "fit.mcmc.chains must be at least 1"
    assert error.where is not None
    assert error.where.endswith("uk.yaml, line 3")
    assert error.got == "0"


def test_thousands_of_problems_are_counted_not_listed(load: Load) -> None:
    keys = "\n".join(f"  unknown_key_{number}: 1" for number in range(5000))
    found = message(load, HEAD + "fit:\n" + keys)
    assert found.startswith("5000 problems")
    assert f"… and {5000 - MOST_SHOWN} more" in found
    assert len(found.splitlines()) < 3 * MOST_SHOWN


def test_long_values_and_keys_are_shortened(load: Load) -> None:
    assert len(message(load, HEAD + "fit: {method: " + "x" * 5000 + "}")) < 500
    assert len(message(load, HEAD + "fit: {? " + "x" * 50_000 + " : 1}")) < 1500
