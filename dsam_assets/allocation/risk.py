"""How draws of the objective become one score.

    mean            m̄
    mean_minus_sd   m̄ − λ·σ, σ the sample standard deviation of the draws
    quantile        the α-quantile of the draws, interpolated between order statistics (R's type 7, numpy's default)

All three shift with the draws and scale with them. The first two are concave in the draws, so that a linearisation is
an upper bound; a quantile is not concave, and has a kink wherever two draws change places.

A smoothed quantile weighs the ordered draws around the level by a triangle in rank. At its narrowest, one rank wide,
the triangle holds the two neighbours of the level only and is the quantile itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.fit.spread import deviation
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.allocation.problem import Problem


@dataclass(frozen=True)
class Risk:
    """A score of draws with its derivative.

    Attributes:
        score: draws (S, …) → (…).
        weights: ∂score/∂draws at draws (S,) → (S,); they sum to 1.
        linear: whether the weights are the same everywhere.
        concave: whether the score is concave in the draws.
        smooth: whether the score has a derivative everywhere but where all draws are equal.
        words: for a person.
    """

    score: Callable[[FloatArray], FloatArray]
    weights: Callable[[FloatArray], FloatArray]
    linear: bool
    concave: bool
    smooth: bool
    words: str


MEAN = Risk(
    score=lambda draws: np.asarray(draws.mean(axis=0)),
    weights=lambda draws: np.full(len(draws), 1.0 / len(draws)),
    linear=True,
    concave=True,
    smooth=True,
    words="mean",
)


def mean_minus_sd(weight: float) -> Risk:
    """Mean − weight × standard deviation; the mean itself for a weight of 0."""
    if weight == 0.0:
        return MEAN

    def score(draws: FloatArray) -> FloatArray:
        return np.asarray(draws.mean(axis=0) - weight * deviation(draws))

    def weights(draws: FloatArray) -> FloatArray:
        count, around = len(draws), draws - draws.mean()
        norm = float(np.sqrt(around @ around))
        # Equal draws have no direction in which their deviation grows least: the mean's weights are one valid choice.
        tilt = around / norm / np.sqrt(count - 1.0) if norm > 0.0 else np.zeros(count)
        return np.asarray(1.0 / count - weight * tilt)

    return Risk(score, weights, linear=False, concave=True, smooth=True, words=f"mean - {weight:g} sd")


def quantile(level: float, width: float = 0.0) -> Risk:
    """The level-quantile; with a width, an average over the ranks within that distance of the level."""

    def score(draws: FloatArray) -> FloatArray:
        if width == 0.0:
            return _order_statistic(draws, level)
        return np.asarray(np.tensordot(rank_weights(len(draws), level, width), np.sort(draws, axis=0), axes=1))

    def weights(draws: FloatArray) -> FloatArray:
        out = np.empty(len(draws))
        out[np.argsort(draws, kind="stable")] = rank_weights(len(draws), level, width)
        return out

    return Risk(score, weights, linear=False, concave=False, smooth=width > 0.0, words=f"{level:g} quantile")


def rank_weights(count: int, level: float, width: float = 0.0) -> FloatArray:
    """Weights of the ordered draws, shape (S,): a triangle around the level, at least one rank wide."""
    if count == 1:
        return np.ones(1)
    ranks = np.arange(count) / (count - 1.0)
    triangle = np.maximum(0.0, 1.0 - np.abs(ranks - level) / max(width, 1.0 / (count - 1.0)))
    return np.asarray(triangle / triangle.sum())


def _order_statistic(draws: FloatArray, level: float) -> FloatArray:
    position = level * (len(draws) - 1)
    below = int(position)
    above = min(below + 1, len(draws) - 1)
    ordered = np.partition(draws, [below, above], axis=0)
    low, high = ordered[below], ordered[above]
    return np.asarray(low + (position - below) * (high - low))


RISKS: Mapping[str, Callable[[Problem], Risk]] = {
    "mean": lambda problem: MEAN,
    "mean_minus_sd": lambda problem: mean_minus_sd(problem.risk_lambda),
    "quantile": lambda problem: quantile(problem.risk_quantile),
}
