"""The rows of the model matrix that lie ahead of the data.

The formula is evaluated on data and future data together, so that `lag()` looks back from the first future week into
the data, and the future rows are cut out. Everything that is learnt from data comes from the modelled rows alone, as
for a fold in time (`selection.fold_models`): the levels of factors, the group means of correlated random effects (a
unit that the data do not have takes the means of its own future rows), and which groups there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.data.cre import cre_terms
from dsam_assets.design.additions import ModelInputs, model_inputs, shift_groups
from dsam_assets.design.formula import Formula
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.syntax import names_in
from dsam_assets.errors import DataError
from dsam_assets.forecast.future_data import FutureData, located
from dsam_assets.forecast.joined import IntArray, Joined, ModelSource
from dsam_assets.forecast.regressors import absent_columns, factors, require_complete
from dsam_assets.forecast.timeline import Timeline, timeline, within_horizon
from dsam_assets.scales import FloatArray, observed_to_kpi


@dataclass(frozen=True)
class FutureRows:
    """The rows that are forecast, by unit and date.

    Attributes:
        matrix: their model matrix with the columns of the fit; groups that are new stand behind the known ones; the
            response is NaN where it is not known; `rows` are positions in the future data.
        frame: the same rows of the future data.
        dates: their dates, shape (N,).
        ahead: how many periods each is ahead of the data, shape (N,).
        unit: their panel unit as a position in `units`, ascending.
        units: labels of the units, a single `all` without a panel.
        new: units that the data do not have.
        notes: what a reader must know about these rows, in sentences.
    """

    matrix: ModelMatrix
    frame: pd.DataFrame
    dates: pd.Series
    ahead: IntArray
    unit: IntArray
    units: tuple[str, ...]
    new: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def observed(self) -> FloatArray:
        """The KPI as far as it is known, NaN elsewhere, shape (N,)."""
        return observed_to_kpi(self.matrix.response, self.matrix.response_scale)

    def labels(self) -> pd.DataFrame:
        """`row`, `date` and, for a panel, `group`."""
        labels = pd.DataFrame({"row": self.matrix.rows.astype("int64"), "date": self.dates.to_numpy()})
        if self.matrix.groups:
            labels["group"] = np.asarray(self.units, dtype=object)[self.unit]
        return labels


def future_rows(source: ModelSource, future: FutureData, horizon: int | None = None) -> FutureRows:
    """Cut the rows to forecast out of data and future data.

    Args:
        source: the fitted model and its data.
        future: the predictors ahead; the KPI may be absent or empty.
        horizon: periods per panel unit; `None` takes every row.

    Raises:
        DataError: missing columns or cells, unknown factor levels, or dates that do not follow the data.
    """
    date_var = _date_column(source)
    inputs = _with_past_generated(source)
    formula = _without_dropped(inputs.formula, source)
    generated = _generated(source)
    needed = _needed(formula, source, generated)
    with located(future.where):
        columns = _future_columns(future, source, needed, generated)
        absent = absent_columns([date_var, *needed], columns)
        keys = [name for name in (date_var, *shift_groups(formula)) if name in absent]
        if keys:  # without dates and units nothing more can be said about the rows
            require_complete(absent, {}, [], formula.response_column)
        times = timeline(source.frame, columns, date_var, shift_groups(formula), source.matrix.rows)
        chosen = within_horizon(times, horizon)
        joined = Joined(source, inputs, formula, columns, times, chosen, absent)
        matrix = joined.matrix()
    return FutureRows(
        matrix=matrix,
        frame=future.frame.iloc[matrix.rows],
        dates=columns[date_var].iloc[matrix.rows],
        ahead=times.ahead[chosen],
        unit=times.unit[chosen],
        units=times.units,
        new=times.new,
        notes=(*_notes(times, chosen, horizon), *_unseen_holidays(future, generated, matrix.rows)),
    )


def _date_column(source: ModelSource) -> str:
    name = source.data.date_var
    if name is None:
        raise DataError("A forecast needs the data's date column.", where="data.date_var", fix="Set data.date_var.")
    return name


def _with_past_generated(source: ModelSource) -> ModelInputs:
    return model_inputs(source.formula, source.frame, source.holidays, date_var=source.data.date_var)


def _without_dropped(formula: Formula, source: ModelSource) -> Formula:
    """The formula without the pooled variables that `pooling.min_waves` left out: nothing needs their future."""
    if source.pooling is None or source.matrix.pooling is None:
        return formula
    gone = set(source.pooling.variables) - set(source.matrix.pooling.variables)
    kept = replace(formula, terms=tuple(term for term in formula.terms if term.label not in gone))
    used = {name.name for node in (formula.response, *factors(kept)) for name in names_in(node)}
    return replace(kept, names=tuple(name for name in formula.names if name.name in used))


def _generated(source: ModelSource) -> frozenset[str]:
    """Columns that are made from the calendar and from group means, for the future as for the past."""
    holidays = () if source.holidays is None else source.holidays.names
    cre = source.formula.cre
    return frozenset([*holidays, *(cre_terms(cre.vars, cre.prefix) if cre.enabled else ())])


def _needed(formula: Formula, source: ModelSource, generated: frozenset[str]) -> tuple[str, ...]:
    own = [name for name in formula.variables if name not in generated and name != formula.response_column]
    return tuple(dict.fromkeys([*own, *(source.formula.cre.vars if source.formula.cre.enabled else ())]))


def _future_columns(
    future: FutureData, source: ModelSource, needed: Sequence[str], generated: frozenset[str]
) -> pd.DataFrame:
    """The future data with holiday features; a label without an event ahead counts zero days."""
    frame = future.frame.drop(columns=[name for name in generated if name in future.frame.columns])
    if source.holidays is None:
        return frame
    made = pd.DataFrame(0, index=frame.index, columns=list(source.holidays.names))
    if future.holidays is not None:
        found = future.holidays.set_axis(frame.index)
        made = found.reindex(columns=made.columns, fill_value=0)
    return pd.concat([frame, made], axis=1)


def _notes(times: Timeline, chosen: NDArray[np.bool_], horizon: int | None) -> list[str]:
    notes = []
    if times.new:
        text = (
            "not in the data: their group effects are drawn from the spread of the groups, so their intervals are wide."
        )
        notes.append(f"New units ({', '.join(times.new)}) are {text}")
    if times.absent:
        notes.append(f"No future rows, so no forecast, for: {', '.join(times.absent)}.")
    longest = horizon or int(times.ahead.max())
    last = np.zeros(len(times.units), dtype=int)
    np.maximum.at(last, times.unit[chosen], times.ahead[chosen])
    short = [f"{unit} ({count})" for unit, count in zip(times.units, last, strict=True) if count < longest]
    if short:
        notes.append(f"Fewer than {longest} periods ahead: {', '.join(short)}.")
    return notes


def _unseen_holidays(future: FutureData, generated: frozenset[str], rows: IntArray) -> list[str]:
    if future.holidays is None:
        return []
    active = future.holidays.iloc[rows].ne(0).any()
    unseen = [str(name) for name in active.index[active.to_numpy()] if name not in generated]
    if not unseen:
        return []
    return [f"Holidays that the data never had are forecast without an effect: {', '.join(unseen)}."]
