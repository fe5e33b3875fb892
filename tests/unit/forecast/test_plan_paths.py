"""What a budget plan does to the rows ahead: columns, notes, and totals paired by draw."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forecast_cases import draws_of, panel, priors_of, report, source_of, split, weekly

from dsam_assets.config.schema_allocation import ChannelSection
from dsam_assets.forecast.forecast import Forecast, PlanInput, forecast_market, plan_input
from dsam_assets.forecast.future_data import FutureData
from dsam_assets.forecast.future_rows import future_rows
from dsam_assets.forecast.plan_paths import PlanPaths, plan_paths

FORMULA = "kpi ~ m_tv + price"


def with_media(frame: pd.DataFrame, *, carry: float = 0.0) -> pd.DataFrame:
    """`m_tv` is log1p(spend / 50), plus a share of last week's where something is carried over."""
    value = np.log1p(frame["tv"] / 50)
    return frame.assign(spend_tv=frame["tv"], m_tv=value + carry * value.shift(1, fill_value=0.0))


def channel(**keys: Any) -> ChannelSection:
    raw = {"term": "m_tv", "name": "TV", "spend_col": "spend_tv", "response": {"type": "log1p", "scale": 50}}
    return ChannelSection.model_validate({**raw, **keys})


def plan(planned: float = 150.0, reference: float = 100.0, **more: Any) -> pd.DataFrame:
    named = {"channel": "TV", "term": "m_tv", "unit": ""}
    return pd.DataFrame({**named, "spend_reference": [reference], "spend_optimised": [planned], **more})


def paths(whole: pd.DataFrame, formula: str = FORMULA, table: pd.DataFrame | None = None, **keys: Any) -> PlanPaths:
    past, future = split(whole, 4)
    source = source_of(past, formula)
    rows = future_rows(source, FutureData(future))
    return plan_paths(source, rows, plan() if table is None else table, [channel(**keys)])


@pytest.mark.parametrize("unit", ["", "uk"])
def test_a_plan_of_single_groups_is_read_by_channel_and_group(unit: str) -> None:
    table = plan(unit=unit, term="m_tv")
    table["channel"] = "TV (uk)" if unit else "TV"
    published = SimpleNamespace(tables={"budget_allocation": table})
    found = plan_input(published, SimpleNamespace(allocation=SimpleNamespace(channels=(channel(),))))  # type: ignore[arg-type]
    assert found is not None
    assert found.table["channel"].item() == "TV"
    assert ("group" in found.table) == bool(unit)
    if unit:
        assert found.table["group"].item() == "uk"


def test_a_column_that_is_the_response_of_its_spend_is_replaced() -> None:
    whole = with_media(weekly()).round({"m_tv": 6})
    found = paths(whole)
    assert found.channels["effect"].item() == "replaced"
    np.testing.assert_allclose(found.matrices["plan"].values[:, 1], np.log1p(3.0))
    spend = whole["spend_tv"].tail(4)
    np.testing.assert_allclose(found.matrices["even"].values[:, 1], np.log1p(spend.mean() / 50))
    np.testing.assert_array_equal(found.matrices["plan"].values[:, 2], whole["price"].tail(4))
    row = found.channels.iloc[0]
    assert (row["spend_ahead"], row["spend_reference"], row["spend_plan"]) == (
        pytest.approx(spend.mean()),
        100.0,
        150.0,
    )


def test_a_column_that_carries_over_is_shifted_by_the_allocations_difference() -> None:
    whole = with_media(weekly(), carry=0.5)
    found = paths(whole)
    assert found.channels["effect"].item() == "shifted"
    shift = np.log1p(3.0) - np.log1p(2.0)
    np.testing.assert_allclose(found.matrices["plan"].values[:, 1], whole["m_tv"].tail(4) + shift)
    assert "even" not in found.matrices
    assert "carry-over is taken to have settled" in found.channels["assumption"].item()


def test_without_a_spend_column_nothing_is_taken_for_a_response() -> None:
    whole = with_media(weekly()).drop(columns="spend_tv")
    found = paths(whole)
    assert found.channels["effect"].item() == "shifted"
    assert np.isnan(found.channels["spend_ahead"].item())


def test_varying_columns_change_in_the_group_term_too_in_proportion_to_each_units_own_spend() -> None:
    whole = with_media(panel())
    past, future = split(whole, 4)
    source = source_of(past, "kpi ~ m_tv + (1 + m_tv | market)")
    rows = future_rows(source, FutureData(future))
    found = plan_paths(source, rows, plan(), [channel()])
    own = future.groupby("market")["spend_tv"].transform("mean").to_numpy()
    wanted = np.log1p(1.5 * own / 50)
    np.testing.assert_allclose(found.matrices["plan"].values[:, 1], wanted)
    np.testing.assert_allclose(found.matrices["plan"].groups[0].values[:, 1], wanted)
    np.testing.assert_allclose(rows.matrix.groups[0].values[:, 1], future["m_tv"])  # the base is left alone
    assert any("several panel units together" in note for note in found.notes)


def by_unit(**spends: float) -> pd.DataFrame:
    """A plan with a row for each unit, as `allocation.level: group` gives it."""
    parts = [plan(spend, 1.0).assign(channel=f"TV ({unit})", unit=unit) for unit, spend in spends.items()]
    return pd.concat(parts, ignore_index=True)


def test_a_plan_by_unit_is_taken_as_it_is() -> None:
    whole = with_media(panel())
    past, future = split(whole, 4)
    source = source_of(past, "kpi ~ m_tv + (1 | market)")
    rows = future_rows(source, FutureData(future))
    found = plan_paths(source, rows, by_unit(m0=50.0, m1=100.0, m2=150.0), [channel()])
    np.testing.assert_allclose(found.matrices["plan"].values[:, 1], np.repeat(np.log1p([1.0, 2.0, 3.0]), 4))
    assert found.notes == ()
    assert found.channels["spend_plan"].item() == pytest.approx(100.0)


def test_units_without_a_plan_keep_their_spend_in_every_path() -> None:
    whole = with_media(panel())
    past, future = split(whole, 4)
    source = source_of(past, "kpi ~ m_tv + (1 | market)")
    rows = future_rows(source, FutureData(future))
    found = plan_paths(source, rows, by_unit(m1=100.0), [channel()])
    for path, wanted in (("plan", 100.0), ("even", future["spend_tv"].iloc[4:8].mean())):
        changed = future["m_tv"].to_numpy().copy()
        changed[4:8] = np.log1p(wanted / 50)
        np.testing.assert_allclose(found.matrices[path].values[:, 1], changed)
    assert found.notes == ("The plan is not for all panel units; these keep the future data's spend: m0, m2.",)
    row = found.channels.iloc[0]
    assert (row["spend_plan"], row["spend_ahead"]) == (100.0, pytest.approx(future["spend_tv"].iloc[4:8].mean()))
    gone = plan_paths(source, rows, by_unit(m9=100.0), [channel()])
    assert (gone.matrices, gone.skipped) == ({}, "the plan is for panel units that are not forecast")


def test_a_plan_for_a_group_of_units_is_shared_in_proportion() -> None:
    whole = with_media(panel(markets=4))
    whole["region"] = np.where(whole["market"].isin(["m0", "m1"]), "north", "south")
    past, future = split(whole, 4)
    source = source_of(past, "kpi ~ m_tv + (1 | region/market)")
    rows = future_rows(source, FutureData(future))
    found = plan_paths(source, rows, plan().assign(unit="north"), [channel()])
    own = future.groupby("market")["spend_tv"].transform("mean").to_numpy()
    north = future["region"].to_numpy() == "north"
    np.testing.assert_allclose(
        found.matrices["plan"].values[:, 1], np.where(north, np.log1p(1.5 * own / 50), future["m_tv"])
    )
    assert len(found.notes) == 2


def test_other_terms_of_the_same_column_are_named() -> None:
    found = paths(with_media(weekly()), "kpi ~ m_tv + lag(m_tv, 1) + m_tv:price")
    assert found.notes == ("The plan does not change these terms, as in the allocation: lag(m_tv, 1), m_tv:price.",)


def test_future_data_that_contradict_their_spend_are_named() -> None:
    whole = with_media(weekly())
    whole.loc[whole.index[-2:], "m_tv"] += 1.0
    assert any("is not the response of its spend for: TV" in note for note in paths(whole).notes)


def forecast_with_plan(formula: str, size: int = 400) -> tuple[Forecast, np.ndarray, pd.DataFrame]:
    whole = with_media(weekly())
    past, future = split(whole, 4)
    rng = np.random.default_rng(3)
    coef = rng.normal([2.0, 0.5, 0.01], [0.1, 0.1, 0.001], (size, 3))
    source = source_of(past, formula)
    draws = draws_of(source.matrix.terms, coef, np.full(size, 0.2))
    found = forecast_market(
        draws, source, priors_of(formula), FutureData(future), report(), plan=PlanInput(plan(), [channel()])
    )
    return found, coef, future


@pytest.mark.parametrize("formula", [FORMULA, "log(kpi) ~ m_tv + price"])
def test_the_difference_to_the_base_is_paired_by_draw(formula: str) -> None:
    found, coef, future = forecast_with_plan(formula)
    table = found.tables["forecast_summary"].set_index(["path", "quantity"])

    def total(column: np.ndarray) -> np.ndarray:
        values = np.column_stack([np.ones(4), column, future["price"]])
        mean = coef @ values.T
        return (np.exp(mean + 0.02) if formula.startswith("log") else mean).sum(axis=1)

    change = total(np.full(4, np.log1p(3.0))) - total(future["m_tv"].to_numpy())
    row = table.loc[("plan_minus_base", "expected")]
    assert row["mean"] == pytest.approx(change.mean())
    assert row["sd"] == pytest.approx(change.std(ddof=1))
    assert row["q05"] == pytest.approx(np.quantile(change, 0.05))
    assert row["probability_positive"] == np.mean(change > 0)
    even = change - (total(np.full(4, np.log1p(future["spend_tv"].mean() / 50))) - total(future["m_tv"].to_numpy()))
    assert table.loc[("plan_minus_even", "expected")]["mean"] == pytest.approx(even.mean())
    assert any("spending the future data's own budget that evenly" in note for note in found.notes)


def test_without_a_plan_the_forecast_says_so() -> None:
    past, future = split(weekly(), 4)
    source = source_of(past, "kpi ~ tv")
    draws = draws_of(source.matrix.terms, np.ones((50, 2)), np.ones(50))
    found = forecast_market(draws, source, priors_of("kpi ~ tv"), FutureData(future), report())
    assert found.plan == "the config asks for no budget plan (allocation.enabled: false)"
    assert set(found.tables["forecast_summary"]["path"]) == {"base"}
    assert "forecast_plan" not in found.tables


def test_a_panel_without_spend_ahead_takes_each_units_past_mean() -> None:
    whole = with_media(panel())
    past, future = split(whole, 4)
    source = source_of(past, "kpi ~ m_tv + (1 | market)")
    rows = future_rows(source, FutureData(future.drop(columns="spend_tv")))
    found = plan_paths(source, rows, plan(), [channel()])
    own = past.groupby("market")["spend_tv"].mean().to_numpy()
    np.testing.assert_allclose(found.matrices["plan"].values[:, 1], np.repeat(np.log1p(1.5 * own / 50), 4))
