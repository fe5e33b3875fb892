"""The frontier and deviations from the plan, against closed forms, separate searches and brute force."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from allocation_cases import make_problem, random_problem, simplex_grid

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.frontier import efficient_frontier, frontier_tables
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.sensitivity import sensitivity_table
from dsam_assets.design.response import Response
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate


def solved(problem):
    return problem, allocate(problem).best_spend


def tables_of(problem, plan):
    return frontier_tables(problem, efficient_frontier(problem, plan))


def root_problem(weights, total, **options):
    """Responses log(1 + s/1): with equal scales the optimum is s_c + 1 ∝ w_c, in closed form."""
    return make_problem([Response("log1p", scale=1.0)] * np.shape(weights)[-1], weights, total, **options)


def closed_form(weights, total):
    """Water-filling of Σ w log(1 + s): s = w·t − 1 over the channels that are worth it."""
    weights = np.asarray(weights, dtype=float)
    active = np.ones(len(weights), dtype=bool)
    while True:
        level = (total + active.sum()) / weights[active].sum()
        spend = np.where(active, weights * level - 1.0, 0.0)
        if (spend >= 0.0).all():
            return spend
        active &= spend > 0.0


WEIGHTS = [5.0, 2.0, 1.0]


def test_every_point_is_the_closed_form_optimum_of_its_own_budget():
    problem, plan = solved(root_problem(WEIGHTS, 20.0))
    rows = tables_of(problem, plan)["budget_efficient_frontier"]
    assert len(rows) == 21
    for row in rows.itertuples():
        best = closed_form(WEIGHTS, row.budget) if row.budget else np.zeros(3)
        response = float(np.array(WEIGHTS) @ np.log1p(best))
        assert row.response_mean == pytest.approx(response, rel=1e-9, abs=1e-12)
    spends = tables_of(problem, plan)["budget_frontier_spend"]
    for budget, block in spends.groupby("budget"):
        wanted = closed_form(WEIGHTS, budget) if budget else np.zeros(3)
        np.testing.assert_allclose(block["spend"], wanted, atol=1e-6)
        assert block["share"].sum() == pytest.approx(1.0 if budget else 0.0)


def test_the_last_unit_is_the_slope_of_the_frontier():
    problem, plan = solved(root_problem(WEIGHTS, 20.0, rates=[2.0, 2.0, 2.0], value_per_kpi=3.0))
    rows = tables_of(problem, plan)["budget_efficient_frontier"]
    for row in rows[rows["budget"] > 0].itertuples():
        step = 1e-5 * row.budget
        ends = [float(np.array(WEIGHTS) @ np.log1p(closed_form(WEIGHTS, row.budget + d))) for d in (-step, step)]
        slope = (ends[1] - ends[0]) / (2 * step)
        assert row.marginal_response == pytest.approx(slope, rel=1e-5)
        assert row.marginal_metric == pytest.approx(3.0 * slope / 2.0, rel=1e-5)
    nothing = rows.iloc[0]
    assert nothing["budget"] == 0.0
    assert np.isnan(nothing["marginal_response"])


def test_the_last_unit_with_an_s_shape_is_taken_where_it_hurts_least():
    """Linear channels: the best one is full, the second takes the rest and would give the last unit."""
    problem, plan = solved(make_problem([Response()] * 3, [[3.0, 2.0, 1.0]] * 2, 50.0, upper=[20.0, 100.0, 100.0]))
    rows = tables_of(problem, plan)["budget_efficient_frontier"].set_index("point")
    assert rows.loc["plan", "marginal_response"] == pytest.approx(2.0)


def test_a_channel_at_its_minimum_up_to_rounding_does_not_give_the_last_unit():
    """Its marginal lies far below the others': the frontier of a concave problem falls smoothly."""
    shapes = [Response("log1p", scale=s) for s in (30.0, 70.0, 110.0)] + [Response("log1p", scale=5e4)]
    problem, plan = solved(make_problem(shapes, [[5.0, 4.0, 3.0, 1.0]], 700.0, lower=[5.0] * 4, n_candidates=50))
    rows = tables_of(problem, plan)["budget_efficient_frontier"]
    last = rows["marginal_response"].dropna().to_numpy()
    assert len(last) > 15
    assert (np.diff(last) < 0).all()
    assert last[-1] > 2.0 * (1.0 / 5e4)
    crumbs = plan + np.array([0.0, 0.0, -1e-10, 1e-10])
    row = tables_of(problem, crumbs)["budget_efficient_frontier"].set_index("point").loc["plan"]
    assert row["marginal_response"] == pytest.approx(5.0 / (30.0 + plan[0]), rel=1e-6)


LOG = {"response_scale": "log", "kpi_baseline": 500.0, "n_candidates": 50}
MONOTONE = {
    "concave": random_problem(1, 5, ["log1p", "atan", "hill"], effect=5.0, n_candidates=50),
    "s_shaped": random_problem(2, 4, ["hill"], n=3.0, effect=5.0, n_candidates=50),
    "log": random_problem(3, 4, ["atan", "log1p"], effect=0.2, **LOG),
    "log_s_shaped": random_problem(4, 4, ["hill", "atan"], n=2.5, effect=0.3, **LOG),
    "bounded": random_problem(
        5, 3, ["hill"], n=2.0, effect=5.0, n_candidates=50, lower=[20.0, 0.0, 10.0], upper=[80.0, 90.0, 70.0]
    ),
}


@cache
def found(name):
    """Problem, plan and frontier of a case."""
    problem, plan = solved(MONOTONE[name])
    return problem, plan, efficient_frontier(problem, plan)


@pytest.mark.parametrize("name", sorted(MONOTONE))
def test_more_budget_never_lowers_the_score(name):
    problem, plan, points = found(name)
    rows = frontier_tables(problem, points)["budget_efficient_frontier"]
    validate(TABLES["budget_efficient_frontier"], rows)
    assert rows["budget"].is_monotonic_increasing
    slack = 1e-9 * rows["score"].abs().max()
    assert (rows["score"].diff().dropna() >= -slack).all()
    at_plan = rows[rows["point"] == "plan"].iloc[0]
    assert at_plan["score"] == pytest.approx(Objective(problem).score(plan), rel=1e-12)
    assert at_plan["multiplier"] == 1.0


@pytest.mark.parametrize("name", sorted(MONOTONE))
def test_every_point_is_feasible_and_as_good_as_a_search_of_its_own(name):
    problem, _, points = found(name)
    for point in points:
        assert point.spend.sum() == pytest.approx(point.total, rel=1e-9, abs=1e-9)
        assert (point.spend >= problem.lower - 1e-9).all()
        assert (point.spend <= problem.upper + 1e-9).all()
    for point in [p for p in points if p.total > 0][3::8]:
        alone = allocate(replace(problem, total=point.total))
        score = Objective(problem).score(point.spend)
        assert score >= alone.score - 1e-6 * abs(alone.score)


def test_s_shaped_points_are_the_best_of_a_dense_grid():
    responses = [Response("hill", scale=40.0, n=3.0), Response("hill", scale=60.0, n=4.0)]
    problem, plan = solved(make_problem(responses, [[1.0, 1.6], [1.2, 1.4]], 100.0, n_candidates=50))
    for point in efficient_frontier(problem, plan)[1:]:
        best = Objective(problem).scores(simplex_grid(point.total, 4000, 2)).max()
        assert Objective(problem).score(point.spend) >= best - 1e-9


def test_bounds_end_the_frontier():
    problem, _, points = found("bounded")
    rows = frontier_tables(problem, points)["budget_efficient_frontier"]
    assert rows["point"].iloc[0] == "smallest"
    assert rows["budget"].iloc[0] == 30.0
    assert rows["point"].iloc[-1] == "largest"
    assert rows["budget"].iloc[-1] == 240.0


def test_the_references_budget_has_a_point_of_its_own():
    problem, plan = solved(root_problem(WEIGHTS, 20.0, reference=[5.0, 5.0, 5.0]))
    rows = tables_of(problem, plan)["budget_efficient_frontier"].set_index("point")
    assert rows.loc["reference_budget", "budget"] == 15.0
    gain = np.array(WEIGHTS) @ (np.log1p(closed_form(WEIGHTS, 15.0)) - np.log1p([5.0, 5.0, 5.0]))
    assert rows.loc["reference_budget", "delta_kpi_mean"] == pytest.approx(float(gain))
    same, own = solved(root_problem(WEIGHTS, 20.0))
    assert "reference_budget" not in set(tables_of(same, own)["budget_efficient_frontier"]["point"])


def test_intervals_and_efficiency_by_hand():
    draws = [[2.0, 1.0], [4.0, 1.0], [6.0, 4.0]]
    options = {"upper": [30.0, 40.0], "reference": [10.0, 0.0], "rates": [2.0, 1.0], "value_per_kpi": 3.0}
    problem, plan = solved(make_problem([Response()] * 2, draws, 50.0, observed=[25.0, np.nan], **options))
    row = tables_of(problem, plan)["budget_efficient_frontier"].set_index("point").loc["plan"]
    response = np.array(draws) @ [30.0, 20.0]
    assert row["response_mean"] == pytest.approx(response.mean())
    assert row["response_lower"] == pytest.approx(np.quantile(response, 0.05))
    change = response - 10.0 * np.array(draws)[:, 0]
    assert row["delta_kpi_upper"] == pytest.approx(np.quantile(change, 0.95))
    assert row["budget_currency"] == pytest.approx(80.0)
    assert row["metric_value"] == pytest.approx(3.0 * response.mean() / 80.0)
    assert row["metric_upper"] == pytest.approx(3.0 * np.quantile(response, 0.95) / 80.0)
    assert row["delta_profit"] == pytest.approx(3.0 * change.mean() - 60.0)
    assert row["n_extrapolated"] == 1


def test_profit_peaks_where_the_last_unit_pays_for_itself():
    options = {"target": "profit", "value_per_kpi": 4.0}
    problem, plan = solved(root_problem([5.0, 2.0], 18.0, **options))
    rows = tables_of(problem, plan)["budget_efficient_frontier"]
    best = rows["score"].idxmax()
    assert 0 < best < len(rows) - 1
    assert rows["marginal_metric"][best - 1] > 1.0 > rows["marginal_metric"][best + 1]


def sensitivity(problem, plan):
    table = sensitivity_table(problem, plan)
    validate(TABLES["budget_sensitivity"], table)
    return table


def one(table, channel, change, rest):
    found = table[(table["channel"] == channel) & np.isclose(table["change"], change) & (table["rest"] == rest)]
    assert len(found) == 1
    return found.iloc[0]


def test_held_moves_one_channel_and_the_total():
    problem, plan = solved(root_problem([[5.0, 2.0, 1.0], [4.0, 3.0, 1.0]], 20.0))
    row = one(sensitivity(problem, plan), "channel_1", 0.2, "held")
    moved = plan * [1.0, 1.2, 1.0]
    assert row["spend_total"] == pytest.approx(moved.sum())
    change = np.array([2.0, 3.0]) * (np.log1p(moved[1]) - np.log1p(plan[1]))
    assert row["delta_kpi_mean"] == pytest.approx(change.mean())
    assert row["delta_kpi_lower"] == pytest.approx(np.quantile(change, 0.05))
    assert row["delta_score"] == pytest.approx(change.mean())


def test_scaled_keeps_the_total_and_the_others_proportions():
    problem, plan = solved(root_problem(WEIGHTS, 20.0))
    row = one(sensitivity(problem, plan), "channel_0", -0.2, "scaled")
    others = plan[1:] * (20.0 - 0.8 * plan[0]) / plan[1:].sum()
    moved = np.array([0.8 * plan[0], *others])
    assert row["spend_total"] == pytest.approx(20.0)
    assert row["delta_kpi_mean"] == pytest.approx(float(np.array(WEIGHTS) @ (np.log1p(moved) - np.log1p(plan))))


def test_reoptimised_is_the_closed_form_for_the_others():
    problem, plan = solved(root_problem(WEIGHTS, 20.0))
    row = one(sensitivity(problem, plan), "channel_0", 0.2, "reoptimised")
    moved = np.array([1.2 * plan[0], *closed_form(WEIGHTS[1:], 20.0 - 1.2 * plan[0])])
    assert row["delta_kpi_mean"] == pytest.approx(float(np.array(WEIGHTS) @ (np.log1p(moved) - np.log1p(plan))))


@pytest.mark.parametrize("name", sorted(MONOTONE))
def test_no_deviation_within_the_budget_beats_the_plan_and_reoptimising_beats_scaling(name):
    problem, plan, _ = found(name)
    table = sensitivity(problem, plan)
    slack = 1e-6 * abs(Objective(problem).score(plan))
    fixed = table[(table["rest"] != "held") & (table["status"] == "ok") & table["within_bounds"]]
    assert len(fixed)
    assert (fixed["delta_score"] <= slack).all()
    wide = table[table["rest"] != "held"].pivot(index=["channel", "change"], columns="rest", values="delta_score")
    wide = wide.dropna()
    assert (wide["reoptimised"] >= wide["scaled"] - slack).all()


def test_what_the_others_cannot_make_up_is_said_and_not_guessed():
    """Both others are full, so that a channel's cut has nowhere to go."""
    problem, plan = solved(make_problem([Response()] * 2, [[2.0, 1.0]] * 2, 50.0, upper=[30.0, 20.0]))
    table = sensitivity(problem, plan)
    for rest in ("scaled", "reoptimised"):
        row = one(table, "channel_0", -0.2, rest)
        assert row["status"] == "others_cannot_absorb"
        assert np.isnan(row["delta_score"])
    assert one(table, "channel_0", -0.2, "held")["delta_score"] == pytest.approx(-12.0)
    outside = one(table, "channel_0", 0.2, "scaled")
    assert outside["status"] == "ok"
    assert not outside["within_bounds"]


def test_spend_beyond_the_data_is_marked():
    problem, plan = solved(make_problem([Response()] * 2, [[2.0, 1.0]] * 2, 50.0, upper=[30.0, 40.0],
                                        observed=[33.0, np.nan]))  # fmt: skip
    rows = sensitivity(problem, plan)
    known = rows[rows["channel"] == "channel_0"]
    assert (known["extrapolated"] == (known["spend"] > 33.0)).all()
    assert known["extrapolated"].any()
    assert rows.loc[rows["channel"] == "channel_1", "extrapolated"].isna().all()
