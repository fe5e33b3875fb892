"""The general search, for responses that are not concave or not separable, against grids and dynamic programming."""

from __future__ import annotations

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem, simplex_grid

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.objective import Objective
from dsam_assets.design.response import Response


def hill(spend, k, n):
    return spend**n / (spend**n + k**n)


def fine_dynamic_programme(values):
    """Best total of one grid column per channel, each row one budget step; plain max-plus convolution."""
    best = values[0].copy()
    for column in values[1:]:
        best = np.array([np.max(best[: b + 1] + column[b::-1]) for b in range(len(best))])
    return best[-1]


@pytest.mark.parametrize("seed", range(4))
def test_s_shaped_channels_reach_the_fine_grid_optimum(seed):
    rng = np.random.default_rng(seed)
    k, n, effect = rng.uniform(40, 160, 4), rng.uniform(1.5, 5.0, 4), rng.gamma(4.0, 0.25, 4)
    total, steps = 240.0, 3000
    problem = make_problem([Response("hill", scale=a, n=b) for a, b in zip(k, n, strict=False)], effect, total)
    grid = np.linspace(0.0, total, steps + 1)
    optimum = fine_dynamic_programme([e * hill(grid, a, b) for e, a, b in zip(effect, k, n, strict=False)])
    plan = allocate(problem)
    value = float(np.sum(effect * hill(plan.best_spend, k, n)))
    assert plan.method == "multistart_slsqp"
    assert not plan.certificate.concave
    assert value >= optimum * (1 - 1e-12)
    assert value == pytest.approx(optimum, rel=1e-6)


def test_s_shaped_start_is_not_trapped_at_the_reference():
    # Spread evenly, both channels sit in the flat foot of their curve: all on one is far better.
    problem = make_problem([Response("hill", scale=70.0, n=6.0)] * 2, [1.0, 1.01], 80.0, reference=[40.0, 40.0])
    plan = allocate(problem)
    np.testing.assert_allclose(plan.best_spend, [0.0, 80.0], atol=1e-6)
    starts = {climb.name: climb.score for climb in plan.climbs}
    assert starts["grid"] == pytest.approx(plan.score, rel=1e-9)


@pytest.mark.parametrize("options", [{"kpi_baseline": 1000.0}, {"allow_relative_log_uplift": True}])
def test_log_response_beats_every_plan_on_a_dense_grid(options):
    problem = random_problem(8, 3, ["atan", "log1p", "hill"], response_scale="log", effect=0.4, **options)
    best = Objective(problem).scores(simplex_grid(problem.total, 400, 3)).max()
    plan = allocate(problem)
    assert plan.score >= best
    assert plan.score == pytest.approx(best, rel=1e-4)
    assert plan.certificate.kkt_gap_share < 1e-7
    assert plan.certificate.start_agreement == 1.0
    assert plan.certificate.optimality_gap is None


def test_log_response_with_one_draw_has_the_identity_optimum():
    # exp is monotone, so with a single draw the best plan is the one that maximises the linear predictor.
    effect, scale = np.array([0.3, 0.5, 0.2]), np.array([40.0, 25.0, 30.0])
    responses = [Response("log1p", scale=a) for a in scale]
    plan = allocate(make_problem(responses, effect, 300.0, response_scale="log", kpi_baseline=50.0))
    np.testing.assert_allclose(plan.best_spend, effect / effect.sum() * (300.0 + scale.sum()) - scale, rtol=1e-6)


def test_log_profit_weighs_money_against_the_response():
    problem = random_problem(
        4, 2, ["log1p"], response_scale="log", effect=0.3, target="profit", value_per_kpi=2.0, kpi_baseline=100.0,
        rates=[1.0, 5.0],
    )  # fmt: skip
    plans = simplex_grid(problem.total, 20_000, 2)
    scores = Objective(problem).scores(plans)
    plan = allocate(problem)
    assert plan.score >= scores.max() * (1 - 1e-12)
    np.testing.assert_allclose(plan.best_spend, plans[np.argmax(scores)], atol=2 * problem.total / 20_000)


@pytest.mark.parametrize(
    "responses",
    [
        [Response("log1p", scale=30.0), Response("atan", scale=50.0), Response("log1p", scale=80.0)],
        [Response("hill", scale=30.0, n=3.0), Response("hill", scale=50.0, n=2.0), Response("atan", scale=80.0)],
        [Response("hill", scale=30.0, n=3.0), Response("hill", scale=50.0, n=1.0), Response("hill", scale=80.0, n=0.5)],
    ],
)
def test_negative_coefficients_reach_the_dense_grid_optimum(responses):
    problem = make_problem(responses, [-1.0, 1.5, -0.4], 200.0, upper=[150.0, 80.0, 150.0])
    plans = simplex_grid(200.0, 800, 3)
    plans = plans[np.all(plans <= problem.upper, axis=1)]
    best = Objective(problem).scores(plans).max()
    plan = allocate(problem)
    assert plan.score >= best - 1e-12
    assert plan.score == pytest.approx(best, rel=1e-3)
    assert plan.certificate.optimality_gap >= 0.0


def test_wide_problems_take_the_short_path_to_the_same_optimum():
    problem = random_problem(3, 30, ["atan", "log1p", "hill"], response_scale="log", effect=0.02, kpi_baseline=10.0)
    plan = allocate(problem)
    assert plan.certificate.kkt_gap_share < 1e-7
    assert plan.certificate.start_agreement == 1.0
    assert plan.certificate.candidate_regret > 0.0


def test_a_feasible_reference_that_is_already_optimal_is_kept():
    effect = [3.0, 5.0]
    responses = [Response("log1p", scale=40.0), Response("log1p", scale=25.0)]
    best = allocate(make_problem(responses, effect, 200.0)).best_spend
    again = allocate(make_problem(responses, effect, 200.0, reference=best.tolist()))
    np.testing.assert_allclose(again.best_spend, best, rtol=1e-9)
    assert again.score >= 0.0
    assert again.certificate.probability_beats_reference is None


def test_an_indifferent_problem_keeps_the_feasible_reference():
    plan = allocate(make_problem([Response()] * 3, [2.0, 2.0, 2.0], 60.0, reference=[10.0, 30.0, 20.0]))
    assert plan.method == "reference"
    np.testing.assert_array_equal(plan.best_spend, [10.0, 30.0, 20.0])
