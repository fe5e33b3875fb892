"""Budget scenarios, against closed forms and numbers taken draw by draw."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem
from test_frontier import WEIGHTS, closed_form, root_problem

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.scenarios import budget_scenarios, named_budgets, require_budgets, scenario_tables
from dsam_assets.design.response import Response
from dsam_assets.errors import AllocationError
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

DRAWS = np.array(WEIGHTS) * np.random.default_rng(2).gamma(16.0, 1 / 16.0, size=(60, 3))


def tables_of(problem, budgets=()):
    plan = allocate(problem).best_spend
    return plan, scenario_tables(problem, plan, budget_scenarios(problem, plan, budgets))


def test_without_names_the_budget_changes_by_tenths_and_fifths():
    plan, tables = tables_of(root_problem(DRAWS, 20.0))
    rows = tables["budget_scenarios"]
    assert list(rows["scenario"]) == ["20% less", "10% less", "plan", "10% more", "20% more"]
    np.testing.assert_allclose(rows["budget"], [16.0, 18.0, 20.0, 22.0, 24.0])
    np.testing.assert_allclose(rows["budget_change"], [-0.2, -0.1, 0.0, 0.1, 0.2], atol=1e-12)
    assert list(rows["kind"].unique()) == ["change", "plan"]
    assert rows["score"].is_monotonic_increasing
    for name, block in tables["budget_scenario_spend"].groupby("scenario"):
        best = closed_form(DRAWS.mean(axis=0), block["budget"].iloc[0])
        np.testing.assert_allclose(block["spend"], best, rtol=1e-6)
        np.testing.assert_allclose(block["spend_above_plan"], best - plan, atol=1e-5)
        assert block["share"].sum() == pytest.approx(1.0), name


def test_numbers_are_those_of_paired_draws():
    problem = root_problem(DRAWS, 20.0, rates=[2.0] * 3, value_per_kpi=3.0, reference=[5.0, 5.0, 5.0])
    plan, tables = tables_of(problem, [("less", 12.0)])
    row = tables["budget_scenarios"].set_index("scenario").loc["less"]
    spend = closed_form(DRAWS.mean(axis=0), 12.0)
    less, now, reference = (DRAWS @ np.log1p(s) for s in (spend, plan, np.full(3, 5.0)))
    assert row["delta_kpi_mean"] == pytest.approx((less - reference).mean(), rel=1e-6)
    assert row["delta_kpi_lower"] == pytest.approx(np.quantile(less - reference, 0.05), rel=1e-5)
    assert row["kpi_above_plan_mean"] == pytest.approx((less - now).mean(), rel=1e-6)
    assert row["kpi_above_plan_upper"] == pytest.approx(np.quantile(less - now, 0.95), rel=1e-5)
    assert row["probability_beats_reference"] == pytest.approx(np.mean(less > reference))
    assert row["probability_beats_plan"] == 0.0
    assert row["metric_value"] == pytest.approx(3.0 * less.mean() / 24.0, rel=1e-6)
    slope = DRAWS.mean(axis=0)[0] / (1.0 + spend[0])
    assert row["marginal_metric"] == pytest.approx(3.0 * slope / 2.0, rel=1e-5)
    assert row["budget_currency"] == pytest.approx(24.0)
    assert row["delta_profit"] == pytest.approx(3.0 * (less - reference).mean() - 2.0 * (12.0 - 15.0), rel=1e-6)


def test_the_plan_is_not_compared_with_itself():
    _, tables = tables_of(root_problem(DRAWS, 20.0))
    row = tables["budget_scenarios"].set_index("scenario").loc["plan"]
    assert np.isnan(row["probability_beats_plan"])
    assert row["kpi_above_plan_mean"] == row["score_above_plan"] == 0.0


def test_changes_beyond_the_bounds_say_so_and_have_no_numbers():
    _, tables = tables_of(root_problem(DRAWS, 20.0, upper=[8.0, 7.0, 6.5], lower=[6.0, 6.0, 5.0]))
    rows = tables["budget_scenarios"].set_index("scenario")
    assert list(rows["status"]) == ["infeasible", "ok", "ok", "infeasible", "infeasible"]
    assert rows.loc["20% less", "reason"] == "16, but minima sum to 17: 1 too much"
    assert rows.loc["10% more", "reason"] == "22, but maxima sum to 21.5: 0.5 is left over"
    assert rows.loc["10% more", ["score", "delta_kpi_mean", "metric_value"]].isna().all()
    assert set(tables["budget_scenario_spend"]["scenario"]) == {"10% less", "plan"}


@pytest.mark.parametrize(("total", "reason"), [(16.0, "minima sum to 17"), (22.0, "maxima sum to 21.5")])
def test_named_budgets_beyond_the_bounds_are_refused(total, reason):
    problem = root_problem(DRAWS, 20.0, upper=[8.0, 7.0, 6.5], lower=[6.0, 6.0, 5.0])
    with pytest.raises(AllocationError, match=reason) as caught:
        require_budgets(problem, [("fine", 20.0), ("bad", total)])
    assert caught.value.where == "allocation.scenarios[1].total"
    require_budgets(problem, [("least", 17.0), ("most", 21.5)])


def test_names_and_totals_come_from_the_section():
    section = SimpleNamespace(scenarios=[SimpleNamespace(name="lean", total=5.0)])
    assert named_budgets(section) == (("lean", 5.0),)


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"response_scale": "log", "effect": 0.1, "kpi_baseline": 100.0}, marks=pytest.mark.slow),
        pytest.param({"risk": "mean_minus_sd", "risk_lambda": 1.0}, marks=pytest.mark.slow),
    ],
    ids=["identity", "log", "mean_minus_sd"],
)
def test_each_scenario_is_the_plan_of_its_own_budget(options):
    problem = random_problem(6, 4, ["hill", "log1p"], n=2.0, draws=60, n_candidates=100, **options)
    plan = allocate(problem).best_spend
    for scenario in budget_scenarios(problem, plan):
        own = allocate(replace(problem, total=scenario.total))
        found = Objective(problem).score(scenario.spend)
        assert found >= own.score - 1e-6 * abs(own.score), scenario.name


def test_a_plan_for_a_target_has_scenarios_that_spend_their_whole_budget():
    problem = make_problem(
        [Response("log1p", scale=30.0)] * 2, [[3.0, 4.0]] * 3, np.inf, upper=[400.0] * 2, reference=[20.0] * 2,
        scenario="target_efficiency", target_value=0.05, n_candidates=20,
    )  # fmt: skip
    found = allocate(problem)
    scenarios = budget_scenarios(found.problem, found.best_spend)
    for scenario in scenarios:
        assert scenario.spend.sum() == pytest.approx(scenario.total, rel=1e-9)
    rows = scenario_tables(found.problem, found.best_spend, scenarios)["budget_scenarios"]
    assert rows["metric_value"].is_monotonic_decreasing


def test_tables_are_as_described():
    _, tables = tables_of(random_problem(1, 3, ["atan"], target="profit", value_per_kpi=9.0, n_candidates=20))
    for name, table in tables.items():
        validate(TABLES[name], table)
