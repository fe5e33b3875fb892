"""Variance inflation factors: how much correlation with the other predictors widens each coefficient.

Information for the analyst, not a gate: priors regularise what OLS could not estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.design.checks import CONSTANT_TOLERANCE, INTERCEPT, row_blocks
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix

# Lower limit of each level, as the bars of the VIF chart are coloured.
VIF_LEVELS: Mapping[str, float] = {"ok": 0.0, "moderate": 5.0, "high": 10.0}
# An eigenvalue of the correlation matrix below this is a linear dependency: VIFs near 1e10 are rounding error.
SINGULAR_TOLERANCE = 1e-10
# Share of a predictor's variance direction inside the null space above which it takes part in the dependency.
_INVOLVED = 1e-6


def vif_report(matrix: ModelMatrix) -> pd.DataFrame:
    """VIF per non-intercept predictor of the design matrix.

    Returns:
        Columns term, vif (1/(1−R²) of the predictor on the others, intercept included; inf when it is a linear
        combination of them; NaN when not computed), tolerance (1/vif), level (`ok` < 5 ≤ `moderate` < 10 ≤ `high`, or
        `not_computed`), note (why a value is infinite or missing). In the design's order.
    """
    keep = [j for j, term in enumerate(matrix.terms) if term != INTERCEPT]
    n_rows = len(matrix.values)
    vif, notes = np.full(len(keep), np.nan), ["needs at least two rows"] * len(keep)
    if n_rows > 1 and keep:
        sd, correlation = correlations(matrix.values)
        vif, notes = _vif(sd[keep], correlation[np.ix_(keep, keep)])
    with np.errstate(divide="ignore"):
        tolerance = 1.0 / vif
    return pd.DataFrame(
        {
            "term": [matrix.terms[j] for j in keep],
            "vif": vif,
            "tolerance": tolerance,
            "level": [vif_level(value) for value in vif],
            "note": notes,
        }
    )


def vif_facts(table: pd.DataFrame) -> dict[str, float | int | str]:
    """Key numbers for the asset's metadata: the largest VIF (in words where it is infinite), and how many are high."""
    infinite = table.loc[np.isinf(table["vif"]), "term"].tolist()
    known = table["vif"].dropna()
    facts: dict[str, float | int | str] = {"high": int((table["level"] == "high").sum())}
    if infinite:
        return facts | {"max_vif": f"infinite: {', '.join(infinite)} take part in exact linear dependencies"}
    return facts if known.empty else facts | {"max_vif": float(known.max())}


def vif_level(value: float) -> str:
    """Severity of one VIF."""
    if np.isnan(value):
        return "not_computed"
    return [name for name, lower in VIF_LEVELS.items() if value >= lower][-1]


def correlations(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard deviations (K,) and correlation matrix (K, K) of the columns, in row blocks.

    A constant column has standard deviation 0 and a row of zeros; a column that is not finite has NaN.
    """
    n_rows, n_terms = values.shape
    with np.errstate(invalid="ignore", over="ignore"):
        mean = values.mean(axis=0)
        cross = np.zeros((n_terms, n_terms))
        for rows in row_blocks(n_rows, n_terms):
            centred = values[rows] - mean
            cross += centred.T @ centred
    sd = np.sqrt(np.diag(cross) / max(n_rows - 1, 1))
    sd = np.where(sd <= CONSTANT_TOLERANCE * np.abs(mean), 0.0, sd)
    scale = np.where(sd > 0, sd, np.inf) * np.sqrt(max(n_rows - 1, 1))
    return sd, cross / np.outer(scale, scale)


def _vif(sd: FloatArray, correlation: FloatArray) -> tuple[FloatArray, list[str]]:
    finite = np.isfinite(sd)
    usable = finite & (sd > 0)
    vif = np.full(len(sd), np.nan)
    if usable.any():
        vif[usable] = inverse_diagonal(correlation[np.ix_(usable, usable)])
    return vif, [_note(*state) for state in zip(finite, usable, np.isinf(vif), strict=True)]


def inverse_diagonal(correlation: FloatArray) -> FloatArray:
    """Diagonal of the inverse of a correlation matrix, inf for predictors that take part in a linear dependency.

    The VIFs are the diagonal of the inverse (Belsley, Kuh and Welsch, 1980). An eigendecomposition gives it where a
    Cholesky factor would stop: outside the null space the pseudo-inverse still holds the right VIFs.
    """
    eigenvalues, vectors = np.linalg.eigh(correlation)
    null = eigenvalues <= SINGULAR_TOLERANCE
    squared = np.square(vectors)
    vif = squared[:, ~null] @ (1.0 / eigenvalues[~null])
    involved = squared[:, null].sum(axis=1) > _INVOLVED
    return np.asarray(np.where(involved, np.inf, np.maximum(vif, 1.0)), dtype=np.float64)


def _note(finite: bool, usable: bool, singular: bool) -> str:
    if not finite:
        return "has values that are not finite"
    if not usable:
        return "constant"
    return "linear combination of other predictors" if singular else ""
