"""Future rows follow the data without overlap, gap or repetition, unit by unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from forecast_cases import WEEK, panel, split, weekly

from dsam_assets.errors import DataError
from dsam_assets.forecast.timeline import Timeline, timeline, within_horizon


def follow(past: pd.DataFrame, future: pd.DataFrame, *group: str, modelled: np.ndarray | None = None) -> Timeline:
    return timeline(past, future, "date", group, np.arange(len(past)) if modelled is None else modelled)


def test_rows_are_ordered_by_unit_and_date_and_counted_from_the_end_of_the_data() -> None:
    past, future = split(panel(), 4)
    mixed = future.sample(frac=1, random_state=1, ignore_index=True)
    found = follow(past, mixed, "market")
    ordered = mixed.iloc[found.future]
    assert ordered["market"].tolist() == ["m0"] * 4 + ["m1"] * 4 + ["m2"] * 4
    assert ordered["date"].is_monotonic_increasing is False
    assert found.ahead.tolist() == [1, 2, 3, 4] * 3
    assert [found.units[code] for code in found.unit] == ordered["market"].tolist()
    assert (found.new, found.absent) == ((), ())
    np.testing.assert_array_equal(found.past, np.arange(len(past)))


def test_the_horizon_counts_periods_of_each_unit() -> None:
    past, future = split(panel(), 4)
    found = follow(past, future[(future["market"] != "m1") | (future.index % 4 < 1)], "market")
    chosen = within_horizon(found, 2)
    assert found.ahead[chosen].tolist() == [1, 2, 1, 1, 2]
    assert within_horizon(found, None).all()
    with pytest.raises(DataError, match=r"shorter than forecast.horizon") as caught:
        within_horizon(found, 5)
    assert caught.value.got == "4 periods"


def test_an_overlap_names_the_first_row_and_the_last_modelled_date() -> None:
    past, _ = split(weekly(), 4)
    _, future = split(weekly(), 6)
    with pytest.raises(DataError, match="begin before the modelled data end") as caught:
        follow(past, future)
    assert caught.value.got == "2024-08-26 (row 0, counted from 0), 2 such rows in all"
    assert "2024-09-02" in str(caught.value.wanted)


def test_rows_at_the_end_that_were_not_modelled_may_be_given_again() -> None:
    past, _ = split(weekly(), 4)
    _, future = split(weekly(), 6)
    found = follow(past, future, modelled=np.arange(len(past) - 2))
    assert found.past.tolist() == list(range(len(past) - 2))
    assert found.ahead.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("dropped", "ends", "begins"),
    [(0, "the data end 2024-08-26", "2024-09-09"), (2, "the future data have 2024-09-09", "2024-09-23")],
)
def test_the_first_gap_is_named(dropped: int, ends: str, begins: str) -> None:  # fmt: skip
    past, future = split(weekly(), 5)
    with pytest.raises(DataError, match="do not go on in the steps of the data") as caught:
        follow(past, future.drop(index=dropped))
    assert caught.value.got == f"{ends}, then comes {begins}, 14 days later"
    assert str(caught.value.wanted).startswith("7 days from row to row")


def test_a_gap_of_one_unit_is_found() -> None:
    past, future = split(panel(), 4)
    with pytest.raises(DataError) as caught:
        follow(past, future[(future["market"] != "m1") | (future.index % 4 != 1)], "market")
    assert str(caught.value.got).startswith("m1: the future data have")


def test_another_frequency_is_refused() -> None:
    past, future = split(weekly(), 4)
    start = past["date"].max()
    with pytest.raises(DataError, match="do not go on in the steps"):
        follow(past, future.assign(date=start + np.arange(1, 5) * np.timedelta64(1, "D")))


def test_months_and_business_days_have_their_own_rhythm() -> None:
    months = pd.DataFrame({"date": pd.date_range("2020-01-01", periods=36, freq="MS")})
    days = pd.DataFrame({"date": pd.bdate_range("2024-01-01", periods=60)})
    for frame in (months, days):
        found = follow(frame.iloc[:30], frame.iloc[30:].reset_index(drop=True))
        assert found.ahead[-1] == len(frame) - 30
    with pytest.raises(DataError, match="do not go on in the steps"):
        follow(days.iloc[:30], days.iloc[40:].reset_index(drop=True))


def test_a_repeated_date_is_refused_unless_the_data_are_like_that() -> None:
    past, future = split(weekly(), 4)
    twice = pd.concat([future, future.iloc[[1]]], ignore_index=True)
    with pytest.raises(DataError, match="occur twice") as caught:
        follow(past, twice)
    assert "again in row 4" in str(caught.value.got)
    found = follow(pd.concat([past, past]).sort_values("date", ignore_index=True), twice)
    assert found.ahead.tolist() == [1, 2, 2, 3, 4]


def test_new_and_absent_units_are_told() -> None:
    past, future = split(panel(), 4)
    renamed = future[future["market"] != "m2"].replace({"market": {"m1": "a"}})
    found = follow(past, renamed.reset_index(drop=True), "market")
    assert found.units == ("a", "m0")
    assert (found.new, found.absent) == (("a",), ("m1", "m2"))
    early = renamed.assign(date=renamed["date"] - WEEK * 2 * (renamed["market"] == "a"))
    with pytest.raises(DataError) as caught:
        follow(past, early.reset_index(drop=True), "market")
    assert str(caught.value.got).startswith("a: ")


def test_rows_of_the_data_without_a_group_do_not_matter() -> None:
    past, future = split(panel(), 4)
    spoilt = past.astype({"market": object})
    spoilt.loc[40, "market"] = None
    found = follow(spoilt, future, "market", modelled=np.delete(np.arange(len(past)), 40))
    assert found.past.tolist() == [row for row in range(len(past)) if row != 40]
