"""A plan made from a point estimate: the same plan, and no word about how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from allocation_cases import make_problem

from dsam_assets.allocation.allocate import Allocation, allocate
from dsam_assets.allocation.columns import COLUMNS
from dsam_assets.allocation.frontier import efficient_frontier, frontier_tables
from dsam_assets.allocation.response_curves import response_curve_tables
from dsam_assets.allocation.scenarios import budget_scenarios, scenario_tables
from dsam_assets.allocation.sensitivity import sensitivity_table
from dsam_assets.allocation.summary import allocation_tables
from dsam_assets.design.response import Response
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import Table, validate

RESPONSES = [Response("log1p", scale=50.0), Response("hill", scale=80.0, n=1.0)]
EFFECTS = [3.0, 5.0]


def plan(draws: object, **options: object) -> Allocation:
    return allocate(
        make_problem(
            RESPONSES, draws, 200.0, reference=[150.0, 40.0], value_per_kpi=2.0, n_candidates=50, **options
        )
    )  # fmt: skip


@pytest.fixture(params=["identity", "log"])
def point(request: pytest.FixtureRequest) -> Allocation:
    return plan(np.array(EFFECTS) / 10, response_scale=request.param, kpi_baseline=100.0)


def all_tables(point: Allocation) -> dict[str, pd.DataFrame]:
    problem, spend = point.problem, point.best_spend
    around = {"budget_sensitivity": sensitivity_table(problem, spend)}
    around |= frontier_tables(problem, efficient_frontier(problem, spend))
    around |= scenario_tables(problem, spend, budget_scenarios(problem, spend))
    return {**allocation_tables(point), **response_curve_tables(problem, spend), **around}


NO_UNCERTAINTY = {"budget_diagnostics", "budget_spend_share", "budget_frontier_spend", "budget_scenario_spend"}
ENDS = ("lower", "upper", "lower_50", "upper_50", "q05", "q25", "q75", "q95")


def test_no_table_of_a_point_has_an_interval(point: Allocation) -> None:
    tables = all_tables(point)
    assert set(tables) == set(COLUMNS)
    for name, table in tables.items():
        validate(Table(name, TABLES[name].row, COLUMNS[name]), table)
        ends = [name for name in table.columns if name in ENDS or name.endswith(tuple(f"_{end}" for end in ENDS))]
        ends = [name for name in ends if not name.startswith("at_")]
        assert bool(ends) == (name not in NO_UNCERTAINTY), name
        assert table[ends].isna().all().all(), name


def test_the_point_itself_is_given(point: Allocation) -> None:
    tables = allocation_tables(point)
    summary = tables["budget_summary"].iloc[0]
    assert summary["delta_kpi_mean"] == summary["delta_kpi_p50"] == point.outcome.kpi.item()
    assert summary["delta_kpi_mean"] > 0
    curves = response_curve_tables(point.problem, point.best_spend)["budget_response_curves"]
    np.testing.assert_array_equal(curves["p50"], curves["mean"])


def test_a_point_has_no_probabilities_and_says_why(point: Allocation) -> None:
    tables = allocation_tables(point)
    chances = tables["budget_confidence_comparison"][["probability_better", "expected_loss", "loss_if_worse"]]
    assert chances.isna().all().all()
    names = ["probability_beats_reference", "probability_beats_split"]
    assert tables["budget_summary"][names].isna().all().all()
    rows = tables["budget_diagnostics"].set_index("check").loc[names]
    assert list(rows["status"]) == ["skipped", "skipped"]
    assert rows["value"].isna().all()
    assert set(rows["message"]) == {"A point estimate has no draws, so no probability can be given."}


def test_draws_around_the_point_give_the_same_plan_with_intervals() -> None:
    """The mean objective depends on the mean effects only."""
    spread = np.random.default_rng(1).normal(size=(200, 2))
    sampled = plan(np.array(EFFECTS) + 0.3 * (spread - spread.mean(axis=0)))
    single = plan(EFFECTS)
    np.testing.assert_allclose(sampled.best_spend, single.best_spend, rtol=1e-6)
    row = allocation_tables(sampled)["budget_summary"].iloc[0]
    assert row["delta_kpi_lower"] < row["delta_kpi_mean"] < row["delta_kpi_upper"]
    assert 0 <= row["probability_beats_reference"] <= 1


def test_a_plan_that_is_its_own_rival_says_so() -> None:
    best = plan([[3.0, 5.0], [3.1, 4.9]]).best_spend
    kept = allocate(make_problem(RESPONSES, [[3.0, 5.0], [3.1, 4.9]], 200.0, reference=best.tolist()))
    rows: pd.DataFrame = allocation_tables(kept)["budget_diagnostics"].set_index("check")
    assert rows.loc["probability_beats_reference", "message"] == "The plan is what it would be compared with."
