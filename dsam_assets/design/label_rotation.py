"""Turned coefficients, for models whose labels repeat each other by construction.

With several grouping variables the data determine sums of label coefficients sharply and their parts not at all: the
posterior is a ridge as long as the prior and as thin as the likelihood, oblique to the axes, and whatever samples or
climbs with a diagonal metric crawls along it. The coefficients θ without bounds (base terms and labels) are therefore
given to Stan as θ = m + S V D η, with m and S the means and (diagonal) sds of their normal priors and U Σ V' the
singular value decomposition of R_θ S. Given the noise sd, prior and likelihood are then diagonal in η, and
D = (1 + Σ²/s²)^(-1/2), with s² the least-squares residual variance, makes its directions about equally long. The map is
linear with a constant Jacobian: neither the posterior nor its mode changes. Bounded coefficients stay as they are,
because their bounds would not be bounds of single coordinates any more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dsam_assets.design.linear import LinearDesign
from dsam_assets.design.pooled import PooledDesign
from dsam_assets.design.pooled_checks import redundant_labels
from dsam_assets.design.scaling import NOISE_SD
from dsam_assets.design.sufficient import SufficientStatistics
from dsam_assets.scales import FloatArray


@dataclass(frozen=True)
class TurnedDesign(LinearDesign):
    """The linear design of a pooled model in turned coordinates, as Stan sees it.

    `matrix` and `scaling` are those of base terms and labels; `parameters` (on Stan's scale) and `statistics` speak of
    the turned coordinates η.

    Attributes:
        shift: shape (B + L,).
        basis: shape (B + L, B + L), with (coefficients on the scale of `scaling`) = shift + basis · η.
        turned: statistics of η.
    """

    shift: FloatArray
    basis: FloatArray
    turned: SufficientStatistics

    @cached_property
    def statistics(self) -> SufficientStatistics:
        """Sufficient statistics of the turned coordinates."""
        return self.turned

    def turned_back(self, coef: FloatArray) -> FloatArray:
        """Coefficients of base terms and labels, shape (…, B + L), from turned ones of the same shape."""
        return np.asarray(self.shift + coef @ self.basis.T)


def turned_design(design: PooledDesign) -> TurnedDesign:
    """What Stan samples for a pooled model; where no labels repeat each other nothing is turned."""
    linear = design.compressed
    free = free_coefficients(design)
    size = len(linear.matrix.terms)
    shift, basis = np.zeros(size), np.eye(size)
    if not free:
        return TurnedDesign(linear.matrix, linear.scaling, linear.parameters, shift, basis, linear.statistics)
    sd = np.array([linear.parameters[j].scaled_sd for j in free])
    _, sizes, directions = np.linalg.svd(linear.statistics.R[:, free] * sd)
    lengths = 1 / np.sqrt(1 + sizes**2 / _residual_variance(linear.statistics))
    shift[free] = [linear.parameters[j].scaled_mean for j in free]
    basis[np.ix_(free, free)] = sd[:, None] * directions.T * lengths
    parameters = list(linear.parameters)
    for j, length in zip(free, lengths, strict=True):
        parameters[j] = replace(parameters[j], scaled_mean=0.0, scaled_sd=float(1 / length))
    turned = _turned_statistics(linear.statistics, shift, basis)
    return TurnedDesign(linear.matrix, linear.scaling, tuple(parameters), shift, basis, turned)


def free_coefficients(design: PooledDesign) -> list[int]:
    """Positions of the coefficients that are turned: those without bounds, where labels repeat each other at all."""
    if not redundant_labels(design.pooling_map):
        return []
    return [
        position
        for position, row in enumerate(design.parameters)
        if row.name != NOISE_SD and row.lower == -math.inf and row.upper == math.inf
    ]


def _residual_variance(plain: SufficientStatistics) -> float:
    """Least-squares residual variance; a millionth of the response's mean square where there is no residual left."""
    total = float(plain.z @ plain.z) + plain.rss
    return max(plain.rss, 1e-6 * total) / plain.rows or 1.0


def _turned_statistics(plain: SufficientStatistics, shift: FloatArray, basis: FloatArray) -> SufficientStatistics:
    """|z − R (shift + basis η)|² with a triangular factor again."""
    q, factor = np.linalg.qr(plain.R @ basis)
    return SufficientStatistics(plain.rows, factor, q.T @ (plain.z - plain.R @ shift), plain.rss)
