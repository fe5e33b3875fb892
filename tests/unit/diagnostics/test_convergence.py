"""R-hat, ESS and E-BFMI against a second implementation, closed forms and known defects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from scipy import stats

from dsam_assets.diagnostics.convergence import convergence, ebfmi, ess_mean
from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray

Make = Callable[..., Draws]


def textbook_rhat(sample: FloatArray) -> float:
    """Rank-normalised split R-hat, bulk and folded, written from the definition."""

    def classic(values: FloatArray) -> float:
        ranks = stats.rankdata(values).reshape(values.shape)
        z = stats.norm.ppf((ranks - 0.375) / (values.size + 0.25))
        n = z.shape[1]
        within, between = z.var(axis=1, ddof=1).mean(), n * z.mean(axis=1).var(ddof=1)
        return float(np.sqrt(((n - 1) / n * within + between / n) / within))

    halves = np.concatenate(np.split(sample, 2, axis=1))
    return max(classic(halves), classic(np.abs(halves - np.median(halves))))


def ar1(phi: float, chains: int, size: int, seed: int) -> FloatArray:
    """Stationary AR(1) chains with unit variance."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(chains, size)) * np.sqrt(1 - phi**2)
    values = np.empty((chains, size))
    values[:, 0] = rng.normal(size=chains)
    for step in range(1, size):
        values[:, step] = phi * values[:, step - 1] + noise[:, step]
    return values


def test_rhat_equals_the_definition(make_draws: Make) -> None:
    draws = make_draws(size=200)
    shifted = draws.coef + np.arange(4)[:, np.newaxis, np.newaxis] * np.array([0.0, 0.3])
    numbers = convergence(replace(draws, coef=shifted))
    expected = [textbook_rhat(shifted[..., 0]), textbook_rhat(shifted[..., 1]), textbook_rhat(draws.noise_sd)]
    np.testing.assert_allclose(numbers.rhat, expected, rtol=1e-12)
    assert numbers.parameters == ("(Intercept)", "m_tv", "noise_sd")


def test_ess_of_an_autoregression(make_draws: Make) -> None:
    phi, chains, size = 0.6, 4, 4000
    draws = replace(make_draws(size=size), noise_sd=ar1(phi, chains, size, seed=3))
    truth = chains * size * (1 - phi) / (1 + phi)
    assert convergence(draws).ess_bulk[2] == pytest.approx(truth, rel=0.1)
    assert ess_mean(draws)[2] == pytest.approx(truth, rel=0.1)
    assert convergence(draws).mcse_mean[2] == pytest.approx(1 / np.sqrt(truth), rel=0.1)
    assert convergence(draws).ess_tail[0] > 12_000 > convergence(draws).ess_tail[2]


def test_tail_ess_is_that_of_the_five_percent_tails(make_draws: Make) -> None:
    # The upper 5 % come in runs of ten while everything else is independent: only the tail may notice.
    draws = make_draws()
    in_tail = np.random.default_rng(7).random((4, 100)).repeat(10, axis=1) > 0.95
    noise = np.where(in_tail, 3 + np.abs(draws.noise_sd), np.random.default_rng(8).random((4, 1000)))
    numbers = convergence(replace(draws, noise_sd=noise))
    assert numbers.ess_tail[2] == pytest.approx(400, rel=0.3)
    assert numbers.ess_bulk[2] > 1.5 * numbers.ess_tail[2]


def test_constant_parameter_has_no_statistics(make_draws: Make, overwrite: Make) -> None:
    numbers = convergence(overwrite(make_draws(), 1, slice(None), 2.0))
    assert np.isnan([numbers.rhat[1], numbers.ess_bulk[1], numbers.ess_tail[1], numbers.mcse_mean[1]]).all()
    assert numbers.mean[1] == 2.0
    assert numbers.notes == ("", "every draw is the same", "")
    assert np.isfinite(numbers.rhat[[0, 2]]).all()


def test_one_stuck_chain_of_eight_cannot_hide(make_draws: Make, overwrite: Make) -> None:
    draws = overwrite(make_draws(chains=8), 1, 6, 0.6)
    assert float(array_stats.rhat(draws.coef[..., 1])) < 1.05
    numbers = convergence(draws)
    assert np.isinf(numbers.rhat[1])
    assert numbers.notes[1] == "never moved in chain 7"


def test_all_chains_stuck_apart(make_draws: Make) -> None:
    draws = make_draws(chains=2)
    coef = draws.coef.copy()
    coef[0, :, 0], coef[1, :, 0] = 1.0, 2.0
    numbers = convergence(replace(draws, coef=coef))
    assert np.isinf(numbers.rhat[0])
    assert numbers.ess_bulk[0] < 50


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_draws_that_are_not_finite(make_draws: Make, bad: float) -> None:
    draws = make_draws()
    noise = draws.noise_sd.copy()
    noise[2, 5] = bad
    numbers = convergence(replace(draws, noise_sd=noise))
    assert np.isnan([numbers.rhat[2], numbers.ess_bulk[2], numbers.ess_tail[2], numbers.mean[2]]).all()
    assert numbers.notes[2] == "draws are not finite"


def test_single_chain_has_ess_but_no_rhat(make_draws: Make) -> None:
    numbers = convergence(make_draws(chains=1))
    assert np.isnan(numbers.rhat).all()
    assert (numbers.ess_bulk > 500).all()


def test_too_short(make_draws: Make) -> None:
    numbers = convergence(make_draws(size=3))
    assert np.isnan([numbers.rhat, numbers.ess_bulk, numbers.ess_tail]).all()
    assert set(numbers.notes) == {"fewer than 4 draws per chain"}


def test_ebfmi_of_an_autoregression_is_two_times_one_minus_phi() -> None:
    energy = np.concatenate([ar1(0.9, 1, 50_000, seed=4), ar1(0.2, 1, 50_000, seed=5)])
    np.testing.assert_allclose(ebfmi(energy), [0.2, 1.6], rtol=0.05)
    np.testing.assert_allclose(ebfmi(energy), array_stats.bfmi(energy), rtol=1e-4)


def test_ebfmi_is_missing_per_chain() -> None:
    energy = np.random.default_rng(6).normal(size=(3, 100))
    energy[0, 3], energy[1] = np.nan, 7.0
    assert np.isnan(ebfmi(energy)).tolist() == [True, True, False]
    assert np.isnan(ebfmi(energy[:, :3])).all()
