"""Moment matching against exact leave-one-out where plain PSIS fails, and the scale without bounds it works on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from overrides import Bound, Prior
from scipy import stats
from test_loo import CHAINS, PRIOR_SD, SIGMA, exact_draws, exact_loo, make_matrix, run

from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray
from dsam_assets.selection.left_out import leave_out, posterior_points
from dsam_assets.selection.loo import LooResult
from dsam_assets.selection.moment_match import Affine, moment_match
from dsam_assets.selection.psis import tail_length
from dsam_assets.selection.refinements import influential, matched
from dsam_assets.selection.unconstrained import Bounds, bounds_of

NOISE_SPREAD = 1e-4


def conjugate_design(matrix: ModelMatrix, *, scale: bool = True) -> LinearDesign:
    """The conjugate model of `test_loo` as a design: its noise sd is known but for a ten-thousandth."""
    priors = [*(Prior(term, 0.0, PRIOR_SD) for term in matrix.terms), Prior("noise_sd", SIGMA, NOISE_SPREAD)]
    return build_linear_design(matrix, scale=scale, priors=priors)


def draws_of(matrix: ModelMatrix, size: int = 1000, seed: int = 4) -> Draws:
    noise = SIGMA + NOISE_SPREAD * np.random.default_rng(seed + 1).normal(size=(CHAINS, size))
    return replace(exact_draws(matrix, size, seed), noise_sd=noise)


@pytest.fixture(scope="module")
def outlier() -> tuple[LinearDesign, Draws, LooResult]:
    """Row 10 is an outlier with leverage: plain PSIS has k near 2 and misses its density by nats."""
    matrix = make_matrix(60, seed=3, outlier=True)
    draws = draws_of(matrix)
    return conjugate_design(matrix), draws, run(draws, matrix)


def test_repairs_the_row_where_plain_psis_fails(outlier: tuple[LinearDesign, Draws, LooResult]) -> None:
    design, draws, plain = outlier
    truth = exact_loo(design.matrix)
    assert list(influential(plain)) == [10]
    assert abs(plain.elpd_pointwise[10] - truth[10]) > 3
    better = matched(plain, design, draws, None)
    assert better.pareto_k[10] < 0.7
    assert better.elpd_pointwise[10] == pytest.approx(truth[10], abs=0.1)
    assert better.elpd_loo == pytest.approx(truth.sum(), abs=0.15)
    assert list(np.flatnonzero(better.method == "moment_match")) == [10]
    others = np.arange(60) != 10
    np.testing.assert_array_equal(better.elpd_pointwise[others], plain.elpd_pointwise[others])
    assert better.k_counts["above_warn"] == 0
    assert better.notes == ("1 of 1 rows with a high Pareto k were improved by moment matching.",)
    assert better.warnings == better.notes


def test_p_loo_follows(outlier: tuple[LinearDesign, Draws, LooResult]) -> None:
    """p_loo of a row is its log density under the full posterior minus elpd; only the latter was wrong."""
    design, draws, plain = outlier
    better = matched(plain, design, draws, None)
    full = plain.elpd_pointwise + plain.p_loo_pointwise
    np.testing.assert_allclose(better.elpd_pointwise + better.p_loo_pointwise, full, rtol=1e-12)
    assert better.p_loo - plain.p_loo == pytest.approx(plain.elpd_loo - better.elpd_loo)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("size", [2.0, 4.0, 8.0])
def test_any_size_of_outlier(scale: bool, size: float) -> None:
    """Also where k is fine and nothing has to be moved."""
    matrix = make_matrix(60, seed=3, outlier=True)
    response = matrix.response.copy()
    response[10] += size - 8.0
    matrix = replace(matrix, response=response)
    design, draws = conjugate_design(matrix, scale=scale), draws_of(matrix)
    found = moment_match(leave_out(design, 10), posterior_points(design, draws), tail=tail_length(4000), good_k=0.7)
    assert found.pareto_k < 0.7
    assert found.elpd == pytest.approx(exact_loo(matrix)[10], abs=0.1)
    others = np.arange(60) != 10
    x, target = matrix.values, matrix.response - matrix.offset
    covariance = np.linalg.inv(x[others].T @ x[others] / SIGMA**2 + np.eye(3) / PRIOR_SD**2)
    mean = covariance @ x[others].T @ target[others] / SIGMA**2
    spread = np.sqrt(x[10] @ covariance @ x[10] + SIGMA**2)
    assert found.pit == pytest.approx(stats.norm.cdf(target[10], x[10] @ mean, spread), abs=0.01)


def test_a_bound_that_bites_is_kept() -> None:
    """One coefficient, bounded below and cut deep by its bound: against quadrature over it."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=25)
    x[3] = 6.0
    y = 0.1 * x + SIGMA * rng.normal(size=25)
    y[3] = 4.5
    matrix = ModelMatrix(("x",), x[:, None], y, np.zeros(25), "kpi", "identity", np.arange(25), {})
    priors = [Prior("x", 0.0, PRIOR_SD), Prior("noise_sd", SIGMA, NOISE_SPREAD)]
    design = build_linear_design(matrix, scale=True, priors=priors, boundaries=[Bound("x", lower=0.0)])
    grid = np.linspace(0, 3, 200_001)

    def posterior(rows: FloatArray) -> FloatArray:
        log = stats.norm.logpdf(y[rows][:, None], x[rows][:, None] * grid, SIGMA).sum(axis=0)
        log += stats.norm.logpdf(grid, 0, PRIOR_SD)
        mass = np.exp(log - log.max())
        return np.asarray(mass / mass.sum())

    coef = rng.choice(grid, size=(4, 2000), p=posterior(np.arange(25)))[..., None]
    noise = SIGMA + NOISE_SPREAD * rng.normal(size=(4, 2000))
    draws = Draws(("x",), coef + 1e-6 * rng.uniform(size=coef.shape), noise, {}, 10, {})
    others = posterior(np.delete(np.arange(25), 3))
    truth = np.log(others @ stats.norm.pdf(y[3], x[3] * grid, SIGMA))
    assert others[grid < 0.02].sum() > 0.1
    plain = run(draws, matrix)
    assert plain.pareto_k[3] > 0.7
    assert abs(plain.elpd_pointwise[3] - truth) > 0.5
    found = moment_match(leave_out(design, 3), posterior_points(design, draws), tail=tail_length(8000), good_k=0.7)
    assert found.pareto_k < 0.7
    assert found.elpd == pytest.approx(truth, abs=0.15)


def test_nothing_to_improve_is_nothing_done() -> None:
    matrix = make_matrix(60, seed=1)
    draws = draws_of(matrix)
    plain = run(draws, matrix)
    assert matched(plain, conjugate_design(matrix), draws, None) is plain


def test_same_draws_same_numbers(outlier: tuple[LinearDesign, Draws, LooResult]) -> None:
    design, draws, plain = outlier
    first, second = (matched(plain, design, draws, None).elpd_pointwise for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_thinned_draws_are_those_that_were_scored(outlier: tuple[LinearDesign, Draws, LooResult]) -> None:
    design, draws, _ = outlier
    plain = run(draws, design.matrix, max_draws=1500)
    better = matched(plain, design, draws, 1500)
    assert better.elpd_pointwise[10] == pytest.approx(exact_loo(design.matrix)[10], abs=0.2)


def test_affine_maps() -> None:
    rng = np.random.default_rng(0)
    first, second = (Affine(*rng.normal(size=(2, 3)), rng.normal(size=(3, 3))) for _ in range(2))
    points = rng.normal(size=(5, 3))
    both = second.after(first)
    np.testing.assert_allclose(both(points), second(first(points)))
    np.testing.assert_allclose(both.inverse(both(points)), points)
    assert both.log_determinant == pytest.approx(first.log_determinant + second.log_determinant)
    assert first.log_determinant == pytest.approx(np.log(abs(np.linalg.det(first.matrix))))


BOUNDS = Bounds(np.array([-np.inf, 2.0, -np.inf, -1.0]), np.array([np.inf, np.inf, 5.0, 3.0]))


def test_free_points_go_back_where_they_came_from() -> None:
    free = np.random.default_rng(0).normal(size=(50, 4)) * 3
    points, _ = BOUNDS.bounded(free)
    assert (points >= BOUNDS.lower).all()
    assert (points <= BOUNDS.upper).all()
    np.testing.assert_allclose(BOUNDS.free(points), free, atol=1e-9)


def test_jacobian_is_the_derivative() -> None:
    free, step = np.random.default_rng(1).normal(size=(20, 4)), 1e-6
    slope = (BOUNDS.bounded(free + step)[0] - BOUNDS.bounded(free - step)[0]) / (2 * step)
    np.testing.assert_allclose(BOUNDS.bounded(free)[1], np.log(slope).sum(axis=1), atol=1e-7)


def test_draws_on_a_bound_stay_finite() -> None:
    assert np.isfinite(BOUNDS.free(np.array([[0.0, 2.0, 5.0, -1.0], [0.0, 2.0, 5.0, 3.0]]))).all()
    assert np.isfinite(BOUNDS.bounded(np.array([[900.0, -900.0, -900.0, 900.0]]))[0][:, [0, 1, 3]]).all()


def test_bounds_are_those_on_stans_scale() -> None:
    design = build_linear_design(make_matrix(30, 1), scale=True, boundaries=[Bound("m_tv", -0.1, 0.4)])
    bounds, factor = bounds_of(design.parameters), design.scaling.coefficient_factor()[1]
    np.testing.assert_allclose([bounds.lower[1], bounds.upper[1]], [-0.1 * factor, 0.4 * factor])
    assert (bounds.lower[-1], bounds.upper[-1]) == (0.0, np.inf)
