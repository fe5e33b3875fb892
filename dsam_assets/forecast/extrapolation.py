"""Which predictors leave the range that the fit has seen, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from dsam_assets.data.findings import Finding
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.scaling import INTERCEPT

ROUNDING = 1e-9  # of a column's range
KIND = "forecast_extrapolation"


def extrapolation_table(fitted: ModelMatrix, paths: Mapping[str, ModelMatrix]) -> pd.DataFrame:
    """One row per term and path: the range of the fit, that of the rows ahead, and how far they leave it.

    Args:
        fitted: the modelled rows.
        paths: path → the same future rows; of paths other than `base`, terms that are as in the base are left out.
    """
    rows = [row for path, matrix in paths.items() for row in _rows(fitted, matrix, path, paths["base"])]
    return pd.DataFrame(rows, columns=list(_EMPTY)).astype(_EMPTY)


_EMPTY = {
    **dict.fromkeys(("path", "term"), "object"),
    **dict.fromkeys(("fitted_min", "fitted_max", "ahead_min", "ahead_max"), "float64"),
    **dict.fromkeys(("rows", "rows_outside"), "int64"),
    **dict.fromkeys(("share_outside", "beyond", "beyond_share"), "float64"),
}


def _rows(fitted: ModelMatrix, ahead: ModelMatrix, path: str, base: ModelMatrix) -> Iterator[dict[str, object]]:
    for position, term in enumerate(fitted.terms):
        values = ahead.values[:, position]
        if term == INTERCEPT or (path != "base" and np.array_equal(values, base.values[:, position])):
            continue
        low, high = float(fitted.values[:, position].min()), float(fitted.values[:, position].max())
        beyond = np.maximum(np.maximum(values - high, low - values), 0.0)
        outside = beyond > ROUNDING * (high - low)
        yield {
            "path": path,
            "term": term,
            "fitted_min": low,
            "fitted_max": high,
            "ahead_min": values.min(),
            "ahead_max": values.max(),
            "rows": values.size,
            "rows_outside": int(outside.sum()),
            "share_outside": float(outside.mean()),
            "beyond": float(beyond.max()) if outside.any() else 0.0,
            "beyond_share": float(beyond.max()) / (high - low) if outside.any() and high > low else 0.0,
        }


def extrapolation_findings(table: pd.DataFrame) -> tuple[Finding, ...]:
    """One finding per term that leaves its range, the one that goes furthest first."""
    left = table[table["rows_outside"] > 0].sort_values("beyond_share", ascending=False, kind="stable")
    return tuple(
        Finding(KIND, str(row["term"]), float(row["share_outside"]), 0.0, _words(row))
        for row in left.to_dict("records")
    )


def _words(row: Mapping[object, object]) -> str:
    where = "" if row["path"] == "base" else f" under the {row['path']} path"
    share = float(str(row["beyond_share"]))
    far = f"{share:.0%}" if share >= 0.01 else "less than 1%"
    rows = f"{row['rows_outside']:,} of {row['rows']:,} rows ahead"
    return (
        f"{row['term']} leaves the range of the fit ({row['fitted_min']:.4g} to {row['fitted_max']:.4g}) in {rows}"
        f"{where}, by up to {far} of its width."
    )
