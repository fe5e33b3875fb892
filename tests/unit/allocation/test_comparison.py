"""The plan beside its rivals: steps that close in every draw, and chances counted by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.summary import allocation_tables
from dsam_assets.allocation.waterfall import attributed_change
from dsam_assets.design.response import Response
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

LOG = {"effect": 0.3, "response_scale": "log", "n_candidates": 50}
CASES = {
    "identity": random_problem(1, 4, ["identity", "hill", "log1p"], effect=5.0, n_candidates=50),
    "log": random_problem(2, 4, ["atan", "log1p"], kpi_baseline=800.0, rates=[1.0, 2.0, 3.0, 0.5], **LOG),
    "relative": random_problem(3, 3, ["atan"], allow_relative_log_uplift=True, **LOG),
}


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request):
    allocation = allocate(CASES[request.param])
    return allocation, allocation_tables(allocation)


def test_steps_add_up_to_the_total_change_in_every_draw(case):
    allocation, _ = case
    parts = attributed_change(allocation.problem, allocation.best_spend)
    np.testing.assert_allclose(parts.sum(axis=1), allocation.outcome.kpi, rtol=1e-12, atol=1e-12)


def test_the_waterfall_closes(case):
    allocation, tables = case
    rows = tables["budget_kpi_waterfall"]
    validate(TABLES["budget_kpi_waterfall"], rows)
    assert rows["kind"].tolist() == ["start", *["channel"] * len(allocation.best_spend), "end"]
    channels, end = rows[rows["kind"] == "channel"], rows.iloc[-1]
    assert channels["delta_kpi_mean"].sum() == pytest.approx(end["delta_kpi_mean"], rel=1e-9)
    assert channels["delta_spend_currency"].sum() == pytest.approx(end["delta_spend_currency"], abs=1e-9)
    base = allocation.problem.kpi_baseline or 0.0
    assert end["kpi_to"] == pytest.approx(base + allocation.outcome.kpi.mean(), rel=1e-9)
    np.testing.assert_allclose(channels["kpi_to"] - channels["kpi_from"], channels["delta_kpi_mean"], atol=1e-9)
    np.testing.assert_array_equal(channels["kpi_from"].iloc[1:], channels["kpi_to"].iloc[:-1])
    assert channels["delta_kpi_mean"].is_monotonic_decreasing


def test_the_log_attribution_lies_between_the_orders_of_entry():
    """Shapley's average over all orders is another order-free answer; both lie within what single orders give."""
    allocation = allocate(CASES["log"])
    problem, plan = allocation.problem, allocation.best_spend
    parts = attributed_change(problem, plan)
    entered = []
    for order in permutations(range(len(plan))):
        spend, gains = problem.reference.copy(), np.empty_like(parts)
        for channel in order:
            before = Objective(problem).outcome(spend).kpi
            spend[channel] = plan[channel]
            gains[:, channel] = Objective(problem).outcome(spend).kpi - before
        entered.append(gains)
    assert (parts >= np.min(entered, axis=0) - 1e-9).all()
    assert (parts <= np.max(entered, axis=0) + 1e-9).all()
    np.testing.assert_allclose(parts.mean(axis=0), np.mean(entered, axis=(0, 1)), rtol=0.05, atol=0.5)


def test_the_log_attribution_integrates_the_gradient_along_the_path():
    """∫₀¹ ∂KPI/∂η_c dη_c with all channels moving together, by Simpson's rule."""
    from scipy.integrate import simpson

    allocation = allocate(CASES["log"])
    problem, plan = allocation.problem, allocation.best_spend
    steps = problem.coefficients * (problem.bank.value(plan) - problem.bank.value(problem.reference))
    t = np.linspace(0.0, 1.0, 201)
    growth = 800.0 * np.exp(t[:, None] * steps.sum(axis=1))
    wanted = steps * simpson(growth, x=t, axis=0)[:, None]
    np.testing.assert_allclose(attributed_change(problem, plan), wanted, rtol=1e-9)


def test_channels_that_cancel_get_their_own_change():
    """Δ = 0 in every draw: exp(Δ) − 1 over Δ is 1."""
    problem = make_problem(
        [Response()] * 2, [[0.1, 0.1], [0.2, 0.2]], 20.0, response_scale="log", kpi_baseline=100.0
    )  # fmt: skip
    np.testing.assert_allclose(attributed_change(problem, np.array([12.0, 8.0])), [[20.0, -20.0], [40.0, -40.0]])


def by_hand(**options):
    """Reference (20, 20), all to channel 0: draws gain 20·(β_0 − β_1) = 20, −20, 60, −5."""
    draws = [[3.0, 2.0], [1.0, 2.0], [4.0, 1.0], [2.0, 2.25]]
    allocation = allocate(make_problem([Response()] * 2, draws, 40.0, n_candidates=10, **options))
    np.testing.assert_allclose(allocation.best_spend, [40.0, 0.0])
    return allocation_tables(allocation)["budget_confidence_comparison"]


def test_chances_and_losses_by_hand():
    table = by_hand()
    validate(TABLES["budget_confidence_comparison"], table)
    total = table[table["is_total"]].iloc[0]
    gains = np.array([20.0, -20.0, 60.0, -5.0])
    assert total["probability_better"] == 0.5
    assert total["expected_loss"] == pytest.approx(25.0 / 4)
    assert total["loss_if_worse"] == pytest.approx(12.5)
    assert total["difference_mean"] == pytest.approx(gains.mean())
    for column, level in (("q05", 0.05), ("q25", 0.25), ("p50", 0.5), ("q75", 0.75), ("q95", 0.95)):
        assert total[f"difference_{column}"] == pytest.approx(np.quantile(gains, level))
    assert total["rival_mean"] == pytest.approx(np.mean([100.0, 60.0, 100.0, 85.0]))
    channels = table[~table["is_total"]].set_index("channel")
    assert channels.loc["channel_0", "difference_mean"] == pytest.approx(20.0 * 2.5)
    assert channels[["probability_better", "expected_loss", "loss_if_worse"]].isna().all().all()


def test_profit_is_compared_where_a_kpi_unit_has_a_value():
    rows = by_hand(value_per_kpi=2.0, rates=[2.0, 3.0])
    profit = rows[rows["quantity"] == "profit"].iloc[0]
    gains = 2.0 * np.array([20.0, -20.0, 60.0, -5.0]) + 20.0
    assert profit["unit"] == "currency"
    assert profit["difference_mean"] == pytest.approx(gains.mean())
    assert profit["probability_better"] == 0.75 == np.mean(gains > 0)
    assert set(by_hand()["quantity"]) == {"kpi"}


def test_pairs_are_drawn_from_the_same_draw():
    """Wide, overlapping intervals and a certain gain: only the paired comparison sees it."""
    rng = np.random.default_rng(5)
    beta = np.exp(rng.normal(0.0, 1.0, size=(400, 1))) * [1.0, 0.8]
    allocation = allocate(make_problem([Response()] * 2, beta, 40.0, n_candidates=10))
    total = allocation_tables(allocation)["budget_confidence_comparison"].query("is_total").iloc[0]
    assert total["rival_upper"] > total["plan_lower"]
    assert total["probability_better"] == 1.0
    assert total["expected_loss"] == 0.0
    assert np.isnan(total["loss_if_worse"])


def test_a_brute_force_count_gives_the_same_probability(case):
    allocation, tables = case
    problem, plan = allocation.problem, allocation.best_spend
    table = tables["budget_confidence_comparison"]
    total = table[table["is_total"] & (table["rival"] == "reference") & (table["quantity"] == "kpi")].iloc[0]
    wins, shapes = 0, [channel.response for channel in problem.channels]
    for beta in problem.coefficients:
        link = 0.0
        for effect, shape, planned, before in zip(beta, shapes, plan, problem.reference, strict=True):
            ends = shape.value(np.array([planned, before]))
            link += effect * float(ends[0] - ends[1])
        wins += link > 0.0
    assert total["probability_better"] == wins / len(problem.coefficients)


def test_the_split_of_the_budget_is_a_rival_where_it_differs():
    assert set(by_hand()["rival"]) == {"reference"}
    table = by_hand(reference=[10.0, 10.0])
    split = table[table["rival"] == "reference_split"].iloc[0]
    assert split["rival_mean"] == pytest.approx(np.mean([100.0, 60.0, 100.0, 85.0]))


def test_shares_are_those_of_the_money():
    problem = make_problem(
        [Response()] * 2, [[3.0, 1.0]] * 2, 40.0, reference=[10.0, 30.0], rates=[2.0, 1.0], n_candidates=10,
        upper=[30.0, 40.0],
    )  # fmt: skip
    rows = allocation_tables(allocate(problem))["budget_spend_share"].set_index("channel")
    assert rows.loc["channel_0", "share_reference"] == pytest.approx(20.0 / 50.0)
    assert rows.loc["channel_0", "share_optimised"] == pytest.approx(60.0 / 70.0)
    assert rows.loc["channel_0", "share_change"] == pytest.approx(60.0 / 70.0 - 0.4)
    assert rows.loc["TOTAL", "share_optimised"] == pytest.approx(1.0)
    assert rows["share_change"].drop("TOTAL").sum() == pytest.approx(0.0, abs=1e-12)
    nothing = make_problem([Response()] * 2, [[3.0, 1.0]] * 2, 40.0, reference=[0.0, 0.0], n_candidates=10)
    assert allocation_tables(allocate(nothing))["budget_spend_share"]["share_reference"].isna().all()
