"""Coordinates against dense normals, explicit densities and general optimisers."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import case, dense_log_density
from scipy import optimize, stats

from dsam_assets.design.group_whitening import ROUNDS, Spread, marginal_rows, plausible_spread
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.whitening import Rows, SoftBounds, plausible_noise, prior_rows, stacked, whiten
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray


def problem(rows: int = 30, terms: int = 5, condition: float = 10.0, seed: int = 3) -> Rows:
    """Rows with the given condition number, and weak priors."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.normal(size=(rows, terms)))
    turn, _ = np.linalg.qr(rng.normal(size=(terms, terms)))
    X = 8 * Q @ np.diag(np.geomspace(1, 1 / condition, terms)) @ turn.T
    y = X @ np.linspace(1, -1, terms) + rng.normal(size=rows)
    return stacked([Rows(X, y), prior_rows(np.full(terms, 0.1), np.full(terms, 5.0))])


def bounds_of(terms: int, bounded: dict[int, tuple[float, float]]) -> tuple[FloatArray, FloatArray]:
    lower, upper = np.full(terms, -inf), np.full(terms, inf)
    for position, (low, high) in bounded.items():
        lower[position], upper[position] = low, high
    return lower, upper


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e5])
def test_unbounded_coordinates_are_exactly_standard_normal(condition: float) -> None:
    """The density in the coordinates has the identity as its precision and zero as its mode."""
    rows = problem(condition=condition)
    made = whiten(rows, *bounds_of(5, {}))
    image = rows.factor @ made.unbounded_spread
    np.testing.assert_allclose(image.T @ image, np.eye(5), atol=1e-9)
    solution = np.linalg.lstsq(rows.factor, rows.target, rcond=None)[0]
    np.testing.assert_allclose(made.unbounded_center, solution, rtol=1e-6)
    assert made.bounded.size == made.softness.size == 0


@pytest.mark.parametrize(("rows", "stretch"), [(0, 1.0), (50, 10.0), (10**6, 50.0)])
def test_coordinates_can_be_as_sharp_as_the_noise(rows: int, stretch: float) -> None:
    """log(residual sd) has the posterior sd 1 / √(2 rows); only the spreads change."""
    made = whiten(problem(), *bounds_of(5, {1: (0, inf), 3: (-2, 2)}))
    beside = made.beside_noise(rows)
    np.testing.assert_allclose(beside.unbounded_spread, stretch * made.unbounded_spread)
    np.testing.assert_allclose(beside.bounded_spread, stretch * made.bounded_spread)
    for name in ("bounded_center", "softness", "unbounded_center", "unbounded_slope"):
        np.testing.assert_array_equal(getattr(beside, name), getattr(made, name))


def test_unbounded_ones_follow_the_bounded_ones() -> None:
    """Center and slope are the least-squares solution given the bounded coefficients, whatever these are."""
    rows = problem(condition=1e3)
    made = whiten(rows, *bounds_of(5, {1: (0, inf), 3: (-2, 2)}))
    assert (made.bounded.tolist(), made.unbounded.tolist()) == ([1, 3], [0, 2, 4])
    X = rows.factor[:, made.unbounded]
    for fixed in (np.array([0.0, 0.0]), np.array([7.0, -1.5])):
        given_these = rows.target - rows.factor[:, made.bounded] @ fixed
        expected = np.linalg.lstsq(X, given_these, rcond=None)[0]
        np.testing.assert_allclose(made.unbounded_center + made.unbounded_slope @ fixed, expected, rtol=1e-7)
    image = X @ made.unbounded_spread
    np.testing.assert_allclose(image.T @ image, np.eye(3), atol=1e-10)


def test_bounds_far_away_change_nothing() -> None:
    """v is then the coefficient, with the mean and covariance of the whole normal posterior."""
    rows = problem()
    made = whiten(rows, *bounds_of(5, {0: (-400.0, inf), 2: (-inf, 400.0), 4: (-400.0, 400.0)}))
    covariance = np.linalg.inv(rows.factor.T @ rows.factor)
    solution = np.linalg.lstsq(rows.factor, rows.target, rcond=None)[0]
    np.testing.assert_allclose(made.bounded_center, solution[[0, 2, 4]], atol=1e-6)
    np.testing.assert_allclose(
        made.bounded_spread @ made.bounded_spread.T, covariance[np.ix_([0, 2, 4], [0, 2, 4])], rtol=1e-6
    )
    given_others = 1 / np.sqrt(np.diag(np.linalg.inv(covariance[np.ix_([0, 2, 4], [0, 2, 4])])))
    np.testing.assert_allclose(made.softness, given_others, rtol=1e-9)


BITING = {0: (1.2, inf), 2: (-inf, -0.4), 3: (-0.2, 0.1), 4: (0.0, inf)}


@pytest.mark.parametrize("condition", [10.0, 1e3])
def test_center_is_the_mode_where_bounds_bite(condition: float) -> None:
    """The density of v written out again, its slope by differences, and climbed by a general optimiser."""
    rows = problem(condition=condition)
    lower, upper = bounds_of(5, BITING)
    made = whiten(rows, lower, upper)
    free, bounded = rows.factor[:, made.unbounded], rows.factor[:, made.bounded]
    soft = SoftBounds(lower[made.bounded], upper[made.bounded], made.softness)

    def cost(white: FloatArray) -> float:
        v = made.bounded_center + made.bounded_spread @ white
        left = rows.target - bounded @ soft.value(v)
        left = left - free @ np.linalg.lstsq(free, left, rcond=None)[0]
        step = 1e-6 * made.softness
        slope = (soft.value(v + step) - soft.value(v - step)) / (2 * step)
        return float(0.5 * left @ left - np.log(slope).sum())

    start = 0.5 * np.random.default_rng(1).normal(size=4)
    found = optimize.minimize(
        cost, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 4000}
    )
    assert found.success
    np.testing.assert_allclose(found.x, 0.0, atol=2e-3)
    # Near the mode the coordinates are about standard normal in every direction.
    directions = np.vstack([np.eye(4), np.ones(4) / 2, [0.5, -0.5, 0.5, -0.5]])
    curvature = [(cost(0.1 * d) + cost(-0.1 * d) - 2 * cost(np.zeros(4))) / 0.01 for d in directions]
    assert np.all((np.array(curvature) > 0.4) & (np.array(curvature) < 1.6)), curvature


def test_soft_bounds_keep_their_bounds_and_know_their_slopes() -> None:
    soft = SoftBounds(
        np.array([0.5, -inf, -1.0, 2.0]), np.array([inf, 0.0, 3.0, 2.001]), np.array([0.3, 2.0, 0.5, 0.001])
    )
    v = np.array([0.5, -2.0, -0.5, 0.0, 0.4, 1.0, 2.0, 2.5, 3.5])
    values = np.array([soft.value(np.full(4, x)) for x in v])
    assert np.all((soft.lower <= values) & (values <= soft.upper))
    far = soft.value(np.array([30.0, -80.0, 1.0, 2.0005]))
    np.testing.assert_allclose(far[:3], [30.0, -80.0, 1.0], atol=1e-2)
    # Slopes by differences, but for one factor per coefficient.
    points = np.array([[0.6, 0.1, -0.9, 2.0002], [0.2, 0.5, 2.9, 2.0009], [1.0, -3.0, 3.3, 1.9995]])
    slope = np.array([(soft.value(p + 1e-7) - soft.value(p - 1e-7)) / 2e-7 for p in points])
    difference = np.log(slope) - np.array([soft.log_slope(p) for p in points])
    np.testing.assert_allclose(difference, np.broadcast_to(difference[0], difference.shape), atol=1e-4)


def test_plausible_noise_is_the_likeliest() -> None:
    """Against the density of all rows with the coefficients integrated out, maximised by bisection."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(12, 4))
    y = X @ [1.0, -1.0, 0.0, 2.0] + 0.7 * rng.normal(size=12)
    sd = np.array([0.5, 2.0, 1.0, 3.0])
    R = np.linalg.qr(np.column_stack([X, y]), mode="r")
    found = plausible_noise(Rows(R[:4, :4], R[:4, 4]), prior_rows(np.ones(4), sd), 12, float(R[4, 4] ** 2))

    def cost(log_sd: float) -> float:
        covariance = np.exp(2 * log_sd) * np.eye(12) + (X * sd**2) @ X.T
        return -float(stats.multivariate_normal(X @ np.ones(4), covariance).logpdf(y))

    best = float(np.exp(optimize.minimize_scalar(cost, bounds=(-3, 2), method="bounded").x))
    assert found == pytest.approx(best, rel=0.01)


def parts_of(design: HierarchicalDesign) -> tuple[list[np.ndarray], Rows, FloatArray]:
    """Which sd each block's deviations have, the coefficients' priors and a first guess."""
    first = np.cumsum([0, *(len(group.terms) for group in design.groups)])
    index = [first[block.deviations.term] + block.deviations.effect for block in design.statistics.blocks]
    K = len(design.matrix.terms)
    return index, prior_rows(np.zeros(K), np.full(K, 5.0)), np.full(len(design.sd_names), 0.5)


@pytest.mark.parametrize("name", ["balanced", "nested", "crossed", "unbalanced"])
def test_rows_are_those_of_the_dense_normal(name: str) -> None:
    """Information and score of the coefficients, against differences of the density of all rows at once."""
    design = case(name)
    index, priors, guess = parts_of(design)
    rows = marginal_rows(design.statistics, index, priors, guess)
    spread = plausible_spread(design.statistics, index, priors, guess)
    K = len(design.matrix.terms)

    def density(coef: FloatArray) -> float:
        prior = stats.norm.logpdf(coef, 0, 5).sum()
        return prior + dense_log_density(design, coef, np.sqrt(spread.groups), float(np.sqrt(spread.noise)))

    def own(coef: FloatArray) -> float:
        left = rows.target - rows.factor @ coef
        return -0.5 * float(left @ left)

    points = np.random.default_rng(2).normal(size=(6, K))
    differences = [density(point) - own(point) for point in points]
    assert np.ptp(differences) < 1e-6
    assert np.ptp([own(point) for point in points]) > 10


def test_plausible_spread_climbs_the_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds lead uphill, and many of them to where the likelihood is flat."""
    design = case("balanced")
    index, _, guess = parts_of(design)
    flat = prior_rows(np.zeros(len(design.matrix.terms)), np.full(len(design.matrix.terms), 1e4))

    def density(spread: Spread) -> float:
        """The likelihood, highest over the coefficients."""
        sds = np.sqrt(spread.groups), float(np.sqrt(spread.noise))
        rows = marginal_rows_at(design, index, flat, spread)
        return dense_log_density(design, np.linalg.lstsq(rows.factor, rows.target, rcond=None)[0], *sds)

    assert ROUNDS == 5
    found = []
    for rounds in (0, 1, 5, 400):
        monkeypatch.setattr("dsam_assets.design.group_whitening.ROUNDS", rounds)
        found.append(plausible_spread(design.statistics, index, flat, guess))
    heights = [density(spread) for spread in found]
    assert heights[0] < heights[1] < heights[2] < heights[3] + 1e-9
    best = found[-1]
    for change in (0.97, 1.03):
        assert density(Spread(best.noise * change, best.groups)) < heights[-1]
        for t in range(len(best.groups)):
            moved = best.groups * np.where(np.arange(len(best.groups)) == t, change, 1.0)
            assert density(Spread(best.noise, moved)) < heights[-1] + 1e-5


def marginal_rows_at(design: HierarchicalDesign, index: list[np.ndarray], priors: Rows, spread: Spread) -> Rows:
    """Rows at given variances, block by block."""
    statistics = design.statistics
    parts = [priors, Rows(statistics.R, statistics.z).divided(float(np.sqrt(spread.noise)))]
    for block, which in zip(statistics.blocks, index, strict=True):
        V = spread.noise * np.eye(len(block.y)) + (block.F * spread.groups[which]) @ block.F.T
        values, vectors = np.linalg.eigh(V)
        root = (vectors / np.sqrt(values)) @ vectors.T
        parts.append(Rows(root @ block.X, root @ block.y))
    return stacked(parts)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 8), st.sampled_from([0.0, 1e-9, 1e-3, 1.0]))
def test_any_problem_gets_finite_coordinates(seed: int, rows: int, terms: int, apart: float) -> None:
    """Duplicate columns, columns of zeros, units far apart, fewer rows than terms, bounds of every kind."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 1)) + apart * rng.normal(size=(rows, terms))
    X = X * 10.0 ** rng.integers(-6, 7, size=terms) * (rng.uniform(size=terms) < 0.9)
    y = 10.0 ** rng.integers(-6, 7) * rng.normal(size=rows)
    prior = prior_rows(rng.normal(size=terms), 10.0 ** rng.integers(-3, 9, size=terms))
    kind = rng.integers(0, 4, size=terms)
    low = rng.normal(size=terms) * 10.0 ** rng.integers(-3, 4, size=terms)
    lower = np.where(kind % 2 == 1, low, -inf)
    upper = np.where(kind >= 2, low + 10.0 ** rng.integers(-4, 4, size=terms), inf)
    noise = plausible_noise(Rows(X, y), prior, rows, 0.0)
    assert np.isfinite(noise)
    assert noise > 0
    made = whiten(stacked([Rows(X, y).divided(noise), prior]), lower, upper)
    for name in (
        "bounded_center",
        "bounded_spread",
        "softness",
        "unbounded_center",
        "unbounded_slope",
        "unbounded_spread",
    ):
        assert np.isfinite(getattr(made, name)).all(), name
    assert np.all(made.softness > 0)


def test_refuses_what_is_not_finite() -> None:
    rows = problem()
    rows.factor[2, 1] = np.inf
    with pytest.raises(DesignError, match="not finite"):
        whiten(rows, *bounds_of(5, {0: (0.0, inf)}))
