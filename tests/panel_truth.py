"""A small panel whose leave-one-out densities are known: `kpi ~ x + (1 | market)` on a grid over its two sds.

Given group sd and residual sd the rows are jointly normal with coefficients and deviations integrated out, so that
p(y_i | y₋ᵢ) = p(y) / p(y₋ᵢ) is a ratio of two sums over a grid of dense normal densities; the posterior on that grid
also gives independent exact draws. Nothing of the package's statistics takes part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from panels import dense_design, panel, panel_design, stan_rows

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.hierarchical import hierarchical_draws
from dsam_assets.scales import FloatArray

CHAINS = 4


def panel_with_outlier(kick: float) -> HierarchicalDesign:
    """Six markets of six weeks; row 3 has leverage and lies `kick` away from where it would be."""
    frame = panel(seed=5, markets=6, brands=1)
    frame.loc[3, "x"] = 12.0
    frame.loc[3, "kpi"] = 20 + 0.8 * 12.0 - frame.loc[3, "w"] + kick
    return panel_design("kpi ~ x + (1 | market)", frame)


@dataclass(frozen=True)
class PanelTruth:
    """The model of a design with one varying intercept, on Stan's scale."""

    design: HierarchicalDesign

    @cached_property
    def grid(self) -> tuple[FloatArray, FloatArray]:
        """Midpoints of 90 cells of group sds, from 0 on, and of residual sds, to far above where the posterior is."""
        middle = (np.arange(90) + 0.5) / 90
        return 4.5 * middle, 0.08 + 1.5 * middle

    @cached_property
    def prior(self) -> tuple[FloatArray, FloatArray]:
        """Means and sds of the coefficients' normal priors."""
        rows = self.design.parameters[: len(self.design.matrix.terms)]
        return np.array([row.scaled_mean for row in rows]), np.array([row.scaled_sd for row in rows])

    def log_joint(self, kept: FloatArray) -> FloatArray:
        """log p(y_kept, group sd, residual sd) up to a constant, shape (group sds, residual sds)."""
        X, y = stan_rows(self.design)
        Z, _ = dense_design(self.design)
        mean, sd = self.prior
        noise, group = self.design.parameters[-2:]
        X, Z, left = X[kept], Z[kept], (y - X @ mean)[kept]
        fixed, varying = (X * sd**2) @ X.T, Z @ Z.T
        total = np.empty((90, 90))
        for i, tau in enumerate(self.grid[0]):
            values, vectors = np.linalg.eigh(fixed + tau**2 * varying)
            turned = vectors.T @ left
            for j, sigma in enumerate(self.grid[1]):
                variance = values + sigma**2
                total[i, j] = -0.5 * np.sum(turned**2 / variance + np.log(2 * np.pi * variance))
                total[i, j] -= 0.5 * ((tau - group.scaled_mean) / group.scaled_sd) ** 2
                total[i, j] -= 0.5 * ((sigma - noise.scaled_mean) / noise.scaled_sd) ** 2
        return total

    def elpd(self, row: int) -> float:
        """log p(y_row | all others) in data units."""
        everything = np.arange(len(self.design.matrix.response))
        with_row, without = (self.log_joint(kept) for kept in (everything, np.delete(everything, row)))
        for each in (with_row, without):
            share = np.exp(each - each.max())
            assert max(share[-1].max(), share[:, 0].max(), share[:, -1].max()) < 1e-4, "the grid cuts it off"
        tops = with_row.max(), without.max()
        sums = np.log(np.exp(with_row - tops[0]).sum()), np.log(np.exp(without - tops[1]).sum())
        return float(tops[0] - tops[1] + sums[0] - sums[1] - np.log(self.design.scaling.y_spread))

    def draws(self, size: int, seed: int) -> Draws:
        """Independent draws of the posterior of all rows, group deviations included."""
        rng = np.random.default_rng(seed)
        X, y = stan_rows(self.design)
        Z, _ = dense_design(self.design)
        log = self.log_joint(np.arange(len(y)))
        share = np.exp(log - log.max()).ravel()
        cells = rng.choice(share.size, size=CHAINS * size, p=share / share.sum())
        step = [grid[1] - grid[0] for grid in self.grid]
        tau = self.grid[0][cells // 90] + step[0] * (rng.uniform(size=cells.size) - 0.5)
        sigma = self.grid[1][cells % 90] + step[1] * (rng.uniform(size=cells.size) - 0.5)
        mean, sd = self.prior
        coef = np.empty((cells.size, X.shape[1]))
        for draw in range(cells.size):
            V = sigma[draw] ** 2 * np.eye(len(y)) + tau[draw] ** 2 * Z @ Z.T
            precision = X.T @ np.linalg.solve(V, X) + np.diag(1 / sd**2)
            center = np.linalg.solve(precision, X.T @ np.linalg.solve(V, y) + mean / sd**2)
            coef[draw] = center + np.linalg.solve(np.linalg.cholesky(precision).T, rng.normal(size=X.shape[1]))
        raw = {
            "coef": coef.reshape(CHAINS, size, -1),
            "noise_sd": sigma.reshape(CHAINS, size),
            "group_sd": tau.reshape(CHAINS, size, 1),
        }
        return with_group_effects(hierarchical_draws(self.design, raw, {}, 10, {}), self.design, seed=seed)
