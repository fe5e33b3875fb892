"""Folds against weeks counted by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dsam_assets.selection.time_folds import Fold, plan_folds


@dataclass(frozen=True)
class Keys:
    horizon_weeks: int = 4
    n_folds: int = 2
    stride_weeks: int = 4
    min_train_weeks: int = 5


def dates(weeks: int, start: str = "2024-01-01") -> pd.Series:
    return pd.Series(pd.date_range(start, periods=weeks, freq="7D"))


def rows(fold: Fold) -> tuple[list[int], list[int]]:
    return fold.train.tolist(), fold.holdout.tolist()


def test_blocks_end_with_the_data_and_the_past_grows() -> None:
    plan = plan_folds(dates(20), Keys())
    first, second = plan.folds
    assert (plan.requested, plan.reason) == (2, "")
    assert rows(first) == (list(range(12)), [12, 13, 14, 15])
    assert rows(second) == (list(range(16)), [16, 17, 18, 19])
    assert (first.number, second.number) == (1, 2)
    assert (first.train_weeks, second.train_weeks) == (12, 16)
    assert second.weeks_ahead.tolist() == [1, 2, 3, 4]
    assert (second.train_start, second.train_end) == (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-04-15"))
    assert (second.holdout_start, second.holdout_end) == (pd.Timestamp("2024-04-22"), pd.Timestamp("2024-05-13"))


def test_the_stride_moves_the_origin() -> None:
    near = plan_folds(dates(20), Keys(stride_weeks=1, n_folds=3)).folds
    assert [fold.holdout.tolist() for fold in near] == [[14, 15, 16, 17], [15, 16, 17, 18], [16, 17, 18, 19]]
    assert [fold.train.size for fold in near] == [14, 15, 16]
    far = plan_folds(dates(20), Keys(stride_weeks=7)).folds
    assert rows(far[0]) == (list(range(9)), [9, 10, 11, 12])


def test_too_little_data_says_how_many_folds_were_possible() -> None:
    plan = plan_folds(dates(20), Keys(n_folds=4, min_train_weeks=10))
    assert [fold.train.size for fold in plan.folds] == [12, 16]
    assert plan.requested == 4
    assert plan.reason == (
        "Only 2 of 4 folds are possible with 20 weeks of data: the next one would train on 8 weeks, fewer than "
        "min_train_weeks (10)."
    )
    exact = plan_folds(dates(20), Keys(n_folds=4, min_train_weeks=8))
    assert [fold.train.size for fold in exact.folds] == [8, 12, 16]
    none = plan_folds(dates(7), Keys(min_train_weeks=5))
    assert none.folds == ()
    assert none.reason.startswith("No fold is possible with 7 weeks of data: the next one would train on 3 weeks")
    assert plan_folds(dates(4), Keys(n_folds=10**9, min_train_weeks=1)).folds == ()


def test_panels_are_cut_at_one_date() -> None:
    """Unit a has all 12 weeks, b the first 9, c the last 3; rows are in the file's order, not in time's."""
    week = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    table = dates(12)[week].reset_index(drop=True)
    (fold,) = plan_folds(table, Keys(n_folds=1)).folds
    held = [position for position, value in enumerate(week) if value >= 8]
    assert fold.train.tolist() == [position for position in range(24) if position not in held]
    assert sorted(fold.holdout.tolist()) == held
    assert fold.weeks_ahead.tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [week[position] for position in fold.holdout] == [8, 8, 9, 9, 10, 10, 11, 11]
    assert fold.train_weeks == 8


def test_weeks_without_rows_are_time_but_no_training_data() -> None:
    table = dates(20).drop([5, 6, 17]).reset_index(drop=True)
    plan = plan_folds(table, Keys())
    assert [fold.train_weeks for fold in plan.folds] == [10, 14]
    assert plan.folds[1].weeks_ahead.tolist() == [1, 3, 4]
    hole = plan_folds(dates(20).drop(range(12, 16)).reset_index(drop=True), Keys(n_folds=3, min_train_weeks=2))
    assert [fold.holdout_start for fold in hole.folds] == [pd.Timestamp("2024-02-26"), pd.Timestamp("2024-04-22")]
    assert hole.reason == "No rows in the 4 weeks that end 4 weeks before the last."


def test_daily_rows_fall_into_weeks_that_end_with_the_data() -> None:
    days = pd.Series(pd.date_range("2024-01-03", periods=70, freq="D") + np.timedelta64(9, "h"))
    (fold,) = plan_folds(days, Keys(horizon_weeks=2, n_folds=1)).folds
    assert (fold.train.size, fold.holdout.size) == (56, 14)
    assert fold.weeks_ahead.tolist() == [1] * 7 + [2] * 7
    assert np.array_equal(fold.holdout, np.arange(56, 70))
