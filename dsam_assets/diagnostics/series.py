"""The modelled rows as time series: one per panel unit, in the order of their dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ALL = "all"
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class UnitSeries:
    """One panel unit's rows.

    Attributes:
        group: the unit's label; `all` where the model has no groups.
        rows: positions among the modelled rows, in date order (in the file's order where there are no dates).
        dates: their dates, datetime64[D], shape as `rows`; `None` where there are none.
    """

    group: str
    rows: NDArray[np.intp]
    dates: NDArray[np.datetime64] | None = None

    @property
    def steps(self) -> NDArray[np.int64]:
        """Days from each row to the next; empty without dates."""
        if self.dates is None:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(np.diff(self.dates) // DAY, dtype=np.int64)

    @property
    def repeated(self) -> NDArray[np.datetime64]:
        """Dates that more than one row has: such rows are no series."""
        if self.dates is None:
            return np.zeros(0, dtype="datetime64[D]")
        return np.unique(self.dates[1:][self.steps == 0])

    def latest(self, most: int) -> UnitSeries:
        """Its last rows, at most so many."""
        return UnitSeries(self.group, self.rows[-most:], None if self.dates is None else self.dates[-most:])


def unit_series(labels: pd.DataFrame) -> tuple[UnitSeries, ...]:
    """The series of every panel unit, in the order in which the units appear.

    Args:
        labels: one row per modelled row, as `design.labels.row_labels` makes them: `date` where there are dates,
            `group` for a panel.
    """
    size = len(labels)
    codes, groups = pd.factorize(labels["group"]) if "group" in labels else (np.zeros(size, dtype=np.intp), [ALL])
    dates = labels["date"].to_numpy().astype("datetime64[D]") if "date" in labels else None
    keys = (np.arange(size), codes) if dates is None else (dates, codes)
    order = np.lexsort(keys).astype(np.intp)
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return tuple(
        UnitSeries(str(group), rows, None if dates is None else dates[rows])
        for group, rows in zip(groups, parts, strict=True)
    )


def usual_step(series: Sequence[UnitSeries]) -> int | None:
    """Days between neighbouring dates in most cases, 7 for weekly data; `None` without dates or with one row each.

    Repeated dates do not count; of steps equally frequent, the shortest.
    """
    steps = np.concatenate([each.steps for each in series])
    values, counts = np.unique(steps[steps > 0], return_counts=True)
    return int(values[counts.argmax()]) if values.size else None
