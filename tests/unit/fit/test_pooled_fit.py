"""Draws of a pooled model against the exact posterior of its labels, computed row by row in data units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from fake_stan import FakeRunner
from overrides import Bound, Prior
from pooled_markets import (
    EACH,
    MEDIA,
    NESTED,
    ONE,
    TERMS,
    TWO,
    exact_posterior,
    market,
    pooled_columns_by_hand,
    sums_by_hand,
)

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.pooled import PooledDesign, build_pooled_design
from dsam_assets.errors import FitError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.pooled import fit_pooled, pooled_draws
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.fit.sample import fit_linear
from dsam_assets.fit.stan_input import linear_input
from dsam_assets.scales import FloatArray

SIGMA = 240.0
SETTINGS = McmcSettings(chains=2, warmup=10, sampling=1500, seed=4)


def every_prior(pooling_map: PoolingMap) -> list[Prior]:
    """A prior on every coefficient, of every size, with the intercept at zero predictors."""
    base = [Prior("(Intercept)", 8000.0, 900.0), Prior("trend", 250.0, 60.0), Prior("price", -50.0, 12.0)]
    return base + [Prior(name, 0.3 + 0.1 * j, 0.2 + 0.05 * j) for j, name in enumerate(pooling_map.label_names)]


def posterior_seen_by_stan(data: Mapping[str, Any], noise_sd: float) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of the coefficients in a data block, given the noise sd on Stan's scale."""
    weight = 1 / np.asarray(data["prior_sd"]) ** 2
    covariance = np.linalg.inv(data["R"].T @ data["R"] / noise_sd**2 + np.diag(weight))
    return covariance @ (data["R"].T @ data["z"] / noise_sd**2 + weight * data["prior_mean"]), covariance


def converted(design: PooledDesign, coef: FloatArray, noise_sd: float) -> Draws:
    """Coefficients (S, B + L) on Stan's scale as draws of one chain."""
    parameters = {"coef": coef[None], "noise_sd": np.full((1, len(coef)), noise_sd)}
    return pooled_draws(design, parameters, {}, 10, {})


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("pooling_map", [ONE, TWO, NESTED, EACH], ids=["one", "two", "nested", "each"])
def test_the_posterior_is_the_exact_one_in_data_units(pooling_map: PoolingMap, scale: bool) -> None:
    """Every prior is given in data units, so both scalings have the same closed form."""
    made, priors = market(), every_prior(pooling_map)
    columns = pooled_columns_by_hand(made, pooling_map)
    by_name = {prior.parameter: prior for prior in priors}
    prior_mean, prior_sd = (np.array([getattr(by_name[name], field) for name in columns]) for field in ("mean", "sd"))
    X = np.column_stack(list(columns.values()))
    mean, covariance = exact_posterior(X, made.response - made.offset, SIGMA, prior_mean, prior_sd)

    design = build_pooled_design(made, pooling_map, scale=scale, priors=priors)
    noise_sd = SIGMA / design.scaling.y_spread
    center, spread = posterior_seen_by_stan(linear_input(design.compressed), noise_sd)
    draws = converted(design, np.vstack([center, center + np.linalg.cholesky(spread).T]), noise_sd)
    np.testing.assert_allclose(draws.noise_sd, SIGMA)

    labels = np.stack([draws.label_coef[name][0] for name in pooling_map.label_names], axis=-1)
    at = [list(columns).index(name) for name in pooling_map.label_names]
    np.testing.assert_allclose(labels[0], mean[at], rtol=1e-6)
    steps = labels[1:] - labels[0]
    np.testing.assert_allclose(steps.T @ steps, covariance[np.ix_(at, at)], rtol=1e-5, atol=1e-9)

    E = sums_by_hand(made, pooling_map, dict(zip(columns, np.eye(len(columns)), strict=True))).T
    assert draws.terms == TERMS
    np.testing.assert_allclose(draws.coef[0, 0], E @ mean, rtol=1e-6)
    steps = draws.coef[0, 1:] - draws.coef[0, 0]
    expected = E @ covariance @ E.T
    size = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(steps.T @ steps / np.outer(size, size), expected / np.outer(size, size), atol=1e-6)


@pytest.mark.parametrize("pooling_map", [ONE, TWO], ids=["one", "two"])
def test_sampled_coefficients_are_sums_of_sampled_labels(pooling_map: PoolingMap, fake_runner: FakeRunner) -> None:
    made = market()
    design = build_pooled_design(made, pooling_map, scale=True)
    draws = fit_pooled(design, SETTINGS, fake_runner)
    assert draws.coef.shape == (2, 1500, 7)
    assert tuple(draws.label_coef) == pooling_map.label_names
    base = {term: draws.coef[..., TERMS.index(term)] for term in TERMS if term not in MEDIA}
    np.testing.assert_allclose(draws.coef, sums_by_hand(made, pooling_map, base | dict(draws.label_coef)), rtol=1e-12)
    assert set(draws.sampler) >= {"diverging", "tree_depth", "energy"}
    facts = {"model_class": "pooled", "method": "mcmc", "seed": 4, "rows": 40}
    assert facts.items() <= draws.attributes.items()
    assert fake_runner.calls[0][0] == "linear"


def test_samples_lie_around_the_exact_posterior(fake_runner: FakeRunner) -> None:
    """Given each sampled noise sd the coefficients are exactly normal: standardised, they are standard normal."""
    made, priors = market(), every_prior(TWO)
    columns = pooled_columns_by_hand(made, TWO)
    by_name = {prior.parameter: prior for prior in priors}
    prior_mean, prior_sd = (np.array([getattr(by_name[name], field) for name in columns]) for field in ("mean", "sd"))
    draws = fit_pooled(build_pooled_design(made, TWO, scale=True, priors=priors), SETTINGS, fake_runner)
    values = np.column_stack(
        [draws.label_coef[n].ravel() if n in draws.label_coef else draws.coef_flat[:, TERMS.index(n)] for n in columns]
    )
    X, y = np.column_stack(list(columns.values())), made.response - made.offset
    scores = []
    for value, sigma in zip(values, draws.noise_flat, strict=True):
        mean, covariance = exact_posterior(X, y, sigma, prior_mean, prior_sd)
        scores.append(np.linalg.solve(np.linalg.cholesky(covariance), value - mean))
    z = np.array(scores)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=4.5 / np.sqrt(len(z)))
    np.testing.assert_allclose(np.cov(z.T), np.eye(z.shape[1]), atol=0.1)


def test_one_variable_per_label_gives_the_linear_models_draws(fake_runner: FakeRunner) -> None:
    """Means within Monte Carlo error of each other, and the same fitted sums of squares."""
    made = market()
    linear = fit_linear(build_linear_design(made, scale=True), SETTINGS, fake_runner)
    pooled = fit_pooled(build_pooled_design(made, EACH, scale=True), SETTINGS, fake_runner)
    sd = linear.coef_flat.std(axis=0)
    difference = (pooled.coef_flat.mean(axis=0) - linear.coef_flat.mean(axis=0)) / sd
    np.testing.assert_array_less(np.abs(difference), 4.5 * np.sqrt(2 / 3000))
    np.testing.assert_allclose(pooled.coef_flat.std(axis=0), sd, rtol=0.08)
    for name in MEDIA:
        np.testing.assert_array_equal(
            pooled.label_coef[f"variable_name[{name}]"], pooled.coef[..., pooled.terms.index(name)]
        )


def test_bounds_reach_stan_per_label(fake_runner: FakeRunner) -> None:
    """The bounds of the data block are where the labels, converted back, are at the bounds that were asked for."""
    bounds = [Bound(name, lower=0.0, upper=2.0 + j) for j, name in enumerate(TWO.label_names)]
    design = build_pooled_design(market(), TWO, scale=True, boundaries=bounds)
    data = linear_input(design.compressed)
    corners = np.vstack([np.where(np.isfinite(data[end]), data[end], 0.0) for end in ("lower_bound", "upper_bound")])
    draws = converted(design, corners, 1.0)
    found = np.array([draws.label_coef[bound.parameter][0] for bound in bounds])
    np.testing.assert_allclose(found, [[bound.lower, bound.upper] for bound in bounds], atol=1e-12)
    sampled = fit_pooled(design, SETTINGS, fake_runner)
    assert min(values.min() for values in sampled.label_coef.values()) >= 0


def test_a_single_point_is_converted_too() -> None:
    design = build_pooled_design(market(), ONE, scale=True)
    point = pooled_draws(
        design, {"coef": np.ones((1, 1, 6)), "noise_sd": np.ones((1, 1))}, {}, 0, {"method": "optimise"}
    )
    assert point.coef.shape == (1, 1, 7)
    assert point.is_point
    assert point.coef[0, 0, TERMS.index("m_tv_a")] == point.label_coef["channel[tv]"][0, 0]


def test_stan_is_asked_for_what_was_asked_for(fake_runner: FakeRunner) -> None:
    design = build_pooled_design(market(), TWO, scale=True, priors=[Prior("noise_sd", 200.0, 50.0, "lognormal_ms")])
    fit_pooled(design, SETTINGS, fake_runner, positive_priors="noncentered", prior_only=True)
    data = fake_runner.calls[0][1]
    assert (data["prior_only"], data["noise_noncentered"], data["noise_family"]) == (1, 1, 1)
    assert (data["N"], data["K"]) == (40, 8)
    assert linear_input(design.compressed)["prior_only"] == 0


@pytest.mark.parametrize("pooling_map", [ONE, TWO])
def test_labels_are_given_to_stan_as_the_columns_of_a_linear_model(
    pooling_map: PoolingMap, fake_runner: FakeRunner
) -> None:
    design = build_pooled_design(market(), pooling_map, scale=True)
    fit_pooled(design, SETTINGS, fake_runner)
    plain = linear_input(design.compressed)
    for name, value in fake_runner.calls[0][1].items():
        np.testing.assert_array_equal(value, plain[name])


def test_draws_that_are_not_finite_are_refused(fake_runner: FakeRunner) -> None:
    class Broken(FakeRunner):
        def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
            raw = super().sample(program, data, settings)
            raw.parameters["coef"][0, 0, 0] = np.nan
            return raw

    with pytest.raises(FitError, match="not finite"):
        fit_pooled(build_pooled_design(market(), TWO, scale=True), SETTINGS, Broken())
