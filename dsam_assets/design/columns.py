"""Columns of a frame as numbers or as factors, with errors that name rows and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.errors import DataError
from dsam_assets.scales import FloatArray

MAX_TEXT_LEVELS = 50
_SHOWN = 5
_NUMBERS = frozenset({"floating", "integer", "mixed-integer-float", "decimal", "boolean", "empty"})
_MISSING_WORDS = frozenset({"", "-", ".", "?", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing"})


@dataclass(frozen=True)
class Factor:
    """A categorical column: codes into `levels` (−1 where missing), the first level being R's reference."""

    codes: NDArray[np.intp]
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Basis:
    """Several columns that one variable gives, shape (N, k), and their names."""

    values: FloatArray
    names: tuple[str, ...]


def column(frame: pd.DataFrame, name: str) -> pd.Series:
    """One column, refusing a name that occurs twice."""
    found: object = frame[name]
    if isinstance(found, pd.Series):
        return found
    raise DataError(
        f"The column name {name} occurs {list(frame.columns).count(name)} times",
        where=f"column {name}",
        fix="rename or drop the copies",
    )


def rows_text(mask: NDArray[np.bool_]) -> str:
    """The first marked rows in words, e.g. `rows 3, 7 (counted from 0)`."""
    marked = np.flatnonzero(mask)
    shown = ", ".join(str(row) for row in marked[:_SHOWN])
    more = f" and {marked.size - _SHOWN:,} more" if marked.size > _SHOWN else ""
    return f"row{'s' if marked.size > 1 else ''} {shown}{more} (counted from 0)"


def values_text(values: FloatArray, mask: NDArray[np.bool_]) -> str:
    """The first marked values and their rows, e.g. `0, -2.5 in rows 3, 7 (counted from 0)`."""
    shown = ", ".join(f"{value:.6g}" for value in values[mask][:_SHOWN])
    return f"{shown} in {rows_text(mask)}"


def numeric_values(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column as float64, shape (N,), NaN where missing; booleans count as 0 and 1, as in R. Read-only by contract.

    Raises:
        DataError: for text, dates and categories, and for infinite values.
    """
    values = _as_float(column(frame, name), name)
    infinite = np.isinf(values)
    if infinite.any():
        raise DataError(
            f"The column {name} holds non-finite values",
            where=f"column {name}",
            got=values_text(values, infinite),
            wanted="finite numbers, or missing",
            fix="correct the values in the data",
        )
    return values


def _as_float(series: pd.Series, name: str) -> FloatArray:
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return series.to_numpy(dtype=np.float64)
    if isinstance(dtype, pd.CategoricalDtype) or series.dtype.kind in "mMc":
        raise _not_numeric(name, f"dtype {dtype}")
    if pd.api.types.is_numeric_dtype(dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind not in _NUMBERS:
        raise _not_numeric(
            name, _text_counts(series) if kind in ("string", "mixed-integer", "mixed") else f"{kind} values"
        )
    return series.astype(object).where(series.notna(), np.nan).to_numpy(dtype=np.float64)


def _not_numeric(name: str, got: str) -> DataError:
    what = "text" if got.startswith('"') else "no numbers"
    return DataError(
        f"The column {name} holds {what} ({got}) and is used as a number",
        where=f"column {name}",
        got=got,
        wanted="numbers",
        fix="correct the data (leave missing values empty), or drop the column from the arithmetic",
    )


def _text_counts(series: pd.Series) -> str:
    """The most frequent texts that are no numbers, e.g. `"na" in 206 rows, "event1" in 1 row`."""
    present = series.notna()
    bad = present & pd.to_numeric(series, errors="coerce").isna()
    counts = series[bad if bad.any() else present].astype(str).value_counts()
    listed = [f'"{str(text)[:40]}" in {n:,} row{"s" if n > 1 else ""}' for text, n in counts.head(3).items()]
    return ", ".join(listed) + (f", and {len(counts) - 3:,} other values" if len(counts) > 3 else "")


def column_kind(frame: pd.DataFrame, name: str) -> Literal["number", "factor"]:
    """How a column enters a formula on its own: text, categories and booleans are factors, as in R.

    Raises:
        DataError: for dates, for a mixture of kinds, and for numbers spoilt by some text such as "na".
    """
    series = column(frame, name)
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(dtype):
        return "factor"
    if dtype.kind in "mMc" or isinstance(dtype, pd.PeriodDtype):
        raise DataError(
            f"The column {name} cannot be a predictor",
            where=f"column {name}",
            got=f"dtype {dtype}",
            wanted="numbers, text, categories or booleans",
            fix="compute a numeric column (a trend, a season) from it",
        )
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind in _NUMBERS:
        return "factor" if kind == "boolean" else "number"
    if kind != "string" or _is_spoilt_number(series):
        raise _not_numeric(name, _text_counts(series))
    return "factor"


def _is_spoilt_number(series: pd.Series) -> bool:
    """Text that is mostly numbers, or numbers beside words for missing, was meant as numbers."""
    present = series.dropna().astype(str)
    bad = pd.to_numeric(present, errors="coerce").isna()
    only_missing_words = set(present[bad].str.strip().str.lower().unique()) <= _MISSING_WORDS
    return bool(bad.any() and not bad.all() and (bad.mean() <= 0.5 or only_missing_words))


def factor_values(frame: pd.DataFrame, name: str) -> Factor:
    """A text, categorical or boolean column as a factor.

    Levels are in the order of R: sorted for text (ignoring case, as R's collation does), as declared for categories,
    FALSE before TRUE. Levels that no row has are kept here; the caller drops them once it knows which rows stay.

    Raises:
        DataError: for text with so many levels that it is probably an identifier.
    """
    series = column(frame, name)
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, levels = series.cat.codes.to_numpy(), [str(level) for level in series.cat.categories]
    else:
        codes, found = pd.factorize(series, use_na_sentinel=True)
        names = [str(level).upper() if isinstance(level, bool | np.bool_) else str(level) for level in found]
        order = sorted(range(len(names)), key=lambda i: (names[i].casefold(), names[i].swapcase()))
        rank = np.full(len(names) + 1, -1, dtype=np.intp)  # one more place, so that −1 stays −1
        rank[order] = np.arange(len(order))
        codes, levels = rank[codes], [names[i] for i in order]
        if not all(isinstance(level, bool | np.bool_) for level in found):
            _refuse_identifier(name, len(levels), int(series.notna().sum()))
    return Factor(np.asarray(codes, dtype=np.intp), tuple(levels))


def _refuse_identifier(name: str, levels: int, rows: int) -> None:
    if levels > MAX_TEXT_LEVELS or levels == rows > 0:
        raise DataError(
            f"The text column {name} has too many different values for a factor",
            where=f"column {name}",
            got=f"{levels:,} values in {rows:,} rows",
            wanted=f"at most {MAX_TEXT_LEVELS} values, and fewer than rows",
            fix="remove it from the formula, or group its values in the data",
        )
