"""Data and future data as one frame, evaluated as one, so that the future rows come out as the data's did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.config.schema_data import DataSection
from dsam_assets.config.slices import FormulaSlice
from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.additions import ModelInputs, shift_groups
from dsam_assets.design.build import build_matrix
from dsam_assets.design.columns import numeric_values
from dsam_assets.design.formula import Formula
from dsam_assets.design.matrix import ModelMatrix, missing_values
from dsam_assets.design.syntax import Name
from dsam_assets.design.transforms import RowOrder
from dsam_assets.errors import DataError, DesignError
from dsam_assets.forecast.regressors import require_complete, require_levels, require_values
from dsam_assets.forecast.timeline import Timeline
from dsam_assets.scales import FloatArray
from dsam_assets.selection.fold_models import cut_group, take_rows, with_past_means

IntArray = NDArray[np.intp]
KEPT = "(kept)"  # no formula can name this column
_AGREEMENT = 1e-9


@dataclass(frozen=True)
class ModelSource:
    """The model that is forecast with, as its assets hold it.

    Attributes:
        frame: the data.
        formula, data: the config's sections.
        matrix: the modelled rows.
        holidays: generated features, or `None`.
        pooling: all labels of a pooled model, or `None`.
    """

    frame: pd.DataFrame
    formula: FormulaSlice
    data: DataSection
    matrix: ModelMatrix
    holidays: HolidayFeatures | None = None
    pooling: PoolingMap | None = None


@dataclass(frozen=True)
class Joined:
    """Data and future data as one frame, the future rows by unit and date behind the data's."""

    source: ModelSource
    inputs: ModelInputs
    formula: Formula
    columns: pd.DataFrame
    times: Timeline
    chosen: NDArray[np.bool_]
    absent: Sequence[str]

    def matrix(self) -> ModelMatrix:
        """The model matrix of the rows that are forecast."""
        frame = self._frame()
        past = np.flatnonzero(np.isin(self.times.past, self.source.matrix.rows))
        ahead = self.times.past.size + np.flatnonzero(self.chosen)
        self._require_complete(frame, ahead)
        require_values(self.formula, self.columns)
        require_levels(self.formula, frame, past, ahead)
        inputs = ModelInputs(_response_free(self.formula), self._marked(frame, past, ahead), self.inputs.group_means)
        if self.source.formula.cre.enabled:
            inputs = with_past_means(inputs, self.source.formula.cre, past, ahead)
            _require_own_means(inputs, self.inputs.group_means, ahead)
        built = build_matrix(inputs, date_var=self.source.data.date_var).matrix
        return self._cut(built, frame, np.searchsorted(built.rows, past), np.searchsorted(built.rows, ahead))

    def _frame(self) -> pd.DataFrame:
        date_var, response = self.source.data.date_var, self.formula.response_column
        names = dict.fromkeys([str(date_var), *self.formula.variables, *self._cre_vars()])
        return pd.DataFrame(
            {name: self._column(name, response) for name in names if name not in self.inputs.group_means}
        )

    def _cre_vars(self) -> Sequence[str]:
        return self.source.formula.cre.vars if self.source.formula.cre.enabled else ()

    def _column(self, name: str, response: str) -> pd.Series:
        """One column of data and future data; the KPI of the weeks ahead is not known when they are forecast."""
        past = self.inputs.frame[name].iloc[self.times.past]
        if name == response or name in self.absent:
            later = pd.Series(np.full(self.times.future.size, np.nan))
            past = past.astype(float) if name == response else past
        else:
            later = self.columns[name].iloc[self.times.future]
        if isinstance(past.dtype, pd.CategoricalDtype):
            return _joined_categories(past, later)
        return pd.concat([past, later.astype(object) if past.dtype == object else later], ignore_index=True)

    def _require_complete(self, frame: pd.DataFrame, ahead: IntArray) -> None:
        order = RowOrder(self.source.data.date_var, shift_groups(self.formula))
        # generated columns are complete, and without the columns that are absent a shifted call says nothing
        known = frame.assign(**dict.fromkeys(self.inputs.group_means, 0.0))
        missing = {} if self.absent else missing_values(self.formula, known, order)
        missing.update({name: frame[name].isna().to_numpy() for name in self._cre_vars()})
        missing.pop(self.formula.response_column, None)
        if self.absent:
            missing.update({name: frame[name].isna().to_numpy() for name in frame.columns if self._is_plain(name)})
        require_complete(
            self.absent, {name: mask[ahead] for name, mask in missing.items()}, self._row_names(),
            self.formula.response_column,
        )  # fmt: skip

    def _is_plain(self, name: object) -> bool:
        return name != self.formula.response_column and name not in self.absent

    def _row_names(self) -> list[str]:
        dates = self.columns[str(self.source.data.date_var)].iloc[self.times.future[self.chosen]]
        names = [f"{date:%Y-%m-%d}" if isinstance(date, pd.Timestamp) else str(date) for date in dates]
        if len(self.times.units) == 1 and not self.inputs.formula.bar_terms:
            return names
        units = self.times.unit[self.chosen]
        return [f"{name} ({self.times.units[unit]})" for name, unit in zip(names, units, strict=True)]

    def _marked(self, frame: pd.DataFrame, past: IntArray, ahead: IntArray) -> pd.DataFrame:
        """The frame with a stand-in for the response, present in the rows that the matrix is to have."""
        kept = np.full(len(frame), np.nan)
        kept[past] = kept[ahead] = 1.0
        return frame.assign(**{KEPT: kept})

    def _cut(self, built: ModelMatrix, frame: pd.DataFrame, past: IntArray, ahead: IntArray) -> ModelMatrix:
        fitted = self.source.matrix
        _require_agreement(built, fitted, past)
        columns = [built.terms.index(term) for term in fitted.terms]
        groups = tuple(cut_group(group, frozenset(), past, ahead)[1] for group in built.groups)
        later = take_rows(replace(built, values=built.values[:, columns], terms=fitted.terms), ahead, groups)
        rows = self.times.future[self.chosen]
        return replace(
            later,
            response=_model_scale(self.columns, rows, fitted),
            response_name=fitted.response_name,
            response_scale=fitted.response_scale,
            rows=rows,
            dropped={},
            group_means=fitted.group_means,
            pooling=fitted.pooling,
        )


def _joined_categories(past: pd.Series, later: pd.Series) -> pd.Series:
    """Declared categories keep their order; values that they lack come last, to be refused where it matters."""
    declared = list(past.cat.categories)
    more = [level for level in pd.unique(later.dropna()) if level not in declared]
    values = [*past.astype(object), *later.astype(object)]
    return pd.Series(pd.Categorical(values, categories=[*declared, *more], ordered=bool(past.cat.ordered)))


def _response_free(formula: Formula) -> Formula:
    """The formula with the stand-in as its response: the KPI of the weeks ahead is not known, yet their rows stay."""
    return replace(formula, response=Name(KEPT), response_scale="identity", names=(*formula.names, Name(KEPT)))


def _require_own_means(inputs: ModelInputs, means: Sequence[str], ahead: IntArray) -> None:
    gone = [name for name in means if inputs.frame[name].iloc[ahead].isna().any()]
    if gone:
        raise DataError(
            "A new unit has no values to take its group means from.", got=", ".join(gone), wanted="values of cre.vars"
        )


def _require_agreement(built: ModelMatrix, fitted: ModelMatrix, past: IntArray) -> None:
    """The data's rows must come out as they were fitted, or the coefficients would not belong to the future rows."""
    varying = [group.terms for group in built.groups] == [group.terms for group in fitted.groups]
    same = set(fitted.terms) <= set(built.terms) and varying
    if same:
        columns = [built.terms.index(term) for term in fitted.terms]
        again, size = built.values[np.ix_(past, columns)], np.abs(fitted.values).max(axis=0, initial=1.0)
        same = again.shape == fitted.values.shape and bool(np.all(np.abs(again - fitted.values) <= _AGREEMENT * size))
    if not same:
        raise DesignError(
            "The future data change the columns of the model.",
            got=", ".join(sorted(set(built.terms) ^ set(fitted.terms))) or "other values in the modelled rows",
            wanted="the columns of the fit: " + ", ".join(fitted.terms),
            fix="Give the future columns the types and values that the data have.",
        )


def _model_scale(columns: pd.DataFrame, rows: IntArray, fitted: ModelMatrix) -> FloatArray:
    """The response of the future rows on the model scale, NaN where it is not known."""
    if fitted.response_name not in columns.columns:
        return np.full(rows.size, np.nan)
    values = numeric_values(columns, fitted.response_name)[rows]
    if fitted.response_scale == "identity":
        return values.copy()
    if (values <= 0).any():
        raise DesignError(
            "A log response needs a KPI above 0.",
            where=f"column {fitted.response_name}",
            got=f"{float(np.nanmin(values)):g}",
            fix="Correct the value, or leave it empty.",
        )
    return np.log(values)
