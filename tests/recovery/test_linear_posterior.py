"""Posteriors of the linear model through the core, against closed forms, quadrature, exact draws and equivalences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from recovery_cases import (
    Bound,
    Prior,
    RecordingRunner,
    assert_moments,
    assert_same_posterior,
    design_of,
    joined,
    mean_and_error,
    parameters,
    sample,
    settings,
)
from scipy import special

from dsam_assets.design.formula import parse_formula
from dsam_assets.design.labels import row_labels
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.matrix import ModelMatrix, build_model_matrix
from dsam_assets.diagnostics.residual_table import residual_table
from dsam_assets.fit.fitted import fitted_kpi_table, fitted_table
from dsam_assets.fit.sample import fit_linear
from dsam_assets.scales import FloatArray
from dsam_assets.selection.loo import psis_loo
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

INTERCEPT = "(Intercept)"
NOISE = "noise_sd"


def small_data(rows: int = 30, seed: int = 8, mean: float = 0.5) -> tuple[dict[str, FloatArray], FloatArray]:
    """An intercept and two correlated predictors with different units; few rows, so that priors matter."""
    rng = np.random.default_rng(seed)
    first = mean + rng.normal(size=rows)
    second = -0.3 + 0.4 * (0.6 * (first - mean) + 0.8 * rng.normal(size=rows))
    columns = {INTERCEPT: np.ones(rows), "a": first, "b": second}
    return columns, 1.0 + 0.3 * first - 0.8 * second + 1.5 * rng.normal(size=rows)


# --- scaling is a reparameterisation --------------------------------------------------------------------------------

EVERY_PRIOR = (
    Prior(INTERCEPT, 0.4, 0.3),
    Prior("a", 0.6, 0.2),
    Prior("b", -0.2, 0.5),
    Prior(NOISE, 1.2, 0.2, "lognormal_ms"),
)
EVERY_BOUND = (
    Bound(INTERCEPT, lower=0.2),
    Bound("a", lower=0.35, upper=2.0),
    Bound("b", upper=0.1),
    Bound(NOISE, 0.5, 1.6),
)


def test_scale_changes_nothing_when_every_parameter_is_overridden(stan: CmdStanRunner) -> None:
    """Priors as strong as the data and bounds that bite, so that a wrong conversion of any of them would show."""
    columns, response = small_data()
    response = 0.7 * response
    scaled = sample(design_of(columns, response, EVERY_PRIOR, EVERY_BOUND, scale=True), stan)
    plain = sample(design_of(columns, response, EVERY_PRIOR, EVERY_BOUND, scale=False), stan, seed=6)
    assert_same_posterior(scaled, plain)
    for draws in (scaled, plain):
        for bound in EVERY_BOUND:
            values = (
                draws.noise_flat if bound.parameter == NOISE else draws.coef_flat[:, draws.terms.index(bound.parameter)]
            )
            assert bound.lower < values.min()
            assert values.max() < bound.upper


# --- against quadrature ---------------------------------------------------------------------------------------------


type LogPrior = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Axis:
    """Range of one parameter; `hard` names the ends that are bounds of the model, where mass may pile up."""

    low: float
    high: float
    hard: str = ""

    def legendre(self, nodes: int = 80) -> tuple[FloatArray, FloatArray]:
        points, weights = np.polynomial.legendre.leggauss(nodes)
        return self.low + (self.high - self.low) * (points + 1) / 2, weights * (self.high - self.low) / 2


def quadrature_moments(
    X: FloatArray, y: FloatArray, axes: list[Axis], log_prior: LogPrior
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Posterior mean, sd and correlation of two coefficients and the noise sd, by Gauss–Legendre on a product grid.

    The likelihood is written row by row; nothing of the package takes part.
    """
    rules = [axis.legendre() for axis in axes]
    b0, b1, sigma = np.meshgrid(*(points for points, _ in rules), indexing="ij")
    weights = np.einsum("i,j,k->ijk", *(weight for _, weight in rules))
    sse = sum((value - x[0] * b0 - x[1] * b1) ** 2 for x, value in zip(X, y, strict=True))
    log_density = -len(y) * np.log(sigma) - sse / (2 * sigma**2) + log_prior(b0, b1, sigma)
    mass = weights * np.exp(log_density - log_density.max())
    share = mass / mass.sum()
    _require_whole(axes, share)
    points = np.stack([b0, b1, sigma])
    mean = np.einsum("pijk,ijk->p", points, share)
    centred = points - mean[:, None, None, None]
    covariance = np.einsum("pijk,qijk,ijk->pq", centred, centred, share)
    sd = np.sqrt(np.diag(covariance))
    return mean, sd, covariance / np.outer(sd, sd)


def _require_whole(axes: list[Axis], share: FloatArray) -> None:
    for position, axis in enumerate(axes):
        marginal = share.sum(axis=tuple({0, 1, 2} - {position}))
        for end, at in (("low", 0), ("high", -1)):
            assert end in axis.hard or marginal[at] < 1e-6, f"the grid cuts parameter {position} off at its {end} end"


def log_normal_density(value: FloatArray, mean: float, sd: float) -> FloatArray:
    return np.asarray(-(((value - mean) / sd) ** 2) / 2)


def log_lognormal_density(value: FloatArray, mean: float, sd: float) -> FloatArray:
    """Lognormal by its own mean and sd (moment matching written out again)."""
    variance = np.log(1 + sd**2 / mean**2)
    return np.asarray(-np.log(value) - (np.log(value) - np.log(mean) + variance / 2) ** 2 / (2 * variance))


def test_truncated_priors_and_unknown_noise_against_quadrature(stan: CmdStanRunner) -> None:
    """No intercept, one half normal and one doubly truncated coefficient, half-normal noise sd: the bounds cut deep."""
    columns, response = small_data(rows=15, mean=0.0)
    X = np.column_stack([columns["a"], columns["b"]])
    y = response - 1.0
    priors = (Prior("a", 0.0, 0.4), Prior("b", 0.2, 0.8), Prior(NOISE, 0.0, 1.0))
    bounds = (Bound("a", lower=0.0), Bound("b", lower=-1.0, upper=0.5))
    draws = sample(design_of({"a": X[:, 0], "b": X[:, 1]}, y, priors, bounds), stan)

    def log_prior(b0: FloatArray, b1: FloatArray, sigma: FloatArray) -> FloatArray:
        return log_normal_density(b0, 0.0, 0.4) + log_normal_density(b1, 0.2, 0.8) + log_normal_density(sigma, 0.0, 1.0)

    axes = [Axis(0.0, 2.5, "low"), Axis(-1.0, 0.5, "low high"), Axis(0.4, 5.0)]
    assert_moments(draws, *quadrature_moments(X, y, axes, log_prior))


@pytest.mark.parametrize("scale", [True, False])
def test_overridden_intercept_is_the_one_at_zero_predictors(stan: CmdStanRunner, scale: bool) -> None:
    """A prior and a bound on the intercept hold at x = 0, though the predictor lies far from there.

    Six rows, so that the noise sd's lognormal prior, given by mean and sd, shows as well.
    """
    columns, response = small_data(rows=6, mean=3.0)
    X = np.column_stack([columns[INTERCEPT], columns["a"]])
    priors = (Prior(INTERCEPT, 1.5, 0.8), Prior("a", 0.0, 1.0), Prior(NOISE, 1.0, 0.5, "lognormal_ms"))
    design = design_of(
        {INTERCEPT: X[:, 0], "a": X[:, 1]}, response, priors, (Bound(INTERCEPT, lower=1.0),), scale=scale
    )

    def log_prior(b0: FloatArray, b1: FloatArray, sigma: FloatArray) -> FloatArray:
        noise = log_lognormal_density(sigma, 1.0, 0.5)
        return log_normal_density(b0, 1.5, 0.8) + log_normal_density(b1, 0.0, 1.0) + noise

    axes = [Axis(1.0, 6.0, "low"), Axis(-4.0, 4.0), Axis(0.05, 9.0)]
    assert_moments(sample(design, stan), *quadrature_moments(X, response, axes, log_prior))


def test_default_priors_are_weak_on_the_standardised_scale(stan: CmdStanRunner) -> None:
    """What the prior table says in data units, integrated there: the intercept's prior is at the predictors' means."""
    columns, response = small_data(rows=6, mean=3.0)
    X = np.column_stack([columns[INTERCEPT], columns["a"]])
    spread_x, spread_y = X[:, 1].std(ddof=1), response.std(ddof=1)
    centre_x, centre_y = X[:, 1].mean(), response.mean()

    def log_prior(b0: FloatArray, b1: FloatArray, sigma: FloatArray) -> FloatArray:
        at_mean = log_normal_density(b0 + b1 * centre_x, centre_y, 5 * spread_y)
        return (
            at_mean
            + log_normal_density(b1, 0.0, 5 * spread_y / spread_x)
            + log_normal_density(sigma, 0.0, 5 * spread_y)
        )

    # Integrated over the intercept at the mean, where the posterior is round, and turned back afterwards.
    centred = np.column_stack([np.ones(6), X[:, 1] - centre_x])
    mean, sd, correlation = quadrature_moments(
        centred, response, [Axis(-25.0, 30.0), Axis(-35.0, 35.0), Axis(0.1, 45.0)],
        lambda level, slope, sigma: log_prior(level - slope * centre_x, slope, sigma),
    )  # fmt: skip
    covariance = correlation * np.outer(sd, sd)
    turn = np.array([[1.0, -centre_x, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    turned = turn @ covariance @ turn.T
    expected_sd = np.sqrt(np.diag(turned))
    draws = sample(design_of({INTERCEPT: X[:, 0], "a": X[:, 1]}, response), stan, sampling=8000)
    assert_moments(draws, turn @ mean, expected_sd)


# --- against exact draws and closed forms, noise sd pinned -----------------------------------------------------------

SIGMA = 1.5
PINNED = Bound(NOISE, SIGMA * 0.9999, SIGMA * 1.0001)


def exact_normal(X: FloatArray, y: FloatArray, mean: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of the coefficients given SIGMA under independent normal priors."""
    covariance = np.linalg.inv(X.T @ X / SIGMA**2 + np.diag(sd**-2.0))
    return covariance @ (X.T @ y / SIGMA**2 + mean / sd**2), covariance


COEFFICIENT_PRIORS = (Prior(INTERCEPT, 2.0, 1.0), Prior("a", 0.0, 0.7), Prior("b", 0.5, 0.9))
PRIOR_MEAN, PRIOR_SD = (np.array([getattr(prior, name) for prior in COEFFICIENT_PRIORS]) for name in ("mean", "sd"))


def test_uncentred_intercept_against_the_closed_form(stan: CmdStanRunner) -> None:
    columns, response = small_data(mean=4.0)
    design = design_of(columns, response, COEFFICIENT_PRIORS, (PINNED,))
    mean, covariance = exact_normal(design.matrix.values, response, PRIOR_MEAN, PRIOR_SD)
    sd = np.sqrt(np.diag(covariance))
    draws = sample(design, stan)
    assert_moments(draws, mean, sd)
    np.testing.assert_allclose(np.corrcoef(draws.coef_flat.T), covariance / np.outer(sd, sd), atol=0.05)


def test_bounded_coefficients_against_exact_rejection(stan: CmdStanRunner) -> None:
    """Given the noise sd the posterior is a truncated normal: draws of the normal, those out of bounds thrown away."""
    columns, response = small_data()
    bounds = (Bound("a", lower=0.4), Bound("b", lower=-0.9, upper=-0.1))
    draws = sample(design_of(columns, response, COEFFICIENT_PRIORS, (*bounds, PINNED)), stan)
    X = np.column_stack(list(columns.values()))
    mean, covariance = exact_normal(X, response, PRIOR_MEAN, PRIOR_SD)
    exact = np.random.default_rng(0).multivariate_normal(mean, covariance, size=400_000)
    kept = exact[(exact[:, 1] > 0.4) & (exact[:, 2] > -0.9) & (exact[:, 2] < -0.1)]
    assert 20_000 < len(kept) < 200_000, "bounds that neither bite nor leave too little"
    assert_moments(draws, kept.mean(axis=0), kept.std(axis=0), None)
    shares = (draws.coef[:, :, None, :] < np.quantile(kept, [0.1, 0.25, 0.5, 0.75, 0.9], axis=0)).astype(float)
    found, error = mean_and_error(shares.reshape(*draws.noise_sd.shape, -1))
    expected = np.repeat([0.1, 0.25, 0.5, 0.75, 0.9], 3)
    np.testing.assert_array_less(np.abs(found - expected) / np.hypot(error, 0.5 / np.sqrt(len(kept))), 4.5)


def test_collinear_bounded_terms_against_gibbs(stan: CmdStanRunner) -> None:
    """Six terms, three of which nearly repeat each other, bounds of every kind, noise sd unknown, all in data units."""
    rng = np.random.default_rng(17)
    rows = 40
    course = rng.normal(size=rows)
    columns = {
        "a": course + 0.1 * rng.normal(size=rows),
        "b": course + 0.1 * rng.normal(size=rows),
        "c": 50 * (course + 0.05 * rng.normal(size=rows)),
        "d": rng.normal(size=rows),
        "e": rng.gamma(2.0, size=rows),
        "f": rng.normal(size=rows),
    }
    X = np.column_stack(list(columns.values()))
    assert np.linalg.cond(X / X.std(axis=0)) > 20
    y = X @ [0.3, 0.0, 0.01, 0.5, -0.4, 0.1] + 0.8 * rng.normal(size=rows)
    mean, sd = np.array([0.0, 0.5, 0.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.02, 1.0, 1.0, 0.3])
    lower = np.array([0.0, 0.0, 0.0, -0.2, -np.inf, -np.inf])
    upper = np.array([np.inf, np.inf, np.inf, 0.6, -0.3, np.inf])
    priors = [Prior(name, mean[k], sd[k]) for k, name in enumerate(columns)]
    bounds = [
        Bound(name, lower[k], upper[k]) for k, name in enumerate(columns) if np.isfinite([lower[k], upper[k]]).any()
    ]
    draws = sample(design_of(columns, y, [*priors, Prior(NOISE, 0.5, 0.4)], bounds), stan, sampling=4000)
    exact = gibbs(X, y, mean, sd, lower, upper, Prior(NOISE, 0.5, 0.4))
    (found, error), (truth, truth_error) = mean_and_error(parameters(draws)), mean_and_error(exact)
    np.testing.assert_array_less(np.abs(found - truth) / np.hypot(error, truth_error), 4.5)
    np.testing.assert_allclose(joined(parameters(draws)).std(axis=0), joined(exact).std(axis=0), rtol=0.06)
    assert (np.quantile(joined(exact), 0.02, axis=0)[:3] < 0.05 * joined(exact).max(axis=0)[:3]).all(), "bounds bite"


def gibbs(
    X: FloatArray, y: FloatArray, mean: FloatArray, sd: FloatArray, lower: FloatArray, upper: FloatArray, noise: Prior
) -> FloatArray:
    """Coefficients and noise sd, (chain, draw, K + 1), by Gibbs sampling.

    Each coefficient given the others is a truncated normal, drawn by inversion; the noise sd given the coefficients is
    drawn by inversion on a fine grid. Burn-in is left out.
    """
    chains, sweeps, every, burn = 200, 6000, 10, 1000
    rng = np.random.default_rng(1)
    coef = np.tile(np.clip(mean, np.maximum(lower, -9.0) + 0.01, np.minimum(upper, 9.0) - 0.01), (chains, 1))
    grid, sigma, kept = np.linspace(0.4, 1.8, 400), np.ones(chains), []
    squares = (X**2).sum(axis=0)
    cross, target, total = X.T @ X, X.T @ y, float(y @ y)
    log_prior = -(((grid - noise.mean) / noise.sd) ** 2) / 2 - len(y) * np.log(grid)
    for sweep in range(sweeps):
        for k in range(len(mean)):
            precision = squares[k] / sigma**2 + sd[k] ** -2
            rest = target[k] - coef @ cross[k] + coef[:, k] * squares[k]
            center = (rest / sigma**2 + mean[k] / sd[k] ** 2) / precision
            low, high = (special.ndtr((bound - center) * np.sqrt(precision)) for bound in (lower[k], upper[k]))
            share = low + (high - low) * rng.uniform(size=chains)
            coef[:, k] = np.clip(center + special.ndtri(share) / np.sqrt(precision), lower[k], upper[k])
        sse = total - 2 * coef @ target + np.einsum("si,ij,sj->s", coef, cross, coef)
        log_density = log_prior - sse[:, None] / (2 * grid**2)
        mass = np.exp(log_density - log_density.max(axis=1, keepdims=True)).cumsum(axis=1)
        sigma = grid[(mass < mass[:, -1:] * rng.uniform(size=(chains, 1))).sum(axis=1)]
        if sweep >= burn and sweep % every == 0:
            kept.append(np.column_stack([coef, sigma]))
    return np.stack(kept, axis=1)


# --- equivalences ---------------------------------------------------------------------------------------------------


def test_noise_prior_centred_and_noncentred(stan: CmdStanRunner) -> None:
    columns, response = small_data(rows=12)
    design = design_of(columns, response, (Prior(NOISE, 0.8, 0.2, "lognormal_ms"),), (Bound(NOISE, 0.5, 1.6),))
    recorder = RecordingRunner(stan)
    centred = fit_linear(design, settings(), recorder, positive_priors="centered")
    noncentred = fit_linear(design, settings(), recorder, positive_priors="noncentered")
    assert "noise_raw" in recorder.raw[1].parameters
    assert_same_posterior(centred, noncentred)


def frame_with_offset(rows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(21)
    frame = pd.DataFrame(
        {"x": 5 + 2 * rng.normal(size=rows), "w": rng.uniform(size=rows), "base": rng.normal(size=rows)}
    )
    frame["level"] = 0.5 + 0.2 * frame["x"] - frame["w"] + frame["base"] + 0.4 * rng.normal(size=rows)
    frame["sales"] = np.exp(frame["level"])
    frame["rest"] = frame["level"] - frame["base"]
    return frame


def matrix_of(formula: str) -> ModelMatrix:
    return build_model_matrix(parse_formula(formula), frame_with_offset(), date_var=None, na_action="error")


def fitted_by_hand(raw_coef: FloatArray, raw_noise: FloatArray, frame: pd.DataFrame) -> FloatArray:
    """Conditional mean of sales per draw and row, from draws on the standardised scale: E[y] = exp(μ + σ²/2)."""
    rest = np.log(frame["sales"]) - frame["base"]
    x, w = ((frame[name] - frame[name].mean()) / frame[name].std() for name in ("x", "w"))
    standardised = raw_coef[:, :1] + raw_coef[:, 1:2] * x.to_numpy() + raw_coef[:, 2:3] * w.to_numpy()
    mu = rest.mean() + rest.std() * standardised + frame["base"].to_numpy()
    sigma = rest.std() * raw_noise[:, None]
    return np.asarray(np.exp(mu + sigma**2 / 2))


def test_log_response_is_converted_draw_by_draw(stan: CmdStanRunner) -> None:
    frame = frame_with_offset()
    matrix = matrix_of("log(sales) ~ x + w + offset(base)")
    recorder = RecordingRunner(stan)
    draws = sample(build_linear_design(matrix, scale=True), recorder, sampling=500)
    raw = recorder.raw[0].parameters
    values = fitted_by_hand(joined(raw["coef"]), raw["noise_sd"].reshape(-1), frame)
    table = fitted_kpi_table(draws, matrix, row_labels(frame, None, matrix))
    np.testing.assert_allclose(table["fitted"], values.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(table["sd"], values.std(axis=0, ddof=1), rtol=1e-10)
    for name, share in {"q05": 0.05, "q50": 0.5, "q95": 0.95}.items():
        np.testing.assert_allclose(table[name], np.quantile(values, share, axis=0), rtol=1e-10)
    assert set(table["conversion_method"]) == {"conditional_mean"}


def test_offset_is_a_known_part_of_the_response(stan: CmdStanRunner) -> None:
    """`offset(base)` against a response without base: the same draws, and fitted values that differ by base."""
    frame = frame_with_offset()
    with_offset, by_hand = matrix_of("level ~ x + w + offset(base)"), matrix_of("rest ~ x + w")
    first, second = (sample(build_linear_design(m, scale=True), stan, sampling=500) for m in (with_offset, by_hand))
    np.testing.assert_allclose(first.coef, second.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(first.noise_sd, second.noise_sd, rtol=1e-9)
    labels = row_labels(frame, None, with_offset)
    difference = fitted_table(first, with_offset, labels)["fitted"] - fitted_table(second, by_hand, labels)["fitted"]
    np.testing.assert_allclose(difference, frame["base"], rtol=1e-9)
    residuals = [residual_table(draws, m)["residual"] for draws, m in ((first, with_offset), (second, by_hand))]
    np.testing.assert_allclose(*residuals, rtol=1e-7, atol=1e-12)
    elpd = [
        psis_loo(d, m, max_draws=None, seed=1, pareto_k_warn=0.7).elpd_loo
        for d, m in ((first, with_offset), (second, by_hand))
    ]
    assert elpd[0] == pytest.approx(elpd[1], rel=1e-9)
