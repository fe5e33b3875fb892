"""Target efficiency: the largest spend that still earns what is asked, against bisection and dense grids."""

from __future__ import annotations

import re

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.channel_response import joint_response
from dsam_assets.design.response import Response
from dsam_assets.errors import AllocationError

EFFECT, SCALE = np.array([3.0, 5.0, 2.0]), np.array([40.0, 25.0, 30.0])
LOGS = [Response("log1p", scale=k) for k in SCALE]


def target_problem(responses, effect, value, *, cap=np.inf, upper=None, **options):
    count = len(responses)
    return make_problem(
        responses, effect, cap, upper=upper or [500.0] * count, reference=[20.0] * count,
        scenario="target_efficiency", target_value=value, n_candidates=50, **options,
    )  # fmt: skip


def bisect(function, low, high):
    """Where a falling function crosses zero."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) > 0.0 else (low, middle)
    return low


def best_log_response(total, rates=1.0):
    """Largest Σ effect·log(1 + s/scale) with Σ s = total: bisection on the price of budget (KKT)."""
    price = bisect(lambda p: np.clip(EFFECT / p - SCALE, 0.0, 500.0).sum() - total, 1e-9, 10.0)
    return float(EFFECT @ np.log1p(np.clip(EFFECT / price - SCALE, 0.0, 500.0) / SCALE))


@pytest.mark.parametrize("value", [0.02, 0.05, 0.12])
def test_concave_channels_spend_until_the_average_falls_to_the_target(value):
    expected = bisect(lambda total: best_log_response(total) - value * total, 1e-3, 1500.0)
    plan = allocate(target_problem(LOGS, EFFECT, value))
    assert plan.problem.total == pytest.approx(expected, rel=1e-6)
    assert plan.best_spend.sum() == pytest.approx(expected, rel=1e-6)
    response = float(EFFECT @ np.log1p(plan.best_spend / SCALE))
    assert response / plan.best_spend.sum() >= value * (1 - 1e-9)
    assert plan.certificate.optimality_gap_share < 1e-9
    assert plan.method == "water_filling"


def test_the_target_counts_money_and_its_value():
    rates, value = np.array([2.0, 0.5, 1.0]), 1.5
    plan = allocate(target_problem(LOGS, EFFECT, value, rates=rates.tolist(), currency_scale=3.0, value_per_kpi=40.0))
    spend = plan.best_spend
    roi = 40.0 * float(EFFECT @ np.log1p(spend / SCALE)) / float(3.0 * rates @ spend)
    assert roi == pytest.approx(value, rel=1e-9)
    # No plan a little larger reaches it, whatever its split.
    rng = np.random.default_rng(0)
    near = np.clip(spend + rng.normal(0.0, 0.03 * spend.sum(), size=(20_000, 3)), 0.0, 500.0)
    near *= (spend.sum() * (1 + 1e-5)) / near.sum(axis=1, keepdims=True)
    rivals = 40.0 * (np.log1p(near / SCALE) @ EFFECT) / (3.0 * near @ rates)
    assert rivals.max() < value


def test_a_cost_per_unit_is_the_inverse():
    roi = allocate(target_problem(LOGS, EFFECT, 0.05))
    cost = allocate(target_problem(LOGS, EFFECT, 20.0, kpi_type="subscriptions"))
    np.testing.assert_allclose(cost.best_spend, roi.best_spend, rtol=1e-7)


def hill(spend, k, n):
    return spend**n / (spend**n + k**n)


def test_s_shaped_channels_spend_up_to_the_last_crossing():
    k, n, effect = np.array([60.0, 90.0]), np.array([4.0, 5.0]), np.array([4.0, 7.0])
    responses = [Response("hill", scale=a, n=b) for a, b in zip(k, n, strict=True)]
    value = 0.042

    def best(total, steps=20_000):
        first = np.linspace(max(0.0, total - 300.0), min(total, 300.0), steps + 1)
        return float((effect[0] * hill(first, k[0], n[0]) + effect[1] * hill(total - first, k[1], n[1])).max())

    totals = np.linspace(0.5, 600.0, 1200)
    meets = np.array([best(total, 600) >= value * total for total in totals])
    assert np.abs(np.diff(meets.astype(int))).sum() >= 2, "the efficiency should rise and fall"
    last = totals[meets].max()
    expected = bisect(lambda total: best(total) - value * total, last, last + 0.5)
    plan = allocate(target_problem(responses, effect, value, upper=[300.0, 300.0]))
    assert plan.problem.total == pytest.approx(expected, rel=1e-6)


def test_log_response_counts_from_no_spend():
    # One channel: baseline·(exp(β·f(s)) − 1)·exp(−β·f(ref)) of response, over s, falls to the target.
    beta, scale, reference, baseline, value = 0.2, 30.0, 20.0, 400.0, 0.8
    at = np.exp(-beta * np.log1p(reference / scale))

    def surplus(spend):
        return baseline * at * np.expm1(beta * np.log1p(spend / scale)) - value * spend

    expected = bisect(surplus, 1.0, 5000.0)
    plan = allocate(
        target_problem(
            [Response("log1p", scale=scale)], [beta], value, upper=[5000.0], response_scale="log", kpi_baseline=baseline
        )
    )
    assert plan.problem.total == pytest.approx(expected, rel=1e-6)
    assert joint_response(plan.problem, plan.best_spend)[0] / plan.best_spend[0] == pytest.approx(value, rel=1e-6)


@pytest.mark.slow
def test_caution_asks_the_target_of_cautious_draws():
    draws = np.random.default_rng(1).gamma(9.0, 1.0 / 9.0, size=(41, 1)) * EFFECT
    plan = allocate(target_problem(LOGS, draws, 0.05, risk="quantile", risk_quantile=0.2))
    ratio = (draws @ np.log1p(plan.best_spend / SCALE)) / plan.best_spend.sum()
    assert np.quantile(ratio, 0.2) == pytest.approx(0.05, rel=1e-4)
    factor = np.quantile(draws[:, 0] / EFFECT[0], 0.2)
    expected = bisect(lambda total: factor * best_log_response(total) - 0.05 * total, 1e-3, 1500.0)
    assert plan.problem.total == pytest.approx(expected, rel=1e-3)


def test_the_budget_caps_the_plan():
    free = allocate(target_problem(LOGS, EFFECT, 0.05)).problem.total
    capped = allocate(target_problem(LOGS, EFFECT, 0.05, cap=0.5 * free))
    assert capped.best_spend.sum() == pytest.approx(0.5 * free, rel=1e-12)
    response = float(EFFECT @ np.log1p(capped.best_spend / SCALE))
    assert response == pytest.approx(best_log_response(0.5 * free), rel=1e-9)
    everything = allocate(target_problem(LOGS, EFFECT, 1e-4))
    np.testing.assert_allclose(everything.best_spend, 500.0)


def test_minima_hold_at_the_target():
    lower = [100.0, 0.0, 0.0]
    problem = make_problem(
        LOGS, EFFECT, np.inf, lower=lower, upper=[500.0] * 3, reference=[20.0] * 3, scenario="target_efficiency",
        target_value=0.05, n_candidates=50,
    )  # fmt: skip
    plan = allocate(problem)
    assert plan.best_spend[0] == pytest.approx(100.0)
    assert float(EFFECT @ np.log1p(plan.best_spend / SCALE)) / plan.best_spend.sum() == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("kind", ["revenue", "subscriptions"])
def test_an_unreachable_target_names_what_can_be_reached(kind):
    value = 0.5 if kind == "revenue" else 2.0
    with pytest.raises(AllocationError, match="No plan within the bounds reaches the target") as caught:
        allocate(target_problem(LOGS, EFFECT, value, kpi_type=kind))
    found = re.search(r"within reach are ([\d.]+) \(spending .* to ([\d.]+) \(spending 1,500\)", str(caught.value))
    # The first money goes to the second channel, at 5/25 per unit; all channels at their maximum are the other end.
    best, last = (float(text) for text in found.groups())
    ends = np.array([0.2, float(EFFECT @ np.log1p(500.0 / SCALE)) / 1500.0])
    np.testing.assert_allclose([best, last], ends if kind == "revenue" else 1.0 / ends, rtol=1e-3)


def test_a_narrow_window_above_the_minima_is_found():
    # With much spend forced on a poor channel, only a window of totals meets the target.
    responses = [Response("log1p", scale=30.0), Response("hill", scale=80.0, n=6.0)]
    lower, upper = [50.0, 0.0], [60.0, 300.0]
    spend = np.linspace(0.0, 300.0, 300_001)
    ratio = (np.log1p(50.0 / 30.0) + 10.0 * hill(spend, 80.0, 6.0)) / (50.0 + spend)
    value = 0.999 * ratio.max()
    problem = make_problem(
        responses, [1.0, 10.0], np.inf, lower=lower, upper=upper, scenario="target_efficiency", target_value=value,
        reference=[50.0, 50.0], n_candidates=50,
    )  # fmt: skip
    expected = 50.0 + spend[ratio >= value].max()
    assert allocate(problem).problem.total == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"value": None}, "target efficiency is missing"),
        ({"value": -1.0}, "target efficiency is missing"),
        ({"value": 2.0, "upper": [np.inf] * 3}, "Nothing limits the spend"),
        ({"value": 2.0, "upper": [0.0] * 3, "cap": np.inf}, "Nothing limits the spend"),
        ({"value": 2.0, "response_scale": "log", "allow_relative_log_uplift": True}, "an efficiency needs KPI units"),
    ],
)
def test_questions_without_an_answer_are_refused(options, message):
    value, upper, cap = options.pop("value"), options.pop("upper", None), options.pop("cap", np.inf)
    with pytest.raises(AllocationError, match=message):
        target_problem(LOGS, EFFECT, value, upper=upper, cap=cap, **options)


def test_units_of_spend_and_order_of_channels_do_not_matter():
    problem = random_problem(
        3, 4, ["atan", "log1p"], scenario="target_efficiency", target_value=0.02, upper=[300.0] * 4, n_candidates=20
    )
    order = np.array([2, 0, 3, 1])
    plan, shuffled = allocate(problem), allocate(problem.reordered(order))
    np.testing.assert_allclose(shuffled.best_spend, plan.best_spend[order], rtol=1e-9)
