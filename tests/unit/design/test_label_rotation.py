"""Turned coefficients are the same model: the density differs by a constant, whatever is bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from overrides import Bound, Prior
from pooled_markets import EACH, NESTED, ONE, TWO, market

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.label_rotation import free_coefficients, turned_design
from dsam_assets.design.pooled import PooledDesign, build_pooled_design
from dsam_assets.design.priors import Parameter
from dsam_assets.design.sufficient import SufficientStatistics
from dsam_assets.scales import FloatArray

PRIORS = (Prior("channel[tv]", 1.2, 0.5), Prior("owner[us]", -0.3, 0.2), Prior("trend", 100.0, 80.0))
CASES = {
    "free": (TWO, (), ()),
    "priors": (TWO, PRIORS, ()),
    "some_bounded": (
        TWO,
        PRIORS,
        (Bound("channel[tv]", lower=0.0), Bound("owner[them]", upper=4.0), Bound("price", upper=0.0)),
    ),
    "nested": (NESTED, (), (Bound("kind[video]", 0.0),)),
}


def make(name: str, *, scale: bool = True) -> PooledDesign:
    pooling_map, priors, bounds = CASES[name]
    return build_pooled_design(market(), pooling_map, scale=scale, priors=priors, boundaries=bounds)


def log_density(statistics: SufficientStatistics, rows: tuple[Parameter, ...], coef: FloatArray) -> float:
    """Log posterior of coefficients given a noise sd of 0.4, bounds aside."""
    prior = sum((value - row.scaled_mean) ** 2 / row.scaled_sd**2 for value, row in zip(coef, rows, strict=False))
    return float(-prior / 2 - (((statistics.z - statistics.R @ coef) ** 2).sum() + statistics.rss) / (2 * 0.4**2))


@pytest.mark.parametrize("name", CASES)
def test_the_density_differs_by_a_constant(name: str) -> None:
    design = make(name)
    turned = turned_design(design)
    points = np.random.default_rng(2).normal(size=(6, len(design.pooled_matrix.terms)))
    there = [log_density(turned.statistics, turned.parameters, point) for point in points]
    back = turned.turned_back(points)
    here = [log_density(design.statistics, design.parameters, point) for point in back]
    np.testing.assert_allclose(np.diff(there), np.diff(here), rtol=1e-9)
    assert np.ptp(here) > 1
    np.testing.assert_array_equal(np.tril(turned.statistics.R, -1), 0)
    assert turned.statistics.rows == 40


@pytest.mark.parametrize("name", CASES)
def test_bounded_coefficients_and_noise_stay_as_they_are(name: str) -> None:
    design = make(name)
    turned = turned_design(design)
    free = set(free_coefficients(design))
    bounded = {row.parameter for row in CASES[name][2]}
    assert {design.parameters[j].name for j in free} == set(design.pooled_matrix.terms) - bounded
    for j, (before, after) in enumerate(zip(design.parameters, turned.parameters, strict=True)):
        assert (after.scaled_lower, after.scaled_upper) == (before.scaled_lower, before.scaled_upper)
        if j in free:
            assert after.scaled_mean == 0.0
        else:
            assert before == after
    points = np.random.default_rng(2).normal(size=(6, len(design.pooled_matrix.terms)))
    fixed = [j for j in range(points.shape[1]) if j not in free]
    np.testing.assert_array_equal(turned.turned_back(points)[:, fixed], points[:, fixed])


@pytest.mark.parametrize("scale", [True, False])
def test_the_posterior_is_round_in_turned_coordinates(scale: bool) -> None:
    """Independent given the noise sd, and at the least-squares noise sd of unit length, where it was a long ridge."""
    design = make("free", scale=scale)
    turned = turned_design(design)
    noise_variance = design.statistics.rss / 40
    np.testing.assert_allclose(covariance(turned.statistics, turned.parameters, noise_variance), np.eye(8), atol=1e-6)
    ridge = np.linalg.eigvalsh(covariance(design.statistics, design.parameters, noise_variance))
    assert ridge[-1] / ridge[0] > 1e3, "a case that needs turning"


def covariance(statistics: SufficientStatistics, rows: tuple[Parameter, ...], noise_variance: float) -> FloatArray:
    """Posterior covariance of the coefficients given the noise variance."""
    weight = np.array([row.scaled_sd**-2.0 for row in rows if row.name != "noise_sd"])
    return np.linalg.inv(statistics.R.T @ statistics.R / noise_variance + np.diag(weight))


@pytest.mark.parametrize("rows", [40, 5])
def test_a_perfect_fit_squeezes_no_direction_to_nothing(rows: int) -> None:
    """A response without noise, or fewer rows than coefficients."""
    made = market(rows)
    perfect = replace(made, response=made.offset + made.values @ [1e3, 0.9, 300, 0.4, 1.2, -60, 1.0])
    design = build_pooled_design(perfect, TWO, scale=True)
    assert design.statistics.rss < 1e-20
    turned = turned_design(design)
    assert max(row.scaled_sd for row in turned.parameters) < 1e6
    points = np.random.default_rng(2).normal(size=(4, 8))
    there = [log_density(turned.statistics, turned.parameters, point) for point in points]
    here = [log_density(design.statistics, design.parameters, point) for point in turned.turned_back(points)]
    np.testing.assert_allclose(np.diff(there), np.diff(here), rtol=1e-7)


@pytest.mark.parametrize("pooling_map", [ONE, EACH])
def test_labels_of_one_dimension_are_not_turned(pooling_map: PoolingMap) -> None:
    design = build_pooled_design(market(), pooling_map, scale=True)
    turned = turned_design(design)
    assert turned.parameters == design.parameters
    assert turned.statistics == design.statistics
    points = np.random.default_rng(2).normal(size=(2, 3, len(design.pooled_matrix.terms)))
    np.testing.assert_array_equal(turned.turned_back(points), points)
