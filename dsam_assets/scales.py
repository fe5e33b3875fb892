"""The two scales of a response, and the way from one to the other.

*Model scale* is what the likelihood sees (log KPI for `log(kpi) ~ …`). *KPI scale* is what the business sees.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ResponseScale = Literal["identity", "log"]
ConversionMethod = Literal["identity", "conditional_mean", "median", "point_exp"]


def draws_to_kpi(
    mean: FloatArray, noise_sd: FloatArray, scale: ResponseScale, method: ConversionMethod = "conditional_mean"
) -> FloatArray:
    """Convert draws of the linear predictor to the KPI scale, draw by draw.

    Args:
        mean: linear predictor on the model scale, shape (draws, …).
        noise_sd: residual standard deviation on the model scale, shape (draws,).
        scale: the response's scale.
        method: for a log response, `conditional_mean` gives E[Y] = exp(μ + σ²/2) and `median` gives exp(μ).

    Returns:
        Draws on the KPI scale, same shape as `mean`.
    """
    if scale == "identity":
        return mean
    if method == "conditional_mean":
        half_variance = 0.5 * noise_sd**2
        return np.exp(mean + half_variance.reshape(-1, *([1] * (mean.ndim - 1))))
    return np.exp(mean)


def observed_to_kpi(response: FloatArray, scale: ResponseScale) -> FloatArray:
    """Convert an observed response on the model scale to the KPI scale."""
    return np.exp(response) if scale == "log" else response
