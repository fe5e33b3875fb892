"""Posteriors of hierarchical models through the core, against quadrature over the standard deviations.

Given group sds τ and residual sd σ, coefficients b and deviations u have a joint normal prior, and the rows are a
linear function of them plus noise: their posterior and the marginal likelihood p(y | τ, σ) are closed forms in data
units. τ and σ are integrated by Gauss–Legendre. Nothing of the package takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from overrides import Prior
from panels import panel, panel_design
from recovery_cases import mean_and_error, settings

from dsam_assets.data.cre import cre_means
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.model import sample_model
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

type LogPrior = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Axis:
    """Where one standard deviation is integrated, and its log prior."""

    high: float
    log_prior: LogPrior
    low: float = 0.0
    nodes: int = 40

    def rule(self) -> tuple[FloatArray, FloatArray]:
        points, weights = np.polynomial.legendre.leggauss(self.nodes)
        half = (self.high - self.low) / 2
        return self.low + half * (points + 1), half * weights


def half_normal(mean: float, sd: float) -> LogPrior:
    return lambda x: -(((x - mean) / sd) ** 2) / 2


def lognormal(mean: float, sd: float) -> LogPrior:
    """By its own mean and sd."""
    variance = np.log(1 + (sd / mean) ** 2)
    return lambda x: -np.log(x) - (np.log(x) - np.log(mean) + variance / 2) ** 2 / (2 * variance)


def joint_design(design: HierarchicalDesign) -> tuple[FloatArray, list[int]]:
    """[X Z] in data units, and for each column of Z which group sd it has; groups, then terms, within a group term."""
    columns, sds, first = [design.matrix.values], [], 0
    for group in design.groups:
        for level in range(len(group.levels)):
            columns.append(np.where((group.codes == level)[:, None], group.values, 0.0))
            sds.extend(range(first, first + len(group.terms)))
        first += len(group.terms)
    return np.hstack(columns), sds


def moments_by_quadrature(
    design: HierarchicalDesign, mean: Sequence[float], sd: Sequence[float], axes: Sequence[Axis]
) -> tuple[FloatArray, FloatArray]:
    """Posterior mean and sd of coefficients, deviations, group sds and residual sd; `axes` as group sds, then σ."""
    W, sd_index = joint_design(design)
    y, K = design.matrix.response, len(mean)
    center = np.concatenate([mean, np.zeros(len(sd_index))])
    rules = [axis.rule() for axis in axes]
    points = np.stack(np.meshgrid(*(x for x, _ in rules), indexing="ij"), axis=-1).reshape(-1, len(axes))
    weights = np.prod(np.stack(np.meshgrid(*(w for _, w in rules), indexing="ij"), axis=-1), axis=-1).reshape(-1)
    spread = np.hstack([np.broadcast_to(sd, (len(points), K)), points[:, sd_index]])
    noise = points[:, -1]
    covariance = np.linalg.inv((W.T @ W) / noise[:, None, None] ** 2 + spread[:, :, None] ** -2 * np.eye(len(center)))
    target = (W.T @ y) / noise[:, None] ** 2 + center / spread**2
    found = np.einsum("sij,sj->si", covariance, target)
    left = y - found @ W.T
    log_mass = (
        np.log(weights)
        + sum(axis.log_prior(points[:, i]) for i, axis in enumerate(axes))
        - len(y) * np.log(noise)
        - np.log(spread).sum(axis=1)
        + np.linalg.slogdet(covariance)[1] / 2
        - (left**2).sum(axis=1) / (2 * noise**2)
        - (((found - center) / spread) ** 2).sum(axis=1) / 2
    )
    share = np.exp(log_mass - log_mass.max())
    share /= share.sum()
    _require_whole(share.reshape([axis.nodes for axis in axes]), axes)
    values = np.hstack([found, points])
    within = np.hstack([np.einsum("sii->si", covariance), np.zeros_like(points)])
    average = share @ values
    return average, np.sqrt(share @ (within + (values - average) ** 2))


def _require_whole(share: FloatArray, axes: Sequence[Axis]) -> None:
    for position, axis in enumerate(axes):
        marginal = share.sum(axis=tuple(set(range(len(axes))) - {position}))
        assert marginal[-1] < 1e-5, f"the grid cuts sd {position} off"
        assert axis.low == 0.0 or marginal[0] < 1e-6, f"the grid cuts sd {position} off"


def everything(draws: Draws) -> FloatArray:
    """Coefficients, deviations, group sds and residual sd, (chain, draw, P), as `moments_by_quadrature` has them."""
    shape = draws.noise_sd.shape
    deviations = [part.values.reshape(*shape, -1) for part in draws.deviations]
    sds = np.stack([*draws.group_sd.values(), draws.noise_sd], axis=-1)
    return np.concatenate([draws.coef, *deviations, sds], axis=-1)


def assert_agrees(draws: Draws, mean: FloatArray, sd: FloatArray) -> None:
    """Means within 4.5 Monte Carlo errors, sds within 6 %."""
    values = everything(draws)
    found, error = mean_and_error(values)
    np.testing.assert_array_less(np.abs(found - mean) / error, 4.5)
    np.testing.assert_allclose(values.std(axis=(0, 1)), sd, rtol=0.06)


@pytest.mark.parametrize("scale", [True, False])
def test_intercepts_and_slopes(stan: CmdStanRunner, scale: bool) -> None:
    """Few rows and groups, so that the priors of all three standard deviations show, and those of the coefficients."""
    priors = [
        Prior("(Intercept)", 18.0, 3.0),
        Prior("x", 0.5, 0.4),
        Prior("w", -0.5, 0.6),
        Prior("noise_sd", 0.5, 0.6),
        Prior("sd_1[(Intercept)]", 0.5, 1.5),
        Prior("sd_1[x]", 0.5, 0.3, "lognormal_ms"),
    ]
    design = panel_design(
        "kpi ~ x + w + (1 + x | market)", panel(weeks=3, brands=2, keep=0.8), scale=scale, priors=priors
    )
    assert len(design.matrix.response) < 24
    axes = [Axis(9.0, half_normal(0.5, 1.5)), Axis(2.5, lognormal(0.5, 0.3)), Axis(3.0, half_normal(0.5, 0.6), low=0.2)]
    exact = moments_by_quadrature(design, (18.0, 0.5, -0.5), (3.0, 0.4, 0.6), axes)
    assert_agrees(sample_model(design, settings(sampling=4000), stan), *exact)


def test_group_means_next_to_their_predictor(stan: CmdStanRunner) -> None:
    """CRE: six groups, whose means stand against their levels; both group terms' sds near zero are likely."""
    frame = cre_means(panel(seed=4, markets=6, weeks=4, brands=1), ["x"], ["market"]).frame.assign(
        half=lambda rows: np.where(rows["week"] < 2, "early", "late")
    )
    priors = [
        Prior("(Intercept)", 15.0, 4.0),
        Prior("x", 0.8, 0.7),
        Prior("cre_mean_x", 1.0, 1.5),
        Prior("noise_sd", 0.8, 0.5),
        Prior("sd_1[(Intercept)]", 0.0, 1.0),
        Prior("sd_2[(Intercept)]", 0.0, 0.7),
    ]
    design = panel_design("kpi ~ x + cre_mean_x + (1 | market) + (1 | half)", frame, priors=priors)
    axes = [
        Axis(5.5, half_normal(0.0, 1.0)),
        Axis(4.0, half_normal(0.0, 0.7)),
        Axis(3.5, half_normal(0.8, 0.5), low=0.3),
    ]
    exact = moments_by_quadrature(design, (15.0, 0.8, 1.0), (4.0, 0.7, 1.5), axes)
    assert_agrees(sample_model(design, settings(sampling=4000), stan), *exact)
