"""Long data (one row per unit, date and variable) to wide data (one row per unit and date)."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from dsam_assets.errors import DataError


@dataclass(frozen=True)
class LongColumns:
    """The four columns of long data."""

    unit: str
    date: str
    variable: str
    value: str

    @property
    def keys(self) -> tuple[str, str, str]:
        """What a value is the value of."""
        return self.unit, self.date, self.variable


def long_to_wide(frame: pd.DataFrame, columns: LongColumns, path: Path) -> pd.DataFrame:
    """Reshape long data.

    Args:
        frame: at least the four columns; further columns are left out.
        columns: their names; the date column is parsed already.
        path: the file, for messages.

    Returns:
        Unit, date, and one column per variable in order of first appearance; rows by unit, then date. Combinations
        that the data do not have are missing.

    Raises:
        DataError: an absent column, an incomplete key, a key that occurs twice, or a variable named like a key column.
    """
    _require_columns(frame, columns, path)
    _require_complete_keys(frame, columns, path)
    tidy = frame[[*columns.keys, columns.value]].astype({columns.variable: "string"})
    tidy = tidy.assign(**{columns.variable: tidy[columns.variable].str.strip().astype(object)})
    _require_unique_keys(tidy, columns, path)
    variables = list(dict.fromkeys(tidy[columns.variable]))
    _require_free_names(variables, columns, path)
    wide = tidy.pivot(index=[columns.unit, columns.date], columns=columns.variable, values=columns.value)
    wide = wide.reindex(columns=variables).rename_axis(columns=None).reset_index()
    return wide.assign(**{name: _numbers_where_possible(wide[name]) for name in variables})


def _require_columns(frame: pd.DataFrame, columns: LongColumns, path: Path) -> None:
    keys = {
        "data.long_id_col": columns.unit,
        "data.long_variable_col": columns.variable,
        "data.long_value_col": columns.value,
    }
    names = [str(name) for name in frame.columns]
    for key, name in keys.items():
        if name not in names:
            near = get_close_matches(name, names, n=1)
            raise DataError(
                f"{key} names a column that is not in the file: {name}.",
                where=str(path),
                got="columns " + ", ".join(names),
                fix=f"Did you mean {near[0]}?" if near else f"Set {key} to a column of the file.",
            )


def _require_complete_keys(frame: pd.DataFrame, columns: LongColumns, path: Path) -> None:
    for name in columns.keys:
        missing = frame[name].isna().to_numpy()
        if missing.any():
            raise DataError(
                f"The key column {name} has missing values.",
                where=str(path),
                got=f"{int(missing.sum()):,} of {len(frame):,}, the first in row {int(missing.argmax()) + 1}",
                wanted="a unit, a date and a variable in every row",
                fix="Fill in or remove these rows.",
            )


def _require_unique_keys(frame: pd.DataFrame, columns: LongColumns, path: Path) -> None:
    again = frame.duplicated(list(columns.keys)).to_numpy()
    if again.any():
        first = frame.iloc[int(again.argmax())]
        raise DataError(
            f"{int(again.sum()):,} rows repeat a unit, date and variable.",
            where=str(path),
            got=f"{columns.unit} {first[columns.unit]}, {columns.date} {first[columns.date]:%Y-%m-%d}, "
            f"{columns.variable} {first[columns.variable]} (and again)",
            wanted="one value per unit, date and variable",
            fix="Remove the repetitions, or add them up before.",
        )


def _require_free_names(variables: list[str], columns: LongColumns, path: Path) -> None:
    taken = [name for name in variables if name in (columns.unit, columns.date) or not name]
    if taken:
        raise DataError(
            "A variable has the name of a key column, or none.",
            where=f"{path}, column {columns.variable}",
            got=taken[0] or "an empty name",
            wanted=f"names other than {columns.unit} and {columns.date}",
            fix="Rename the variable.",
        )


def _numbers_where_possible(values: pd.Series) -> pd.Series:
    """One text among all variables makes the file's value column text; a variable with numbers only is numeric."""
    if values.dtype != object:
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    return values if (numbers.isna() & values.notna()).any() else numbers
