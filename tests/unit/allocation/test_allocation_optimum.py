"""Plans against optima found by other means, and the documented random search against both."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from test_allocation_properties import problems, rescaled

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.solve import solve
from dsam_assets.design.response import Response

QUICK = settings(deadline=None, derandomize=True)


def kkt_plan(weights, scales, lower, upper, total):
    """Best Σ w·log(1 + s/k) within bounds: every channel answers a price, bisected until the budget is met."""
    low, high = 0.0, float(np.max(weights / scales))
    for _ in range(200):
        price = 0.5 * (low + high)
        spend = np.clip(weights / price - scales, lower, upper)
        low, high = (price, high) if spend.sum() > total else (low, price)
    return spend


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [3, 5, 40])
def test_concave_problems_with_binding_bounds_reach_the_kkt_plan(seed, count):
    rng = np.random.default_rng(seed)
    weights, scales = rng.gamma(2.0, 1.0, count), rng.uniform(5.0, 80.0, count)
    lower, upper = rng.uniform(0.0, 15.0, count), rng.uniform(25.0, 60.0, count)
    total = float(lower.sum() + rng.uniform(0.2, 0.8) * (upper - lower).sum())
    best = kkt_plan(weights, scales, lower, upper, total)
    bound = (best <= lower + 1e-9) | (best >= upper - 1e-9)
    assert bound.any()
    responses = [Response("log1p", scale=k) for k in scales]
    plan = allocate(
        make_problem(responses, weights, total, lower=lower.tolist(), upper=upper.tolist(), n_candidates=50)
    )
    value = float(weights @ np.log1p(plan.best_spend / scales))
    assert value == pytest.approx(float(weights @ np.log1p(best / scales)), rel=1e-9)
    np.testing.assert_allclose(plan.best_spend, best, atol=1e-6)
    assert plan.certificate.optimality_gap_share <= 1e-9


def documented_search(problem, count=2000, seed=123):
    """The specification's search: minima, then the rest by exponential weights until channels are full."""
    rng = np.random.default_rng(seed)
    reach = np.minimum(problem.upper, problem.total)
    best = -np.inf
    for _ in range(count):
        spend, left = problem.lower.copy(), problem.total - problem.lower.sum()
        weights = rng.exponential(size=len(spend))
        while left > 1e-9 * problem.total:
            still = weights * (spend < reach)
            more = np.minimum(left * still / still.sum(), reach - spend)
            spend, left = spend + more, left - more.sum()
        best = max(best, float(problem.coefficients.mean(axis=0) @ problem.bank.value(spend)))
    return best - float(problem.coefficients.mean(axis=0) @ problem.bank.value(problem.reference))


@pytest.mark.parametrize(
    ("kinds", "n"), [(["atan", "log1p", "hill"], 1.0), pytest.param(["hill"], 2.5, marks=pytest.mark.slow)]
)
def test_the_documented_search_falls_short_of_the_plan(kinds, n):
    shortfalls = []
    for seed in range(5):
        problem = random_problem(seed, 5, kinds, n=n, n_candidates=50)
        plan = allocate(problem)
        shortfalls.append((plan.score - documented_search(problem)) / abs(plan.score))
    assert min(shortfalls) >= 0.0
    assert 0.02 <= np.median(shortfalls) <= 0.2


RISKS = {
    "mean_minus_sd": {"risk": "mean_minus_sd", "risk_lambda": 0.8},
    "quantile": {"risk": "quantile", "risk_quantile": 0.2},
}


@pytest.mark.parametrize("risk", RISKS)
@settings(QUICK, max_examples=3)
@given(problem=problems(signs=(1.0, -1.0)))
def test_risky_plans_are_feasible_and_never_worse_than_their_rivals(risk, problem):
    problem = replace(problem, **RISKS[risk])
    plan = allocate(problem)
    slack = 1e-9 * problem.total
    assert abs(plan.best_spend.sum() - problem.total) <= slack
    assert np.all(plan.best_spend >= problem.lower - slack)
    assert np.all(plan.best_spend <= problem.upper + slack)
    assert plan.score >= plan.candidate_scores.max() - 1e-9 * abs(plan.score)
    if problem.reference_feasible:
        assert plan.score >= 0.0


@pytest.mark.slow
@pytest.mark.parametrize("risk", RISKS)
@settings(QUICK, max_examples=2)
@given(problem=problems(), order=st.permutations(range(4)), power=st.integers(-4, 6))
def test_order_and_units_do_not_matter_to_risky_plans(risk, problem, order, power):
    problem, order = replace(problem, **RISKS[risk]), np.array(order)
    plan = solve(problem)
    np.testing.assert_array_equal(solve(problem.reordered(order)).spend, plan.spend[order])
    tolerance = 1e-6 if risk == "mean_minus_sd" else 1e-3
    assert solve(rescaled(problem, 10.0**power)).score == pytest.approx(plan.score, rel=tolerance, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, RISKS["mean_minus_sd"], {"response_scale": "log", "kpi_baseline": 100.0}])
def test_a_hundred_channels_take_seconds(options):
    options = {"effect": 0.02 if "response_scale" in options else 1.0, **options}
    problem = random_problem(1, 100, ["atan", "hill", "log1p"], draws=500, **options)
    began = time.perf_counter()
    plan = allocate(problem)
    # A laptop takes one or two; the guard is for a mistake in the order of magnitude.
    assert time.perf_counter() - began < 30.0
    assert plan.certificate.kkt_gap_share < 1e-6
