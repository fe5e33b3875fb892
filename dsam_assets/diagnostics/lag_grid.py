"""Lags of a series are steps of its calendar, not rows: a missing week is a gap between rows two weeks apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.diagnostics.series import DAY, UnitSeries, unit_series, usual_step

# Months, quarters and years have no fixed number of days.
_SHORTEST_MONTH = 28
_DAYS_PER_MONTH = 30.44
_NAMES = {1: "day", 7: "week"}
_SHOWN = 3

type Places = slice | NDArray[np.intp]

NO_DATES = "no date column is named (data.date_var), so the order of the rows is unknown"


@dataclass(frozen=True)
class LaggedSeries:
    """One panel unit's rows with their places on its calendar.

    Attributes:
        group: the unit's label; `all` where the model has no groups.
        rows: positions among the modelled rows, in date order, shape (n,).
        steps: steps of the calendar since the first row, ascending, shape (n,); empty when there is a defect.
        defect: why lags of this series mean nothing; empty when they do.
    """

    group: str
    rows: NDArray[np.intp]
    steps: NDArray[np.int64]
    defect: str = ""

    def pairs(self, lag: int) -> tuple[Places, Places]:
        """Places in `rows` of (later, earlier) rows that are `lag` > 0 steps apart; both rows are there."""
        size = len(self.steps)
        if size and self.steps[-1] == size - 1:  # no gaps
            return slice(lag, None), slice(max(size - lag, 0))
        wanted = self.steps - lag
        earlier = np.minimum(np.searchsorted(self.steps, wanted), max(size - 1, 0))
        found = np.flatnonzero(self.steps[earlier] == wanted)
        return found, earlier[found]

    def count(self, lag: int) -> int:
        """How many pairs of rows are `lag` > 0 steps apart."""
        return len(self.steps[self.pairs(lag)[0]])


def lagged_series(labels: pd.DataFrame) -> tuple[LaggedSeries, ...]:
    """Every panel unit's series on the calendar of the data, whose step is the most common one over all units.

    Args:
        labels: one row per modelled row, as `design.labels.row_labels` makes them.
    """
    units = unit_series(labels)
    step = usual_step(units)
    return tuple(_lagged(unit, step) for unit in units)


def step_name(labels: pd.DataFrame) -> str:
    """One step of the data's calendar in words: `week`, `month`, `10 days`."""
    step = usual_step(unit_series(labels))
    if step is None:
        return "step"
    months = round(step / _DAYS_PER_MONTH)
    if step in (_SHORTEST_MONTH, 30, 31):
        return "month" if step != _SHORTEST_MONTH else "4 weeks"
    return _NAMES.get(step, f"{months} months" if step > 31 else f"{step} days")


def _lagged(unit: UnitSeries, step: int | None) -> LaggedSeries:
    nowhere = np.zeros(0, dtype=np.int64)
    if unit.dates is None:
        return LaggedSeries(unit.group, unit.rows, nowhere, NO_DATES)
    if unit.repeated.size:
        return LaggedSeries(unit.group, unit.rows, nowhere, f"several rows have the date {_dates(unit.repeated)}")
    if step is None:
        return LaggedSeries(unit.group, unit.rows, np.zeros(len(unit.rows), dtype=np.int64))
    sizes = _sizes(unit.dates, step)
    if sizes is None:
        return LaggedSeries(unit.group, unit.rows, nowhere, f"its dates are not {step} days or a multiple apart")
    return LaggedSeries(unit.group, unit.rows, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


def _sizes(dates: NDArray[np.datetime64], step: int) -> NDArray[np.int64] | None:
    """Steps from each row to the next, in days where they fit, else in calendar months; None where neither does."""
    days = np.asarray(np.diff(dates) // DAY, dtype=np.int64)
    if not (days % step).any():
        return days // step
    months = np.asarray(np.diff(dates.astype("datetime64[M]").astype(np.int64)), dtype=np.int64)
    size = max(1, round(step / _DAYS_PER_MONTH))
    if step < _SHORTEST_MONTH or (months % size).any() or (months <= 0).any():
        return None
    return np.asarray(months // size, dtype=np.int64)


def _dates(dates: NDArray[np.datetime64]) -> str:
    shown = ", ".join(str(date) for date in dates[:_SHOWN])
    return shown if len(dates) <= _SHOWN else f"{shown} and {len(dates) - _SHOWN} more"
