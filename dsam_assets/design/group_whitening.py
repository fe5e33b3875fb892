"""The least-squares problem of a hierarchical model's coefficients, group deviations integrated out at plausible sds.

Given the residual sd σ and group sds τ, the turned rows of a block have covariance V = σ² I + F diag(τ²) F' = LL', so
that the coefficients are those of a least-squares problem with rows L⁻¹[X y]. Plausible σ and τ come from a few rounds
of the EM algorithm for their maximum likelihood, coefficients at their conditional mean (Laird & Ware, 1982, Biometrics
38). With A = L⁻¹F and w = L⁻¹(y − X b), a round sets

    τ_j² ← mean of τ_j⁴ (A_j'w)² + τ_j² − τ_j⁴ |A_j|²             over the deviations that have this sd,
    σ²  ← mean of σ⁴ |L⁻ᵀw|² + σ² Σ_j τ_j² |A_j|²                 over all rows, summed by block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.blocks import Block, BlockStatistics
from dsam_assets.design.whitening import Rows, plausible_noise, stacked, triangle
from dsam_assets.scales import FloatArray

ROUNDS = 5
LEAST_SHARE = 1e-4  # of the first guess of a variance: what the data push to zero still leaves a soft direction
RIDGE = 1e-12  # of a block's largest variance, so that V can be factored whatever the data


@dataclass(frozen=True)
class Spread:
    """Plausible variances: of the residuals, and of the group deviations, shape (T,)."""

    noise: float
    groups: FloatArray


@dataclass(frozen=True)
class _Reduced:
    """A block at given variances: its rows L⁻¹[X y], A = L⁻¹F, L, and which τ each deviation has."""

    rows: Rows
    A: FloatArray
    L: FloatArray
    sd_index: NDArray[np.intp]


def marginal_rows(
    statistics: BlockStatistics, sd_index: Sequence[NDArray[np.intp]], priors: Rows, group_sd: FloatArray
) -> Rows:
    """Likelihood and priors of the coefficients at plausible standard deviations.

    Args:
        statistics: of the rows.
        sd_index: for each block, which of the T group sds each of its deviations has.
        priors: of the coefficients.
        group_sd: a first guess, shape (T,).
    """
    spread = plausible_spread(statistics, sd_index, priors, group_sd)
    rest = Rows(statistics.R, statistics.z)
    return _all_rows(rest, priors, _reduced(statistics, sd_index, spread), spread)


def plausible_spread(
    statistics: BlockStatistics, sd_index: Sequence[NDArray[np.intp]], priors: Rows, group_sd: FloatArray
) -> Spread:
    """Variances that go with the data; arguments as for `marginal_rows`."""
    untouched = statistics.rows - sum(len(block.y) for block in statistics.blocks)
    rest = Rows(statistics.R, statistics.z)
    guess = Spread(plausible_noise(rest, priors, untouched, statistics.rss) ** 2, group_sd**2)
    spread = guess
    for _ in range(ROUNDS):
        blocks = _reduced(statistics, sd_index, spread)
        T, q = triangle(_all_rows(rest, priors, blocks, spread))
        spread = _improved(statistics, blocks, np.linalg.solve(T, q), spread, guess)
    return spread


def _all_rows(rest: Rows, priors: Rows, blocks: Sequence[_Reduced], spread: Spread) -> Rows:
    return stacked([priors, rest.divided(float(np.sqrt(spread.noise))), *(block.rows for block in blocks)])


def _reduced(statistics: BlockStatistics, sd_index: Sequence[NDArray[np.intp]], spread: Spread) -> list[_Reduced]:
    return [_reduce(block, index, spread) for block, index in zip(statistics.blocks, sd_index, strict=True)]


def _reduce(block: Block, index: NDArray[np.intp], spread: Spread) -> _Reduced:
    V = (block.F * spread.groups[index]) @ block.F.T
    places = np.arange(len(V))
    V[places, places] += spread.noise + RIDGE * V.max()
    L = np.linalg.cholesky(V)
    solved = np.linalg.solve(L, np.column_stack([block.X, block.y, block.F]))
    K = block.X.shape[1]
    return _Reduced(Rows(solved[:, :K], solved[:, K]), solved[:, K + 1 :], L, index)


def _improved(
    statistics: BlockStatistics, blocks: Sequence[_Reduced], coef: FloatArray, spread: Spread, guess: Spread
) -> Spread:
    """One round of the EM algorithm."""
    left = statistics.z - statistics.R @ coef
    noise = float(left @ left) + statistics.rss
    total, count = np.zeros_like(spread.groups), np.zeros_like(spread.groups)
    for block in blocks:
        w = block.rows.target - block.rows.factor @ coef
        variance, reach = spread.groups[block.sd_index], (block.A**2).sum(axis=0)
        np.add.at(total, block.sd_index, variance**2 * ((block.A.T @ w) ** 2 - reach) + variance)
        np.add.at(count, block.sd_index, 1)
        inner = np.linalg.solve(block.L.T, w)
        noise += spread.noise**2 * float(inner @ inner) + spread.noise * float(variance @ reach)
    return Spread(
        max(noise / statistics.rows, LEAST_SHARE * guess.noise),
        np.maximum(total / np.maximum(count, 1), LEAST_SHARE * guess.groups),
    )
