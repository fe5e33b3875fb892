"""Exact water-filling against closed forms, a separate KKT solver and dense grids."""

from __future__ import annotations

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem, simplex_grid
from scipy.optimize import brentq

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.objective import Objective
from dsam_assets.design.response import Response


def test_log1p_meets_the_closed_form():
    # max Σ b·log(1 + s/a): with every channel in play b/(a + s) = λ, so s = b/λ − a and λ = Σb / (B + Σa).
    effect, scale, total = np.array([3.0, 5.0, 2.0, 4.0]), np.array([40.0, 25.0, 30.0, 60.0]), 500.0
    plan = allocate(make_problem([Response("log1p", scale=a) for a in scale], effect, total))
    price = effect.sum() / (total + scale.sum())
    np.testing.assert_allclose(plan.best_spend, effect / price - scale, rtol=1e-12)
    assert plan.method == "water_filling"
    assert plan.certificate.shadow_price == pytest.approx(price, rel=1e-12)


SLOPES = {
    "atan": lambda s, a, n: a / (a * a + s * s),
    "log1p": lambda s, a, n: 1.0 / (a + s),
    "hill": lambda s, a, n: n * a**n * s ** (n - 1.0) / (s**n + a**n) ** 2,
}


def kkt_by_brentq(problem, weights, costs):
    """Nested root finding: spend by price per channel, then the price by the budget."""
    upper = np.minimum(problem.upper, problem.total)

    def spend_at(price, c):
        response = problem.channels[c].response

        def excess(s):
            return weights[c] * SLOPES[response.kind](s, response.scale, response.n) - costs[c] - price

        low, high = max(problem.lower[c], 1e-12), upper[c]
        if excess(low) <= 0.0:
            return problem.lower[c]
        return high if excess(high) >= 0.0 else brentq(excess, low, high, xtol=1e-13, rtol=1e-14)

    def left_over(price):
        return sum(spend_at(price, c) for c in range(len(weights))) - problem.total

    price = brentq(left_over, -50.0, 50.0, xtol=1e-15, rtol=1e-14)
    return np.array([spend_at(price, c) for c in range(len(weights))])


@pytest.mark.parametrize("n", [1.0, 0.6])
@pytest.mark.parametrize("target", ["kpi_uplift", "profit"])
def test_spend_solves_the_kkt_conditions(target, n):
    problem = random_problem(
        11, 5, ["atan", "log1p", "hill"], n=n, effect=40.0, target=target, value_per_kpi=2.5, currency_scale=1.5,
        lower=[10.0] * 5, upper=[60.0, 90.0, 120.0, 90.0, 200.0], rates=[1.0, 0.2, 3.0, 1.0, 0.7],
    )  # fmt: skip
    weights = problem.coefficients.mean(axis=0) * (2.5 if target == "profit" else 1.0)
    costs = problem.money_rates * (target == "profit")
    expected = kkt_by_brentq(problem, weights, costs)
    plan = allocate(problem)
    np.testing.assert_allclose(plan.best_spend, expected, rtol=1e-8, atol=1e-7)
    assert plan.certificate.kkt_gap_share < 1e-9
    assert plan.certificate.optimality_gap_share < 1e-9
    assert plan.certificate.concave


def test_three_channels_beat_every_plan_on_a_dense_grid():
    problem = random_problem(5, 3, ["atan", "log1p", "hill"], n=0.8)
    plans = simplex_grid(problem.total, 400, 3)
    best = Objective(problem).scores(plans).max()
    plan = allocate(problem)
    assert plan.score >= best
    assert plan.score == pytest.approx(best, rel=1e-4)


def test_proportional_channels_fill_in_order_of_their_return():
    problem = make_problem(
        [Response()] * 4, [1.0, 4.0, 2.0, 3.0], 100.0, lower=[5.0] * 4, upper=[60.0, 30.0, 60.0, 30.0]
    )
    np.testing.assert_allclose(allocate(problem).best_spend, [5.0, 30.0, 35.0, 30.0], atol=1e-12)


def test_tied_proportional_channels_keep_the_reference_split():
    # Channels 0, 2 and 3 tie at 2 (up to rounding); 1 is better and fills first. What is left, 80, splits 3 : 1 : 4.
    problem = make_problem(
        [Response()] * 4, [2.0, 5.0, 2.0 * (1 + 1e-15), 2.0], 100.0, upper=[90.0, 20.0, 90.0, 90.0],
        reference=[30.0, 9.0, 10.0, 40.0],
    )  # fmt: skip
    np.testing.assert_allclose(allocate(problem).best_spend, [30.0, 20.0, 10.0, 40.0], rtol=1e-12)


def test_a_proportional_channel_sets_the_price_of_a_curved_one():
    # log1p: 10/(20 + s) = 0.1 → s = 80; identity takes the rest.
    problem = make_problem([Response("log1p", scale=20.0), Response()], [10.0, 0.1], 300.0)
    np.testing.assert_allclose(allocate(problem).best_spend, [80.0, 220.0], rtol=1e-12)


def test_worthless_and_harmful_channels_get_their_minimum_unless_the_budget_forces_more():
    responses = [Response("log1p", scale=50.0), Response("atan", scale=50.0), Response()]
    effect = [4.0, 0.0, -1.0]
    free = make_problem(responses, effect, 100.0, lower=[0.0, 5.0, 7.0])
    np.testing.assert_allclose(allocate(free).best_spend, [88.0, 5.0, 7.0], rtol=1e-12)
    forced = make_problem(responses, effect, 100.0, lower=[0.0, 5.0, 7.0], upper=[50.0, 20.0, 99.0])
    np.testing.assert_allclose(allocate(forced).best_spend, [50.0, 20.0, 30.0], rtol=1e-12)


def test_a_channel_with_infinite_slope_at_zero_always_gets_something():
    problem = make_problem([Response("hill", scale=50.0, n=0.5), Response()], [0.001, 3.0], 100.0)
    spend = allocate(problem).best_spend
    assert 0.0 < spend[0] < 0.1
    assert spend.sum() == pytest.approx(100.0, rel=1e-14)


def test_the_bounds_may_leave_one_plan_only():
    problem = make_problem([Response("log1p", scale=9.0)] * 3, [1.0, 2.0, 3.0], 0.6, upper=[0.1, 0.2, 0.3])
    np.testing.assert_allclose(allocate(problem).best_spend, [0.1, 0.2, 0.3], rtol=1e-12)


def test_two_thousand_candidates_fall_measurably_short():
    problem = random_problem(23, 5, ["atan", "log1p", "hill"], n_candidates=2000, reference=[5.0, 5.0, 5.0, 5.0, 280.0])
    plan = allocate(problem)
    regret = plan.certificate.candidate_regret
    assert regret > 0.0
    assert plan.certificate.candidate_regret_share > 0.02
    assert regret == pytest.approx(plan.score - plan.candidate_scores.max(), rel=1e-12)
    assert len(plan.candidate_scores) == 2000
