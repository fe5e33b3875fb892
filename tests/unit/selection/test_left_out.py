"""A model without a row against dense normal distributions written row by row, and against the full model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from overrides import Bound, Prior
from panels import BALANCED, CASES, case, column_sd, dense_design, dense_log_density, panel, panel_design, stan_rows
from pooled_markets import TWO, market, pooled_columns_by_hand
from scipy import stats

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.pooled import build_pooled_design
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.hierarchical import hierarchical_draws
from dsam_assets.fit.log_posterior import log_posterior
from dsam_assets.fit.pooled import pooled_draws
from dsam_assets.scales import FloatArray
from dsam_assets.selection.joint_density import information, log_likelihood, log_prior
from dsam_assets.selection.left_out import leave_out, posterior_points


def somewhere(design: HierarchicalDesign, count: int = 6, seed: int = 2) -> FloatArray:
    rng = np.random.default_rng(seed)
    coef = rng.normal(size=(count, len(design.matrix.terms)))
    return np.column_stack([coef, rng.uniform(0.3, 1.5, size=(count, 1 + len(design.sd_names)))])


def dense_predictive(design: HierarchicalDesign, row: int, point: FloatArray) -> tuple[float, float]:
    """Mean and variance of a row given all others, from the covariance of all rows at once; Stan's scale."""
    X, y = stan_rows(design)
    Z, names = dense_design(design)
    K = X.shape[1]
    spread = Z * column_sd(design, names, point[K + 1 :])
    V, left = point[K] ** 2 * np.eye(len(y)) + spread @ spread.T, y - X @ point[:K]
    others = np.arange(len(y)) != row
    weights = np.linalg.solve(V[np.ix_(others, others)], V[others, row])
    return float(X[row] @ point[:K] + weights @ left[others]), float(V[row, row] - weights @ V[others, row])


@pytest.mark.parametrize("name", CASES)
def test_predictive_density_is_the_dense_conditional(name: str) -> None:
    design = case(name)
    points = somewhere(design)
    y = stan_rows(design)[1]
    for row in (0, 7, len(y) - 1):
        density, cdf = leave_out(design, row).predictive(points)
        for point, found, share in zip(points, density, cdf, strict=True):
            mean, variance = dense_predictive(design, row, point)
            expected = stats.norm.logpdf(y[row], mean, np.sqrt(variance)) - np.log(design.scaling.y_spread)
            assert found == pytest.approx(expected, rel=1e-9)
            assert share == pytest.approx(stats.norm.cdf(y[row], mean, np.sqrt(variance)), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_densities_with_and_without_the_row_differ_by_its_predictive_density(name: str) -> None:
    design = case(name, priors=[Prior("noise_sd", 0.8, 0.4, "lognormal_ms"), Prior("x", 0.5, 0.3)])
    points = somewhere(design)
    full = np.array(
        [
            log_posterior(design.parameters, design.statistics, [len(g.terms) for g in design.groups])
            .expand(point)
            .value
            for point in points
        ]
    )
    np.testing.assert_allclose(log_prior(design.parameters, points) + log_likelihood(design, points), full, rtol=1e-9)
    row = leave_out(design, 3)
    unit = np.log(design.scaling.y_spread)
    np.testing.assert_allclose(row.log_density(points) + row.predictive(points)[0] + unit, full, rtol=1e-9)


def test_likelihood_is_the_dense_one() -> None:
    design = case("crossed")
    points = somewhere(design, 3)
    K = len(design.matrix.terms)
    expected = [dense_log_density(design, point[:K], point[K + 1 :], point[K]) for point in points]
    np.testing.assert_allclose(log_likelihood(design, points), expected, rtol=1e-9)


def test_group_of_a_single_row_has_its_prior() -> None:
    """The last row of the alphabet's last market is its only one; without it nothing is known of that market."""
    frame = panel()
    lonely = frame.index[frame["market"] == "m3"][:1]
    frame = frame[(frame["market"] != "m3") | frame.index.isin(lonely)].reset_index(drop=True)
    design = panel_design(BALANCED, frame)
    row = int(np.flatnonzero(design.groups[0].codes == 3)[0])
    left_out, points = leave_out(design, row), somewhere(design)
    assert len(left_out.design.statistics.blocks) == 3  # type: ignore[union-attr]
    density, _ = left_out.predictive(points)
    y = stan_rows(design)[1][row]
    for point, found in zip(points, density, strict=True):
        mean, variance = dense_predictive(design, row, point)
        expected = stats.norm.logpdf(y, mean, np.sqrt(variance)) - np.log(design.scaling.y_spread)
        assert found == pytest.approx(expected, rel=1e-9)


def test_a_large_deviation_next_to_a_small_noise_keeps_its_digits() -> None:
    design = case("balanced")
    point = np.array([[0.1, -0.2, 0.3, 0.05, 40.0, 25.0]])
    mean, variance = dense_predictive(design, 5, point[0])
    density, _ = leave_out(design, 5).predictive(point)
    y = stan_rows(design)[1][5]
    expected = stats.norm.logpdf(y, mean, np.sqrt(variance)) - np.log(design.scaling.y_spread)
    assert density[0] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("scale", [True, False])
def test_linear_row_in_data_units(scale: bool) -> None:
    matrix = market(rows=30)
    design = build_linear_design(matrix, scale=scale, priors=[Prior("price", -50, 12)])
    rng = np.random.default_rng(1)
    coef, noise = rng.normal(size=(2, 5, 7)) * 10, rng.uniform(100, 300, size=(2, 5))
    draws = Draws(matrix.terms, coef, noise, {}, 10, {})
    density, cdf = leave_out(design, 4).predictive(posterior_points(design, draws))
    mean = draws.coef_flat @ matrix.values[4] + matrix.offset[4]
    np.testing.assert_allclose(density, stats.norm.logpdf(matrix.response[4], mean, draws.noise_flat), rtol=1e-8)
    np.testing.assert_allclose(cdf, stats.norm.cdf(matrix.response[4], mean, draws.noise_flat), rtol=1e-8, atol=1e-300)


def test_scaling_and_priors_stay_those_of_all_rows() -> None:
    linear = build_linear_design(market(rows=30), scale=True)
    pooled = build_pooled_design(market(rows=30), TWO, scale=True)
    for design in (linear, pooled, case("nested")):
        other = leave_out(design, 11).design
        assert other.parameters == design.parameters
        assert other.scaling is design.scaling
        assert other.statistics.rows == design.statistics.rows - 1
        kept = np.delete(np.arange(len(design.matrix.response)), 11)
        np.testing.assert_array_equal(other.matrix.response, design.matrix.response[kept])
        np.testing.assert_array_equal(other.matrix.rows, design.matrix.rows[kept])
    assert replace(linear).statistics.rows == 30


def test_pooled_points_are_base_terms_and_labels() -> None:
    matrix = market(rows=30)
    design = build_pooled_design(matrix, TWO, scale=True)
    rng = np.random.default_rng(4)
    names = list(pooled_columns_by_hand(matrix, TWO))
    raw = {"coef": rng.normal(size=(2, 3, len(names))), "noise_sd": rng.uniform(0.5, 1, size=(2, 3))}
    draws = pooled_draws(design, raw, {}, 10, {})
    points = posterior_points(design, draws)
    assert points.shape == (6, len(names) + 1)
    np.testing.assert_allclose(points[:, -1], raw["noise_sd"].reshape(-1))
    density, _ = leave_out(design, 2).predictive(points)
    mean = draws.coef_flat @ matrix.values[2] + matrix.offset[2]
    np.testing.assert_allclose(density, stats.norm.logpdf(matrix.response[2], mean, draws.noise_flat), rtol=1e-7)


def test_hierarchical_points_are_the_parameters_that_stan_drew() -> None:
    design = case("two_terms_one_factor")
    rng = np.random.default_rng(4)
    raw = {
        "coef": rng.normal(size=(2, 50, 3)),
        "noise_sd": rng.uniform(0.5, 1, size=(2, 50)),
        "group_sd": rng.uniform(0.5, 1, size=(2, 50, 2)),
    }
    draws = hierarchical_draws(design, raw, {}, 10, {})
    stacked = np.concatenate([raw["coef"], raw["noise_sd"][..., None], raw["group_sd"]], axis=2).reshape(100, -1)
    np.testing.assert_allclose(posterior_points(design, draws), stacked, rtol=1e-9)
    chosen = np.linspace(0, 99, 7).round().astype(int)
    np.testing.assert_allclose(posterior_points(design, draws, 7), stacked[chosen], rtol=1e-9)


def test_beyond_the_bounds_the_density_is_zero() -> None:
    design = build_linear_design(market(rows=30), scale=False, boundaries=[Bound("price", upper=0.0)])
    points = np.ones((2, 8))
    points[0, 5] = -1.0
    assert list(np.isfinite(leave_out(design, 0).log_density(points))) == [True, False]


@pytest.mark.parametrize("name", ["balanced", "nested", "crossed"])
def test_information_is_the_dense_one(name: str) -> None:
    design = case(name)
    X, y = stan_rows(design)
    Z, names = dense_design(design)
    K = X.shape[1]
    points = somewhere(design, 3)
    for point, precision, target in zip(points, *information(design, points), strict=True):
        spread = Z * column_sd(design, names, point[K + 1 :])
        V = point[K] ** 2 * np.eye(len(y)) + spread @ spread.T
        np.testing.assert_allclose(precision, X.T @ np.linalg.solve(V, X), rtol=1e-8)
        np.testing.assert_allclose(target, X.T @ np.linalg.solve(V, y), rtol=1e-8, atol=1e-10)


def other(name: str) -> str:
    """A free coefficient of the case whose prior mean is not zero on Stan's scale."""
    return "noise_sd" if name == "crossed" else "w"


@pytest.mark.parametrize("name", ["balanced", "nested", "crossed"])
def test_collapsed_density_integrates_the_free_coefficients_out(name: str) -> None:
    """Against the joint normal of all rows with the free coefficients in their covariance; `x` is bounded and stays."""
    design = case(name, priors=[Prior("x", 0.5, 0.3), Prior(other(name), 0.9, 0.2)], boundaries=[Bound("x", lower=0.0)])
    X, y = stan_rows(design)
    Z, names = dense_design(design)
    K, bounded = X.shape[1], design.matrix.terms.index("x")
    free = np.arange(K) != bounded
    sd, mean = (
        np.array([getattr(row, name) for row in design.parameters[:K]]) for name in ("scaled_sd", "scaled_mean")
    )
    points = somewhere(design, 4)
    points[:, bounded] = np.abs(points[:, bounded])
    for row in (0, 9):
        others = np.arange(len(y)) != row
        density, cdf = leave_out(design, row).collapsed(points)
        for point, found, share in zip(points, density, cdf, strict=True):
            spread = np.column_stack([Z * column_sd(design, names, point[K + 1 :]), X[:, free] * sd[free]])
            V = point[K] ** 2 * np.eye(len(y)) + spread @ spread.T
            left = y - X[:, free] @ mean[free] - X[:, bounded] * point[bounded]
            weights = np.linalg.solve(V[np.ix_(others, others)], V[others, row])
            z = (left[row] - weights @ left[others]) / np.sqrt(V[row, row] - weights @ V[others, row])
            root = np.sqrt(V[row, row] - weights @ V[others, row]) * design.scaling.y_spread
            assert found == pytest.approx(stats.norm.logpdf(z) - np.log(root), rel=1e-7)
            assert share == pytest.approx(stats.norm.cdf(z), rel=1e-6, abs=1e-12)


def test_collapsed_density_without_free_coefficients_is_the_plain_one() -> None:
    bounds = [Bound(term, lower=-1e3) for term in ("(Intercept)", "x", "w")]
    design = case("balanced", boundaries=bounds)
    points = somewhere(design)
    row = leave_out(design, 4)
    for plain, collapsed in zip(row.predictive(points), row.collapsed(points), strict=True):
        np.testing.assert_allclose(collapsed, plain, rtol=1e-10)
