"""The periods of the published series: each row's own date, or as much longer as the size of the table asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from dsam_assets.decomposition.blocks import IntArray, PartBlock
from dsam_assets.design.groups import Grouping
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import FloatArray

Step = Literal["own", "day", "week", "month", "quarter", "year", "all"]

MOST_ROWS = 250_000  # of the published series: 30 MB of CSV
MOST_HELD = 20_000_000  # periods × parts × draws that are added up over panel units: 160 MB
MOST_SORTED = 20_000_000  # draws that are sorted for the intervals of the series, evenly spaced over all
FEWEST_SORTED = 200
LOW, HIGH = 0.05, 0.95

_CALENDAR: dict[Step, str] = {"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True, eq=False)
class Periods:
    """What one row of the series is.

    Attributes:
        codes: period of each modelled row, a position in `starts`, shape (N,).
        starts: first day of each period; positions in the data where rows have no date; none for `all`.
        column: name of `starts` in the table: `date` or `row`.
        step: `own` where every date is a period of its own, otherwise the calendar unit that dates were joined to.
        by_unit: whether panel units are told apart.
    """

    codes: IntArray
    starts: pd.Series
    column: Literal["date", "row"]
    step: Step
    by_unit: bool


def choose_periods(labels: pd.DataFrame, units: Grouping, parts: int, draws: int) -> Periods:
    """The finest periods whose table of `parts` rows each stays within `MOST_ROWS`, and whose sums over panel units, if
    they are not told apart, stay within `MOST_HELD`."""
    for by_unit, step in _candidates(labels, several=len(units.levels) > 1):
        found = _periods(labels, step, by_unit)
        count = len(found.starts)
        if by_unit:
            fits = np.unique(units.codes * count + found.codes).size * parts <= MOST_ROWS
        else:
            fits = count * parts <= MOST_ROWS and count * parts * draws <= MOST_HELD
        if fits:
            break
    return found


def _candidates(labels: pd.DataFrame, *, several: bool) -> Iterator[tuple[bool, Step]]:
    steps: tuple[Step, ...] = ("own", *_CALENDAR, "all") if "date" in labels else ("own", "all")
    if several:
        yield True, "own"
    yield from ((not several, step) for step in steps)


def _periods(labels: pd.DataFrame, step: Step, by_unit: bool) -> Periods:
    column: Literal["date", "row"] = "date" if "date" in labels else "row"
    values = labels[column]
    if step == "all":
        values = pd.Series(np.full(len(values), values.min()))
    elif step != "own":
        values = values.dt.to_period(_CALENDAR[step]).dt.start_time
    starts, codes = np.unique(values.to_numpy(), return_inverse=True)
    return Periods(codes.astype(np.intp), pd.Series(starts), column, step, by_unit)


class Series:
    """The series of parts, added up block by block."""

    def __init__(self, periods: Periods, units: Grouping, parts: tuple[str, ...], draws: int) -> None:
        """Start empty; `draws` is the number of draws per part."""
        self._periods, self._units, self._names = periods, units, parts
        self._found: list[tuple[IntArray, IntArray, FloatArray]] = []
        cells = len(periods.starts) * (len(units.levels) if periods.by_unit else 1)
        most = max(FEWEST_SORTED, MOST_SORTED // max(1, cells * len(parts)))
        self._shown = np.linspace(0, draws - 1, min(draws, most)).round().astype(np.intp)
        shape = (0 if periods.by_unit else len(periods.starts), len(parts), draws)
        self._sums = np.zeros(shape)

    def add(self, block: PartBlock) -> None:
        """Count one block."""
        if self._periods.by_unit:
            unit = np.full(len(block.periods), block.unit, dtype=np.intp)
            self._found.append((unit, block.periods, self._summary(block.parts)))
        else:
            self._sums[block.periods] += block.parts

    def _summary(self, parts: FloatArray) -> FloatArray:
        """Mean over all draws, and the interval, (C, P, S) → (3, C, P)."""
        ends = quantiles(parts[..., self._shown] if len(self._shown) < parts.shape[-1] else parts, (LOW, HIGH), axis=-1)
        return np.concatenate([parts.mean(axis=-1)[np.newaxis], ends])

    def table(self) -> pd.DataFrame:
        """One row per period, panel unit and part: `date` (or `row`), `group` for a panel, `term`, `contribution`,
        `q05`, `q95`; terms in their order, within them units, within them periods."""
        several = len(self._units.levels) > 1
        found = self._found if self._periods.by_unit else [self._joined()]
        unit, period = (np.concatenate([each[i] for each in found]) for i in (0, 1))
        values = np.concatenate([each[2] for each in found], axis=1)
        start = self._periods.starts.to_numpy()[period]
        columns: dict[str, object] = {self._periods.column: np.tile(start, len(self._names))}
        if several:
            names = np.asarray(self._units.levels, dtype=object)[unit] if self._periods.by_unit else "all"
            columns["group"] = np.tile(np.broadcast_to(names, len(unit)), len(self._names))
        columns["term"] = np.repeat(np.asarray(self._names, dtype=object), len(unit))
        for name, each in zip(("contribution", "q05", "q95"), values, strict=True):
            columns[name] = each.T.ravel()
        return pd.DataFrame(columns)

    def _joined(self) -> tuple[IntArray, IntArray, FloatArray]:
        count = len(self._sums)
        return np.zeros(count, dtype=np.intp), np.arange(count, dtype=np.intp), self._summary(self._sums)
