"""The pooling map of a pooled model: which media variables share coefficients, and by which labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from dsam_assets.config.schema_data import PoolingSection
from dsam_assets.data.delimited import MISSING_TOKENS
from dsam_assets.data.files import read_once
from dsam_assets.data.read import kind_of, read_table
from dsam_assets.errors import ConfigError, DataError
from dsam_assets.scales import FloatArray

VARIABLE = "variable"
# Columns of the table of dropped groups, next to those of the grouping variables.
RESERVED = (VARIABLE, "variables", "waves", "min_waves")
KEY = "pooling.grouping_vars"


@dataclass(frozen=True)
class PoolingMap:
    """Labels of the pooled variables.

    Attributes:
        variables: terms of the formula, by R's names, length V.
        grouping_vars: dimensions of the labels, length D.
        labels: per variable its label in each dimension, V tuples of length D.
    """

    variables: tuple[str, ...]
    grouping_vars: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """`<grouping variable>[<label>]`, dimension by dimension in order of appearance, length L."""
        names = [self._names(labels) for labels in self.labels]
        return tuple(dict.fromkeys(row[d] for d in range(len(self.grouping_vars)) for row in names))

    @property
    def indicator(self) -> FloatArray:
        """M of shape (V, L): 1 where a variable has a label, so that its coefficient is a sum, β = M γ."""
        names = [self._names(labels) for labels in self.labels]
        return np.array([[float(name in row) for name in self.label_names] for row in names])

    def labels_of(self, variable: str) -> tuple[str, ...]:
        """Names of the labels whose coefficients add up to the variable's, length D."""
        return self._names(self.labels[self.variables.index(variable)])

    def variables_of(self, name: str) -> tuple[str, ...]:
        """The variables that have a label, given by its name."""
        return tuple(variable for variable in self.variables if name in self.labels_of(variable))

    def without(self, variables: Sequence[str]) -> PoolingMap:
        """The map of the other variables."""
        rows = zip(self.variables, self.labels, strict=True)
        kept = [(variable, labels) for variable, labels in rows if variable not in variables]
        return PoolingMap(tuple(row[0] for row in kept), self.grouping_vars, tuple(row[1] for row in kept))

    def to_table(self) -> pd.DataFrame:
        """One row per variable: `variable`, then one column per grouping variable; all text."""
        rows = [(variable, *labels) for variable, labels in zip(self.variables, self.labels, strict=True)]
        return pd.DataFrame(rows, columns=[VARIABLE, *self.grouping_vars], dtype=object)

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> PoolingMap:
        """The map that `to_table` wrote; raises `DataError` like `pooling_map`."""
        grouping_vars = [str(name) for name in table.columns if name != VARIABLE]
        return pooling_map(table, grouping_vars, where="pooling map")

    @staticmethod
    def stored_table(pooling: PoolingMap | None) -> pd.DataFrame:
        """The table that is stored for any model; one without pooling has no rows."""
        return pd.DataFrame({VARIABLE: pd.Series(dtype=str)}) if pooling is None else pooling.to_table()

    @classmethod
    def from_stored(cls, table: pd.DataFrame) -> PoolingMap | None:
        """The inverse of `stored_table`."""
        return cls.from_table(table) if len(table) else None

    def _names(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{dimension}[{label}]" for dimension, label in zip(self.grouping_vars, labels, strict=True))


def load_pooling_map(section: PoolingSection) -> PoolingMap:
    """Read and validate the map that the config names: CSV, RDS or parquet, by `map_format` or else the extension.

    Cells of a CSV stay the text that they are, so `01` and `1` are different labels; what counts as missing in data
    files (`NA`, empty, …) is missing here too.

    Raises:
        ConfigError: no map, or grouping variables that cannot be used.
        DataError: the file cannot be read, lacks columns, or has rows that are not valid.
    """
    if section.map_path is None:
        raise ConfigError("A pooled model needs a pooling map.", where="pooling.map_path", fix="Name the map's file.")
    path = Path(section.map_path)
    kind = section.map_format or kind_of(path)
    table = read_table(read_once(path), kind, as_text=True)
    if kind == "csv":
        return pooling_map(table.mask(table.isin(MISSING_TOKENS)), section.grouping_vars, where=str(path), first_row=2)
    return pooling_map(table, section.grouping_vars, where=str(path))


def pooling_map(table: pd.DataFrame, grouping_vars: Sequence[str], *, where: str, first_row: int = 1) -> PoolingMap:
    """The map in a table with the columns `variable` and `grouping_vars`; further columns say nothing.

    Args:
        table: one row per pooled variable.
        grouping_vars: columns that hold labels: text, or numbers and truth values, which become text.
        where: the table's name in messages, a file's path for example.
        first_row: number of the table's first row in messages.

    Raises:
        ConfigError: no grouping variables, one named twice, or one whose name cannot be used.
        DataError: absent columns, missing cells, or a variable that occurs twice.
    """
    _require_grouping_vars(grouping_vars)
    columns = {name: _texts(table, name, where, first_row) for name in (VARIABLE, *grouping_vars)}
    variables = columns[VARIABLE]
    for row, variable in enumerate(variables):
        if variable in variables[:row]:
            raise DataError(
                "The pooling map has a variable twice.",
                where=f"{where}, row {row + first_row}",
                got=variable,
                wanted="one row per variable",
                fix="Remove one of its rows.",
            )
    labels = tuple(zip(*(columns[name] for name in grouping_vars), strict=True))
    return PoolingMap(variables, tuple(grouping_vars), labels)


def _require_grouping_vars(names: Sequence[str]) -> None:
    if not names:
        raise ConfigError("A pooled model needs a grouping variable.", where=KEY, wanted="a label column of the map")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ConfigError(f"{KEY} names a column twice.", where=KEY, got=", ".join(twice), fix="Keep it once.")
    unusable = [name for name in names if name in RESERVED or "[" in name]
    if unusable:
        raise ConfigError(
            "This name cannot be used for a grouping variable.",
            where=KEY,
            got=", ".join(unusable),
            wanted=f"a name without [ and other than {', '.join(RESERVED)}",
            fix="Rename the map's column.",
        )


def _texts(table: pd.DataFrame, name: str, where: str, first_row: int) -> tuple[str, ...]:
    """The cells of a column as stripped text."""
    if name not in table.columns:
        raise _absent(name, [str(column) for column in table.columns], where)
    cells = table[name].astype(object).tolist()
    return tuple(_text(cell, f"{where}, row {row}, column {name}") for row, cell in enumerate(cells, start=first_row))


def _text(cell: object, place: str) -> str:
    if isinstance(cell, str) and cell.strip():
        return cell.strip()
    if isinstance(cell, str) or pd.isna(cell):  # type: ignore[call-overload]
        raise DataError(
            "The pooling map has an empty cell.",
            where=place,
            wanted="a variable and a label in every column of pooling.grouping_vars",
            fix="Fill it in, or remove the row: a term that the map leaves out is a base term of the model.",
        )
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).upper()  # as R writes it
    if isinstance(cell, int | float | np.integer | np.floating):
        return str(int(cell)) if float(cell).is_integer() else str(float(cell))
    raise DataError(
        "The pooling map has a cell that is not text.",
        where=place,
        got=type(cell).__name__,
        fix="Write labels as text.",
    )


def _absent(name: str, columns: Sequence[str], where: str) -> DataError:
    near = get_close_matches(name, columns, n=1)
    return DataError(
        f"The pooling map has no column {name}.",
        where=where,
        got="columns " + ", ".join(columns),
        wanted=f"a column {VARIABLE} and every column of {KEY}",
        fix=f"Did you mean {near[0]}?" if near else f"Add the column, or correct {KEY}.",
    )
