"""Response curves against direct evaluation over draws, finite differences and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from allocation_cases import make_problem, random_problem

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.channel_response import channel_response, marginal_draws
from dsam_assets.allocation.columns import COLUMNS
from dsam_assets.allocation.response_curves import response_curve_tables
from dsam_assets.design.response import Response
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

LOG = {"effect": 0.1, "response_scale": "log", "n_candidates": 50}
CASES = {
    "identity": random_problem(
        1, 4, ["identity", "hill", "log1p"], effect=5.0, n_candidates=50, observed=[90.0, 70.0, np.nan, 1e4]
    ),
    "log": random_problem(2, 4, ["atan", "log1p"], kpi_baseline=800.0, rates=[1.0, 2.0, 3.0, 0.5], **LOG),
    "relative": random_problem(3, 3, ["atan"], allow_relative_log_uplift=True, **LOG),
    "s_shaped": random_problem(4, 3, ["hill"], n=3.0, effect=9.0, n_candidates=50, value_per_kpi=4.0),
    "steep": random_problem(5, 3, ["hill"], n=0.6, effect=9.0, n_candidates=50, kpi_type="subscriptions"),
}


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request):
    problem = CASES[request.param]
    plan = allocate(problem).best_spend
    return problem, plan, response_curve_tables(problem, plan)


def test_tables_are_as_declared(case):
    _, _, tables = case
    for name, table in tables.items():
        assert list(table.columns) == [column.name for column in COLUMNS[name]]
        validate(TABLES[name], table)


def test_a_curve_is_the_kpi_over_draws_at_each_spend(case):
    problem, _, tables = case
    for c, (name, curve) in enumerate(tables["budget_response_curves"].groupby("channel", sort=False)):
        assert name == problem.names[c]
        f, row = problem.channels[c].response.value, curve.iloc[37]
        kpi = []
        for beta in problem.coefficients[:, c]:
            here, there, none = (float(f(np.array([s]))[0]) for s in (row["spend"], problem.reference[c], 0.0))
            level = problem.kpi_baseline or 1.0
            if problem.response_scale == "log":
                kpi.append(level * (np.exp(beta * (here - there)) - np.exp(beta * (none - there))))
            else:
                kpi.append(beta * here)
        levels = {"lower": 0.05, "lower_50": 0.25, "p50": 0.5, "upper_50": 0.75, "upper": 0.95}
        assert row["mean"] == pytest.approx(np.mean(kpi), rel=1e-12)
        for column, level in levels.items():
            assert row[column] == pytest.approx(np.quantile(kpi, level), rel=1e-12), column


def test_bands_hold_the_mean_and_the_inner_band_lies_in_the_outer(case):
    _, _, tables = case
    for name in ("budget_response_curves", "budget_response_points"):
        rows = tables[name]
        order = ["lower", "lower_50", "p50", "upper_50", "upper"]
        assert (np.diff(rows[order].to_numpy(), axis=1) >= 0).all()
        assert (rows["lower"] <= rows["mean"]).all()
        assert (rows["mean"] <= rows["upper"]).all()
        known = rows.dropna(subset="marginal")
        assert len(known) > 0.9 * len(rows)
        assert (known["marginal_lower"] <= known["marginal"]).all()
        assert (known["marginal"] <= known["marginal_upper"]).all()


def test_marginals_are_the_slopes_of_the_curves(case):
    """Central differences of every draw's response; the band is that of the slopes, not the slope of the band."""
    problem, _, tables = case
    for c, (_, curve) in enumerate(tables["budget_response_curves"].groupby("channel", sort=False)):
        row = curve.iloc[60]
        step = 1e-5 * row["spend"]
        around = channel_response(problem, c, row["spend"] + np.array([-step, step]))
        slopes = (around[:, 1] - around[:, 0]) / (2 * step)
        assert row["marginal"] == pytest.approx(slopes.mean(), rel=1e-6)
        assert row["marginal_lower"] == pytest.approx(np.quantile(slopes, 0.05), rel=1e-6)
        assert row["marginal_upper"] == pytest.approx(np.quantile(slopes, 0.95), rel=1e-6)


def test_an_infinite_slope_is_missing_and_nothing_else_is(case):
    problem, _, tables = case
    steep = [channel.name for channel in problem.channels if channel.response.kind == "hill" and channel.response.n < 1]
    missing = tables["budget_response_curves"].query("marginal != marginal")
    assert sorted(missing["channel"]) == sorted(steep)
    assert (missing["spend"] == 0.0).all()


def test_a_worthless_channel_has_no_marginal_even_where_the_slope_is_infinite():
    problem = make_problem([Response("hill", scale=50.0, n=0.5)] * 2, [[0.0, 1.0], [0.0, 2.0]], 100.0)
    np.testing.assert_array_equal(marginal_draws(problem, 0, np.array([0.0, 10.0])), 0.0)


def test_curves_run_from_zero_beyond_everything_of_interest(case):
    problem, plan, tables = case
    for c, (_, curve) in enumerate(tables["budget_response_curves"].groupby("channel", sort=False)):
        assert curve["spend"].iloc[0] == 0.0
        assert curve["mean"].iloc[0] == 0.0
        farthest = np.nanmax([problem.reference[c], plan[c], problem.observed_max[c]])
        assert curve["spend"].iloc[-1] > farthest
        assert curve["spend"].is_monotonic_increasing


def test_spend_beyond_the_data_is_marked_and_unknown_is_not_guessed(case):
    problem, _, tables = case
    for table in tables.values():
        limits = table["channel"].map(dict(zip(problem.names, problem.observed_max, strict=True)))
        known = limits.notna()
        wanted = table.loc[known, "spend"] > limits[known]
        assert (table.loc[known, "extrapolated"].astype(bool) == wanted).all()
        assert table.loc[~known, "extrapolated"].isna().all()
    if np.isfinite(problem.observed_max).any():
        assert tables["budget_response_curves"]["extrapolated"].any()


def test_points_are_the_curve_at_reference_and_plan(case):
    problem, plan, tables = case
    points = tables["budget_response_points"]
    assert points["point"].tolist() == ["reference", "optimised"] * len(plan)
    np.testing.assert_array_equal(points["spend"], np.column_stack([problem.reference, plan]).ravel())
    for c, (_, rows) in enumerate(points.groupby("channel", sort=False)):
        draws = channel_response(problem, c, rows["spend"].to_numpy())
        np.testing.assert_allclose(rows["mean"], draws.mean(axis=0), rtol=1e-12)


def test_money_is_spend_at_the_channels_rate(case):
    problem, _, tables = case
    for table in tables.values():
        rates = table["channel"].map(dict(zip(problem.names, problem.money_rates, strict=True)))
        np.testing.assert_allclose(table["spend_currency"], rates * table["spend"], rtol=1e-12)


def test_without_a_plan_there_is_no_optimised_point():
    tables = response_curve_tables(CASES["identity"], None)
    assert set(tables["budget_response_points"]["point"]) == {"reference"}
    assert set(tables["budget_marginal_roi"]["point"]) == {"curve", "reference"}


def logarithmic(**options):
    """Two draws of β·log(1 + s/100), whose slope is β/(100 + s)."""
    return make_problem(
        [Response("log1p", scale=100.0)] * 2, [[200.0, 1.0], [400.0, 1.0]], 200.0, rates=[2.0, 1.0], **options
    )


def at_reference(problem) -> pd.Series:
    rows = response_curve_tables(problem, None)["budget_marginal_roi"]
    return rows[(rows["channel"] == "channel_0") & (rows["point"] == "reference")].iloc[0]


def test_marginal_roi_by_hand():
    """At spend 100 a unit brings 200/200 and 400/200 KPI and costs 2 of money; a KPI unit is worth 3."""
    row = at_reference(logarithmic(value_per_kpi=3.0))
    assert (row["metric"], row["metric_unit"]) == ("roi", "currency per currency")
    assert row["value"] == pytest.approx(3.0 * 1.5 / 2.0)
    assert row["value_lower"] == pytest.approx(3.0 * 1.05 / 2.0)
    assert row["value_upper"] == pytest.approx(3.0 * 1.95 / 2.0)


def test_marginal_cost_per_kpi_by_hand():
    row = at_reference(logarithmic(kpi_type="subscriptions"))
    assert (row["metric"], row["metric_unit"]) == ("cpa", "currency per kpi")
    assert row["value"] == pytest.approx(2.0 / 1.5)
    assert row["value_lower"] == pytest.approx(2.0 / 1.95)
    assert row["value_upper"] == pytest.approx(2.0 / 1.05)


def test_average_metric_counts_from_zero_spend():
    points = response_curve_tables(logarithmic(), None)["budget_response_points"].set_index("channel")
    assert points.loc["channel_0", "metric_value"] == pytest.approx(300.0 * np.log(2.0) / 200.0)


def test_channels_never_used_still_get_a_curve():
    problem = make_problem([Response()] * 2, [[1.0, 2.0]] * 3, 50.0, reference=[0.0, 0.0], upper=[30.0, 40.0])
    curves = response_curve_tables(problem, None)["budget_response_curves"]
    assert (curves.groupby("channel")["spend"].max() > 0).all()
