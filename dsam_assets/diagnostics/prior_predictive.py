"""Gate g1: does the prior make data like these plausible? Judged before the fit, from draws of the response.

A draw is one row's response under one draw of the prior, noise included, on the model scale. Three numbers are judged:

- *share inside*: draws within two standard deviations of the observed range. The documented limit is half of them.
- *rows covered*: observed values inside the central 95 % of the draws of their own row. A prior that knows no more than
  the data covers 95 % or more; one that rules out what happened covers less.
- *movement ratio*: how much the linear predictor moves over the rows (within panel units) under a typical draw, by how
  much the response did. Slopes with over-tight priors leave a predictor that hardly moves, and pass the other two:
  every draw is inside. The ratio of all draws' sd to the observed sd is shown too, but not judged: a wide prior of the
  intercept or the noise is enough to keep it up.

The default priors, normal(0, 5) for every coefficient and the noise on the standardised scale, are wide on purpose: the
share inside is 0.48 with one slope and 0.19 with twenty; the demo markets get 0.18 to 0.21. So only strict judges by
the documented limit, where a warning means: *these priors say next to nothing, and whatever the data cannot tell stays
open*. It does not say that the fit is wrong: with sd(response) / sd(predictor) for slopes and sd(response) for the
noise, blm_demo has a share of 0.55, which reaches the limit, and no posterior mean moves by more than 0.05 of its sd.
Fifty times tighter, with everything inside, posterior means move by up to ten of their sds; the movement ratio, 0.3,
warns. A share near zero warns or fails in every mode: the prior holds what was observed to be impossible, most often
because it is in the wrong units (model.scale: false with the default priors: a share of 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dsam_assets.design.labels import labelled
from dsam_assets.diagnostics.gate_table import gate_frame
from dsam_assets.diagnostics.prior_spread import PriorTotals
from dsam_assets.diagnostics.rows import judged, not_computed
from dsam_assets.diagnostics.thresholds import THRESHOLDS
from dsam_assets.fit.prior_predictive import predictive_blocks, prior_settings, sample_prior
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import FloatArray, observed_to_kpi
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.design.model_design import ModelDesign
    from dsam_assets.fit.draws import Draws
    from dsam_assets.fit.runner import StanRunner

BAND = {"q025": 0.025, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q975": 0.975}
_SHOWN = ("q025", "q50", "q975")
# What the pooled quantiles are taken from: the same number of draws of every row.
_POOLED_VALUES = 2_000_000

# The documented limit of a metric, whatever the mode judges by.
DOCUMENTED_LIMITS: Mapping[str, float] = {"share_inside": THRESHOLDS["strict"]["prior_predictive_plausibility"].warn}

# Metric → (scale, meaning), in the order of the table.
METRICS: Mapping[str, tuple[str, str]] = {
    "share_inside": ("model", "share of the draws within two standard deviations of the observed range"),
    "rows_covered": ("model", "share of the observed values inside the central 95 % of their row's draws"),
    "movement_ratio": (
        "model",
        "sd of a typical draw of the linear predictor over the rows, by the observed sd",
    ),
    "sd_ratio": ("model", "standard deviation of all draws by that of the observed values"),
    "range_covered": ("model", "share of the observed range inside the central 95 % of all draws"),
    "inside_low": ("model", "observed minimum less two standard deviations"),
    "inside_high": ("model", "observed maximum plus two standard deviations"),
    "observed_mean": ("model", "mean of the observed values"),
    "observed_sd": ("model", "standard deviation of the observed values"),
    "observed_min": ("model", "smallest observed value"),
    "observed_max": ("model", "largest observed value"),
    "prior_mean": ("model", "mean of all draws"),
    "prior_sd": ("model", "standard deviation of all draws"),
    "prior_q025": ("model", "2.5 % quantile of all draws"),
    "prior_q50": ("model", "median of all draws"),
    "prior_q975": ("model", "97.5 % quantile of all draws"),
    "kpi_q025": ("kpi", "2.5 % quantile of all draws"),
    "kpi_q50": ("kpi", "median of all draws"),
    "kpi_q975": ("kpi", "97.5 % quantile of all draws"),
    "kpi_share_negative": ("kpi", "share of the draws below zero"),
    "draws_per_row": ("count", "draws of the prior"),
    "rows": ("count", "modelled rows"),
}
CHECK_METRICS: Mapping[str, str] = {
    "prior_predictive_plausibility": "share_inside",
    "prior_predictive_coverage": "rows_covered",
    "prior_predictive_movement": "movement_ratio",
}


def prior_predictive(
    design: ModelDesign, labels: pd.DataFrame, fit: Any, mode: PolicyMode, runner: StanRunner
) -> dict[str, pd.DataFrame]:
    """Draw the prior, and judge the response under it.

    Args:
        design: the model; a point estimate's has the same prior.
        labels: `design.labels.row_labels` of its rows.
        fit: the config's section `fit`, for the seed and the cores.
        mode: the policy that chooses the thresholds.
        runner: what runs Stan.

    Returns:
        The tables of `prior_predictive_tables`, and the g1 rows as `prior_predictive_checks`.

    Raises:
        FitError, ToolchainError: Stan fails or cannot be found.
    """
    settings = prior_settings(fit)
    prior = sample_prior(design, settings, runner, positive_priors=fit.mcmc.parameterization.positive_priors)
    tables = prior_predictive_tables(prior, design.matrix, labels, seed=settings.seed)
    rows = prior_predictive_gates(tables["prior_predictive_summary"], mode)
    return {**tables, "prior_predictive_checks": gate_frame(rows)}


def prior_predictive_facts(tables: Mapping[str, pd.DataFrame]) -> dict[str, float | bool]:
    """Key numbers for the asset's metadata: the judged metrics, and whether the documented limit is reached."""
    summary = tables["prior_predictive_summary"].set_index("metric")
    found = {name: float(summary["value"][name]) for name in (*CHECK_METRICS.values(), "sd_ratio", "draws_per_row")}
    numbers: dict[str, float | bool] = {name: value for name, value in found.items() if np.isfinite(value)}
    limit = float(summary["documented_limit"]["share_inside"])
    return numbers | {"documented_limit": limit, "reaches_limit": bool(summary["reaches_limit"]["share_inside"])}


def prior_predictive_tables(
    prior: Draws, matrix: ModelMatrix, labels: pd.DataFrame, *, seed: int
) -> dict[str, pd.DataFrame]:
    """The response under the prior, summarised and by row.

    Args:
        prior: draws of `fit.prior_predictive.sample_prior`.
        matrix: the model's rows.
        labels: `design.labels.row_labels` of it.
        seed: of the noise.

    Returns:
        `prior_predictive_summary` (metric, scale, value, documented_limit, reaches_limit, meaning; one row per metric
        of `METRICS`; `value` is missing where the metric does not apply, the limit where there is none),
        `prior_predictive_rows` (labels, observed, q025, q25, q50, q75, q975 per modelled row, model scale), and for a
        log response `prior_predictive_rows_kpi`, the same on the KPI scale.
    """
    totals, bands, pooled = PriorTotals(matrix.response, labels), np.empty((len(BAND), len(matrix.response))), []
    per_row = max(1, _POOLED_VALUES // len(matrix.response))
    for block in predictive_blocks(prior, matrix, seed=seed):
        totals.add(block)
        bands[:, block.rows] = quantiles(block.response, list(BAND.values()))
        chosen = np.linspace(0, totals.draws - 1, min(per_row, totals.draws)).round().astype(int)
        pooled.append(block.response[chosen].ravel())
    all_draws = dict(zip(BAND, quantiles(np.concatenate(pooled), list(BAND.values())).tolist(), strict=True))
    numbers = _model_numbers(totals, bands, all_draws) | _kpi_numbers(totals, all_draws, matrix)
    return {"prior_predictive_summary": _summary(numbers), **_row_tables(matrix, labels, bands)}


def _model_numbers(totals: PriorTotals, bands: FloatArray, all_draws: Mapping[str, float]) -> dict[str, float]:
    observed = totals.observed
    low, high = float(observed.min()), float(observed.max())
    return {
        "share_inside": totals.share_inside,
        "rows_covered": float(np.mean((observed >= bands[0]) & (observed <= bands[-1]))),
        "movement_ratio": totals.movement_ratio,
        "sd_ratio": totals.spread / totals.sd if totals.sd > 0 else np.nan,
        "range_covered": covered(low, high, all_draws["q025"], all_draws["q975"]),
        "inside_low": totals.inside[0],
        "inside_high": totals.inside[1],
        "observed_mean": float(observed.mean()),
        "observed_sd": totals.sd,
        "observed_min": low,
        "observed_max": high,
        "prior_mean": totals.mean,
        "prior_sd": totals.spread,
        **{f"prior_{name}": all_draws[name] for name in _SHOWN},
        "draws_per_row": totals.draws,
        "rows": len(observed),
    }


def covered(low: float, high: float, band_low: float, band_high: float) -> float:
    """Share of [low, high] that lies in [band_low, band_high]; missing for a range without width."""
    return max(0.0, min(high, band_high) - max(low, band_low)) / (high - low) if high > low else np.nan


def _kpi_numbers(totals: PriorTotals, all_draws: Mapping[str, float], matrix: ModelMatrix) -> dict[str, float]:
    """On the KPI scale; an exponential is never negative, so a log response has no share of negative draws."""
    values = _to_kpi(np.array([all_draws[name] for name in _SHOWN]), matrix)
    negative = totals.share_negative if matrix.response_scale == "identity" else np.nan
    return {f"kpi_{name}": float(value) for name, value in zip(_SHOWN, values, strict=True)} | {
        "kpi_share_negative": negative
    }


def _to_kpi(values: FloatArray, matrix: ModelMatrix) -> FloatArray:
    """Quantiles on the KPI scale: an increasing function of those on the model scale. Wide priors reach infinity."""
    with np.errstate(over="ignore"):
        return observed_to_kpi(values, matrix.response_scale)


def _summary(numbers: Mapping[str, float]) -> pd.DataFrame:
    rows = [
        (name, scale, float(numbers[name]), DOCUMENTED_LIMITS.get(name, np.nan), _reaches(name, numbers[name]), meaning)
        for name, (scale, meaning) in METRICS.items()
    ]
    columns = ["metric", "scale", "value", "documented_limit", "reaches_limit", "meaning"]
    return pd.DataFrame(rows, columns=columns).astype({"reaches_limit": "boolean"})


def _reaches(metric: str, value: float) -> bool | None:
    """Whether the documented limit is reached; none where there is no limit."""
    return bool(value >= DOCUMENTED_LIMITS[metric]) if metric in DOCUMENTED_LIMITS else None


def _row_tables(matrix: ModelMatrix, labels: pd.DataFrame, bands: FloatArray) -> dict[str, pd.DataFrame]:
    base = labelled(matrix.rows, labels)
    found = base.assign(observed=matrix.response, **dict(zip(BAND, bands, strict=True)))
    if matrix.response_scale == "identity":
        return {"prior_predictive_rows": found}
    converted = dict(zip(BAND, _to_kpi(bands, matrix), strict=True))
    kpi = base.assign(observed=observed_to_kpi(matrix.response, matrix.response_scale), **converted)
    return {"prior_predictive_rows": found, "prior_predictive_rows_kpi": kpi}


def prior_predictive_gates(summary: pd.DataFrame | None, mode: PolicyMode, reason: str = "") -> tuple[GateResult, ...]:
    """g1 from the stored summary; `reason` says why there is none."""
    if summary is None:
        return tuple(not_computed(check_id, mode, reason or "the prior was not drawn") for check_id in CHECK_METRICS)
    numbers = dict(zip(summary["metric"], summary["value"].astype(float), strict=True))
    return tuple(_gate(check_id, metric, numbers, mode) for check_id, metric in CHECK_METRICS.items())


def _gate(check_id: str, metric: str, numbers: Mapping[str, float], mode: PolicyMode) -> GateResult:
    value = numbers.get(metric, np.nan)
    if np.isnan(value):
        return not_computed(check_id, mode, f"{metric} is missing")
    return judged(check_id, value, mode, "model", _MESSAGES[check_id].format(value=value, **numbers))


_MESSAGES: Mapping[str, str] = {
    "prior_predictive_plausibility": (
        "{value:.0%} of the responses drawn from the prior lie between {inside_low:,.6g} and {inside_high:,.6g}, two "
        "standard deviations beyond the observed range (documented limit: "
        f"{DOCUMENTED_LIMITS['share_inside']:.0%}). "
        "Their standard deviation is {sd_ratio:.3g} times the observed."
    ),
    "prior_predictive_coverage": (
        "{value:.0%} of the observed values lie in the central 95 % of what the prior expects in their row."
    ),
    "prior_predictive_movement": (
        "Under a typical draw of the prior, the linear predictor moves {value:.3g} times as much over the rows as the "
        "response did."
    ),
}
