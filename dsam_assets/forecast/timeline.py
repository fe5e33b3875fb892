"""Where the future rows stand in time: after the data, without a gap, one panel unit at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.design.groups import group_codes
from dsam_assets.design.transforms import comparable_dates
from dsam_assets.errors import DataError
from dsam_assets.scales import FloatArray

IntArray = NDArray[np.intp]
ALL = "all"
DAY = 24 * 3600 * 10**9  # nanoseconds
# Steps that differ by less than this share are the same (calendar months), and a step that fewer than this share of the
# data's rows take is a hole in the data, not its rhythm (business days skip the weekend in every fifth step).
TOLERANCE = RARE = 0.1


@dataclass(frozen=True)
class Timeline:
    """Which rows of data and future data make one series, and which of them are forecast.

    Attributes:
        past: rows of the data before the future data begin, ascending.
        future: rows of the future data by unit and date.
        ahead: for each of `future`, how many periods it is ahead of the data, 1 for the next.
        unit: for each of `future`, its panel unit as a position in `units`.
        units: labels of the units of the future data; a single `all` without a panel.
        new: of these, units that the data do not have.
        absent: units of the data without future rows.
    """

    past: IntArray
    future: IntArray
    ahead: IntArray
    unit: IntArray
    units: tuple[str, ...]
    new: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class _Rows:
    """Dates (numbers) and unit codes of data and future data; `modelled` marks rows of the data."""

    past: FloatArray
    past_unit: IntArray
    modelled: NDArray[np.bool_]
    future: FloatArray
    future_unit: IntArray
    labels: tuple[str, ...]
    is_time: bool

    def shown(self, date: float) -> str:
        return f"{pd.Timestamp(int(date)):%Y-%m-%d}" if self.is_time else f"{date:g}"

    def step(self, size: float) -> str:
        days = size / DAY
        return f"{days:g} day{'' if days == 1 else 's'}" if self.is_time else f"{size:g}"

    def of(self, unit: int) -> str:
        return "" if len(self.labels) == 1 else f"{self.labels[unit]}: "


def timeline(
    past: pd.DataFrame, future: pd.DataFrame, date_var: str, group: Sequence[str], modelled: IntArray
) -> Timeline:
    """Order the future rows behind the data.

    The first future date of a unit is the step after the unit's last date in the data. Rows at the end of the data that
    are not modelled (their KPI was not known yet) may be given again: the future data replace them. A unit that the
    data do not have begins after the last modelled date of all.

    Args:
        past: the data.
        future: the future data.
        date_var: date column of both.
        group: columns of the panel's grouping keys; none without a panel.
        modelled: rows of the data that the fit has seen.

    Raises:
        DataError: dates that overlap with the data, leave a gap, or occur twice in a unit; a missing group.
    """
    complete = past[[date_var, *group]].notna().all(axis=1).to_numpy()
    usable = np.flatnonzero(complete)  # a row without a group or a date is not modelled
    rows = _read(past.iloc[usable], future, date_var, group, np.searchsorted(usable, modelled))
    _require_later(rows, date_var)
    _require_distinct(rows, date_var)
    starts = _starts(rows)
    kept = np.flatnonzero(rows.past < starts[rows.past_unit])
    _require_steps(rows, kept, date_var)
    order = np.lexsort([np.arange(rows.future.size), rows.future, rows.future_unit])
    known, given = np.unique(rows.past_unit[rows.modelled]), np.unique(rows.future_unit)
    return Timeline(
        past=usable[kept],
        future=order,
        ahead=_ahead(rows, order),
        unit=np.searchsorted(given, rows.future_unit[order]),
        units=tuple(rows.labels[code] for code in given),
        new=tuple(rows.labels[code] for code in np.setdiff1d(given, known)),
        absent=tuple(rows.labels[code] for code in np.setdiff1d(known, given)),
    )


def _read(past: pd.DataFrame, future: pd.DataFrame, date_var: str, group: Sequence[str], modelled: IntArray) -> _Rows:
    dates = [comparable_dates(frame[date_var], date_var) for frame in (past, future)]
    seen = np.zeros(len(past), dtype=bool)
    seen[modelled] = True
    codes = np.zeros(len(past) + len(future), dtype=np.intp)
    labels: tuple[str, ...] = (ALL,)
    if group:
        keys = pd.concat([past[list(group)], future[list(group)]], ignore_index=True)
        found = group_codes(keys, group, np.arange(len(keys)))
        codes, labels = found.codes, found.levels
    return _Rows(
        past=dates[0].astype(np.float64),
        past_unit=codes[: len(past)],
        modelled=seen,
        future=dates[1].astype(np.float64),
        future_unit=codes[len(past) :],
        labels=labels,
        is_time=dates[0].dtype.kind == "i",
    )


def _last_modelled(rows: _Rows) -> FloatArray:
    """Last modelled date per unit, shape (units,); that of all units where a unit has none."""
    last = np.full(len(rows.labels), -np.inf)
    np.maximum.at(last, rows.past_unit[rows.modelled], rows.past[rows.modelled])
    return np.where(np.isfinite(last), last, last.max())


def _starts(rows: _Rows) -> FloatArray:
    """First future date per unit, shape (units,); infinite where a unit has none."""
    first = np.full(len(rows.labels), np.inf)
    np.minimum.at(first, rows.future_unit, rows.future)
    return first


def _require_later(rows: _Rows, date_var: str) -> None:
    last = _last_modelled(rows)[rows.future_unit]
    early = np.flatnonzero(rows.future <= last)
    if early.size:
        at = early[rows.future[early].argmin()]
        unit = rows.of(int(rows.future_unit[at]))
        raise DataError(
            "The future data begin before the modelled data end.",
            where=f"column {date_var}",
            got=f"{unit}{rows.shown(rows.future[at])} (row {at}, counted from 0), {early.size:,} such rows in all",
            wanted=f"dates after {rows.shown(last[at])}, the last one that was modelled",
            fix="Remove the rows that the data have already.",
        )


def _require_distinct(rows: _Rows, date_var: str) -> None:
    """Two rows of one unit and date are a mistake, unless the data are like that."""

    def repeated(unit: IntArray, dates: FloatArray) -> NDArray[np.bool_]:
        return pd.DataFrame({"unit": unit, "date": dates}).duplicated().to_numpy()

    if repeated(rows.past_unit[rows.modelled], rows.past[rows.modelled]).any():
        return
    twice = np.flatnonzero(repeated(rows.future_unit, rows.future))
    if twice.size:
        at = int(twice[0])
        unit = rows.of(int(rows.future_unit[at]))
        raise DataError(
            "Dates occur twice in the future data.",
            where=f"column {date_var}",
            got=f"{unit}{rows.shown(rows.future[at])} again in row {at} (counted from 0), {twice.size:,} such rows",
            wanted="one row per date" + (" and panel unit" if len(rows.labels) > 1 else ""),
            fix="Remove the repetitions.",
        )


def _steps_by_unit(unit: IntArray, dates: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Distinct dates of each unit, ascending."""
    for code in np.unique(unit):
        yield int(code), np.unique(dates[unit == code])


def _usual_steps(rows: _Rows) -> FloatArray:
    """Steps that the data take as a rule, shape (steps,); those of the future data where the data have none."""
    steps = [np.diff(dates) for _, dates in _steps_by_unit(rows.past_unit, rows.past)]
    sizes, counts = np.unique(np.concatenate(steps), return_counts=True)
    if not sizes.size:
        steps = [np.diff(dates) for _, dates in _steps_by_unit(rows.future_unit, rows.future)]
        sizes, counts = np.unique(np.concatenate(steps), return_counts=True)
        return sizes[counts.argmax() : counts.argmax() + 1] if sizes.size else sizes
    return sizes[counts >= RARE * counts.sum()] if (counts >= RARE * counts.sum()).any() else sizes


def _require_steps(rows: _Rows, kept: IntArray, date_var: str) -> None:
    """Every future row is one step after the row before it; the first gap is named."""
    usual = _usual_steps(rows)
    if not usual.size:
        return
    for code, dates in _steps_by_unit(rows.future_unit, rows.future):
        before = rows.past[kept][rows.past_unit[kept] == code]
        series = np.concatenate([[before.max()], dates]) if before.size else dates
        steps = np.diff(series)
        off = np.abs(steps[:, None] - usual) > TOLERANCE * np.maximum(steps[:, None], usual)
        odd = np.flatnonzero(off.all(axis=1))
        if odd.size:
            at = int(odd[0])
            where = "the data end" if before.size and at == 0 else "the future data have"
            raise DataError(
                "The future data do not go on in the steps of the data.",
                where=f"column {date_var}",
                got=f"{rows.of(code)}{where} {rows.shown(series[at])}, then comes {rows.shown(series[at + 1])}, "
                f"{rows.step(steps[at])} later",
                wanted=" or ".join(rows.step(size) for size in usual) + " from row to row, as in the data",
                fix="Add the missing rows, or correct the dates.",
            )


def _ahead(rows: _Rows, order: IntArray) -> IntArray:
    ahead = np.empty(order.size, dtype=np.intp)
    unit, dates = rows.future_unit[order], rows.future[order]
    for code, distinct in _steps_by_unit(unit, dates):
        ahead[unit == code] = np.searchsorted(distinct, dates[unit == code]) + 1
    return ahead


def within_horizon(found: Timeline, horizon: int | None) -> NDArray[np.bool_]:
    """Which of `found.future` are forecast: the first `horizon` periods of each unit.

    Raises:
        DataError: no unit has so many.
    """
    if horizon is None:
        return np.ones(found.future.size, dtype=bool)
    longest = int(found.ahead.max())
    if longest < horizon:
        raise DataError(
            "The future data are shorter than forecast.horizon.",
            got=f"{longest} period{'' if longest == 1 else 's'}",
            wanted=f"forecast.horizon: {horizon}",
            fix="Give more rows, or lower forecast.horizon.",
        )
    return np.asarray(found.ahead <= horizon)
