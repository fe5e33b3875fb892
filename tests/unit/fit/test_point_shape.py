"""Which bound a mode lies on, what is left to gain, and where there is no spread to speak of."""

from __future__ import annotations

import numpy as np
import pytest
from fake_stan import FakeRunner, joint_mode
from overrides import Bound, Prior
from panels import case

from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.log_posterior import LogPosterior, log_posterior
from dsam_assets.fit.point import PointSettings, fit_point
from dsam_assets.fit.point_shape import PointShape, point_shape, standard_deviations
from dsam_assets.fit.stan_input import linear_input
from dsam_assets.scales import FloatArray


def at_mode(design: LinearDesign) -> tuple[LogPosterior, FloatArray]:
    coef, sigma = joint_mode(linear_input(design))
    return log_posterior(design.parameters, design.statistics), np.append(coef, sigma)


def bounded(matrix: ModelMatrix, *bounds: Bound, priors: tuple[Prior, ...] = ()) -> LinearDesign:
    return build_linear_design(matrix, scale=False, priors=priors, boundaries=bounds)


@pytest.fixture
def free(identity_matrix: ModelMatrix) -> FloatArray:
    """The mode without bounds, in data units."""
    return at_mode(bounded(identity_matrix))[1]


@pytest.mark.parametrize("distance", [0.0, 1e-6, 1e-4])
@pytest.mark.parametrize(("side", "sign"), [("lower", 1), ("upper", -1)])
def test_a_bound_that_holds_the_mode_back(
    identity_matrix: ModelMatrix, free: FloatArray, side: str, sign: int, distance: float
) -> None:
    """Whether the climb ended on it or, as Stan's do, a little before."""
    design = bounded(identity_matrix, Bound("m_tv", **{side: free[1] + sign * 0.1}))
    posterior, point = at_mode(design)
    assert point[1] == pytest.approx(free[1] + sign * 0.1)
    point[1] += sign * distance
    shape = point_shape(posterior, point)
    assert shape.at_bound == ("none", side, "none", "none")
    assert shape.covariance is not None
    np.testing.assert_array_equal(shape.covariance[1], 0)
    assert shape.gap < 1e-4


@pytest.mark.parametrize(("side", "sign"), [("lower", -1), ("upper", 1)])
def test_a_bound_just_behind_the_mode_does_not_hold_it(
    identity_matrix: ModelMatrix, free: FloatArray, side: str, sign: int
) -> None:
    """A hundredth of a standard deviation further out the log posterior falls already."""
    shape = point_shape(*at_mode(bounded(identity_matrix)))
    assert shape.covariance is not None
    near = 0.01 * np.sqrt(shape.covariance[1, 1])
    posterior, point = at_mode(bounded(identity_matrix, Bound("m_tv", **{side: free[1] + sign * near})))
    assert point_shape(posterior, point).at_bound == ("none",) * 4


def test_far_bounds_do_not_matter(identity_matrix: ModelMatrix) -> None:
    posterior, point = at_mode(bounded(identity_matrix, Bound("m_tv", -50.0, 50.0), Bound("noise_sd", 0.0, 9.0)))
    assert point_shape(posterior, point).at_bound == ("none",) * 4


def test_the_gap_is_what_a_quadratic_still_has_to_gain(identity_matrix: ModelMatrix) -> None:
    """With the noise sd held by its bounds the log posterior is a quadratic, and the gap exact."""
    posterior, mode = at_mode(bounded(identity_matrix, Bound("noise_sd", 0.3, 0.3 * (1 + 1e-12))))
    away = mode + np.array([0.1, -0.2, 0.05, 0.0])
    shape = point_shape(posterior, away)
    assert shape.gap == pytest.approx(posterior.expand(mode).value - posterior.expand(away).value, rel=1e-6)
    assert shape.gap > 0.1


@pytest.mark.parametrize("family", ["normal", "lognormal_ms"])
def test_group_spread_at_zero(family: str) -> None:
    """A normal prior lets the mode lie at zero spread; a lognormal one falls to zero there and is not even asked."""
    design = case("balanced", priors=[Prior("sd_1[x]", 0.01 if family == "lognormal_ms" else 0.0, 0.01, family)])
    posterior = log_posterior(design.parameters, design.statistics, [2])
    point = np.array([0.0, 0.13, -0.48, 0.18, 0.7, 1e-6])
    found = point_shape(posterior, point).at_bound[-1]
    assert found == ("lower" if family == "normal" else "none")


def test_where_nothing_curves_downwards_there_is_no_spread(identity_matrix: ModelMatrix) -> None:
    """Far above the mode the log posterior is convex in the noise sd."""
    design = bounded(identity_matrix, priors=(Prior("noise_sd", 0.3, 1e6),))
    posterior, point = at_mode(design)
    point[-1] *= 3
    shape = point_shape(posterior, point)
    assert shape.covariance is None
    assert np.isnan(shape.gap)
    assert np.isnan(standard_deviations(shape, {"m_tv": np.eye(4)[1]})["m_tv"])


def test_a_sum_of_bounded_parts_has_no_sd() -> None:
    shape = PointShape(("none", "lower", "lower"), 0.0, np.diag([4.0, 0.0, 0.0]))
    slopes = {"free": np.array([0.5, 0, 0]), "mixed": np.array([1.0, 1, 0]), "held": np.array([0.0, 1, 1])}
    found = standard_deviations(shape, slopes)
    assert (found["free"], found["mixed"]) == (1.0, 2.0)
    assert np.isnan(found["held"])


def test_a_bound_on_the_noise_sd_shows_in_the_table(identity_matrix: ModelMatrix, fake_runner: FakeRunner) -> None:
    design = build_linear_design(identity_matrix, scale=True, boundaries=[Bound("noise_sd", lower=0.5)])
    best = fit_point(design, PointSettings(starts=1, seed=5, hessian=True), fake_runner).optimisation_best
    assert best.set_index("parameter")["at_bound"].to_dict()["noise_sd"] == "lower"
    assert best["estimate"].iloc[-1] == pytest.approx(0.5)
