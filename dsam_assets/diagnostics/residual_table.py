"""Residuals on the model scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.design.labels import labelled
from dsam_assets.fit.predictor import posterior_means, predictor
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
    table = labelled(matrix.rows, labels)
    return table.assign(observed=matrix.response, fitted=fitted, residual=matrix.response - fitted)


def fitted_mean(draws: Draws, matrix: ModelMatrix) -> FloatArray:
    """Posterior mean of the linear predictor, shape (rows,).

    The predictor is linear, so its mean over draws is the predictor at the mean coefficients: exact, and no
    draws × rows array is ever made.
    """
    return np.asarray(predictor(posterior_means(draws), matrix, slice(None))[:, 0], dtype=np.float64)
