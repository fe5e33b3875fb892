"""Draws of the weeks ahead: what is expected, and what will be observed.

Under draw s the expected KPI of row t is E_st = μ_st, or exp(μ_st + σ_s²/2) for a log response, and an observation is
y_st = μ_st + σ_s ε_st, or exp of it. Both are drawn for all rows with the same parameters, so their totals are sums
within each draw, never sums of intervals. The noise is stratified: the draws of a row have the quantiles of the normal
distribution in random order, which is as random as independent noise between rows and less so within a row.

For a point estimate there is one draw without noise: its values are the point, and nothing is said about their spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictor import MOST_CELLS, JointDraws, joint_draws, predictor_blocks
from dsam_assets.fit.spread import deviation, has_spread, quantiles
from dsam_assets.forecast.future_rows import FutureRows
from dsam_assets.forecast.joined import IntArray
from dsam_assets.scales import ConversionMethod, FloatArray, ResponseScale, draws_to_kpi
from dsam_assets.selection.new_groups import holdout_draws

QUANTILES: Mapping[str, float] = {
    "q05": 0.05, "q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90, "q95": 0.95,
}  # fmt: skip
LEVELS: Mapping[int, tuple[str, str]] = {50: ("q25", "q75"), 80: ("q10", "q90"), 90: ("q05", "q95")}
_GROUPS, _NOISE = 0, 1  # streams of random numbers
DEFAULT_SEED = 0

Summary = dict[str, FloatArray]


@dataclass(frozen=True)
class Prediction:
    """The distribution of every row and of the totals.

    Attributes:
        expected_totals, predicted_totals: draws of the sums over the rows of each unit, KPI scale, shape (units, S).
        expected, predicted: summaries of the expected KPI and of an observation by row: `mean`, `sd` and the
            `QUANTILES`, shape (N,) each.
        expected_model, predicted_model: the same on the model scale; empty unless the response is logged.
    """

    expected_totals: FloatArray
    predicted_totals: FloatArray
    expected: Summary
    predicted: Summary
    expected_model: Summary = field(default_factory=dict)
    predicted_model: Summary = field(default_factory=dict)


def forecast_draws(draws: Draws, design: ModelDesign | None, rows: FutureRows, *, seed: int) -> JointDraws:
    """The posterior's draws for the groups of the future rows.

    Groups that the data do not have are drawn from the population of groups, normal(0, τ), anew for each draw of τ; at
    a point their deviations are zero, the most likely ones.

    Args:
        draws: the posterior.
        design: the fitted design; needed for new groups only.
        rows: the rows that are forecast.
        seed: of the new groups.
    """
    kept = draws.thinned(max(100, MOST_CELLS // max(len(rows.matrix.rows), 1)))
    if not rows.new:
        return joint_draws(kept)
    if kept.is_point or not isinstance(design, HierarchicalDesign):
        return _with_average_groups(joint_draws(kept), rows.matrix)
    return holdout_draws(kept, design, rows.matrix, seed=(seed, _GROUPS))


def _with_average_groups(joint: JointDraws, matrix: ModelMatrix) -> JointDraws:
    padded = tuple(
        np.concatenate([known, np.zeros((len(group.levels) - len(known), *known.shape[1:]))])
        for group, known in zip(matrix.groups, joint.deviations, strict=True)
    )
    return JointDraws(joint.coef, joint.noise_sd, padded)


def fit_seed(draws: Draws) -> int:
    """The seed of the fit, from which everything random of the forecast is derived."""
    return int(draws.attributes.get("seed", DEFAULT_SEED))


def conversion(joint: JointDraws, scale: ResponseScale) -> ConversionMethod:
    """How draws reach the KPI scale: exp(μ + σ²/2), or exp(μ) at a point."""
    if scale == "identity":
        return "identity"
    return "conditional_mean" if has_spread(joint.noise_sd.size) else "point_exp"


def predict(joint: JointDraws, matrix: ModelMatrix, unit: IntArray, units: int, *, seed: int) -> Prediction:
    """Predict rows and totals, by blocks of rows.

    Args:
        joint: draws for the groups of `matrix`.
        matrix: the rows, those of a unit side by side.
        unit: panel unit of each row, ascending, shape (N,).
        units: number of panel units.
        seed: of the noise; the same seed gives the same noise, so that two paths of the predictors can be compared.
    """
    totals = np.zeros((2, units, joint.noise_sd.size))
    parts: list[list[Summary]] = []
    with np.errstate(over="ignore", invalid="ignore"):  # a KPI beyond 1e308 is infinite, and so is its spread
        for rows, block in _blocks(joint, matrix, seed):
            starts = np.flatnonzero(np.diff(unit[rows], prepend=-1))
            for which, values in enumerate((block.expected, block.observed)):
                totals[which, unit[rows][starts]] += np.add.reduceat(values.T, starts, axis=0)
            parts.append(block.summaries())
    return Prediction(totals[0], totals[1], *(_joined(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class _Block:
    """Draws of some rows, shape (S, rows) each: expected and observed, on the model scale and on the KPI scale."""

    mean: FloatArray
    outcome: FloatArray
    expected: FloatArray
    observed: FloatArray
    sigma: FloatArray
    is_log: bool

    def summaries(self) -> list[Summary]:
        """Expected and observed on the KPI scale and, for a log response, on the model scale."""
        noise = np.broadcast_to(self.sigma[:, None] ** 2, self.mean.shape)
        kpi_noise = np.expm1(noise) * self.expected**2 if self.is_log else noise
        found = [summary(self.expected), _observation(self.expected, self.observed, kpi_noise)]
        return found + ([summary(self.mean), _observation(self.mean, self.outcome, noise)] if self.is_log else [])


def _blocks(joint: JointDraws, matrix: ModelMatrix, seed: int) -> Iterator[tuple[slice, _Block]]:
    sigma, scale = joint.noise_sd, matrix.response_scale
    scores, rng = _normal_scores(sigma.size), np.random.default_rng([seed, _NOISE])
    for rows, mean in predictor_blocks(joint, matrix):
        noise = rng.permuted(np.broadcast_to(scores, mean.T.shape), axis=1).T
        outcome = mean + sigma[:, None] * noise
        expected = draws_to_kpi(mean, sigma, scale, conversion(joint, scale))
        yield (
            rows,
            _Block(mean, outcome, expected, draws_to_kpi(outcome, sigma, scale, "median"), sigma, scale == "log"),
        )


def _normal_scores(size: int) -> FloatArray:
    """Quantiles of the standard normal in the middle of `size` equal strata; nothing but zero for a single draw."""
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(size) + 0.5) / size))


def summary(draws: FloatArray) -> Summary:
    """Mean, sd and quantiles over draws of shape (S, …); of a single draw there is only the value itself."""
    found = quantiles(draws, list(QUANTILES.values()))
    return {"mean": draws.mean(axis=0), "sd": deviation(draws), **dict(zip(QUANTILES, found, strict=True))}


def _observation(expected: FloatArray, observed: FloatArray, noise: FloatArray) -> Summary:
    """An observation has the mean of what is expected; its variance is that of the expectation plus the mean noise."""
    spread = np.sqrt(deviation(expected) ** 2 + noise.mean(axis=0))
    return {**summary(observed), "mean": expected.mean(axis=0), "sd": spread}


def _joined(parts: Sequence[Summary]) -> Summary:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
