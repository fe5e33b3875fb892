"""Tables: columns as declared, sums that add up, numbers recomputed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from allocation_cases import make_problem, random_problem

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.columns import COLUMNS
from dsam_assets.allocation.summary import allocation_tables
from dsam_assets.design.response import Response

LOG = {"effect": 0.1, "response_scale": "log", "n_candidates": 50}
CASES = {
    "identity": random_problem(1, 4, ["identity", "hill", "log1p"], effect=5.0, n_candidates=50),
    "log": random_problem(2, 4, ["atan", "log1p"], kpi_baseline=800.0, **LOG),
    "relative": random_problem(3, 3, ["atan"], allow_relative_log_uplift=True, **LOG),
    "profit": random_problem(
        4,
        3,
        ["hill"],
        n=0.5,
        target="profit",
        value_per_kpi=40.0,
        n_candidates=50,
        rates=[1.0, 2.0, 4.0],
        observed=[80.0, 90.0, np.nan],
    ),
}


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request):
    allocation = allocate(CASES[request.param])
    return allocation, allocation_tables(allocation)


def test_tables_have_the_declared_columns_and_types(case):
    _, tables = case
    assert {"budget_summary", "budget_allocation", "budget_kpi_waterfall", "budget_spend_share"} < set(tables)
    assert set(tables) < set(COLUMNS)
    for name, table in tables.items():
        assert list(table.columns) == [column.name for column in COLUMNS[name]]
        for column in COLUMNS[name]:
            assert table[column.name].dtype == pd.api.types.pandas_dtype(column.dtype), (name, column.name)
            assert column.nullable or not table[column.name].isna().any(), (name, column.name)


def test_spends_add_up_to_the_budget_in_every_table(case):
    allocation, tables = case
    total = allocation.problem.total
    assert tables["budget_summary"]["spend_optimised"][0] == pytest.approx(total, rel=1e-12)
    assert tables["budget_allocation"]["spend_optimised"].sum() == pytest.approx(total, rel=1e-12)
    for name in ("budget_roi_cpa", "budget_impact"):
        table = tables[name].set_index("channel")
        rows = table.drop(index="TOTAL")
        assert rows["delta_spend"].sum() == pytest.approx(table.loc["TOTAL", "delta_spend"], abs=1e-9)


def test_impact_rows_add_up_to_the_total_change(case):
    allocation, tables = case
    impact = tables["budget_impact"]
    parts = impact[impact["kind"] != "total"]["delta_response_mean"].sum()
    assert parts == pytest.approx(allocation.outcome.kpi.mean(), rel=1e-10)
    assert ("INTERACTION" in set(impact["channel"])) == (allocation.problem.response_scale == "log")
    assert tables["budget_summary"]["delta_kpi_mean"][0] == pytest.approx(parts, rel=1e-10)


def test_total_change_agrees_between_roi_and_impact(case):
    _, tables = case
    roi, impact = tables["budget_roi_cpa"], tables["budget_impact"]
    total = roi.loc[roi["is_total"], "delta_response"].item()
    assert total == pytest.approx(impact.loc[impact["kind"] == "total", "delta_response_mean"].item(), rel=1e-9)


def fixed_plan(**options):
    draws = np.array([[2.0, 1.0], [4.0, 1.0], [6.0, 4.0]])
    return allocation_tables(
        allocate(
            make_problem(
                [Response()] * 2, draws, 50.0, upper=[30.0, 40.0], reference=[10.0, 0.0], n_candidates=10, **options
            )
        )
    )


def test_roi_by_hand():
    table = fixed_plan(rates=[2.0, 1.0], currency_scale=5.0, value_per_kpi=3.0)["budget_roi_cpa"].set_index("channel")
    # Mean effects 4 and 2; plan 30 and 20; money 10 per unit of channel 0, 5 of channel 1.
    assert table.loc["channel_0", "value_optimised"] == pytest.approx(3.0 * 4.0 * 30.0 / (30.0 * 10.0))
    assert np.isnan(table.loc["channel_1", "value_reference"])
    assert table.loc["TOTAL", "value_optimised"] == pytest.approx(3.0 * (120.0 + 40.0) / (300.0 + 100.0))
    assert table.loc["channel_0", "value_optimised_lower"] == pytest.approx(3.0 * 2.2 * 30.0 / 300.0)
    assert set(table["metric_unit"]) == {"currency per currency"}


def test_cpa_by_hand():
    table = fixed_plan(kpi_type="subscriptions")["budget_roi_cpa"].set_index("channel")
    assert table.loc["channel_0", "value_optimised"] == pytest.approx(1.0 / 4.0)
    assert table.loc["channel_0", "value_optimised_lower"] == pytest.approx(1.0 / 5.8)
    assert table.loc["channel_0", "value_optimised_upper"] == pytest.approx(1.0 / 2.2)
    assert set(table["metric"]) == {"cpa"}


def test_allocation_rows_by_hand():
    row = fixed_plan(observed=[25.0, 99.0])["budget_allocation"].set_index("channel").loc["channel_0"]
    assert (row["spend_optimised"], row["delta_spend"], row["at_upper"], row["at_lower"]) == (30.0, 20.0, True, False)
    assert (row["response_reference_mean"], row["response_optimised_mean"]) == (
        pytest.approx(40.0),
        pytest.approx(120.0),
    )
    assert row["delta_response_lower"] == pytest.approx(2.2 * 20.0)
    assert row["marginal_response_optimised"] == pytest.approx(4.0)
    assert bool(row["extrapolated"])
    assert row["share_optimised"] == pytest.approx(0.6)


def test_profit_is_reported_where_a_kpi_unit_has_a_value():
    assert fixed_plan()["budget_summary"]["delta_profit_mean"].isna().all()
    assert fixed_plan(value_per_kpi=3.0)["budget_summary"]["delta_profit_mean"][0] == pytest.approx(3.0 * 120.0 - 40.0)


def test_diagnostics_hold_certificate_starts_and_audit(case):
    allocation, tables = case
    table = tables["budget_diagnostics"]
    assert set(table.loc[table["section"] == "certificate", "check"]) >= {check.name for check in allocation.checks}
    assert (table["section"] == "start").sum() == len(allocation.climbs)
    best = table.loc[table["check"] == "score_best", "value"].item()
    assert best == allocation.candidate_scores.max()


def test_a_warning_reaches_the_summary():
    assert fixed_plan(observed=[25.0, 99.0])["budget_summary"]["status"][0] == "warn"
    assert fixed_plan(observed=[99.0, 99.0])["budget_summary"]["status"][0] == "pass"
    unknown = replace(CASES["identity"], n_candidates=10)
    assert allocation_tables(allocate(unknown))["budget_summary"]["status"][0] == "warn"
