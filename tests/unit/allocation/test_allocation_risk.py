"""Risk measures and the plans that are best by them, against closed forms and dense grids."""

from __future__ import annotations

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem, refined_grid
from hypothesis import given, settings
from hypothesis import strategies as st

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.risk import mean_minus_sd, quantile, rank_weights
from dsam_assets.design.response import Response
from dsam_assets.errors import AllocationError

CAUTIOUS = {"risk": "mean_minus_sd", "risk_lambda": 1.0}
PESSIMIST = {"risk": "quantile", "risk_quantile": 0.1}


@pytest.fixture
def draws():
    return np.random.default_rng(3).gamma(2.0, 1.5, size=(41, 6))


@pytest.mark.parametrize("level", [0.01, 0.1, 0.25, 0.5, 0.93])
def test_scores_are_those_of_numpy(draws, level):
    np.testing.assert_allclose(quantile(level).score(draws), np.quantile(draws, level, axis=0), rtol=1e-14)
    expected = draws.mean(axis=0) - level * draws.std(axis=0, ddof=1)
    np.testing.assert_allclose(mean_minus_sd(level).score(draws), expected, rtol=1e-13)


@pytest.mark.parametrize("risk", [mean_minus_sd(0.7), quantile(0.3), quantile(0.3, 0.2)], ids=lambda risk: risk.words)
def test_weights_are_the_slope_of_the_score(draws, risk):
    outcome = draws[:, 0]
    steps = 1e-6 * np.eye(len(outcome))
    slope = [(risk.score(outcome + step) - risk.score(outcome - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(risk.weights(outcome), slope, atol=1e-7)
    assert risk.weights(outcome).sum() == pytest.approx(1.0, rel=1e-12)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_the_narrowest_triangle_is_the_quantile(count, level):
    values = np.random.default_rng(count).normal(size=count)
    smoothed = np.sort(values) @ rank_weights(count, level, 1e-9)
    assert smoothed == pytest.approx(np.quantile(values, level), rel=1e-9, abs=1e-12)


def test_no_weight_on_the_spread_is_the_mean():
    plain = random_problem(1, 4, ["atan", "hill"])
    indifferent = random_problem(1, 4, ["atan", "hill"], risk="mean_minus_sd", risk_lambda=0.0)
    np.testing.assert_array_equal(allocate(indifferent).best_spend, allocate(plain).best_spend)
    assert allocate(indifferent).method == "water_filling"


def markowitz(draws, weight, total):
    """argmax of mean − weight·sd of draws @ s with Σs = total, all s inside: a quadratic in the price of budget."""
    mean, inverse = draws.mean(axis=0), np.linalg.inv(np.cov(draws.T, ddof=1))
    one = np.ones(len(mean))
    a, b, c = one @ inverse @ one, one @ inverse @ mean, mean @ inverse @ mean
    price = (b - np.sqrt(b**2 - a * (c - weight**2))) / a
    direction = inverse @ (mean - price * one)
    return total * direction / direction.sum()


def test_proportional_channels_give_the_mean_variance_portfolio():
    rng = np.random.default_rng(4)
    draws = np.array([1.0, 1.1, 0.9, 1.05]) + rng.normal(size=(400, 4)) * [0.3, 0.5, 0.25, 0.4]
    best = markowitz(draws, 1.5, 80.0)
    assert best.min() > 1.0
    plan = allocate(
        make_problem([Response()] * 4, draws, 80.0, reference=[0.0] * 4, risk="mean_minus_sd", risk_lambda=1.5)
    )
    np.testing.assert_allclose(plan.best_spend, best, rtol=1e-6)
    assert plan.certificate.kkt_gap_share < 1e-9
    assert plan.certificate.optimality_gap_share < 1e-9


@pytest.mark.parametrize(
    ("kinds", "options"),
    [
        (["atan", "log1p"], {}),
        (["atan", "log1p"], {"upper": [70.0, 30.0, 200.0], "lower": [0.0, 10.0, 60.0]}),
        (["hill"], {"n": 2.5}),
        (["atan", "log1p"], {"response_scale": "log", "effect": 0.1, "kpi_baseline": 100.0}),
        (["log1p"], {"target": "profit", "value_per_kpi": 90.0, "rates": [1.0, 0.5, 1.5]}),
    ],
    ids=["concave", "binding bounds", "s-shaped", "log response", "profit"],
)
@pytest.mark.parametrize(
    ("risk", "tolerance"), [(CAUTIOUS, 1e-6), (PESSIMIST, 1e-3)], ids=["mean_minus_sd", "quantile"]
)
def test_the_dense_grid_has_no_better_plan(kinds, options, risk, tolerance):
    problem = random_problem(2, 3, kinds, draws=200, n_candidates=200, **options, **risk)
    best = refined_grid(problem)
    plan = allocate(problem)
    assert plan.score >= best - tolerance * abs(best)
    assert plan.score >= plan.candidate_scores.max()


def test_concave_cautious_plans_come_with_a_proof_and_s_shaped_ones_with_a_bound():
    concave = allocate(random_problem(2, 5, ["atan", "log1p", "hill"], draws=200, **CAUTIOUS)).certificate
    assert concave.concave
    assert concave.optimality_gap_share < 1e-9
    shaped = allocate(random_problem(1, 3, ["hill"], n=2.5, draws=200, **CAUTIOUS))
    assert not shaped.certificate.concave
    assert shaped.certificate.optimality_gap >= refined_grid(shaped.problem) - shaped.score


def test_draws_that_move_together_have_the_mean_plan_at_any_quantile():
    # One factor times every effect: every quantile is that of the factor times the same concave sum.
    effect, scale = np.array([3.0, 5.0, 2.0]), np.array([40.0, 25.0, 30.0])
    draws = np.random.default_rng(1).gamma(4.0, 0.25, size=(300, 1)) * effect
    responses = [Response("log1p", scale=k) for k in scale]
    plan = allocate(make_problem(responses, draws, 300.0, reference=[0.0] * 3, **PESSIMIST))
    best = effect / effect.sum() * (300.0 + scale.sum()) - scale
    optimum = np.quantile(draws @ np.log1p(best / scale), 0.1)
    assert plan.score == pytest.approx(optimum, rel=1e-6)
    assert plan.score <= optimum * (1 + 1e-12)


def test_a_reference_that_no_cautious_plan_beats_is_kept_and_passes():
    # Any move gains a little on average and risks much: at the reference the spread is zero, which no plan can beat.
    draws = 1.0 + np.random.default_rng(2).normal(size=(200, 3)) + [0.0, 0.02, -0.02]
    problem = make_problem(
        [Response("log1p", scale=30.0)] * 3, draws, 90.0, reference=[30.0] * 3, risk="mean_minus_sd", risk_lambda=2.0
    )
    plan = allocate(problem)
    assert plan.method == "reference"
    assert plan.certificate.kkt_gap == 0.0
    assert refined_grid(problem) <= 1e-12


@pytest.mark.parametrize("risk", [CAUTIOUS, PESSIMIST], ids=["mean_minus_sd", "quantile"])
def test_a_point_estimate_has_no_risk_to_weigh(risk):
    with pytest.raises(AllocationError, match="no spread of draws"):
        make_problem([Response()] * 2, [1.0, 2.0], 10.0, **risk)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"risk": "mean_minus_sd", "risk_lambda": -1.0}, "weight of the standard deviation"),
        ({"risk": "quantile", "risk_quantile": 1.0}, "level of the quantile"),
        ({"risk": "median"}, "risk measure is not available"),
    ],
)
def test_impossible_risks_are_refused(options, message):
    with pytest.raises(AllocationError, match=message):
        make_problem([Response()] * 2, np.ones((3, 2)), 10.0, **options)


def test_a_quantile_is_never_worse_than_the_mean_plan():
    problem = random_problem(5, 4, ["atan", "hill"], draws=80, n_candidates=100, **PESSIMIST)
    mean_plan = allocate(random_problem(5, 4, ["atan", "hill"], draws=80, n_candidates=100)).best_spend
    assert allocate(problem).score > Objective(problem).score(mean_plan)
