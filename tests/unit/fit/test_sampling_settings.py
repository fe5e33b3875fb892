"""From a config to sampler settings, to Stan's data block, and back to draws in data units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_stan import FakeRunner

from dsam_assets.config.schema_model import BoundaryOverride, FitSection, PriorOverride
from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import FitError
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.fit.sample import fit_linear, mcmc_settings
from dsam_assets.fit.stan_input import linear_input

SETTINGS = McmcSettings(chains=2, warmup=10, sampling=500, seed=1, max_treedepth=9)


def settings(**fit: Any) -> McmcSettings:
    return mcmc_settings(FitSection.model_validate(fit))


def test_counts_are_per_chain_and_iter_includes_warmup() -> None:
    found = settings(mcmc={"chains": 3, "iter": 900, "warmup": 300, "thin": 2, "cores": 2, "refresh": 50})
    assert (found.chains, found.warmup, found.sampling, found.thin) == (3, 300, 600, 2)
    assert (found.parallel_chains, found.refresh) == (2, 50)


@pytest.mark.parametrize(
    ("fit", "seed"),
    [
        ({}, 1),
        ({"seed": 5}, 5),
        ({"seed": 5, "mcmc": {"seed": 9}}, 9),
        ({"seed": 5, "mcmc": {"seed": 0}}, 0),
        ({"seed": 0}, 0),
    ],
)
def test_the_samplers_own_seed_wins(fit: dict[str, Any], seed: int) -> None:
    assert settings(**fit).seed == seed


@pytest.mark.parametrize(("init", "radius"), [(None, None), ("random", None), (0, 0.0), (0.5, 0.5)])
def test_init_is_a_radius_or_stans_own(init: Any, radius: float | None) -> None:
    assert settings(mcmc={"init": init}).init_radius == radius


def test_control_reaches_the_sampler() -> None:
    control = {
        "adapt_delta": 0.95, "max_treedepth": 12, "stepsize": 0.1, "metric": "dense_e", "adapt_init_buffer": 50,
        "adapt_window": 20, "adapt_term_buffer": 30,
    }  # fmt: skip
    found = settings(mcmc={"control": control})
    assert (found.adapt_delta, found.max_treedepth, found.step_size, found.metric) == (0.95, 12, 0.1, "dense_e")
    assert (found.adapt_init_phase, found.adapt_metric_window, found.adapt_step_size) == (50, 20, 30)


def test_defaults_leave_adaptation_to_stan() -> None:
    found = settings()
    assert (found.chains, found.warmup, found.sampling, found.max_treedepth) == (4, 1000, 1000, 10)
    assert found.step_size is None
    assert found.adapt_init_phase is None


@pytest.fixture
def design(identity_matrix: ModelMatrix) -> Callable[..., LinearDesign]:
    return lambda scale=True, matrix=identity_matrix, **overrides: build_linear_design(matrix, scale=scale, **overrides)


def test_the_data_block_holds_sufficient_statistics(design: Callable[..., LinearDesign]) -> None:
    built = design(scale=False)
    data = linear_input(built)
    x, y = built.matrix.values, built.matrix.response - built.matrix.offset
    assert (data["N"], data["K"], data["prior_only"]) == (30, 3, 0)
    np.testing.assert_allclose(data["R"].T @ data["R"], x.T @ x, atol=1e-10)
    np.testing.assert_allclose(data["R"].T @ data["z"], x.T @ y, atol=1e-10)
    assert data["z"] @ data["z"] + data["rss"] == pytest.approx(y @ y)
    assert linear_input(built, prior_only=True)["prior_only"] == 1


def test_bounds_and_priors_are_on_the_scale_that_stan_sees(design: Callable[..., LinearDesign]) -> None:
    built = design(
        priors=[PriorOverride(parameter="price", mean=-1.0, sd=2.0)],
        boundaries=[BoundaryOverride(parameter="m_tv", lower=0.0, upper=3.0)],
    )
    data = linear_input(built)
    matrix = built.matrix
    spread_y = (matrix.response - matrix.offset).std(ddof=1)
    factor = matrix.values.std(axis=0, ddof=1) / spread_y
    np.testing.assert_allclose(data["lower_bound"], [-np.inf, 0.0, -np.inf])
    np.testing.assert_allclose(data["upper_bound"], [np.inf, 3.0 * factor[1], np.inf])
    np.testing.assert_allclose(data["prior_mean"], [0.0, 0.0, -factor[2]])
    np.testing.assert_allclose(data["prior_sd"], [5.0, 5.0, 2.0 * factor[2]])
    assert (data["noise_family"], data["noise_location"], data["noise_spread"]) == (0, 0.0, 5.0)
    assert (data["noise_lower"], data["noise_upper"], data["noise_noncentered"]) == (0.0, np.inf, 0)


def test_a_lognormal_prior_has_the_mean_and_sd_that_were_asked_for(design: Callable[..., LinearDesign]) -> None:
    prior = PriorOverride(parameter="noise_sd", family="lognormal_ms", mean=2.0, sd=0.5)
    built = design(scale=False, priors=[prior])
    data = linear_input(built)
    draws = np.exp(np.random.default_rng(1).normal(data["noise_location"], data["noise_spread"], 400_000))
    assert data["noise_family"] == 1
    assert draws.mean() == pytest.approx(2.0, rel=0.005)
    assert draws.std() == pytest.approx(0.5, rel=0.01)
    assert data["noise_noncentered"] == 0
    assert linear_input(built, positive_priors="noncentered")["noise_noncentered"] == 1


def test_only_lognormal_priors_are_noncentered(design: Callable[..., LinearDesign]) -> None:
    assert linear_input(design(), positive_priors="noncentered")["noise_noncentered"] == 0


def flat(design: Callable[..., LinearDesign], runner: FakeRunner, *, scale: bool) -> Any:
    names = ("(Intercept)", "m_tv", "price", "noise_sd")
    priors = [PriorOverride(parameter=name, mean=0.0, sd=1e4) for name in names]
    return fit_linear(design(scale=scale, priors=priors), SETTINGS, runner)


@pytest.mark.parametrize("scale", [True, False])
def test_draws_come_back_in_data_units(
    design: Callable[..., LinearDesign], identity_matrix: ModelMatrix, fake_runner: FakeRunner, scale: bool
) -> None:
    draws = flat(design, fake_runner, scale=scale)
    response = identity_matrix.response - identity_matrix.offset
    solution, (squares,), *_ = np.linalg.lstsq(identity_matrix.values, response)
    error = np.sqrt(squares / 27 * np.diag(np.linalg.inv(identity_matrix.values.T @ identity_matrix.values)))
    np.testing.assert_allclose(draws.coef_flat.mean(axis=0), solution, atol=0.15 * error.max())
    np.testing.assert_allclose(draws.coef_flat.std(axis=0), error, rtol=0.1)
    assert np.median(draws.noise_flat) == pytest.approx(np.sqrt(squares / 27), rel=0.05)


def test_a_centred_intercept_is_moved_back_to_zero_predictors(
    design: Callable[..., LinearDesign], identity_matrix: ModelMatrix, fake_runner: FakeRunner
) -> None:
    shifted = replace(identity_matrix, values=identity_matrix.values + np.array([0.0, 100.0, 0.0]))
    draws = fit_linear(design(matrix=shifted), SETTINGS, fake_runner)
    solution, *_ = np.linalg.lstsq(shifted.values, shifted.response - shifted.offset)
    assert draws.coef_flat[:, 0].mean() == pytest.approx(solution[0], abs=1.0)
    assert abs(solution[0]) > 10


def test_the_fit_records_how_it_was_made(design: Callable[..., LinearDesign], fake_runner: FakeRunner) -> None:
    draws = fit_linear(design(), replace(SETTINGS, thin=5), fake_runner, positive_priors="noncentered")
    ((program, data, settings_used),) = fake_runner.calls
    assert (program, settings_used.thin) == ("linear", 5)
    assert data["N"] == 30
    assert draws.coef.shape == (2, 100, 3)
    assert draws.max_treedepth == 9
    assert draws.attributes["response"] == "kpi"
    assert (draws.attributes["seed"], draws.attributes["thin"], draws.attributes["stan_version"]) == (1, 5, "0.0.0")
    assert draws.sampler["diverging"].dtype == np.bool_
    assert draws.sampler["tree_depth"].dtype == np.int64


@pytest.mark.parametrize(("name", "bad"), [("coef", np.nan), ("noise_sd", np.inf)])
def test_draws_that_are_not_finite_are_an_error(
    design: Callable[..., LinearDesign], fake_runner: FakeRunner, name: str, bad: float
) -> None:
    def sample(program: str, data: Any, settings: McmcSettings) -> StanDraws:
        raw = fake_runner.sample(program, data, settings)
        raw.parameters[name].flat[3] = bad
        return raw

    with pytest.raises(FitError, match=f"draws of {name} that are not finite") as caught:
        fit_linear(design(), SETTINGS, SimpleNamespace(sample=sample))
    assert "1 of" in str(caught.value)
