"""The certificate accuses bad plans and vouches for good ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.certificate import certify
from dsam_assets.allocation.checks import judge
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.solve import solve
from dsam_assets.design.response import Response


def with_spend(problem, spend):
    spend = np.asarray(spend, dtype=float)
    return certify(problem, replace(solve(problem), spend=spend, score=Objective(problem).score(spend)))


def status(certificate, name):
    return next(check.status for check in judge(certificate) if check.name == name)


@pytest.fixture(scope="module")
def logs():
    return make_problem([Response("log1p", scale=40.0), Response("log1p", scale=25.0)], [3.0, 5.0], 200.0)


def test_the_optimum_passes_every_check_of_optimality(logs):
    certificate = allocate(logs).certificate
    for name in (
        "budget_residual",
        "bound_residual",
        "kkt_gap_share",
        "optimality_gap_share",
        "candidate_regret_share",
    ):
        assert status(certificate, name) == "pass"


def test_unequal_marginals_are_found_and_measured(logs):
    certificate = with_spend(logs, [100.0, 100.0])
    assert certificate.kkt_gap == pytest.approx(5.0 / 125.0 - 3.0 / 140.0, rel=1e-12)
    assert certificate.kkt_gap_share == pytest.approx(certificate.kkt_gap / (5.0 / 125.0), rel=1e-12)
    assert status(certificate, "kkt_gap_share") == "warn"
    best = allocate(logs).score
    assert certificate.optimality_gap == pytest.approx(best - Objective(logs).score(np.array([100.0, 100.0])), rel=1e-9)
    assert status(certificate, "optimality_gap_share") == "warn"
    assert status(certificate, "candidate_regret_share") == "warn"


def test_a_bound_explains_unequal_marginals(logs):
    bounded = make_problem([c.response for c in logs.channels], [3.0, 5.0], 200.0, upper=[150.0, 60.0])
    certificate = allocate(bounded).certificate
    assert certificate.at_upper == (False, True)
    assert certificate.at_lower == (False, False)
    assert certificate.kkt_gap == 0.0
    assert certificate.shadow_price == pytest.approx(3.0 / 180.0, rel=1e-12)
    # At the maximum a marginal above the price is fine; below it the plan should give.
    assert with_spend(bounded, [190.0, 10.0]).kkt_gap > 0.0


def test_infeasible_plans_are_found(logs):
    certificate = with_spend(logs, [-10.0, 250.0])
    assert certificate.budget_residual == pytest.approx(0.2)
    assert certificate.bound_residual == pytest.approx(0.05)
    assert status(certificate, "budget_residual") == "warn"
    assert status(certificate, "bound_residual") == "warn"


def test_extrapolation_is_flagged_only_where_the_data_are_known():
    case = make_problem(
        [Response()] * 3, [3.0, 2.0, 1.0], 100.0, upper=[50.0, 30.0, 30.0], observed=[49.0, 30.0, np.nan]
    )
    certificate = allocate(case).certificate
    assert certificate.extrapolated == (True, False, None)
    assert status(certificate, "extrapolated_channels") == "not_computed"
    known = make_problem([Response()] * 2, [3.0, 2.0], 60.0, upper=[50.0, 30.0], observed=[49.0, 30.0])
    assert status(allocate(known).certificate, "extrapolated_channels") == "warn"


def test_win_rate_is_paired_by_draw():
    # The plan moves everything to channel 0, which is better in two draws of three.
    draws = np.array([[3.0, 1.0], [2.0, 1.0], [1.0, 1.5]])
    case = make_problem([Response(), Response()], draws, 20.0, reference=[10.0, 10.0])
    certificate = allocate(case).certificate
    assert certificate.probability_beats_reference == pytest.approx(2 / 3)
    assert certificate.probability_beats_split == pytest.approx(2 / 3)
    assert status(certificate, "probability_beats_reference") == "warn"


def test_win_rate_against_the_split_is_paired_by_draw_too():
    # Unpaired, the plan's sorted outcomes 95, 110, 230 all beat the split's 50, 90, 105; paired, the first draw loses.
    draws = np.array([[5.0, 5.5], [8.0, 1.0], [4.0, 1.0]])
    case = make_problem([Response(), Response()], draws, 40.0, reference=[10.0, 10.0])
    assert allocate(case).certificate.probability_beats_split == pytest.approx(2 / 3)


def test_gain_from_more_money_is_told_from_gain_by_moving_money():
    case = make_problem([Response(), Response()], [2.0, 1.0], 40.0, reference=[10.0, 10.0])
    certificate = allocate(case).certificate
    assert certificate.gain_over_split == pytest.approx(2.0 * 40.0 - (2.0 * 20.0 + 1.0 * 20.0))


def test_dual_bound_lies_above_every_plan_of_an_s_shaped_problem():
    case = random_problem(9, 4, ["hill"], n=3.0)
    plan = allocate(case)
    assert plan.certificate.optimality_gap >= 0.0
    assert plan.score + plan.certificate.optimality_gap >= plan.candidate_scores.max()
