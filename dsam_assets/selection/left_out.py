"""A model without one of its rows: the design to refit, the density of the parameters, and that of the row.

The scaling and the priors stay those of the full data: leaving a row out must not change the prior. All of it is on the
scale that Stan sees, at points θ = (coefficients, `noise_sd`, group standard deviations), an array (S, P) in the order
of the design's parameters. Group deviations u are integrated out: with y = x'b + z'u + ε and u normal given the *other*
rows and θ, the left-out row is normal as well,

    y_i | y₋ᵢ, θ ~ normal(x'b + z' E[u], σ² + z' Cov[u] z),

and its average over p(θ | y₋ᵢ) is the leave-one-out predictive density, the same one that conditioning on drawn
deviations aims at, with less to integrate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dsam_assets.design.blocks import Deviations
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.design.pooled import PooledDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import coefficients_on_stan_scale
from dsam_assets.scales import FloatArray
from dsam_assets.selection.joint_density import (
    LOG_2PI,
    deviation_regression,
    first_sd_of,
    information,
    log_likelihood,
    log_prior,
)


@dataclass(frozen=True)
class LeftOutRow:
    """A design without one row, and that row on Stan's scale.

    Attributes:
        design: the same model with the same scaling and priors on the other rows.
        x: the row of the population design, shape (K,).
        z: the row's varying columns, those of all group terms one after the other, shape (Σ J,).
        deviations: which deviation each of them multiplies.
        y: its response minus offset.
        unit: one unit of Stan's response in data units.
    """

    design: ModelDesign
    x: FloatArray
    z: FloatArray
    deviations: Deviations
    y: float
    unit: float

    def predictive(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log density of the row (model scale, data units) and its distribution function, given the other rows and
        each point: two arrays (S,)."""
        slope, start, variance = self._line(points)
        return self._normal(start + np.einsum("sk,sk->s", slope, points[:, : len(self.x)]), variance)

    def collapsed(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same with the coefficients that have no bound integrated out as well.

        Given the other parameters they are normal too, so what is left to average over is what has no closed form:
        the row may lie far from where any draw of the coefficients expects it.
        """
        slope, start, variance = self._line(points)
        K = len(self.x)
        rows = self.design.parameters[:K]
        free = np.array([not (np.isfinite(row.scaled_lower) or np.isfinite(row.scaled_upper)) for row in rows])
        weight = np.array([1 / row.scaled_sd**2 for row in rows])
        prior_mean = np.array([row.scaled_mean for row in rows])
        precision, target = information(self.design, points)
        precision[:, np.arange(K), np.arange(K)] += weight
        target = target + weight * prior_mean - np.einsum("skl,sl->sk", precision, np.where(free, 0.0, points[:, :K]))
        own = slope[:, free, np.newaxis]
        solved = np.linalg.solve(precision[:, free][:, :, free], np.concatenate([target[:, free, None], own], axis=2))
        coef = points[:, :K].copy()
        coef[:, free] = solved[:, :, 0]
        spread = np.einsum("sk,sk->s", own[..., 0], solved[:, :, 1])
        return self._normal(start + np.einsum("sk,sk->s", slope, coef), variance + spread)

    def _normal(self, mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
        from scipy.special import ndtr

        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            z = (self.y - mean) / np.sqrt(variance)
            density = -0.5 * (z * z + np.log(variance) + LOG_2PI) - np.log(self.unit)
        return density, np.asarray(ndtr(z))

    def _line(self, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The row's mean given the other rows is start + slope'b: slope (S, K), start (S,), and its variance (S,)."""
        K, noise = len(self.x), points[:, len(self.x)]
        slope, start, variance = np.tile(self.x, (len(points), 1)), np.zeros(len(points)), noise**2
        if not isinstance(self.design, HierarchicalDesign):
            return slope, start, variance
        first_sd, own = first_sd_of(self.design), self.deviations
        unseen = np.ones(len(self.z), dtype=bool)
        for block in self.design.statistics.blocks:
            place = block.deviations
            same = (place.term[:, np.newaxis] == own.term) & (place.level[:, np.newaxis] == own.level)
            same &= place.effect[:, np.newaxis] == own.effect
            if same.any():
                unseen &= ~same.any(axis=0)
                tau = points[:, K + 1 + first_sd[place.term] + place.effect]
                weights, extra = deviation_regression(block, tau, noise, same @ self.z)
                slope, start, variance = slope - weights @ block.X, start + weights @ block.y, variance + extra
        # Without another row a group has its prior.
        spread = points[:, K + 1 + first_sd[own.term] + own.effect] * self.z
        return slope, start, variance + (spread[:, unseen] ** 2).sum(axis=1)

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log prior plus log likelihood of the other rows, up to a constant, shape (S,); −inf beyond the bounds."""
        value = log_prior(self.design.parameters, points)
        fine = np.isfinite(value)
        value[fine] += log_likelihood(self.design, points[fine])
        return np.where(np.isnan(value), -np.inf, value)


def leave_out(design: ModelDesign, row: int) -> LeftOutRow:
    """A design without a row of its model matrix."""
    scaling, fitted = design.scaling, _fitted_matrix(design)
    response = float(fitted.response[row] - fitted.offset[row])
    x = (fitted.values[row] - scaling.x_center) / scaling.x_spread
    y = (response - scaling.y_center) / scaling.y_spread
    z, deviations = _row_deviations(design, row)
    return LeftOutRow(_without(design, row), x, z, deviations, y, scaling.y_spread)


def posterior_points(design: ModelDesign, draws: Draws, most: int | None = None) -> FloatArray:
    """Draws as points on Stan's scale, shape (S, P); at most `most` of them, evenly spaced as in `joint_draws`."""
    total = draws.noise_flat.size
    count = total if most is None else min(most, total)
    chosen = slice(None) if count == total else np.linspace(0, total - 1, count).round().astype(int)
    scaling = design.scaling
    named = draws.parameters  # labels of a pooled model included
    coef = np.column_stack([named[term].reshape(-1)[chosen] for term in _fitted_matrix(design).terms])
    parts = [coefficients_on_stan_scale(scaling, coef), draws.noise_flat[chosen, np.newaxis] / scaling.y_spread]
    if isinstance(design, HierarchicalDesign):
        sds = np.column_stack([draws.group_sd[name].reshape(-1)[chosen] for name in design.sd_names])
        parts.append(sds * design.sd_factor)
    return np.concatenate(parts, axis=1)


def _row_deviations(design: ModelDesign, row: int) -> tuple[FloatArray, Deviations]:
    """Varying columns of a row on Stan's scale, and the deviations that they multiply; none but in panels."""
    z, places = [np.empty(0)], [np.empty((3, 0), dtype=np.intp)]
    if isinstance(design, HierarchicalDesign):
        for term, (group, scaling) in enumerate(zip(design.groups, design.group_scalings, strict=True)):
            z.append((group.values[row] - scaling.center) / scaling.spread)
            count = len(group.terms)
            places.append(np.stack([np.full(count, term), np.full(count, group.codes[row]), np.arange(count)]))
    return np.concatenate(z), Deviations(*np.concatenate(places, axis=1))


def _fitted_matrix(design: ModelDesign) -> ModelMatrix:
    """The matrix of the coefficients that are sampled: a pooled model's are base terms and labels."""
    return design.pooled_matrix if isinstance(design, PooledDesign) else design.matrix


def _without(design: ModelDesign, row: int) -> ModelDesign:
    matrix = _matrix_without(design.matrix, row)
    if isinstance(design, PooledDesign):
        compressed = replace(design.compressed, matrix=_matrix_without(design.compressed.matrix, row))
        return replace(design, matrix=matrix, compressed=compressed)
    if isinstance(design, HierarchicalDesign):
        return replace(design, matrix=matrix, groups=matrix.groups)
    return replace(design, matrix=matrix)


def _matrix_without(matrix: ModelMatrix, row: int) -> ModelMatrix:
    """Group labels stay, even that of a group whose only row this was: names and positions keep their meaning."""
    kept = np.delete(np.arange(len(matrix.response)), row)
    return replace(
        matrix,
        values=matrix.values[kept],
        response=matrix.response[kept],
        offset=matrix.offset[kept],
        rows=matrix.rows[kept],
        groups=tuple(replace(group, values=group.values[kept], codes=group.codes[kept]) for group in matrix.groups),
    )
