"""What the columns of a data file hold: kind, missing and different values, and of numbers mean, spread and range."""

from __future__ import annotations

import numpy as np
import pandas as pd

STATISTICS = ("kind", "missing", "unique", "mean", "sd", "min", "max")


def column_statistics(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per column, in the frame's order.

    Returns:
        `term` (the column), `kind` (`number`, `date`, `flag` or `text`), `missing` and `unique` (counts of cells and of
        different values, missing ones left out), and `mean`, `sd` (sample), `min`, `max` of numbers, else NaN.
    """
    rows = [(str(name), *_statistics(values)) for name, values in frame.items()]
    return pd.DataFrame(rows, columns=["term", *STATISTICS])


def _statistics(values: pd.Series) -> tuple[object, ...]:
    kind, known = _kind(values), values.dropna()
    counts = (kind, len(values) - len(known), int(known.nunique()))
    if kind != "number" or known.empty:
        return (*counts, *[np.nan] * 4)
    numbers = known.to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values, which the load refuses where it matters
        sd = float(numbers.std(ddof=1)) if len(numbers) > 1 else np.nan
        return (*counts, float(numbers.mean()), sd, float(numbers.min()), float(numbers.max()))


def _kind(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "flag"
    if pd.api.types.is_numeric_dtype(values):
        return "number"
    return "date" if pd.api.types.is_datetime64_any_dtype(values) else "text"
