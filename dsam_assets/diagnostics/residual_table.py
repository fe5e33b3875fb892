"""Residuals on the model scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.errors import DataError
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws


def residual_table(draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame | None = None) -> pd.DataFrame:
    """Observed, fitted and residual per row, on the model scale (log KPI for a log response).

    Args:
        draws: the posterior, coefficients on the original scale.
        matrix: the model matrix; its offset is part of the fitted value.
        labels: columns that identify the rows of `matrix` (date, group), in its order.

    Returns:
        Columns row (position in the data frame), those of `labels`, observed, fitted (posterior mean of the linear
        predictor), residual = observed − fitted.

    Raises:
        DataError: `labels` has another length than `matrix`.
    """
    fitted = fitted_mean(draws, matrix)
    table = row_labels(np.asarray(matrix.rows, dtype=np.int64), labels)
    return table.assign(observed=matrix.response, fitted=fitted, residual=matrix.response - fitted)


def fitted_mean(draws: Draws, matrix: ModelMatrix) -> FloatArray:
    """Posterior mean of the linear predictor, shape (rows,).

    The predictor is linear, so its mean over draws is the predictor at the mean coefficients: exact, and no
    draws × rows array is ever made.
    """
    centre = draws.coef_flat.mean(axis=0)
    return np.asarray(matrix.values @ centre + matrix.offset, dtype=np.float64)


def row_labels(rows: NDArray[np.int64], labels: pd.DataFrame | None) -> pd.DataFrame:
    """`labels` with a leading column `row`, after a check that there is one label per row."""
    if labels is None:
        return pd.DataFrame({"row": rows})
    if len(labels) != len(rows):
        raise DataError(
            "Row labels and rows do not match.",
            got=f"{len(labels)} labels for {len(rows)} rows of the model matrix",
            wanted="one label per row that survived data.na_action",
            fix="Take the label columns at the positions in matrix.rows.",
        )
    others = labels.drop(columns="row", errors="ignore").reset_index(drop=True)
    others.insert(0, "row", rows)
    return others
