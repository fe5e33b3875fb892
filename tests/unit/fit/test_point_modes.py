"""Modes in data units against ridge solutions and scipy's modes of row-wise densities; spreads likewise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from fake_stan import FakeRunner
from overrides import Bound, Prior
from panels import case, dense_conditional
from pooled_markets import TWO, market, pooled_columns_by_hand, sums_by_hand
from rowwise_modes import curvature, dense_density, dense_mode, rowwise_density, rowwise_mode

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled import build_pooled_design, pool_columns
from dsam_assets.fit.fitted import fit_metrics
from dsam_assets.fit.point import PointFit, PointSettings, fit_point
from dsam_assets.fit.runner import OptimiseSettings, StanMode
from dsam_assets.scales import FloatArray

SETTINGS = PointSettings(starts=2, seed=5, hessian=True)
NORMAL = [
    Prior("(Intercept)", 1.0, 2.0),
    Prior("m_tv", 0.0, 0.1),
    Prior("price", -0.5, 0.2),
    Prior("noise_sd", 0.2, 0.1),
]
LOGNORMAL = [*NORMAL[:3], Prior("noise_sd", 0.2, 0.1, "lognormal_ms")]
FLAT = [Prior(row.parameter, 0.0, 1e6) for row in NORMAL]
BOUNDS = [Bound("m_tv", upper=0.3), Bound("price", lower=-5.0), Bound("noise_sd", upper=0.31)]


def values(fit: PointFit, column: str = "estimate") -> FloatArray:
    return fit.optimisation_best[column].to_numpy()


def linear(matrix: ModelMatrix, priors: list[Prior], *, scale: bool = True, bounds: Any = ()) -> LinearDesign:
    return build_linear_design(matrix, scale=scale, priors=priors, boundaries=bounds)


@pytest.mark.parametrize("scale", [True, False])
def test_mode_for_a_known_noise_sd_is_the_ridge_solution(
    identity_matrix: ModelMatrix, fake_runner: FakeRunner, scale: bool
) -> None:
    known = 0.25
    design = linear(identity_matrix, NORMAL, scale=scale, bounds=[Bound("noise_sd", known, known * (1 + 1e-9))])
    fit = fit_point(design, SETTINGS, fake_runner)
    X, y = identity_matrix.values, identity_matrix.response - identity_matrix.offset
    mean, sd = (np.array([getattr(prior, field) for prior in NORMAL[:3]]) for field in ("mean", "sd"))
    covariance = np.linalg.inv(X.T @ X / known**2 + np.diag(sd**-2.0))
    np.testing.assert_allclose(values(fit)[:3], covariance @ (X.T @ y / known**2 + mean / sd**2), rtol=1e-6)
    np.testing.assert_allclose(values(fit, "sd")[:3], np.sqrt(np.diag(covariance)), rtol=1e-6)
    assert fit.optimisation_best["at_bound"].tolist() == ["none", "none", "none", "upper"]


@pytest.mark.parametrize("priors", [NORMAL, LOGNORMAL], ids=["normal", "lognormal"])
@pytest.mark.parametrize("bounds", [(), BOUNDS], ids=["free", "bounded"])
@pytest.mark.parametrize("scale", [True, False])
def test_joint_mode_is_scipys(
    identity_matrix: ModelMatrix, fake_runner: FakeRunner, scale: bool, bounds: Any, priors: list[Prior]
) -> None:
    """Coefficients and noise sd together, with bounds that hold two of them; scaled or not."""
    fit = fit_point(linear(identity_matrix, priors, scale=scale, bounds=bounds), SETTINGS, fake_runner)
    expected = rowwise_mode(identity_matrix, priors, bounds)
    np.testing.assert_allclose(values(fit), expected, rtol=2e-5)
    if bounds:
        assert fit.optimisation_best["at_bound"].tolist() == ["none", "upper", "none", "upper"]
        np.testing.assert_allclose(expected[[1, 3]], [0.3, 0.31], rtol=1e-9)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("bounds", [(), BOUNDS], ids=["free", "bounded"])
def test_sds_are_those_of_the_curvature(
    identity_matrix: ModelMatrix, fake_runner: FakeRunner, bounds: Any, scale: bool
) -> None:
    """Of the row-wise density in data units, given that parameters on a bound stay there."""
    fit = fit_point(linear(identity_matrix, NORMAL, scale=scale, bounds=bounds), SETTINGS, fake_runner)
    free = np.flatnonzero(fit.optimisation_best["at_bound"] == "none")
    assert len(free) == (2 if bounds else 4)
    hessian = curvature(lambda at: rowwise_density(identity_matrix, NORMAL, at), values(fit), np.full(4, 1e-3))
    expected = np.full(4, np.nan)
    expected[free] = np.sqrt(np.diag(np.linalg.inv(-hessian[np.ix_(free, free)])))
    np.testing.assert_allclose(values(fit, "sd"), expected, rtol=1e-3)
    notes = ["", "on its upper bound", "", "on its upper bound"] if bounds else [""] * 4
    assert fit.optimisation_best["note"].tolist() == notes


def test_flat_priors_give_least_squares_errors(log_matrix: ModelMatrix, fake_runner: FakeRunner) -> None:
    """sd σ̂ √diag (X'X)⁻¹ of the coefficients and σ̂ / √(2N) of σ̂² = |residual|² / N; scaled, so with centring."""
    design = linear(log_matrix, FLAT[1:])
    assert design.scaling.centred
    fit = fit_point(build_linear_design(log_matrix, scale=True, priors=FLAT[1:]), SETTINGS, fake_runner)
    X, y = log_matrix.values, log_matrix.response - log_matrix.offset
    coef = np.linalg.lstsq(X, y)[0]
    sigma = np.sqrt(np.mean((y - X @ coef) ** 2))
    np.testing.assert_allclose(values(fit)[1:], [*coef[1:], sigma], rtol=1e-3)
    errors = sigma * np.sqrt(np.diag(np.linalg.inv(X.T @ X)))
    np.testing.assert_allclose(values(fit, "sd")[1:], [*errors[1:], sigma / np.sqrt(60)], rtol=2e-3)


def test_draws_are_one_point_and_rmse_is_theirs(log_matrix: ModelMatrix, fake_runner: FakeRunner) -> None:
    fit = fit_point(linear(log_matrix, NORMAL), SETTINGS, fake_runner)
    assert fit.draws.is_point
    assert (fit.draws.coef.shape, fit.draws.noise_sd.shape, dict(fit.draws.sampler)) == ((1, 1, 3), (1, 1), {})
    np.testing.assert_array_equal(values(fit), [*fit.draws.coef[0, 0], fit.draws.noise_sd[0, 0]])
    metrics = fit_metrics(fit.draws, log_matrix).set_index("metric")
    np.testing.assert_allclose(fit.optimisation_runs["rmse"], metrics.loc["rmse", "mean"], rtol=1e-9)


def pooled_priors(pooled: ModelMatrix) -> list[Prior]:
    special = {"(Intercept)": (8000.0, 900.0), "trend": (250.0, 60.0), "price": (-50.0, 12.0)}
    coefficients = [Prior(term, *special.get(term, (0.5, 0.4))) for term in pooled.terms]
    return [*coefficients, Prior("noise_sd", 200.0, 100.0)]


@pytest.mark.parametrize("scale", [True, False])
def test_pooled_mode_is_that_of_the_labels_and_their_sums(fake_runner: FakeRunner, scale: bool) -> None:
    """Against scipy's mode of the linear model in base terms and labels; a bounded label sits on its bound."""
    matrix = market()
    pooled = pool_columns(matrix, TWO)
    priors = pooled_priors(pooled)
    bounds = [Bound("owner[us]", lower=1.5)]
    design = build_pooled_design(matrix, TWO, scale=scale, priors=priors, boundaries=bounds)
    best = fit_point(design, SETTINGS, fake_runner).optimisation_best.set_index("parameter")
    expected = dict(zip((*pooled.terms, "noise_sd"), rowwise_mode(pooled, priors, bounds), strict=True))
    sums = sums_by_hand(matrix, TWO, {name: np.array(value) for name, value in expected.items()})
    np.testing.assert_allclose(best["estimate"].loc[list(matrix.terms)], sums, rtol=1e-4)
    for name in pooled_columns_by_hand(matrix, TWO):
        if name in TWO.label_names:
            assert best.loc[name, "estimate"] == pytest.approx(expected[name], rel=1e-4)
    assert best.index[best["at_bound"] != "none"].tolist() == ["owner[us]"]


def test_pooled_sds_count_the_correlation_of_labels(fake_runner: FakeRunner) -> None:
    """The sd of a sum of label coefficients from their joint covariance, row by row in data units."""
    matrix = market()
    pooled = pool_columns(matrix, TWO)
    priors = pooled_priors(pooled)
    design = build_pooled_design(matrix, TWO, scale=True, priors=priors)
    fit = fit_point(design, SETTINGS, fake_runner)
    best = fit.optimisation_best.set_index("parameter")
    point = best["estimate"].loc[[*pooled.terms, "noise_sd"]].to_numpy()
    sd = best["sd"].loc[[*pooled.terms, "noise_sd"]].to_numpy()
    covariance = np.linalg.inv(-curvature(lambda at: rowwise_density(pooled, priors, at), point, 0.05 * sd))
    np.testing.assert_allclose(sd, np.sqrt(np.diag(covariance)), rtol=1e-3, equal_nan=False)
    parts = np.array([name in TWO.labels_of("m_tv_a") for name in (*pooled.terms, "noise_sd")], dtype=float)
    assert best.loc["m_tv_a", "sd"] == pytest.approx(np.sqrt(parts @ covariance @ parts), rel=1e-3)
    assert best.loc["m_tv_a", "sd"] < 0.8 * np.sqrt(parts @ sd**2)


# --- hierarchical ---------------------------------------------------------------------------------------------------

PANEL = [
    Prior("(Intercept)", 20.0, 6.0), Prior("x", 1.0, 1.0), Prior("w", -1.0, 1.0), Prior("noise_sd", 1.0, 1.0),
    Prior("sd_1[(Intercept)]", 2.0, 2.0), Prior("sd_1[x]", 0.5, 0.5),
]  # fmt: skip


class Dense:
    """Optimises the dense normal density of all rows at once with scipy."""

    def __init__(self, design: HierarchicalDesign) -> None:
        self.design = design

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        K, point = data["K"], dense_mode(self.design)
        found = {"coef": point[:K], "noise_sd": np.array(point[K]), "group_sd": point[K + 1 :]}
        return StanMode(found, dense_density(self.design, point), True, "Convergence detected: scipy", None, "0.0.0")


@pytest.fixture
def panel_fit() -> Callable[..., tuple[HierarchicalDesign, PointFit]]:
    def fit(**options: Any) -> tuple[HierarchicalDesign, PointFit]:
        design = case("unbalanced", **options)
        return design, fit_point(design, PointSettings(starts=1, seed=5, hessian=True), Dense(design))  # type: ignore[arg-type]

    return fit


def test_hierarchical_mode_and_deviations(panel_fit: Callable[..., Any]) -> None:
    """The dense mode is one by the exact derivatives; deviations are their conditional means."""
    design, fit = panel_fit()
    (row,) = fit.optimisation_runs.to_dict("records")
    assert row["converged"], row["message"]
    assert row["log_posterior_gap"] < 1e-8
    K = len(design.matrix.terms)
    point = np.array([fit.draws.parameters[parameter.name][0, 0] for parameter in design.parameters])
    assert values(fit) == pytest.approx(point)
    b = design.scaling.coefficient_factor() * point[:K]
    b[0] += (point[:K] @ design.scaling.x_center - design.scaling.y_center) / design.scaling.y_spread
    mean, _ = dense_conditional(design, b, point[K + 1 :] * design.sd_factor, point[K] / design.scaling.y_spread)
    mean = mean.reshape(len(design.groups[0].levels), 2) / design.group_scalings[0].sd_factor
    mean[:, 0] -= mean @ design.group_scalings[0].center
    (deviations,) = fit.draws.deviations
    np.testing.assert_allclose(deviations.values[0, 0], mean, rtol=1e-6, atol=1e-8)
    assert np.ptp(mean[:, 1]) > 0.1
    metrics = fit_metrics(fit.draws, design.matrix).query("group == 'all'").set_index("metric")
    assert row["rmse"] == pytest.approx(metrics.loc["rmse", "mean"])


def test_hierarchical_sds_are_those_of_the_dense_curvature(panel_fit: Callable[..., Any]) -> None:
    design, fit = panel_fit(priors=PANEL, scale=False)
    hessian = curvature(lambda at: dense_density(design, at), values(fit), 1e-2 * values(fit, "sd"))
    np.testing.assert_allclose(values(fit, "sd"), np.sqrt(np.diag(np.linalg.inv(-hessian))), rtol=1e-3, equal_nan=False)


def test_hierarchical_mode_does_not_depend_on_scaling(panel_fit: Callable[..., Any]) -> None:
    (_, scaled), (_, plain) = panel_fit(priors=PANEL), panel_fit(priors=PANEL, scale=False)
    np.testing.assert_allclose(values(scaled), values(plain), atol=1e-4 * np.nanmin(values(plain, "sd")))
    np.testing.assert_allclose(values(scaled, "sd"), values(plain, "sd"), rtol=1e-4, equal_nan=False)


def test_groups_that_are_alike_have_a_mode_without_spread(panel_fit: Callable[..., Any]) -> None:
    """A prior that is tight at zero: the spread of slopes is zero, and the other sds are those given that it is."""
    _, fit = panel_fit(priors=[Prior("sd_1[x]", 0.0, 0.02)])
    best = fit.optimisation_best.set_index("parameter")
    assert best.loc["sd_1[x]", "estimate"] == pytest.approx(0.0, abs=1e-6)
    assert best.loc["sd_1[x]", ["at_bound", "note"]].tolist() == ["lower", "on its lower bound"]
    assert best["sd"].isna().sum() == 1
    assert fit.optimisation_runs["converged"].all()
