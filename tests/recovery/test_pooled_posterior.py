"""Posteriors of pooled models through the core, against quadrature over the noise sd and exact rejection sampling."""

from __future__ import annotations

import numpy as np
import pytest
from overrides import Bound, Prior
from pooled_markets import TERMS, TWO, exact_posterior, market, pooled_columns_by_hand, sums_by_hand
from recovery_cases import mean_and_error, settings

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled import build_pooled_design
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.pooled import fit_pooled
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

PRIORS = (
    Prior("(Intercept)", 8000.0, 900.0),
    Prior("trend", 250.0, 60.0),
    Prior("price", -50.0, 12.0),
    Prior("channel[search]", 0.8, 0.5),
    Prior("channel[tv]", 0.2, 0.9),
    Prior("channel[social]", 0.0, 0.7),
    Prior("owner[us]", 0.3, 0.6),
    Prior("owner[them]", 0.1, 0.4),
)
NOISE_PRIOR = Prior("noise_sd", 100.0, 150.0)
SIGMA = 240.0


def rows_and_priors(matrix: ModelMatrix) -> tuple[list[str], FloatArray, FloatArray, FloatArray, FloatArray]:
    """Names, columns, response, prior means and sds of base terms and labels, in data units."""
    columns = pooled_columns_by_hand(matrix, TWO)
    by_name = {prior.parameter: prior for prior in PRIORS}
    mean, sd = (np.array([getattr(by_name[name], field) for name in columns]) for field in ("mean", "sd"))
    return list(columns), np.column_stack(list(columns.values())), matrix.response - matrix.offset, mean, sd


def expansion(matrix: ModelMatrix, names: list[str]) -> FloatArray:
    """(K + P, P): coefficients of the original terms, then base terms and labels themselves."""
    sums = sums_by_hand(matrix, TWO, dict(zip(names, np.eye(len(names)), strict=True))).T
    return np.vstack([sums, np.eye(len(names))])


def everything(draws: Draws, names: list[str]) -> FloatArray:
    """Original coefficients, base terms and labels, noise sd: (chain, draw, K + P + 1)."""
    parts = [draws.label_coef.get(name) for name in names]
    own = [
        draws.coef[..., TERMS.index(name)] if part is None else part for name, part in zip(names, parts, strict=True)
    ]
    return np.concatenate([draws.coef, np.stack([*own, draws.noise_sd], axis=-1)], axis=-1)


def assert_agrees(draws: FloatArray, mean: FloatArray, sd: FloatArray, slack: float = 0.0) -> None:
    found, error = mean_and_error(draws)
    np.testing.assert_array_less(np.abs(found - mean) / np.hypot(error, slack * sd), 4.5)
    np.testing.assert_allclose(draws.reshape(-1, draws.shape[-1]).std(axis=0), sd, rtol=0.08)


def moments_by_quadrature(matrix: ModelMatrix) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of all parameters: given σ the coefficients are normal, and p(σ | y) is integrated on a grid.

    The marginal likelihood is the dense normal of all rows, y ~ N(X m, σ² I + X S² X').
    """
    names, X, y, mean, sd = rows_and_priors(matrix)
    E = expansion(matrix, names)
    grid = np.linspace(90.0, 700.0, 600)
    weights, first, second = [], [], []
    for sigma in grid:
        covariance = sigma**2 * np.eye(len(y)) + (X * sd**2) @ X.T
        rest = y - X @ mean
        log_marginal = -(np.linalg.slogdet(covariance)[1] + rest @ np.linalg.solve(covariance, rest)) / 2
        weights.append(log_marginal - (sigma - NOISE_PRIOR.mean) ** 2 / (2 * NOISE_PRIOR.sd**2))
        center, spread = exact_posterior(X, y, sigma, mean, sd)
        first.append(np.append(E @ center, sigma))
        second.append(np.append(np.diag(E @ spread @ E.T), 0.0) + first[-1] ** 2)
    share = np.exp(np.array(weights) - max(weights))
    share /= share.sum()
    assert max(share[0], share[-1]) < 1e-9, "the grid cuts the posterior off"
    average = share @ np.array(first)
    return average, np.sqrt(share @ np.array(second) - average**2)


@pytest.mark.parametrize("scale", [True, False])
def test_unbounded_labels_against_quadrature(stan: CmdStanRunner, scale: bool) -> None:
    """Two grouping variables, so that the labels' parts are known from their priors only."""
    matrix = market(rows=25)
    names = rows_and_priors(matrix)[0]
    design = build_pooled_design(matrix, TWO, scale=scale, priors=(*PRIORS, NOISE_PRIOR))
    draws = fit_pooled(design, settings(warmup=1000), stan)
    assert_agrees(everything(draws, names), *moments_by_quadrature(matrix))


def test_bounded_labels_against_exact_rejection(stan: CmdStanRunner) -> None:
    """Given the noise sd the posterior is a truncated normal: draws of the normal, those out of bounds thrown away."""
    matrix = market(rows=25)
    names, X, y, prior_mean, prior_sd = rows_and_priors(matrix)
    bounds = (
        Bound("channel[tv]", lower=0.3),
        Bound("owner[us]", lower=0.0, upper=0.6),
        Bound("noise_sd", SIGMA * 0.9999, SIGMA * 1.0001),
    )
    design = build_pooled_design(matrix, TWO, scale=True, priors=PRIORS, boundaries=bounds)
    draws = fit_pooled(design, settings(warmup=1000), stan)
    mean, covariance = exact_posterior(X, y, SIGMA, prior_mean, prior_sd)
    exact = np.random.default_rng(0).multivariate_normal(mean, covariance, size=400_000)
    tv, us = (exact[:, names.index(name)] for name in ("channel[tv]", "owner[us]"))
    kept = exact[(tv > 0.3) & (us > 0.0) & (us < 0.6)]
    assert 20_000 < len(kept) < 200_000, "bounds that neither bite nor leave too little"
    truth = kept @ expansion(matrix, names).T
    found = everything(draws, names)[..., :-1]
    assert_agrees(found, truth.mean(axis=0), truth.std(axis=0), slack=1 / np.sqrt(len(kept)))
    assert draws.label_coef["channel[tv]"].min() > 0.3


def test_priors_alone(stan: CmdStanRunner) -> None:
    """Without the likelihood the labels have their priors, also where they are sampled in other coordinates."""
    matrix = market(rows=25)
    names, _, _, prior_mean, prior_sd = rows_and_priors(matrix)
    design = build_pooled_design(matrix, TWO, scale=True, priors=PRIORS)
    draws = fit_pooled(design, settings(), stan, prior_only=True)
    E = expansion(matrix, names)
    sd = np.sqrt(np.diag(E @ np.diag(prior_sd**2) @ E.T))
    assert_agrees(everything(draws, names)[..., :-1], E @ prior_mean, sd)


def test_a_sharp_likelihood_leaves_a_ridge_that_is_sampled_well(stan: CmdStanRunner) -> None:
    """Default priors, two grouping variables and R² near 1: short trajectories, and labels as free as their priors."""
    matrix = market(rows=150)
    draws = fit_pooled(build_pooled_design(matrix, TWO, scale=True), settings(warmup=1000, sampling=1000), stan)
    assert draws.sampler["n_steps"].mean() < 15
    label = draws.label_coef["owner[us]"]
    _, error = mean_and_error(label[..., None])
    assert (label.std() / error[0]) ** 2 > 1000, "effective draws of a label"
