"""The future rows of a model matrix are what one matrix over all weeks would have held there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forecast_cases import panel, source_of, split, weekly

from dsam_assets.config.schema_data import TimeComponentsSection
from dsam_assets.data.holidays import market_holidays
from dsam_assets.data.pooling_map import pooling_map
from dsam_assets.errors import DataError, DsamError
from dsam_assets.forecast.future_data import FutureData, future_holidays
from dsam_assets.forecast.future_rows import future_rows

CRE = {"enabled": True, "vars": ["tv"]}


@pytest.mark.parametrize(
    "formula",
    [
        "kpi ~ tv + price",
        "log(kpi) ~ lag(tv, 1) + log(tv) + price + offset(0.1 * price)",
        "kpi ~ lag(tv, 3):price + I(price^2)",
        "kpi ~ region * tv",
        "kpi ~ lag(kpi, 6) + tv",
    ],
)
def test_future_rows_are_those_of_one_matrix_over_all_weeks(formula: str) -> None:
    whole = weekly().assign(region=np.tile(["north", "south", "east", "west"], 10))
    past, future = split(whole, 6)
    found = future_rows(source_of(past, formula), FutureData(future.drop(columns="kpi"))).matrix
    truth = source_of(whole, formula).matrix
    assert found.terms == truth.terms
    np.testing.assert_array_equal(found.values, truth.values[-6:])
    np.testing.assert_array_equal(found.offset, truth.offset[-6:])
    assert np.isnan(found.response).all()


def test_panels_too_whatever_the_order_of_the_rows() -> None:
    formula = "kpi ~ lag(tv, 2) + price + (1 + lag(tv, 1) | market)"
    whole = panel()
    past, future = split(whole, 5)
    found = future_rows(source_of(past, formula), FutureData(future.iloc[::-1].reset_index(drop=True)))
    truth = source_of(whole, formula).matrix
    later = np.isin(truth.rows, np.flatnonzero(whole["date"].isin(future["date"])))
    np.testing.assert_array_equal(found.matrix.values, truth.values[later])
    np.testing.assert_array_equal(found.matrix.groups[0].values, truth.groups[0].values[later])
    np.testing.assert_array_equal(found.matrix.groups[0].codes, truth.groups[0].codes[later])
    assert found.labels()["group"].tolist() == ["m0"] * 5 + ["m1"] * 5 + ["m2"] * 5
    np.testing.assert_allclose(found.observed, truth.response[later])


def test_the_kpi_of_the_weeks_ahead_is_no_predictor_of_them() -> None:
    past, future = split(weekly(), 6)
    source = source_of(past, "kpi ~ lag(kpi, 2) + tv")
    with pytest.raises(DataError, match="lack values that the model needs") as caught:
        future_rows(source, FutureData(future))
    assert "lag(kpi, 2) is missing in 4 rows" in str(caught.value.got)
    assert "shorten forecast.horizon to its lag" in str(caught.value.fix)
    assert future_rows(source, FutureData(future), 2).matrix.values.shape == (2, 3)


def test_lead_takes_rows_behind_the_horizon() -> None:
    past, future = split(weekly(), 6)
    source = source_of(past, "kpi ~ lead(tv, 1) + price")
    found = future_rows(source, FutureData(future), 5).matrix
    np.testing.assert_array_equal(found.values[:, 1], future["tv"].to_numpy()[1:])
    with pytest.raises(DataError, match="lack values") as caught:
        future_rows(source, FutureData(future))
    assert "lead(tv, 1) is missing in 1 row: 2024-09-30" in str(caught.value.got)


def test_group_means_are_those_of_the_fit_and_a_new_unit_takes_its_own() -> None:
    formula, whole = "kpi ~ tv + price + (1 | market)", panel()
    past, future = split(whole, 4)
    future["tv"] += 1000.0
    both = pd.concat([future, future[future["market"] == "m0"].assign(market="new", tv=range(4))], ignore_index=True)
    found = future_rows(source_of(past, formula, cre=CRE), FutureData(both))
    means = past.groupby("market")["tv"].mean()
    own = dict(
        zip(found.labels()["group"], found.matrix.values[:, found.matrix.terms.index("cre_mean_tv")], strict=True)
    )
    assert own == pytest.approx({**means, "new": 1.5})
    (group,) = found.matrix.groups
    assert group.levels == ("m0", "m1", "m2", "new")
    assert found.new == ("new",)
    assert any("New units (new)" in note for note in found.notes)


CALENDAR = "date,holiday\n2024-02-14,Valentine\n2024-09-10,Valentine\n2024-03-31,Easter\n2024-09-17,Jubilee\n"


def holiday_case(tmp_path: Path) -> tuple[pd.DataFrame, TimeComponentsSection]:
    path = tmp_path / "calendar.csv"
    path.write_text(CALENDAR)
    raw: dict[str, Any] = {
        "enabled": True,
        "holidays": {"enabled": True, "calendar_path": str(path), "window_after": 5},
    }
    return weekly(), TimeComponentsSection.model_validate(raw)


def test_holidays_go_on_from_the_same_calendar(tmp_path: Path) -> None:
    whole, section = holiday_case(tmp_path)
    past, future = split(whole, 6)
    holidays = market_holidays(past, "date", section)
    source = source_of(past, "kpi ~ tv", holidays=holidays)
    ahead = FutureData(future, future_holidays(future, past, "date", section))
    found = future_rows(source, ahead)
    counts = found.matrix.values[:, found.matrix.terms.index("holiday_valentine")]
    assert counts.sum() == 6
    whole_features = market_holidays(whole, "date", section)
    assert whole_features is not None
    np.testing.assert_array_equal(counts, whole_features.frame_columns["holiday_valentine"].to_numpy()[-6:])
    assert found.matrix.values[:, found.matrix.terms.index("holiday_easter")].tolist() == [0.0] * 6
    assert "holiday_jubilee" not in found.matrix.terms
    assert found.notes == ("Holidays that the data never had are forecast without an effect: holiday_jubilee.",)


def test_future_columns_with_the_name_of_a_holiday_are_refused(tmp_path: Path) -> None:
    whole, section = holiday_case(tmp_path)
    past, future = split(whole, 6)
    with pytest.raises(DataError, match="names of columns of the future data"):
        future_holidays(future.assign(holiday_easter=1), past, "date", section)


def test_pooled_variables_that_were_left_out_need_no_future() -> None:
    rng = np.random.default_rng(1)
    whole = weekly().assign(**{name: rng.gamma(2, 1, 40) for name in ("a", "b")}, c=0.0)
    whole.loc[[3, 4], "c"] = [1.0, 2.0]
    labels = pd.DataFrame({"variable": ["a", "b", "c"], "kind": ["x", "y", "z"]})
    past, future = split(whole, 4)
    pooling = {"enabled": True, "grouping_vars": ["kind"], "map_path": "map.csv", "map_format": "csv", "min_waves": 5}
    source = source_of(
        past, "kpi ~ price + a + b + c", pooling_labels=pooling_map(labels, ["kind"], where="map"), pooling=pooling
    )
    assert "c" not in source.matrix.terms
    found = future_rows(source, FutureData(future.drop(columns=["c", "kpi"])))
    np.testing.assert_array_equal(found.matrix.values[:, 1:], future[["price", "a", "b"]])
    assert found.matrix.pooling == source.matrix.pooling
    with pytest.raises(DataError, match="lack values") as caught:
        future_rows(source, FutureData(future.drop(columns=["a"])))
    assert caught.value.got == "no column a"


def refusal(formula: str, future: pd.DataFrame, past: pd.DataFrame) -> DsamError:
    with pytest.raises(DsamError) as caught:
        future_rows(source_of(past, formula), FutureData(future, None, "future.csv"))
    return caught.value


def test_every_missing_column_and_cell_comes_in_one_message() -> None:
    past, future = split(weekly().assign(base=1.0, extra=np.arange(40.0)), 4)
    holed = future.drop(columns=["base", "extra"])
    holed.loc[[0, 2], "price"] = np.nan
    holed.loc[3, "tv"] = np.nan
    error = refusal("kpi ~ tv + price + extra + offset(base)", holed, past)
    assert error.where == "future.csv"
    assert str(error.got) == (
        "no column extra; no column base; tv is missing in 1 row: 2024-09-30; "
        "price is missing in 2 rows: 2024-09-09, 2024-09-23"
    )


def test_a_missing_date_or_group_column_is_named() -> None:
    past, future = split(panel(), 4)
    error = refusal("kpi ~ tv + (1 | market)", future.drop(columns=["market", "tv"]), past)
    assert str(error.got) == "no column tv; no column market"


def test_values_are_checked_in_the_future_files_own_rows() -> None:
    past, future = split(weekly(), 4)
    future.loc[2, "tv"] = 0.0
    error = refusal("kpi ~ log(tv)", future, past)
    assert error.where == "future.csv, formula term log(tv)"
    assert "row 2 (counted from 0)" in str(error.got)
    text = refusal("kpi ~ tv", future.astype({"tv": object}).replace({"tv": {0.0: "none"}}), past)
    assert str(text.where).startswith("future.csv")


def test_unknown_levels_of_a_factor_are_refused() -> None:
    past, future = split(weekly().assign(region=np.tile(["north", "south"], 20)), 4)
    future.loc[1, "region"] = "moon"
    error = refusal("kpi ~ tv + region", future, past)
    assert (error.where, error.got) == ("future.csv, column region", "region: moon")


def test_declared_categories_keep_their_reference() -> None:
    kinds = pd.Categorical(np.tile(["z", "a"], 20), categories=["z", "a"])
    past, future = split(weekly().assign(kind=kinds), 4)
    text = future.assign(kind=future["kind"].astype(str))
    found = future_rows(source_of(past, "kpi ~ kind"), FutureData(text)).matrix
    assert found.terms == ("(Intercept)", "kinda")
    assert found.values[:, 1].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_a_level_that_only_rows_left_out_of_the_fit_have_is_unknown() -> None:
    frame = weekly().assign(region=np.tile(["north", "south"], 20))
    frame.loc[0, ["region", "kpi"]] = ["atlantis", np.nan]
    past, future = split(frame, 4)
    assert future_rows(source_of(past, "kpi ~ tv + region"), FutureData(future)).matrix.values.shape == (4, 3)
    future.loc[0, "region"] = "atlantis"
    assert refusal("kpi ~ tv + region", future, past).got == "region: atlantis"


def test_the_kpi_of_a_log_model_must_be_positive_where_it_is_known() -> None:
    past, future = split(weekly(), 4)
    future["kpi"] = [np.nan, 600.0, np.nan, 500.0]
    found = future_rows(source_of(past, "log(kpi) ~ tv"), FutureData(future))
    np.testing.assert_allclose(found.matrix.response, np.log(future["kpi"]))
    np.testing.assert_allclose(found.observed, future["kpi"])
    future.loc[3, "kpi"] = -1.0
    assert "KPI above 0" in refusal("log(kpi) ~ tv", future, past).what
