"""What the data alone would have done to the previous posterior, without a refit.

With θ_s the previous draws, D the data they saw and D* other data, draws of the posterior under D* are the old ones
with weights w_s ∝ p(D* | θ_s) / p(D | θ_s), smoothed by PSIS. Two steps are taken, one on top of the other:

1. **revised**: the rows that both fits modelled, as they are now;
2. **rows**: those that came or went, too.

Each step's shift is the change of the weighted mean. What remains up to the new fit's mean is everything else together:
config, code, sampler noise, and the error of the weights. The order matters where both steps matter, as with any
sequential split; revised history comes first, because it is a statement about what was known before.

Group deviations are drawn jointly with the other parameters, so the weights hold for them as well, as long as no new
group appears. Pareto k says whether the weights can be trusted; above 0.7 the step is not computed. Below, a weighted
mean m has the standard error √(Σ w² (θ − m)² / r), with r the effective draws per draw (Vehtari and others, 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dsam_assets.drift.parameters import Shares
from dsam_assets.drift.samples import Moments, Samples
from dsam_assets.fit.predictor import joint_draws
from dsam_assets.scales import FloatArray
from dsam_assets.selection.loo import log_likelihood
from dsam_assets.selection.psis import psis, tail_length

if TYPE_CHECKING:
    from dsam_assets.design.groups import GroupTerm
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.drift.rows import RowMatch
    from dsam_assets.drift.snapshot import FitSnapshot

RELIABLE_K = 0.7
BLOCK_CELLS = 4_000_000
TOO_MUCH = "the data changed too much for the previous draws (Pareto k {k:.2f})"
POINT = "a point estimate has no draws to reweight"


@dataclass(frozen=True, eq=False)
class Reweighted:
    """What data alone would have done.

    Attributes:
        shares: shifts of the previous fit's parameters by step, NaN for a second step that was not computed; `None`
            when none was.
        reason: why a step was not computed; empty otherwise.
        k_revised, k_rows: Pareto k of the two steps' weights; NaN where no weight was needed or possible.
    """

    shares: Shares | None
    reason: str = ""
    k_revised: float = float("nan")
    k_rows: float = float("nan")


def reweighted(previous: FitSnapshot, now: FitSnapshot, match: RowMatch, samples: Samples, told: Moments) -> Reweighted:
    """Shifts of the previous fit's parameters that the new data bring by themselves.

    Args:
        previous, now: the two fits.
        match: rows that both data sets have.
        samples, told: parameters of the previous fit.
    """
    if reason := _different(previous, now):
        return Reweighted(None, reason)
    matrix = _as_before(now.matrix, previous.matrix)
    revised, rows = _log_ratios(previous, matrix, match)
    if not (revised.any() or rows.any()):
        nothing = np.zeros(len(samples.keys))
        return Reweighted(Shares(nothing, nothing, told.mcse))
    weights, k = psis(np.stack([revised, revised + rows]), tail_length(revised.size))
    ks = (float(k[0]) if revised.any() else float("nan"), float(k[1]))
    if revised.any() and not k[0] <= RELIABLE_K:
        return Reweighted(None, TOO_MUCH.format(k=k[0]), *ks)
    first, second = (samples.flat @ np.exp(row) for row in weights)
    first = first if revised.any() else told.mean
    if not k[1] <= RELIABLE_K:
        unknown = np.full(len(first), np.nan)
        return Reweighted(Shares(first - told.mean, unknown, unknown), TOO_MUCH.format(k=k[1]), *ks)
    error = _error(samples.flat, second, np.exp(weights[1]), told)
    return Reweighted(Shares(first - told.mean, second - first, error), "", *ks)


def _error(draws: FloatArray, mean: FloatArray, weights: FloatArray, told: Moments) -> FloatArray:
    """Standard error of weighted means, (P, S) → (P,); NaN for a parameter without a Monte Carlo error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        efficiency = np.minimum((told.sd / told.mcse) ** 2 / draws.shape[1], 1.0)
    return np.asarray(np.sqrt(((weights * (draws - mean[:, np.newaxis])) ** 2).sum(axis=1) / efficiency))


def _different(previous: FitSnapshot, now: FitSnapshot) -> str:
    """Why the previous draws are no draws of the new model; empty when they are."""
    old, new = previous.matrix, now.matrix
    if previous.draws.is_point or now.draws.is_point:
        return POINT
    if set(old.terms) != set(new.terms) or [g.terms for g in old.groups] != [g.terms for g in new.groups]:
        return "the model has other terms"
    if (old.response_name, old.response_scale) != (new.response_name, new.response_scale):
        return "the model has another response"
    if [group.key for group in old.groups] != [group.key for group in new.groups]:
        return "the model has other groups"
    pairs = zip(old.groups, new.groups, strict=True)
    fresh = [level for before, after in pairs for level in after.levels if level not in before.levels]
    return f"there is a new group, {fresh[0]}" if fresh else ""


def _as_before(now: ModelMatrix, previous: ModelMatrix) -> ModelMatrix:
    """The new rows with the previous fit's order of terms and codes of groups."""
    order = [now.terms.index(term) for term in previous.terms]
    groups = tuple(_recoded(new, old) for new, old in zip(now.groups, previous.groups, strict=True))
    return replace(now, terms=previous.terms, values=now.values[:, order], groups=groups)


def _recoded(now: GroupTerm, previous: GroupTerm) -> GroupTerm:
    codes = np.array([previous.levels.index(level) for level in now.levels], dtype=np.intp)
    return replace(now, codes=codes[now.codes], levels=previous.levels)


def _log_ratios(previous: FitSnapshot, matrix: ModelMatrix, match: RowMatch) -> tuple[FloatArray, FloatArray]:
    """Log ratios of the two steps under each draw, shape (S,) each: of rows revised, and of rows that came or went."""
    joint, old = joint_draws(previous.draws), previous.matrix
    place = np.full(len(previous.frame) + 1, -1, dtype=np.int64)  # the last is that of no row
    place[old.rows] = np.arange(len(old.rows))
    before = place[match.before(matrix.rows)]
    both = np.flatnonzero(before >= 0)
    changed = both[_apart(old, before[both], matrix, both)]
    gone = np.ones(len(old.rows), dtype=bool)
    gone[before[both]] = False

    def total(of: ModelMatrix, rows: NDArray[np.int64]) -> FloatArray:
        step = max(1, BLOCK_CELLS // joint.noise_sd.size)
        parts = [log_likelihood(joint, of, rows[i : i + step]).sum(axis=0) for i in range(0, len(rows), step)]
        return np.asarray(sum(parts, np.zeros(joint.noise_sd.size)), dtype=np.float64)

    revised = total(matrix, changed) - total(old, before[changed])
    return revised, total(matrix, np.flatnonzero(before < 0)) - total(old, np.flatnonzero(gone))


def _apart(old: ModelMatrix, before: NDArray[np.int64], new: ModelMatrix, now: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows that both fits modelled differ in response, offset, design or group."""

    def differ(a: FloatArray, b: FloatArray) -> NDArray[np.bool_]:
        apart = ~np.isclose(a, b, rtol=1e-9, atol=0)
        return apart if apart.ndim == 1 else apart.any(axis=1)

    found = differ(old.response[before], new.response[now]) | differ(old.offset[before], new.offset[now])
    found |= differ(old.values[before], new.values[now])
    for a, b in zip(old.groups, new.groups, strict=True):
        found |= (a.codes[before] != b.codes[now]) | differ(a.values[before], b.values[now])
    return found
