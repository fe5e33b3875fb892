"""How well draws predict held-out rows: log density, error and coverage, on the model scale and on the KPI scale.

`blocked_cv` predicts the whole block from its origin: every draw weighs the same. `leave_future_out` predicts each week
from everything before it, as Bürkner, Gabry and Vehtari (2020, "Approximate leave-future-out cross-validation for
Bayesian time series models", J. Stat. Comput. Simul. 90) do between two refits: for the w-th week after the origin the
draws of the origin's fit are weighed by the likelihood of the w − 1 weeks in between, Pareto smoothed. By the chain
rule the weeks' log densities then add up to that of the block as a whole where there is one row a week. k says whether
the weights can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.predictor import BLOCK_CELLS, JointDraws, predictor
from dsam_assets.scales import FloatArray, draws_to_kpi, observed_to_kpi
from dsam_assets.selection.psis import logsumexp, psis, tail_length

Method = Literal["blocked_cv", "leave_future_out"]
IntArray = NDArray[np.intp]
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True)
class RowScores:
    """Scores of held-out rows, shape (rows,) each.

    Attributes:
        observed, predicted: response and mean of its predictive distribution, model scale.
        observed_kpi, predicted_kpi: the same on the KPI scale.
        elpd: log predictive density on the model scale.
        kpi_elpd: on the KPI scale, with the Jacobian of a log response.
        pit: predictive probability of a value below the observed one; the same on both scales.
        pareto_k: of the weights of the row's week; NaN where nothing is weighed.
    """

    observed: FloatArray
    predicted: FloatArray
    observed_kpi: FloatArray
    predicted_kpi: FloatArray
    elpd: FloatArray
    kpi_elpd: FloatArray
    pit: FloatArray
    pareto_k: FloatArray

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Rows inside the central 90 % of their predictive distribution."""
        return np.asarray((self.pit >= LOW) & (self.pit <= HIGH))


def score_rows(joint: JointDraws, matrix: ModelMatrix, weeks_ahead: IntArray, method: Method) -> RowScores:
    """Score the rows of a block.

    Args:
        joint: draws of the fit before the origin, for the groups of `matrix`.
        matrix: the held-out rows, the nearest week first.
        weeks_ahead: week of each row, ascending.
        method: how the block is predicted.
    """
    size = joint.noise_sd.size
    ratios = np.zeros(size)
    columns: list[FloatArray] = []
    for rows in _weeks(weeks_ahead, method):
        weights, k = _weights(ratios)
        for block in _blocks(rows, size):
            scores, density = _score(joint, matrix, block, weights)
            columns.append(np.vstack([scores, np.full(len(block), k)]))
            if method == "leave_future_out":
                ratios = ratios + density.sum(axis=0)
    elpd, predicted, predicted_kpi, pit, pareto_k = np.concatenate(columns, axis=1)
    log = matrix.response_scale == "log"
    return RowScores(
        observed=matrix.response,
        predicted=predicted,
        observed_kpi=observed_to_kpi(matrix.response, matrix.response_scale),
        predicted_kpi=predicted_kpi,
        elpd=elpd,
        kpi_elpd=elpd - matrix.response if log else elpd,
        pit=pit,
        pareto_k=pareto_k,
    )


def _weeks(weeks_ahead: IntArray, method: Method) -> Iterator[IntArray]:
    """Rows that are predicted with the same weights."""
    rows = np.arange(len(weeks_ahead), dtype=np.intp)
    if method == "blocked_cv":
        return iter([rows])
    return iter(np.split(rows, np.flatnonzero(np.diff(weeks_ahead)) + 1))


def _blocks(rows: IntArray, draws: int) -> Iterator[IntArray]:
    step = max(1, BLOCK_CELLS // draws)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _weights(ratios: FloatArray) -> tuple[FloatArray, float]:
    """Log weights of the draws, adding up to 1, and Pareto k; equal weights have none."""
    if not ratios.any():
        return np.full(ratios.size, -np.log(ratios.size)), float("nan")
    weights, k = psis(ratios[np.newaxis], tail_length(ratios.size))
    return weights[0], float(k[0])


def _score(
    joint: JointDraws, matrix: ModelMatrix, rows: IntArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(elpd, mean, KPI mean, pit) of the rows, shape (4, rows), and their log density by draw, shape (rows, draws)."""
    from scipy.special import ndtr

    share = np.exp(weights)
    mean, sd = predictor(joint, matrix, rows), joint.noise_sd
    with np.errstate(over="ignore", invalid="ignore"):  # a KPI beyond 1e308 is infinite, and so is the error
        kpi = draws_to_kpi(mean.T, sd, matrix.response_scale).T @ share
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw with noise_sd 0 has no density: NaN says so
        z = (matrix.response[rows, np.newaxis] - mean) / sd
        density = -0.5 * z * z - np.log(sd) - 0.5 * np.log(2 * np.pi)
    return np.stack([logsumexp(density + weights), mean @ share, kpi, ndtr(z) @ share]), density
