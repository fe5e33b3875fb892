"""The log posterior against dense densities from scipy, its derivatives against numerical ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from overrides import Prior
from panels import CASES, case, dense_log_density
from scipy import stats

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.priors import Parameter, lognormal_location_spread
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.fitted import fit_metrics
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.hierarchical import hierarchical_draws
from dsam_assets.fit.log_posterior import LogPosterior, log_posterior
from dsam_assets.scales import FloatArray


def prior_density(parameters: tuple[Parameter, ...], point: FloatArray) -> float:
    total = 0.0
    for row, x in zip(parameters, point, strict=True):
        if row.family == "normal":
            total += stats.norm.logpdf(x, row.scaled_mean, row.scaled_sd)
        else:
            location, spread = lognormal_location_spread(row.scaled_mean, row.scaled_sd)
            total += stats.lognorm.logpdf(x, spread, scale=np.exp(location))
    return float(total)


def hierarchical(name: str) -> tuple[HierarchicalDesign, LogPosterior]:
    design = case(name, priors=[Prior("noise_sd", 0.8, 0.4, "lognormal_ms"), Prior("x", 0.5, 0.3)])
    return design, log_posterior(design.parameters, design.statistics, [len(group.terms) for group in design.groups])


def somewhere(posterior: LogPosterior, seed: int = 3) -> FloatArray:
    rng = np.random.default_rng(seed)
    K = posterior.coefficients
    return np.concatenate([rng.normal(size=K), rng.uniform(0.3, 1.5, len(posterior.parameters) - K)])


def numerical(function: Callable[[FloatArray], FloatArray], point: FloatArray, step: float = 1e-5) -> FloatArray:
    """Central differences of each coordinate, rows by coordinate."""
    return np.array([(function(point + e) - function(point - e)) / (2 * step) for e in step * np.eye(len(point))])


@pytest.mark.parametrize("name", CASES)
def test_value_is_the_dense_density_of_all_rows(name: str) -> None:
    design, posterior = hierarchical(name)
    K = posterior.coefficients
    assert posterior.rows == len(design.matrix.response)
    for seed in range(3):
        point = somewhere(posterior, seed)
        likelihood = dense_log_density(design, point[:K], point[K + 1 :], float(point[K]))
        assert posterior.expand(point).value == pytest.approx(likelihood + prior_density(design.parameters, point))


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_the_numerical_ones(name: str) -> None:
    _, posterior = hierarchical(name)
    point = somewhere(posterior)
    found = posterior.expand(point)
    gradient = numerical(lambda at: np.array(posterior.expand(at).value), point)
    hessian = numerical(lambda at: posterior.expand(at).gradient, point)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-6, atol=1e-6 * np.abs(hessian).max())


def test_linear_value_and_derivatives(identity_matrix: ModelMatrix) -> None:
    design = build_linear_design(identity_matrix, scale=True, priors=[Prior("noise_sd", 0.3, 0.2, "lognormal_ms")])
    posterior = log_posterior(design.parameters, design.statistics)
    point = somewhere(posterior)
    scaling = design.scaling
    X = (identity_matrix.values - scaling.x_center) / scaling.x_spread
    y = (identity_matrix.response - identity_matrix.offset - scaling.y_center) / scaling.y_spread
    rows = stats.norm.logpdf(y, X @ point[:3], point[3]).sum()
    found = posterior.expand(point)
    assert found.value == pytest.approx(rows + prior_density(design.parameters, point))
    gradient = numerical(lambda at: np.array(posterior.expand(at).value), point)
    hessian = numerical(lambda at: posterior.expand(at).gradient, point)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-6, atol=1e-6)


def test_no_deviations_at_all_is_the_linear_model() -> None:
    """At τ = 0 nothing divides by zero, and the slope of the likelihood by each τ vanishes."""
    design = case("balanced")
    posterior = log_posterior(design.parameters, design.statistics, [2])
    point = somewhere(posterior)
    point[-2:] = 0.0
    plain = log_posterior(design.parameters[:-2], build_linear_design(design.matrix, scale=True).statistics).expand(
        point[:-2]
    )
    found = posterior.expand(point)
    constant = sum(stats.norm.logpdf(0, 0, row.scaled_sd) for row in design.parameters[-2:])
    assert found.value == pytest.approx(plain.value + constant)
    np.testing.assert_allclose(found.gradient, [*plain.gradient, 0.0, 0.0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.hessian[:4, :4], plain.hessian, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_residuals_are_those_of_the_rows(name: str) -> None:
    """With deviations at their conditional means, against fitted values row by row in data units."""
    design, posterior = hierarchical(name)
    point = somewhere(posterior)
    K = posterior.coefficients
    raw = {"coef": point[None, None, :K], "noise_sd": point[None, None, K], "group_sd": point[None, None, K + 1 :]}
    draws: Draws = hierarchical_draws(design, raw, {}, 0, {"method": "optimise"})
    metrics = fit_metrics(with_group_effects(draws, design, seed=1), design.matrix)
    (rmse,) = metrics.query("group == 'all' and metric == 'rmse'")["mean"]
    found = np.sqrt(posterior.residual_square(point) / posterior.rows) * design.scaling.y_spread
    assert found == pytest.approx(rmse, rel=1e-9)
