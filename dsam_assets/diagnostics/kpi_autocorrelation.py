"""Autocorrelation of the residuals on the KPI scale, to be seen beside that on the model scale. It is not judged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.lag_grid import LaggedSeries, lagged_series
from dsam_assets.diagnostics.residual_checks import BAND, MIN_PAIRS, MOST_LAGS, autocovariances
from dsam_assets.scales import FloatArray


def kpi_autocorrelation(observed: pd.DataFrame, fitted: pd.DataFrame) -> pd.DataFrame:
    """Autocorrelation by panel unit and lag of observed − fitted, KPI scale.

    Args:
        observed: table `observed_kpi`.
        fitted: table `fitted_kpi`, the same rows.

    Returns:
        group, lag (steps of the calendar), acf, band (95 % of white noise lie within ±); units without lags are absent.
    """
    residuals = (observed["observed"] - fitted["fitted"]).to_numpy(dtype=np.float64)
    units = [unit for unit in lagged_series(observed) if len(unit.steps) > MIN_PAIRS]
    parts = [_unit(unit, residuals[unit.rows]) for unit in units]
    columns = ["group", "lag", "acf", "band"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _unit(unit: LaggedSeries, residuals: FloatArray) -> pd.DataFrame:
    span = int(unit.steps[-1]) + 1
    lags = np.arange(1, min(MOST_LAGS, span - 1) + 1)
    covariance, pairs = autocovariances(residuals[:, np.newaxis], unit, lags)
    enough = (pairs >= MIN_PAIRS) & (covariance[0] > 0)
    spread = len(residuals) * (span - lags) / (np.maximum(pairs, 1) * span)
    acf = np.where(enough, covariance[1:] / (covariance[0] or 1.0) * spread, np.nan)
    return pd.DataFrame({"group": unit.group, "lag": lags, "acf": acf, "band": BAND / np.sqrt(len(residuals))})
