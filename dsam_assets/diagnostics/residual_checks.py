"""Autocorrelation of the residuals, per panel unit, on the model scale: Ljung–Box p-values and the ACF at early lags.

**Residuals are taken draw by draw.** Those of the posterior mean are no white noise even under a perfect model: the fit
has used up the slow movements of the noise, above all where predictors move slowly themselves, and left negative
autocorrelation behind. For 104 weeks and 26 terms (trend, harmonics, media with carry-over) a Ljung–Box test of them at
5 % rejects a correct model in 29 % of the cases, one at 1 % in 11 %. Under a correct model, y − f under a *draw* of the
posterior has the distribution of the noise itself (Gelman, Meng and Stern, 1996, Statistica Sinica 6), so here

    C_k = mean over draws of Σ_t e_t e_(t−k),      e = y − f,  centred within the unit,

which adds the posterior autocovariance of f to the autocovariance of the mean residuals. In the example the tests then
reject in 0.5 % and 0 %; with 14 terms in 2 % and 0.3 %; without slow predictors in the 6 % and 2 % of any Ljung–Box
test of this length. Autocorrelated noise is found about as often as before. A point estimate has no draws: its own
residuals are all there is, and with slow predictors their p-values are too small.

**Lags are steps of the calendar** (weeks, for weekly data). With n rows of which m_k pairs are k steps apart

    r_k = (C_k / m_k) / (C_0 / n) · (T − k) / T,   Q = n (n + 2) Σ_k (C_k / C_0)² / m_k,

T being the steps from first to last row. Without gaps m_k = n − k, T = n, and both are the usual formulas (Ljung and
Box, 1978, Biometrika 65; with gaps, Stoffer and Toloi, 1992, Statistics and Probability Letters 13). Lags with fewer
than `MIN_PAIRS` pairs are left out of Q and of its degrees of freedom. Q has one degree of freedom per lag, none
being taken off, as no ARMA coefficients were fitted. It covers lags up to min(10, n / 5) (Hyndman and Athanasopoulos,
*Forecasting*, section 5.4).

**Many units.** The worst unit decides. Uncorrected, the smallest of 50 p-values would be below 5 % in 95 % of the cases
under white noise, so p-values are Holm's (1979, Scandinavian Journal of Statistics 6). The thresholds of the ACF are
for one series and are adjusted likewise, see `residual_gates.limit_for_units`. So one series is judged by the
documented numbers, and a panel is not judged much more harshly than one series: under white noise 20 series of 156
weeks warn in 7 % and fail in 3 % of the cases, 50 of 104 weeks in 18 % and 7 %, as the far tail of Q is thicker than
that of the χ² distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.diagnostics.lag_grid import LaggedSeries, lagged_series
from dsam_assets.diagnostics.residual_table import fitted_mean
from dsam_assets.fit.predictor import BLOCK_CELLS, joint_draws, predictor
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

MOST_LAGS = 26  # half a year of weeks, as far as the ACF is drawn
ACF_LAGS = 4  # the early lags that the check is about
LJUNG_BOX_LAGS = 10
MIN_ROWS = 10
MIN_PAIRS = 8
# They are averaged over, and what they add to the mean residuals is small: few are enough, fewer for long data.
MOST_DRAWS, LEAST_DRAWS, DRAWN_CELLS = 200, 50, 10_000_000
BAND = 1.96
TOO_SHORT = f"fewer than {MIN_ROWS} rows"
CONSTANT = "its residuals never change"

COLUMNS = (
    "group", "state", "note", "n", "lag", "pairs", "acf", "acf_of_mean", "band", "lb_stat", "lb_df", "lb_p",
    "lb_p_holm",
)  # fmt: skip


def residual_diagnostics(draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame) -> pd.DataFrame:
    """Autocorrelation of the residuals by panel unit and lag.

    Args:
        draws: the fit.
        matrix: the model's rows.
        labels: date and panel unit of each of them, as `design.labels.row_labels` makes them.

    Returns:
        One row per unit and lag from 1 to `MOST_LAGS` (a single row without a lag for a unit that has none): `group`,
        `state` (`ok`, `too_short`, `not_computed`), `note` (why it is not ok), `n` rows of the unit, `lag` in steps of
        the calendar, `pairs` that far apart, `acf` (judged), `acf_of_mean` (of the residuals of the posterior mean, as
        in the table `residuals`), `band` (95 % of white noise lie within ±), `lb_stat`, `lb_df` and `lb_p` (Ljung–Box
        up to this lag), `lb_p_holm` (Holm's over all units, at the lag that is judged, else NaN).
    """
    mean = matrix.response - fitted_mean(draws, matrix)
    parts: list[dict[str, Any]] = []
    for series, sampled in _sampled_residuals(draws, matrix, lagged_series(labels)):
        state, note = _state(series, sampled)
        facts = {"group": series.group, "state": state, "note": note, "n": len(series.rows)}
        parts.append(facts | (_numbers(series, sampled, mean[series.rows]) if state == "ok" else _NOTHING))
    table = _stacked(parts)
    return table.assign(lb_p_holm=_holm(table))


def _sampled_residuals(
    draws: Draws, matrix: ModelMatrix, units: Sequence[LaggedSeries]
) -> Iterator[tuple[LaggedSeries, FloatArray]]:
    """Each unit with its residuals under some draws, shape (n, S); many small units share one product of matrices."""
    joint = joint_draws(draws, max(LEAST_DRAWS, min(MOST_DRAWS, DRAWN_CELLS // max(len(matrix.response), 1))))
    size = max(1, BLOCK_CELLS // joint.noise_sd.size)
    ends = np.cumsum([len(unit.rows) for unit in units])
    for block in np.unique(ends // size):
        members = [unit for unit, end in zip(units, ends, strict=True) if end // size == block]
        rows = np.concatenate([unit.rows for unit in members])
        residuals = matrix.response[rows, np.newaxis] - predictor(joint, matrix, rows)
        yield from zip(members, np.split(residuals, np.cumsum([len(unit.rows) for unit in members])[:-1]), strict=True)


def _stacked(parts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The units' columns below each other; a unit without lags has one row."""
    sizes = [np.size(part["lag"]) for part in parts]
    columns = {
        name: np.concatenate([np.broadcast_to(part[name], size) for part, size in zip(parts, sizes, strict=True)])
        for name in COLUMNS
    }
    texts = dict.fromkeys(("group", "state", "note"), "object")
    return pd.DataFrame(columns).astype(texts | {"n": "int64", "lag": "Int64", "pairs": "Int64", "lb_df": "Int64"})


_NOTHING: dict[str, Any] = dict.fromkeys(COLUMNS[4:], np.nan)


def _state(series: LaggedSeries, residuals: FloatArray) -> tuple[str, str]:
    """Whether a unit's residuals (n, S) have autocorrelations, and why not."""
    if series.defect:
        return "not_computed", series.defect
    if len(residuals) < MIN_ROWS:
        return "too_short", TOO_SHORT
    if not np.isfinite(residuals).all():
        return "not_computed", "its residuals are not finite"
    if not np.ptp(residuals, axis=0).any():
        return "not_computed", CONSTANT
    if not any(series.count(lag) >= MIN_PAIRS for lag in range(1, judged_lags(len(residuals)) + 1)):
        return "not_computed", f"no lag up to {judged_lags(len(residuals))} has {MIN_PAIRS} pairs of rows"
    return "ok", ""


def judged_lags(n_rows: int) -> int:
    """The lags that the judged Ljung–Box statistic covers."""
    return min(LJUNG_BOX_LAGS, n_rows // 5)


def _numbers(series: LaggedSeries, sampled: FloatArray, mean: FloatArray) -> dict[str, Any]:
    from scipy.special import chdtrc

    n, span = len(mean), int(series.steps[-1]) + 1
    lags = np.arange(1, min(MOST_LAGS, span - 1) + 1)
    covariance, pairs = autocovariances(sampled, series, lags)
    of_mean, _ = autocovariances(mean[:, np.newaxis], series, lags)
    enough = pairs >= MIN_PAIRS
    count = np.where(enough, pairs, 1)
    spread = n * (span - lags) / (count * span)
    terms = np.where(enough, n * (n + 2) * (covariance[1:] / covariance[0]) ** 2 / count, 0.0)
    df = np.cumsum(enough)
    statistic = np.where(df > 0, np.cumsum(terms), np.nan)
    return {
        "lag": lags,
        "pairs": pairs,
        "acf": np.where(enough, covariance[1:] / covariance[0] * spread, np.nan),
        "acf_of_mean": np.where(enough & (of_mean[0] > 0), of_mean[1:] / (of_mean[0] or 1.0) * spread, np.nan),
        "band": BAND / np.sqrt(n),
        "lb_stat": statistic,
        "lb_df": df,
        "lb_p": np.where(df > 0, chdtrc(np.maximum(df, 1), np.nan_to_num(statistic)), np.nan),
        "lb_p_holm": np.nan,
    }


def autocovariances(
    values: FloatArray, series: LaggedSeries, lags: NDArray[np.int64]
) -> tuple[FloatArray, NDArray[np.int64]]:
    """C_k for lag 0 and the given lags, shape (1 + lags,), and the pairs of rows that are each lag apart, (lags,).

    Args:
        values: series under each draw, shape (n, S); the sums are averaged over draws.
        series: where its rows stand on the calendar.
        lags: positive lags.
    """
    centred = values - values.mean(axis=0)
    sums, pairs = [float(np.einsum("ij,ij->", centred, centred))], []
    for lag in lags:
        later, earlier = series.pairs(int(lag))
        # einsum: a threaded dot product of so few numbers mostly waits for its threads
        sums.append(float(np.einsum("ij,ij->", centred[later], centred[earlier])))
        pairs.append(series.count(int(lag)))
    return np.array(sums) / values.shape[1], np.array(pairs, dtype=np.int64)


def _holm(table: pd.DataFrame) -> FloatArray:
    """Holm's p-values at each unit's judged lag, NaN in all other rows."""
    last = (table["n"] // 5).clip(upper=LJUNG_BOX_LAGS)
    at = np.flatnonzero((table["lag"] == last).fillna(False).to_numpy(dtype=bool))
    p = table["lb_p"].to_numpy(dtype=np.float64)[at]
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    holm = np.full(len(table), np.nan)
    holm[at[order]] = np.minimum(stepped, 1.0)
    return holm
