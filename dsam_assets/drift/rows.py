"""Which rows two data sets have in common, and which cells of these were revised since."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.drift.snapshot import FitSnapshot

SAME_NUMBER = 1e-9  # relative; a file written again may round the last digit otherwise
CELLS_SHOWN = 50
POSITION = "position"

type Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class RowMatch:
    """Rows of the data of two fits, by what names a row in both.

    Attributes:
        by: the columns that name a row; `position` alone without dates.
        previous, now: positions of the rows that both have, in the same order, in each frame.
        added: positions in the new frame of rows that the previous one lacks.
        removed: positions in the previous frame of rows that the new one lacks.
    """

    by: tuple[str, ...]
    previous: Positions
    now: Positions
    added: Positions
    removed: Positions

    def before(self, rows: Positions) -> Positions:
        """Positions in the previous frame of these rows of the new one; −1 for rows that it lacks."""
        place = np.full(len(self.now) + len(self.added), -1, dtype=np.intp)
        place[self.now] = self.previous
        return place[rows]


def match_rows(previous: FitSnapshot, now: FitSnapshot) -> RowMatch:
    """The rows that two fits' data have in common: those with the same date and panel unit.

    Without dates a row is known by its position. Rows of the same name (several of one date in data whose panel columns
    the model does not use) are matched in their order.
    """
    by = _names(previous, now)
    old, new = _keys(previous.frame, now.frame, by)
    found = pd.Index(old).get_indexer(pd.Index(new))
    shared = np.flatnonzero(found >= 0)
    gone = np.ones(len(old), dtype=bool)
    gone[found[shared]] = False
    return RowMatch(by or (POSITION,), found[shared], shared, np.flatnonzero(found < 0), np.flatnonzero(gone))


def _names(previous: FitSnapshot, now: FitSnapshot) -> tuple[str, ...]:
    wanted = ([] if now.date_var is None else [now.date_var]) + list(now.panel_columns)
    both = [name for name in wanted if name in previous.frame and name in now.frame]
    return tuple(both) if now.date_var in both else ()


def _keys(old: pd.DataFrame, new: pd.DataFrame, by: Sequence[str]) -> tuple[Positions, Positions]:
    """A number for every row of each frame, the same for the same name; rows of one name are counted through."""
    if not by:
        return np.arange(len(old)), np.arange(len(new))
    codes = np.zeros(len(old) + len(new), dtype=np.intp)
    for name in by:
        alike = all(pd.api.types.is_datetime64_any_dtype(frame[name]) for frame in (old, new))
        parts = [frame[name].reset_index(drop=True) if alike else _text(frame[name]) for frame in (old, new)]
        column, _ = pd.factorize(pd.concat(parts, ignore_index=True), use_na_sentinel=False)
        codes, _ = pd.factorize(codes * (column.max(initial=0) + 1) + column)
    halves = codes[: len(old)], codes[len(old) :]
    counts = [pd.Series(half).groupby(half).cumcount().to_numpy() for half in halves]
    most = max(count.max(initial=0) for count in counts) + 1
    first, second = (half * most + count for half, count in zip(halves, counts, strict=True))
    return first, second


def _text(column: pd.Series) -> pd.Series:
    """Values as text, so that a date or a group is the same whatever type a file gave it."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.dt.strftime("%Y-%m-%dT%H:%M:%S").fillna("")
    elif pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    texts: pd.Series = column.astype(str).reset_index(drop=True)
    return texts


@dataclass(frozen=True)
class Revisions:
    """What became of the columns and of the cells that both data sets have: tables `drift_columns`, `drift_cells`."""

    columns: pd.DataFrame
    cells: pd.DataFrame

    @property
    def count(self) -> int:
        """Cells that were revised."""
        return int(self.columns["cells_revised"].sum())

    @property
    def revised(self) -> list[str]:
        """Columns with revised cells, the most revised first."""
        return list(self.columns.loc[self.columns["cells_revised"] > 0, "column"])


def revisions(
    previous: FitSnapshot, now: FitSnapshot, match: RowMatch, used: Collection[str], shown: int = CELLS_SHOWN
) -> Revisions:
    """Cells that differ in the rows that both data sets have.

    Numbers differ when they are further apart than 1e-9 of the larger one; a value that was missing, or is missing now,
    differs from any other.

    Args:
        previous, now: the two fits.
        match: their common rows.
        used: columns that the model or its channels read.
        shown: how many cells are listed: the largest changes, in standard deviations of the previous column, after
            those that no number measures (text, and values that came or went).

    Returns:
        `drift_columns`: one row per column of either data set, the most revised first; `drift_cells`: the cells.
    """
    old, new = previous.frame.iloc[match.previous], now.frame.iloc[match.now]
    columns, cells = [], []
    for name in dict.fromkeys([*map(str, now.frame.columns), *map(str, previous.frame.columns)]):
        state = _state(name, previous.frame, now.frame)
        if state != "both" or name in match.by:
            columns.append((name, state, name in used, 0, np.nan))
            continue
        found = _revised(old[name], new[name])
        columns.append((name, state, name in used, len(found), found["change_in_sd"].abs().max()))
        cells.append(found.assign(column=name))
    table = pd.DataFrame(columns, columns=["column", "state", "used", "cells_revised", "largest_change_in_sd"])
    table = table.astype({"largest_change_in_sd": "float64", "cells_revised": "int64", "used": "bool"})
    order = table.sort_values(["cells_revised", "used"], ascending=False, kind="stable")
    return Revisions(order.reset_index(drop=True), _listed(cells, now, match, shown))


def _state(name: str, previous: pd.DataFrame, now: pd.DataFrame) -> str:
    return "both" if name in previous and name in now else "added" if name in now else "removed"


def _revised(old: pd.Series, new: pd.Series) -> pd.DataFrame:
    """The cells that differ: `at` (place among the common rows), `previous`, `now`, `change`, `change_in_sd`."""
    gone, come = old.isna().to_numpy(), new.isna().to_numpy()
    if _numeric(old) and _numeric(new):
        a, b = (each.to_numpy(dtype=np.float64, na_value=np.nan) for each in (old, new))
        with np.errstate(invalid="ignore"):
            apart = np.abs(a - b) > SAME_NUMBER * np.maximum(np.abs(a), np.abs(b))
        at = np.flatnonzero(np.where(gone | come, gone != come, apart | (np.isinf(a) != np.isinf(b))))
        change, sd = b[at] - a[at], float(np.nanstd(a, ddof=1)) if (~gone).sum() > 1 else np.nan
        in_sd = change / sd if sd > 0 else np.full(len(at), np.nan)
    else:
        apart = _text(old).to_numpy() != _text(new).to_numpy()
        at = np.flatnonzero(np.where(gone | come, gone != come, apart))
        change = in_sd = np.full(len(at), np.nan)
    texts = [["" if pd.isna(value) else str(value) for value in each.iloc[at]] for each in (old, new)]
    return pd.DataFrame(
        {"at": at, "previous": texts[0], "now": texts[1], "change": change, "change_in_sd": in_sd}
    ).astype({"previous": "object", "now": "object"})


def _numeric(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column)) and not pd.api.types.is_bool_dtype(column)


def _listed(cells: Sequence[pd.DataFrame], now: FitSnapshot, match: RowMatch, shown: int) -> pd.DataFrame:
    names = ["column", "previous", "now", "change", "change_in_sd"]
    found = [table for table in cells if len(table)] or [pd.DataFrame(columns=["at", *names])]
    table = pd.concat(found, ignore_index=True)
    size = table["change_in_sd"].astype("float64").abs().fillna(np.inf)
    top = table.loc[size.sort_values(ascending=False, kind="stable").index[:shown]].reset_index(drop=True)
    rows = match.now[top["at"].to_numpy(dtype=np.intp)]
    top.insert(0, "row", rows.astype("int64"))
    for position, (name, values) in enumerate(_labels(now, rows)):
        top.insert(1 + position, name, values)
    return top.drop(columns="at").astype({"change": "float64", "change_in_sd": "float64"})


def _labels(now: FitSnapshot, rows: Positions) -> Iterator[tuple[str, Any]]:
    """Date and panel unit of rows of the new data, as far as they have them."""
    if now.date_var is not None and now.date_var in now.frame:
        yield "date", now.frame[now.date_var].iloc[rows].to_numpy()
    if now.panel_columns:
        parts = [_text(now.frame[name]).iloc[rows] for name in now.panel_columns]
        yield "group", [":".join(values) for values in zip(*parts, strict=True)]
