"""PSIS against ArviZ's one-row-at-a-time implementation and known distributions."""

from __future__ import annotations

import time

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from scipy import stats

from dsam_assets.scales import FloatArray
from dsam_assets.selection.psis import gpd_fit, gpd_quantiles, logsumexp, psis, tail_length


def ratios(rows: int, draws: int, seed: int) -> FloatArray:
    """Log importance ratios from light tails to tails so heavy that PSIS fails."""
    rng = np.random.default_rng(seed)
    return rng.standard_t(5, size=(rows, draws)) * np.linspace(0.05, 4, rows)[:, np.newaxis]


@pytest.mark.parametrize(("draws", "r_eff"), [(4000, 1.0), (4000, 0.3), (1000, 0.9), (100, 1.0), (40, 1.0)])
def test_same_weights_and_k_as_arviz(draws: int, r_eff: float) -> None:
    log_ratios = ratios(40, draws, seed=draws)
    weights, k = psis(log_ratios, tail_length(draws, r_eff))
    expected_weights, expected_k = array_stats.psislw(-log_ratios, r_eff=r_eff)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-6)
    np.testing.assert_allclose(k, expected_k, atol=1e-6)
    assert k.min() < 0.6
    assert k.max() > 0.7


def test_weights_sum_to_one_and_keep_their_order() -> None:
    log_ratios = ratios(5, 500, seed=2)
    weights, _ = psis(log_ratios, tail_length(500))
    np.testing.assert_allclose(np.exp(weights).sum(axis=1), 1.0)
    np.testing.assert_array_equal(np.argsort(weights[0], kind="stable"), np.argsort(log_ratios[0], kind="stable"))


def test_input_is_left_alone() -> None:
    log_ratios = ratios(3, 200, seed=3)
    before = log_ratios.copy()
    psis(log_ratios, 40)
    np.testing.assert_array_equal(log_ratios, before)


@pytest.mark.parametrize(("draws", "r_eff", "tail"), [(4000, 1.0, 189), (4000, 0.25, 379), (100, 1.0, 20), (10, 1, 2)])
def test_tail_length(draws: int, r_eff: float, tail: int) -> None:
    assert tail_length(draws, r_eff) == tail


def test_no_fit_is_infinite_k_and_raw_weights() -> None:
    few = ratios(2, 20, seed=4)
    weights, k = psis(few, tail_length(20))
    assert np.isinf(k).all()
    np.testing.assert_allclose(weights, few - np.log(np.exp(few).sum(axis=1, keepdims=True)))
    weights, k = psis(np.zeros((1, 400)), 60)
    assert np.isinf(k).all()
    np.testing.assert_allclose(np.exp(weights), 1 / 400)


def test_row_that_is_not_finite_spoils_only_itself() -> None:
    log_ratios = ratios(3, 400, seed=5)
    clean_weights, clean_k = psis(log_ratios, 60)
    log_ratios[1, 7] = np.nan
    weights, k = psis(log_ratios, 60)
    assert np.isnan(k[1])
    assert np.isnan(weights[1]).all()
    np.testing.assert_array_equal(weights[[0, 2]], clean_weights[[0, 2]])
    np.testing.assert_array_equal(k[[0, 2]], clean_k[[0, 2]])


@pytest.mark.parametrize("shape", [-0.3, 0.1, 0.5, 1.2])
def test_fit_recovers_a_generalised_pareto(shape: float) -> None:
    sample = np.sort(stats.genpareto.rvs(shape, scale=2.0, size=(20, 3000), random_state=6), axis=1)
    k, sigma = gpd_fit(sample)
    assert k.mean() == pytest.approx(shape, abs=0.03)
    assert sigma.mean() == pytest.approx(2.0, abs=0.1)


def test_quantiles() -> None:
    probability, k, sigma = np.array([0.1, 0.5, 0.99]), np.array([-0.4, 0.0, 0.7]), np.array([1.0, 2.0, 3.0])
    expected = stats.genpareto.ppf(probability, k[:, np.newaxis], scale=sigma[:, np.newaxis])
    np.testing.assert_allclose(gpd_quantiles(probability, k, sigma), expected, rtol=1e-12)


def test_logsumexp_does_not_overflow() -> None:
    values = np.array([[1000.0, 1000.0], [-2000.0, -2000.0], [-np.inf, 0.0]])
    np.testing.assert_allclose(logsumexp(values), [1000 + np.log(2), -2000 + np.log(2), 0.0])


def test_a_weekly_model_takes_less_than_half_a_second() -> None:
    log_ratios = ratios(156, 4000, seed=7)
    start = time.perf_counter()
    psis(log_ratios, tail_length(4000))
    assert time.perf_counter() - start < 0.5
