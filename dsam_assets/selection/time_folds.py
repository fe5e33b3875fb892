"""Time folds: which weeks are held out, and which come before them.

Both methods of `diagnostics.time_series_selection` train on the past only. The specification's glossary calls blocked
CV "expanding-window time-series cross-validation"; a block predicted with the help of later weeks would answer another
question than the one that is asked of a marketing mix model. They differ in how the block is predicted, see
`holdout_scores`.

Weeks are counted back from the last date of the data, seven days each, over all units of a panel together, so every
unit is cut at the same date and a week without rows still counts as time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IntArray = NDArray[np.intp]
DAYS_PER_WEEK = 7


class FoldKeys(Protocol):
    """What the folds need of `diagnostics.time_series_selection`."""

    @property
    def horizon_weeks(self) -> int: ...
    @property
    def n_folds(self) -> int: ...
    @property
    def stride_weeks(self) -> int: ...
    @property
    def min_train_weeks(self) -> int: ...


@dataclass(frozen=True)
class Fold:
    """One origin in time: everything before it, and the weeks after it that are predicted.

    Attributes:
        number: 1 for the earliest origin.
        train: positions of the rows before the origin, ascending.
        holdout: positions of the rows that are predicted, the nearest week first.
        weeks_ahead: of each of them, 1 for the first week after the origin.
        train_weeks: weeks with at least one training row.
        train_start, train_end, holdout_start, holdout_end: first and last dates of those rows.
    """

    number: int
    train: IntArray
    holdout: IntArray
    weeks_ahead: IntArray
    train_weeks: int
    train_start: pd.Timestamp
    train_end: pd.Timestamp
    holdout_start: pd.Timestamp
    holdout_end: pd.Timestamp


@dataclass(frozen=True)
class FoldPlan:
    """The folds that the data allow, earliest first; `reason` says why there are fewer than asked for, if so."""

    folds: tuple[Fold, ...]
    requested: int
    reason: str = ""


def plan_folds(dates: pd.Series, keys: FoldKeys) -> FoldPlan:
    """Lay blocks of `horizon_weeks` back from the last week, one every `stride_weeks`.

    Args:
        dates: date of each modelled row, shape (N,).
        keys: the config's section.

    Returns:
        At most `n_folds` folds with at least `min_train_weeks` weeks of training rows each.
    """
    days = pd.to_datetime(dates).dt.normalize().reset_index(drop=True)
    weeks_back: IntArray = ((days.max() - days).dt.days // DAYS_PER_WEEK).to_numpy().astype(np.intp)
    found: list[Fold] = []
    reason = ""
    for block in range(keys.n_folds):
        first_back = block * keys.stride_weeks
        origin_back = first_back + keys.horizon_weeks
        train_weeks = np.unique(weeks_back[weeks_back >= origin_back]).size
        if train_weeks < max(keys.min_train_weeks, 1):
            reason = f"{reason} {_too_short(len(found), keys, train_weeks, np.unique(weeks_back).size)}"
            break
        held = (weeks_back >= first_back) & (weeks_back < origin_back)
        if not held.any():
            reason = f"{reason} No rows in the {keys.horizon_weeks} weeks that end {first_back} weeks before the last."
            continue
        found.append(_fold(days, weeks_back, origin_back, held, int(train_weeks)))
    numbered = [replace(fold, number=number) for number, fold in enumerate(reversed(found), start=1)]
    return FoldPlan(tuple(numbered), keys.n_folds, reason.strip())


def _fold(days: pd.Series, weeks_back: IntArray, origin_back: int, held: NDArray[np.bool_], train_weeks: int) -> Fold:
    train, holdout = np.flatnonzero(weeks_back >= origin_back), np.flatnonzero(held)
    ahead: IntArray = origin_back - weeks_back[holdout]
    order = np.argsort(ahead, kind="stable")
    return Fold(
        number=0,
        train=train,
        holdout=holdout[order],
        weeks_ahead=ahead[order],
        train_weeks=train_weeks,
        train_start=days.iloc[train].min(),
        train_end=days.iloc[train].max(),
        holdout_start=days.iloc[holdout].min(),
        holdout_end=days.iloc[holdout].max(),
    )


def _too_short(possible: int, keys: FoldKeys, train_weeks: int, weeks: int) -> str:
    folds = "No fold is" if possible == 0 else f"Only {possible} of {keys.n_folds} folds are"
    return (
        f"{folds} possible with {weeks} weeks of data: the next one would train on {train_weeks} weeks, fewer than "
        f"min_train_weeks ({keys.min_train_weeks})."
    )
