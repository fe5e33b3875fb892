"""Every rule between keys, on both sides."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

Broken = Callable[[dict[str, Any]], list[str]]

LONG = {
    "data.format": "long",
    "data.date_var": "date",
    "data.long_id_col": "id",
    "data.long_variable_col": "variable",
    "data.long_value_col": "value",
}
BARS = {"model.formula": "y ~ x + (1 | g)"}
CRE = {**BARS, "cre.enabled": True, "cre.vars": ["x"]}
POOLED = {"pooling.enabled": True, "pooling.grouping_vars": ["b"], "pooling.map_path": "map.csv"}
SENSITIVITY = {
    "fit.method": "optimise",
    "transforms.sensitivity.enabled": True,
    "transforms.sensitivity.scenarios": [{"name": "a", "formula": "y ~ z"}],
}
HOLIDAYS = {
    "data.date_var": "date",
    "time_components.enabled": True,
    "time_components.holidays.enabled": True,
    "time_components.holidays.calendar_path": "holidays.csv",
}
LOO = "diagnostics.model_selection"
IDENT = "diagnostics.identifiability"
TSCV = "diagnostics.time_series_selection"


def prior(**row: Any) -> dict[str, Any]:
    return {"priors.overrides": [{"parameter": "a", "mean": 1, "sd": 1, **row}]}


def bounds(**row: Any) -> dict[str, Any]:
    return {"boundaries.overrides": [{"parameter": "a", **row}]}


def waive(*rows: dict[str, Any]) -> dict[str, Any]:
    first = {"check": "loo_pareto_k", "who": "b", "why": "c", "expires": "2030-01-01"}
    return {"diagnostics.waivers": [{**first, **row} for row in rows]}


def channel(term: str = "a", low: float = 0, high: float = 10, **more: Any) -> dict[str, Any]:
    return {"term": term, "bounds": {"min": low, "max": high}, **more}


def budget(total: float | None = 10, channels: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    rows = [channel("a"), channel("b")] if channels is None else channels
    changes = {"allocation.enabled": True, "allocation.budget.total": total, "allocation.channels": rows}
    return changes | {f"allocation.{key}": value for key, value in more.items()}


VALID: list[dict[str, Any]] = [
    {},
    {"model.formula": "log(y) ~ 1"},
    LONG,
    BARS,
    {**BARS, "model.type": "re"},
    {"model.type": "blm", "model.formula": "y ~ `a|b`"},
    CRE,
    POOLED,
    {**POOLED, "model.type": "pooled", "fit.method": "optimise"},
    {**POOLED, "data.date_var": "d", f"{TSCV}.enabled": True},
    SENSITIVITY,
    {"transforms.sensitivity.scenarios": [{"name": "a", "formula": "y ~ z"}]},
    HOLIDAYS,
    {"time_components.holidays.enabled": True},
    {"time_components.enabled": True},
    prior(),
    prior(parameter="noise_sd", family="lognormal_ms"),
    prior(parameter="sd_1[(Intercept)]", family="lognormal_ms"),
    bounds(lower=0),
    bounds(lower=-1, upper=1),
    {"fit.mcmc.iter": 1001},
    {"fit.mcmc.thin": 1000},
    {"fit.mcmc.control.adapt_window": 30},
    {"fit.mcmc.warmup": 150, "fit.mcmc.control.adapt_window": 25, "fit.mcmc.thin": 2},
    {"fit.mcmc.warmup": 20},
    {f"{LOO}.pareto_k_fail": 0.71},
    {f"{LOO}.pareto_k_fail": 1},
    {f"{LOO}.pareto_k_warn": math.inf},
    {f"{IDENT}.abs_corr_fail": math.inf},
    {f"{IDENT}.abs_corr_fail": 1, f"{IDENT}.abs_corr_warn": 0},
    {"data.date_var": "d", f"{TSCV}.enabled": True},
    waive({}, {"subject": "m_tv"}, {"subject": "m_search"}, {"check": "sampler_rhat_max"}),
    budget(),
    budget(20),
    budget(0.3, [channel("a", 0.1), channel("b", 0.2)]),
    budget(0.8, [channel("a", 0, 0.7), channel("b", 0, 0.1)]),
    budget(None, scenario="target_efficiency", target_value=2),
    budget(1000, scenario="target_efficiency", target_value=2),
    budget(reference_spend=[1, 2]),
    budget(reference_spend={"a": 1, "b": 2}),
    budget(5, [channel()], reference_spend=3),
    budget(**{"objective.target": "profit", "objective.value_per_kpi": 3}),
    budget(5, [channel(response={"type": "atan", "scale": 2})]),
    budget(5, [channel(response={"type": "log1p", "scale": 2})]),
    budget(5, [channel(response={"type": "hill", "k": 2, "n": 1})]),
    {"allocation.channels": [{"term": "a"}]},
    {"allocation.scenario": "target_efficiency"},
    {"allocation.objective.target": "profit"},
]

INVALID: list[tuple[dict[str, Any], list[str]]] = [
    ({"model.formula": "y + x"}, ["model.formula"]),
    ({"model.formula": "~ x"}, ["model.formula"]),
    ({"model.formula": "y ~"}, ["model.formula"]),
    ({"model.formula": "`a ~ b`"}, ["model.formula"]),
    (LONG | {"data.date_var": None}, ["data.date_var"]),
    (LONG | {"data.long_id_col": None}, ["data.long_id_col"]),
    (LONG | {"data.long_variable_col": None}, ["data.long_variable_col"]),
    (LONG | {"data.long_value_col": None}, ["data.long_value_col"]),
    (LONG | {"data.long_value_col": "id"}, ["data.long_value_col"]),
    (LONG | {"data.long_id_col": "date"}, ["data.long_id_col"]),
    ({"model.type": "re"}, ["model.type"]),
    ({"model.type": "cre", "cre.vars": ["x"]}, ["model.type"]),
    ({**BARS, "model.type": "blm"}, ["model.type"]),
    ({**BARS, **POOLED, "model.type": "pooled"}, ["model.type"]),
    ({"model.type": "blm", "cre.enabled": True, "cre.vars": ["x"]}, ["cre.enabled"]),
    ({**POOLED, "cre.enabled": True, "cre.vars": ["x"]}, ["cre.enabled"]),
    ({**BARS, "model.type": "cre", "cre.enabled": False}, ["cre.enabled"]),
    (CRE | {"cre.vars": []}, ["cre.vars"]),
    (CRE | {"cre.vars": ["x", "x"]}, ["cre.vars[1]"]),
    ({**BARS, **POOLED, "model.type": "re"}, ["pooling.enabled"]),
    ({"model.type": "pooled", "pooling.enabled": False}, ["pooling.enabled"]),
    (POOLED | {"pooling.grouping_vars": []}, ["pooling.grouping_vars"]),
    (POOLED | {"pooling.map_path": None}, ["pooling.map_path"]),
    (POOLED | {"pooling.map_path": "map.txt"}, ["pooling.map_format"]),
    (SENSITIVITY | {"fit.method": "mcmc"}, ["transforms.sensitivity.enabled"]),
    (SENSITIVITY | {"transforms.sensitivity.scenarios": []}, ["transforms.sensitivity.scenarios"]),
    (
        {"transforms.sensitivity.scenarios": [{"name": "base", "formula": "y ~ z"}]},
        ["transforms.sensitivity.scenarios[0].name"],
    ),
    (
        {"transforms.sensitivity.scenarios": [{"name": "a", "formula": "y ~ z"}, {"name": "a", "formula": "y"}]},
        ["transforms.sensitivity.scenarios[1].formula", "transforms.sensitivity.scenarios[1].name"],
    ),
    (HOLIDAYS | {"time_components.holidays.calendar_path": None}, ["time_components.holidays.calendar_path"]),
    (HOLIDAYS | {"data.date_var": None}, ["data.date_var"]),
    (prior(family="lognormal_ms"), ["priors.overrides[0].family"]),
    (prior(parameter="sd_1", family="lognormal_ms"), ["priors.overrides[0].family"]),
    (prior(parameter="noise_sd", family="lognormal_ms", mean=0), ["priors.overrides[0].mean"]),
    (
        {"priors.overrides": [{"parameter": "a", "mean": 1, "sd": 1}] * 2},
        ["priors.overrides[1].parameter"],
    ),
    (bounds(lower=2, upper=1), ["boundaries.overrides[0].lower"]),
    (bounds(lower=1, upper=1), ["boundaries.overrides[0].upper"]),
    ({"boundaries.overrides": [{"parameter": "a"}] * 2}, ["boundaries.overrides[1].parameter"]),
    ({"fit.mcmc.iter": 1000}, ["fit.mcmc.warmup"]),
    ({"fit.mcmc.warmup": 3000}, ["fit.mcmc.warmup"]),
    ({"fit.mcmc.thin": 3}, ["fit.mcmc.thin"]),
    ({"fit.mcmc.thin": 2000}, ["fit.mcmc.thin"]),
    ({"fit.mcmc.warmup": 149, "fit.mcmc.control.adapt_window": 25, "fit.mcmc.iter": 999}, ["fit.mcmc.control"]),
    ({f"{LOO}.pareto_k_warn": 1.1, f"{LOO}.pareto_k_fail": math.inf}, [f"{LOO}.pareto_k_warn"]),
    ({f"{LOO}.pareto_k_warn": -0.1}, [f"{LOO}.pareto_k_warn"]),
    ({f"{LOO}.pareto_k_fail": 1.5}, [f"{LOO}.pareto_k_fail"]),
    ({f"{LOO}.pareto_k_fail": 0.7}, [f"{LOO}.pareto_k_fail"]),
    ({f"{LOO}.pareto_k_warn": math.inf, f"{LOO}.pareto_k_fail": 0.9}, [f"{LOO}.pareto_k_fail"]),
    ({f"{IDENT}.abs_corr_fail": 0.8}, [f"{IDENT}.abs_corr_fail"]),
    ({f"{IDENT}.abs_corr_fail": 1.01}, [f"{IDENT}.abs_corr_fail"]),
    ({f"{IDENT}.baseline_regex": ["("]}, [f"{IDENT}.baseline_regex[0]"]),
    ({f"{IDENT}.media_terms": ["a"], f"{IDENT}.baseline_terms": ["a"]}, [f"{IDENT}.media_terms"]),
    ({f"{TSCV}.enabled": True}, ["data.date_var"]),
    ({f"{TSCV}.enabled": True, "data.date_var": "d", "fit.method": "optimise"}, [f"{TSCV}.enabled"]),
    (budget(None), ["allocation.budget.total"]),
    (budget(channels=[]), ["allocation.channels"]),
    (budget(20.001), ["allocation.budget.total"]),
    (budget(9, [channel("a", 5), channel("b", 5)]), ["allocation.budget.total"]),
    (budget(9, [channel("a", 10)], scenario="target_efficiency", target_value=1), ["allocation.budget.total"]),
    (budget(scenario="target_efficiency"), ["allocation.target_value"]),
    (budget(channels=[channel(), channel(name="z")]), ["allocation.channels[1].term"]),
    (budget(channels=[channel(), channel("b", name="a")]), ["allocation.channels[1].name"]),
    (budget(5, [{"term": "a"}]), ["allocation.channels[0].bounds.max"]),
    ({"allocation.channels": [channel("a", 5, 4)]}, ["allocation.channels[0].bounds.max"]),
    (budget(reference_spend=5), ["allocation.reference_spend"]),
    (budget(reference_spend=[1, 2, 3]), ["allocation.reference_spend"]),
    (budget(reference_spend={"a": 1}), ["allocation.reference_spend"]),
    (budget(reference_spend={"a": 1, "b": 1, "c": 1}), ["allocation.reference_spend"]),
    (budget(**{"objective.target": "profit"}), ["allocation.objective.value_per_kpi"]),
    (budget(5, [channel(response={"type": "atan"})]), ["allocation.channels[0].response.scale"]),
    (budget(5, [channel(response={"type": "log1p"})]), ["allocation.channels[0].response.scale"]),
    (budget(5, [channel(response={"type": "hill", "n": 1})]), ["allocation.channels[0].response.k"]),
    (budget(5, [channel(response={"type": "hill", "k": 1})]), ["allocation.channels[0].response.n"]),
    (budget(5, [channel(response={"scale": 1})]), ["allocation.channels[0].response.scale"]),
    (budget(scenarios=[{"name": "plan", "total": 1}]), ["allocation.scenarios[0].name"]),
    (budget(target_value=2), ["allocation.target_value"]),
    (budget(**{"objective.risk.lambda": 1}), ["allocation.objective.risk.lambda"]),
    (budget(**{"objective.risk.type": "quantile", "objective.risk.lambda": 1}), ["allocation.objective.risk.lambda"]),
    (budget(**{"objective.risk.quantile": 0.2}), ["allocation.objective.risk.quantile"]),
    ({"allocation.scenarios": [{"name": "a", "total": 1}] * 2}, ["allocation.scenarios[1].name"]),
    (waive({}, {"who": "somebody else"}), ["diagnostics.waivers[1].check"]),
    (waive({}, {"subject": "m_tv"}, {"subject": " m_tv "}), ["diagnostics.waivers[2].check"]),
    (waive({}, {"check": "loo_pareto"}), ["diagnostics.waivers[1].check"]),
]


@pytest.mark.parametrize("changes", VALID)
def test_kept_rules(broken: Broken, changes: dict[str, Any]) -> None:
    assert broken(changes) == []


@pytest.mark.parametrize(("changes", "keys"), INVALID)
def test_broken_rules(broken: Broken, changes: dict[str, Any], keys: list[str]) -> None:
    assert broken(changes) == keys
