"""Fitted values, observed values and goodness of fit, from draws and the model matrix.

Everything works by blocks of rows, so memory stays bounded whatever the number of rows and draws. For a point estimate
`fitted`, `mean` and `q50` hold the point, and what speaks of spread is missing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.design.groups import panel_units
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictive import coverage_rows, predictive_table
from dsam_assets.fit.predictor import BLOCK_CELLS, JointDraws, draws_for, predictor, predictor_blocks
from dsam_assets.fit.spread import deviation, quantiles
from dsam_assets.scales import ConversionMethod, FloatArray, ResponseScale, draws_to_kpi, observed_to_kpi

QUANTILES = {"q05": 0.05, "q50": 0.50, "q95": 0.95}


def fitted_table(draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame) -> pd.DataFrame:
    """Fitted values on the model scale: mean, sd and quantiles per row."""
    return _summarise(draws, matrix, labels, "identity", "identity")


def fitted_kpi_table(
    draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame, method: ConversionMethod = "conditional_mean"
) -> pd.DataFrame:
    """Fitted values on the KPI scale, converted draw by draw before they are summarised; exp(μ) for a point."""
    chosen: ConversionMethod = "point_exp" if draws.is_point else method
    used: ConversionMethod = chosen if matrix.response_scale == "log" else "identity"
    return _summarise(draws, matrix, labels, matrix.response_scale, used)


def fitted_tables(
    draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame, method: ConversionMethod = "conditional_mean"
) -> dict[str, pd.DataFrame]:
    """`fitted` on the model scale, `predictive` on the KPI scale, and for a log response `fitted_kpi`."""
    tables = {
        "fitted": fitted_table(draws, matrix, labels),
        "predictive": predictive_table(draws, matrix, labels),
    }
    if matrix.response_scale == "log":
        tables["fitted_kpi"] = fitted_kpi_table(draws, matrix, labels, method)
    return tables


def _summarise(
    draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame, scale: ResponseScale, method: ConversionMethod
) -> pd.DataFrame:
    joint = draws_for(draws, len(matrix.response))
    parts = {name: np.empty(len(matrix.response)) for name in ("fitted", "sd", *QUANTILES)}
    for block, mean in predictor_blocks(joint, matrix):
        values = draws_to_kpi(mean, joint.noise_sd, scale, method)
        parts["fitted"][block] = values.mean(axis=0)
        parts["sd"][block] = deviation(values)
        for name, found in zip(QUANTILES, quantiles(values, list(QUANTILES.values())), strict=True):
            parts[name][block] = found
    return labels.assign(**parts, conversion_method=method)


def observed_table(matrix: ModelMatrix, labels: pd.DataFrame) -> pd.DataFrame:
    """Observed response on the model scale."""
    return labels.assign(observed=matrix.response, conversion_method="identity")


def observed_kpi_table(matrix: ModelMatrix, labels: pd.DataFrame) -> pd.DataFrame:
    """Observed response on the KPI scale."""
    method = "point_exp" if matrix.response_scale == "log" else "identity"
    return labels.assign(observed=observed_to_kpi(matrix.response, matrix.response_scale), conversion_method=method)


def observed_tables(matrix: ModelMatrix, labels: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`observed` on the model scale and, for a log response, `observed_kpi`."""
    tables = {"observed": observed_table(matrix, labels)}
    if matrix.response_scale == "log":
        tables["observed_kpi"] = observed_kpi_table(matrix, labels)
    return tables


def fit_metrics(draws: Draws, matrix: ModelMatrix) -> pd.DataFrame:
    """In-sample fit per draw, summarised, on the model scale, over all rows and by panel unit.

    r2 = 1 − SSE/SST of the draw's fitted values; rmse, mae and the mean error me (observed − fitted) are in units of
    the response; smape = mean of 2|y − f| / (|y| + |f|).
    """
    joint = draws_for(draws, len(matrix.response))
    rows = _metric_rows("all", joint, matrix, np.arange(len(matrix.response)))
    if matrix.groups:
        units = panel_units(matrix.groups)
        for code, label in enumerate(units.levels):
            rows += _metric_rows(label, joint, matrix, np.flatnonzero(units.codes == code))
    return pd.DataFrame(rows)


def metric_table(draws: Draws, matrix: ModelMatrix, predictive: pd.DataFrame) -> pd.DataFrame:
    """`fit_metrics` and the coverage of the predictive intervals: everything that is published of the fit."""
    metrics, coverage = fit_metrics(draws, matrix), coverage_rows(predictive)
    return metrics if coverage.empty else pd.concat([metrics, coverage], ignore_index=True)


def _metric_rows(label: str, joint: JointDraws, matrix: ModelMatrix, rows: NDArray[np.intp]) -> list[dict[str, object]]:
    squared, absolute, signed, smape = np.zeros((4, joint.noise_sd.size))
    step = max(1, BLOCK_CELLS // joint.noise_sd.size)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        mean = predictor(joint, matrix, block)
        observed = matrix.response[block, np.newaxis]
        error = observed - mean
        size = np.abs(error)
        squared += np.einsum("ns,ns->s", error, error)
        absolute += size.sum(axis=0)
        signed += error.sum(axis=0)
        scale = np.abs(observed) + np.abs(mean)
        smape += np.divide(2 * size, scale, out=np.zeros_like(error), where=scale > 0).sum(axis=0)
    response = matrix.response[rows]
    total = float(((response - response.mean()) ** 2).sum())
    r2 = 1 - squared / total if total > 0 else np.full_like(squared, np.nan)
    count = len(rows)
    metrics = {
        "r2": r2, "rmse": np.sqrt(squared / count), "mae": absolute / count, "me": signed / count,
        "smape": smape / count,
    }  # fmt: skip
    return [_metric_row(label, name, values, len(rows)) for name, values in metrics.items()]


def _metric_row(label: str, name: str, values: FloatArray, rows: int) -> dict[str, object]:
    found = dict(zip(QUANTILES, quantiles(values, list(QUANTILES.values())), strict=True))
    return {"group": label, "metric": name, "mean": values.mean(), **found, "rows": rows}
