"""Outcomes draw by draw, scores and gradients."""

from __future__ import annotations

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem

from dsam_assets.allocation.objective import Objective
from dsam_assets.design.response import Response
from dsam_assets.errors import AllocationError

DRAWS = np.array([[0.02, 0.3], [0.01, 0.5], [0.03, 0.4]])
RESPONSES = [Response(), Response("log1p", scale=10.0)]
SPEND = np.array([30.0, 10.0])
LINK = DRAWS @ np.array([30.0 - 20.0, np.log(2.0) - np.log(3.0)])


def problem(**options):
    return make_problem(
        RESPONSES, DRAWS, 40.0, reference=[20.0, 20.0], rates=[2.0, 0.5], currency_scale=10.0, **options
    )


def test_identity_outcome():
    outcome = Objective(problem()).outcome(SPEND)
    np.testing.assert_allclose(outcome.kpi, LINK, rtol=1e-14)
    assert outcome.spend == pytest.approx(10.0 * (2.0 * 10.0 - 0.5 * 10.0))
    np.testing.assert_array_equal(outcome.objective, outcome.kpi)


def test_log_outcome_in_kpi_units_and_relative():
    absolute = Objective(problem(response_scale="log", kpi_baseline=400.0)).outcome(SPEND)
    np.testing.assert_allclose(absolute.kpi, 400.0 * (np.exp(LINK) - 1.0), rtol=1e-13)
    relative = Objective(problem(response_scale="log", allow_relative_log_uplift=True)).outcome(SPEND)
    np.testing.assert_allclose(relative.kpi, np.exp(LINK) - 1.0, rtol=1e-13)


def test_profit_is_value_minus_money_and_its_mean_is_the_score():
    objective = Objective(problem(target="profit", value_per_kpi=7.0))
    outcome = objective.outcome(SPEND)
    np.testing.assert_allclose(outcome.objective, 7.0 * LINK - 150.0, rtol=1e-13)
    assert objective.score(SPEND) == pytest.approx(np.mean(7.0 * LINK - 150.0), rel=1e-13)
    assert objective.scores(np.stack([SPEND, problem().reference])) == pytest.approx([objective.score(SPEND), 0.0])


@pytest.mark.parametrize("scale", ["identity", "log"])
@pytest.mark.parametrize("target", ["kpi_uplift", "profit"])
def test_gradient_is_the_slope_of_the_score(scale, target):
    case = random_problem(
        2, 5, ["identity", "atan", "log1p", "hill"], n=2.0, effect=0.01, response_scale=scale, target=target,
        value_per_kpi=30.0, kpi_baseline=50.0, rates=[1.0, 2.0, 0.3, 1.0, 1.0],
    )  # fmt: skip
    objective, spend = Objective(case), np.array([20.0, 50.0, 70.0, 40.0, 90.0])
    steps = 1e-4 * np.eye(5)
    slope = [(objective.score(spend + h) - objective.score(spend - h)) / 2e-4 for h in steps]
    np.testing.assert_allclose(objective.gradient(spend), slope, rtol=1e-6, atol=1e-9)


def test_blocks_of_candidates_do_not_change_the_scores(monkeypatch):
    case = random_problem(6, 3, ["atan"], response_scale="log", effect=0.1, kpi_baseline=3.0)
    plans = np.random.default_rng(0).dirichlet(np.ones(3), 50) * case.total
    whole = Objective(case).scores(plans)
    monkeypatch.setattr("dsam_assets.allocation.objective._BLOCK", 300)
    np.testing.assert_allclose(Objective(case).scores(plans), whole, rtol=1e-13)


def test_an_exploding_log_response_is_an_error_not_a_plan():
    case = make_problem([Response(), Response()], [30.0, 1.0], 100.0, response_scale="log", kpi_baseline=1.0)
    with pytest.raises(AllocationError, match="no finite outcome"):
        Objective(case).scores(np.array([[100.0, 0.0]]))
