"""The response under the prior against moments by hand, for every class of model."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from overrides import Prior
from panels import CASES, case
from pooled_markets import TWO, market, sums_by_hand
from prior_truth import PriorRunner, response_moments

from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled import build_pooled_design
from dsam_assets.errors import ToolchainError
from dsam_assets.fit import predictor
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.prior_predictive import (
    LEAST_DRAWS,
    predictive_blocks,
    prior_settings,
    sample_prior,
    with_prior_deviations,
)
from dsam_assets.fit.runner import McmcSettings
from dsam_assets.scales import FloatArray

SETTINGS = McmcSettings(chains=2, warmup=0, sampling=20_000, seed=3)
PRIORS = [Prior("m_tv", 0.4, 0.2), Prior("price", -3.0, 1.5), Prior("noise_sd", 0.0, 0.7)]


def linear(matrix: ModelMatrix, scale: bool) -> LinearDesign:
    return build_linear_design(matrix, scale=scale, priors=PRIORS)


def responses(draws: Draws, matrix: ModelMatrix, seed: int = 5) -> FloatArray:
    return np.hstack([block.response for block in predictive_blocks(draws, matrix, seed=seed)])


def assert_moments(found: FloatArray, mean: FloatArray, variance: FloatArray) -> None:
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=float(5 * np.sqrt(variance.max() / len(found))))
    np.testing.assert_allclose(found.var(axis=0), variance, rtol=0.07)


@pytest.mark.parametrize("scale", [True, False])
def test_linear_responses_have_the_moments_of_the_prior(log_matrix: ModelMatrix, scale: bool) -> None:
    design, runner = linear(log_matrix, scale), PriorRunner()
    draws = sample_prior(design, SETTINGS, runner)
    assert [(program, data["prior_only"]) for program, data in runner.calls] == [("linear", 1)]
    assert draws.attributes["prior_only"] is True
    assert_moments(responses(draws, design.matrix), *response_moments(design))


@pytest.mark.parametrize("name", CASES)
def test_group_deviations_come_from_their_prior(name: str) -> None:
    """In data units, after centring, for every kind of group term: the rows' variances are those on Stan's scale."""
    design, runner = case(name), PriorRunner()
    draws = sample_prior(design, SETTINGS, runner)
    assert [data["prior_only"] for _, data in runner.calls] == [1]
    assert_moments(responses(draws, design.matrix), *response_moments(design))


def test_deviations_know_nothing_of_the_data() -> None:
    design = case("balanced")
    draws = sample_prior(design, SETTINGS, PriorRunner())
    kpi = design.matrix.response.copy()
    kpi[design.groups[0].codes == 0] += 1e6
    other = replace(case("balanced"), matrix=replace(design.matrix, response=kpi))
    again = with_prior_deviations(draws, other, seed=SETTINGS.seed)
    np.testing.assert_allclose(again.deviations[0].values, draws.deviations[0].values)
    np.testing.assert_array_equal(again.noise_sd, draws.noise_sd)


def test_pooled_coefficients_are_sums_of_label_draws() -> None:
    design, runner = build_pooled_design(market(), TWO, scale=True), PriorRunner()
    draws = sample_prior(design, SETTINGS, runner)
    assert [(program, data["prior_only"]) for program, data in runner.calls] == [("linear", 1)]
    named = {term: draws.coef_flat[:, j] for j, term in enumerate(draws.terms)}
    labels = {name: values.reshape(-1) for name, values in draws.label_coef.items()}
    np.testing.assert_allclose(sums_by_hand(design.matrix, TWO, named | labels), draws.coef_flat, rtol=1e-9)
    assert_moments(responses(draws, design.matrix), *response_moments(design.compressed))


def test_the_program_without_cpp_is_the_fallback() -> None:
    class NoCompiler(PriorRunner):
        def sample(self, program, data, settings):  # type: ignore[no-untyped-def]
            if program == "hierarchical_adjoint":
                raise ToolchainError("no C++")
            return super().sample(program, data, settings)

    runner = NoCompiler()
    sample_prior(case("balanced"), replace(SETTINGS, sampling=10), runner)
    assert [program for program, _ in runner.calls] == ["hierarchical"]


def test_seeds_and_blocks(identity_matrix: ModelMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = sample_prior(linear(identity_matrix, True), replace(SETTINGS, sampling=50), PriorRunner())
    whole = responses(draws, identity_matrix)
    assert not np.array_equal(whole, responses(draws, identity_matrix, seed=6))
    monkeypatch.setattr(predictor, "BLOCK_CELLS", 700)
    blocks = list(predictive_blocks(draws, identity_matrix, seed=5))
    assert len(blocks) == 5
    np.testing.assert_allclose(np.hstack([block.response for block in blocks]), whole, rtol=1e-12)


def test_long_data_use_fewer_draws(identity_matrix: ModelMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsam_assets.fit.prior_predictive.MOST_CELLS", 300)
    draws = sample_prior(linear(identity_matrix, True), replace(SETTINGS, sampling=200), PriorRunner())
    assert responses(draws, identity_matrix).shape == (LEAST_DRAWS, 30)


def test_settings_take_seed_and_cores_of_the_fit() -> None:
    control = SimpleNamespace(
        adapt_delta=0.9, max_treedepth=None, stepsize=None, metric="diag_e", adapt_init_buffer=None, adapt_window=None,
        adapt_term_buffer=None,
    )  # fmt: skip
    mcmc = SimpleNamespace(
        chains=1, warmup=9, iter=10, seed=11, cores=2, thin=1, refresh=0, init=None, control=control
    )  # fmt: skip
    found = prior_settings(SimpleNamespace(seed=None, mcmc=mcmc))
    assert (found.seed, found.parallel_chains, found.chains * found.sampling) == (11, 2, 2000)


def test_noise_and_deviations_have_streams_of_their_own() -> None:
    """Both take the same seed; a shared stream would repeat the deviations' normals as noise."""
    design = case("balanced")
    draws = sample_prior(design, replace(SETTINGS, sampling=20), PriorRunner())
    block = next(predictive_blocks(draws, design.matrix, seed=SETTINGS.seed))
    noise = ((block.response - block.mean) / draws.noise_flat[:, np.newaxis]).T.ravel()
    for number in range(len(design.statistics.blocks)):
        others = np.random.default_rng([SETTINGS.seed, number]).normal(size=50)
        assert not np.isclose(noise[:50], others, rtol=1e-6).any()
