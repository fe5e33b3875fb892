"""Places of rows on a calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dsam_assets.diagnostics.lag_grid import lagged_series, step_name


def labels(dates: object) -> pd.DataFrame:
    frame = pd.DataFrame({"date": dates})
    return frame.assign(row=np.arange(len(frame)))


@pytest.mark.parametrize(
    ("freq", "name"),
    [("D", "day"), ("7D", "week"), ("10D", "10 days"), ("28D", "4 weeks"), ("MS", "month"), ("ME", "month"),
     ("QS", "3 months"), ("YS", "12 months")],
)  # fmt: skip
def test_regular_calendars(freq: str, name: str) -> None:
    dates = pd.date_range("2020-01-01", periods=30, freq=freq)
    (series,) = lagged_series(labels(dates))
    assert (series.defect, series.steps.tolist()) == ("", list(range(30)))
    assert step_name(labels(dates)) == name
    (gappy,) = lagged_series(labels(dates.delete([3, 4, 20])))
    assert gappy.steps.tolist() == [step for step in range(30) if step not in (3, 4, 20)]


def test_pairs_are_rows_that_far_apart() -> None:
    dates = pd.date_range("2024-01-01", periods=8, freq="7D").delete([2, 5])  # steps 0 1 3 4 6 7
    (series,) = lagged_series(labels(dates[::-1]))
    assert series.rows.tolist() == [5, 4, 3, 2, 1, 0]
    found = {
        lag: [tuple(series.steps[list(pair)]) for pair in zip(*series.pairs(lag), strict=True)] for lag in (1, 2, 8)
    }
    assert found == {1: [(1, 0), (4, 3), (7, 6)], 2: [(3, 1), (6, 4)], 8: []}


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-24"], "not 7 days"),
        (["2024-01-01", "2024-01-08", "2024-01-08", "2024-01-15"], "several rows have the date 2024-01-08"),
        (["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-04-20"], "not 31 days"),
    ],
)
def test_irregular_dates_are_refused(dates: list[str], words: str) -> None:
    (series,) = lagged_series(labels(pd.to_datetime(dates)))
    assert words in series.defect
    assert not series.steps.size


def test_units_share_the_calendar_but_not_their_weekday() -> None:
    monday, tuesday = (pd.date_range(day, periods=5, freq="7D") for day in ("2024-01-01", "2024-01-02"))
    frame = labels([*monday, *tuesday]).assign(group=["a"] * 5 + ["b"] * 5)
    assert [series.steps.tolist() for series in lagged_series(frame)] == [[0, 1, 2, 3, 4]] * 2
