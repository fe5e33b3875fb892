"""Refusals, and problems built from a config section."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from allocation_cases import make_problem

from dsam_assets.allocation.from_config import problem_from_config
from dsam_assets.design.response import Response
from dsam_assets.errors import AllocationError

TWO = [Response(), Response()]


def refusal(**options):
    with pytest.raises(AllocationError) as caught:
        make_problem(TWO, options.pop("draws", [1.0, 1.0]), options.pop("total", 100.0), **options)
    return caught.value


def test_minima_above_the_budget():
    error = refusal(lower=[70.0, 50.0])
    assert error.where == "allocation.channels[].bounds.min"
    assert "120" in error.got
    assert "20 too much" in error.got


def test_maxima_below_the_budget():
    error = refusal(upper=[30.0, 50.0])
    assert error.where == "allocation.channels[].bounds.max"
    assert "80" in error.got
    assert "20 is left over" in error.got


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"total": 0.0}, "budget.total"),
        ({"total": np.nan}, "budget.total"),
        ({"lower": [-1.0, 0.0]}, "bounds.min"),
        ({"lower": [5.0, 0.0], "upper": [4.0, 200.0]}, "bounds"),
        ({"upper": [np.nan, 200.0]}, "bounds"),
        ({"reference": [np.nan, 1.0]}, "reference_spend"),
        ({"rates": [np.inf, 1.0]}, "currency_col"),
        ({"names": ["a", "a"]}, "channels[].name"),
        ({"draws": [1.0, np.nan]}, "m_1"),
        ({"draws": [1.0]}, "coefficients"),
        ({"target": "margin"}, "objective.target"),
        ({"risk": "worst_case"}, "risk.type"),
        ({"scenario": "min_cost"}, "allocation.scenario"),
        ({"target": "profit"}, "value_per_kpi"),
        ({"target": "profit", "value_per_kpi": -1.0}, "value_per_kpi"),
        ({"currency_scale": 0.0}, "currency_scale"),
        ({"response_scale": "log"}, "kpi_baseline"),
        ({"response_scale": "log", "kpi_baseline": 0.0}, "kpi_baseline"),
        (
            {"response_scale": "log", "allow_relative_log_uplift": True, "target": "profit", "value_per_kpi": 1.0},
            "kpi_baseline",
        ),
    ],
)  # fmt: skip
def test_ill_posed_problems_are_refused_by_place(options, where):
    assert refusal(**options).where.endswith(where)


def test_no_channels():
    with pytest.raises(AllocationError, match="no channels"):
        replace(make_problem(TWO, [1.0, 1.0], 10.0), channels=())


def test_reach_is_what_a_feasible_plan_can_hold():
    problem = make_problem(TWO, [1.0, 1.0], 100.0, lower=[10.0, 30.0], upper=[np.inf, 50.0])
    np.testing.assert_array_equal(problem.reach, [70.0, 50.0])


def test_reference_is_feasible_only_within_budget_and_bounds():
    assert make_problem(TWO, [1.0, 1.0], 100.0, reference=[40.0, 60.0]).reference_feasible
    assert not make_problem(TWO, [1.0, 1.0], 100.0, reference=[40.0, 61.0]).reference_feasible
    assert not make_problem(TWO, [1.0, 1.0], 100.0, reference=[40.0, 60.0], upper=[90.0, 50.0]).reference_feasible


def channel(term, **options):
    response = SimpleNamespace(
        **{"type": "identity", "scale": None, "k": None, "n": None, **options.pop("response", {})}
    )
    bounds = SimpleNamespace(min=options.pop("min", 0.0), max=options.pop("max", 500.0))
    keys = {"name": None, "spend_col": None, "currency_col": None, **options}
    return SimpleNamespace(term=term, bounds=bounds, response=response, **keys)


def section(*channels, **options):
    risk = SimpleNamespace(type="mean", lambda_=0.0, quantile=0.1)
    goal = {"target": "kpi_uplift", "value_per_kpi": None, "kpi_baseline": None, "allow_relative_log_uplift": False}
    keys = {
        "scenario": "max_response", "target_value": None, "n_candidates": 50, "seed": 4, "reference_spend": None,
        "currency_scale": None, "total": 100.0, "draws": 500, **options,
    }  # fmt: skip
    return SimpleNamespace(
        channels=channels,
        budget=SimpleNamespace(total=keys.pop("total")),
        posterior=SimpleNamespace(draws=keys.pop("draws")),
        objective=SimpleNamespace(risk=risk, **goal),
        **keys,
    )


TERMS = ("(Intercept)", "m_tv", "m_search")
COEFFICIENTS = np.arange(300.0).reshape(100, 3)
FRAME = pd.DataFrame(
    {"m_tv": [10.0, 30.0, 20.0], "search": [1, 2, 6], "search_eur": [3.0, 9.0, 24.0], "gap": [1.0, np.nan, 2.0]}
)
CHANNELS = (
    channel("m_search", name="search", response={"type": "hill", "k": 5.0, "n": 2.0}, currency_col="search_eur"),
    channel("m_tv", min=5.0, max=90.0),
)


def build(config, **options):
    return problem_from_config(
        config, terms=TERMS, coefficients=COEFFICIENTS, frame=FRAME, response_scale="identity", **options
    )


def test_config_becomes_a_problem():
    problem = build(section(*CHANNELS), kpi_type="subscriptions")
    search, tv = problem.channels
    assert (search.name, search.term, search.response) == ("search", "m_search", Response("hill", scale=5.0, n=2.0))
    assert (search.reference, search.observed_max, search.currency_rate) == (3.0, 6.0, 4.0)
    assert (tv.name, tv.lower, tv.upper, tv.reference, tv.currency_rate) == ("m_tv", 5.0, 90.0, 20.0, 1.0)
    np.testing.assert_array_equal(problem.coefficients, COEFFICIENTS[:, [2, 1]])
    assert (problem.total, problem.seed, problem.n_candidates, problem.kpi_type) == (100.0, 4, 50, "subscriptions")


@pytest.mark.parametrize("given", [[7.0, 8.0], (7, 8), {"m_tv": 8.0, "search": 7.0}])
def test_reference_spend_can_be_given(given):
    np.testing.assert_array_equal(build(section(*CHANNELS, reference_spend=given)).reference, [7.0, 8.0])


def test_one_reference_number_serves_every_channel():
    np.testing.assert_array_equal(build(section(*CHANNELS, reference_spend=6)).reference, [6.0, 6.0])


def test_thinning_is_seeded_without_replacement():
    first, again = (build(section(*CHANNELS, draws=20)).coefficients for _ in range(2))
    other = build(section(*CHANNELS, draws=20, seed=5)).coefficients
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first[:, 0])) == 20
    assert set(first[:, 0]) <= set(COEFFICIENTS[:, 2])


def test_no_seed_and_no_thinning_is_deterministic():
    problem = build(section(*CHANNELS, seed=None, draws=None))
    assert problem.seed == 0
    assert len(problem.coefficients) == 100


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (section(channel("m_radio")), "m_tv, m_search"),
        (section(channel("m_search")), "m_tv, search, search_eur"),
        (section(channel("m_tv", spend_col="gap")), "1 of 3 rows"),
        (section(channel("m_tv", currency_col="eur")), "column `eur`"),
        (section(channel("m_tv"), total=None), "budget.total"),
        (section(channel("m_tv"), reference_spend=[1.0, 2.0]), "2 numbers"),
        (section(channel("m_tv"), reference_spend={"tv": 1.0}), "one entry per channel: m_tv"),
        (section(channel("m_tv", response={"type": "log1p"})), "response.scale"),
        (section(channel("m_tv", response={"type": "hill", "k": 2.0})), "response.n"),
    ],
)
def test_config_mistakes_say_what_to_look_at(config, words):
    with pytest.raises(AllocationError) as caught:
        build(config)
    assert words in str(caught.value)


def test_a_given_reference_makes_the_spend_column_optional():
    problem = build(section(channel("m_search"), reference_spend=[3.0]))
    assert problem.reference[0] == 3.0
    assert np.isnan(problem.observed_max[0])
