"""From draws and spends to the columns of the budget tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.allocation.certificate import EXTRAPOLATION_TOLERANCE
from dsam_assets.allocation.columns import COLUMNS
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import FloatArray

# Quantiles of every interval in the tables: a central 90 % interval.
LOWER, UPPER = 0.05, 0.95


def budget_table(name: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns as the table that `COLUMNS` describes."""
    frame = pd.DataFrame(dict(columns))
    return frame[[column.name for column in COLUMNS[name]]].astype({c.name: c.dtype for c in COLUMNS[name]})


def estimate(draws: FloatArray, name: str) -> dict[str, FloatArray]:
    """Mean and interval over draws of shape (S, N), as columns of N rows; a single draw has no interval."""
    low, high = quantiles(draws, [LOWER, UPPER])
    return {f"{name}_mean": draws.mean(axis=0), f"{name}_lower": low, f"{name}_upper": high}


def first_row(columns: Mapping[str, FloatArray]) -> dict[str, float]:
    """Columns of one row as numbers."""
    return {name: float(values[0]) for name, values in columns.items()}


def finite(values: FloatArray) -> FloatArray:
    """The values, missing where they are infinite."""
    return np.where(np.isfinite(values), values, np.nan)


def beyond(spends: FloatArray, observed_max: FloatArray | float) -> list[bool | None]:
    """Which spends exceed the largest observed one; None where that is not known."""
    far = spends > observed_max * (1.0 + EXTRAPOLATION_TOLERANCE)
    known = np.broadcast_to(np.isfinite(observed_max), far.shape)
    return [bool(flag) if sure else None for flag, sure in zip(far, known, strict=True)]
