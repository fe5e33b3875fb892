"""Predictive distributions against their closed forms, given draws of a known posterior."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from forecast_cases import draws_of, matrix_of, panel, priors_of, rows_of, source_of, split
from scipy import stats

import dsam_assets.fit.predictor
from dsam_assets.design.model_design import model_design
from dsam_assets.fit.draws import Draws, GroupDeviations
from dsam_assets.fit.predictor import JointDraws, joint_draws, predictor
from dsam_assets.forecast.future_data import FutureData
from dsam_assets.forecast.future_rows import future_rows
from dsam_assets.forecast.joined import ModelSource
from dsam_assets.forecast.predictive import QUANTILES, Prediction, fit_seed, forecast_draws, predict
from dsam_assets.scales import FloatArray

SIZE = 60_000
ERRORS = 5.0  # Monte Carlo standard errors that an estimate may be off


def predicted(joint: JointDraws, values: FloatArray, *, log: bool = False, seed: int = 3) -> Prediction:
    return predict(joint, matrix_of(values, log=log), np.zeros(len(values), dtype=np.intp), 1, seed=seed)


def assert_quantiles(found: dict[str, FloatArray], truth: stats.rv_continuous, draws: int) -> None:
    """Each quantile within `ERRORS` of its own standard error, √(p(1−p)/S) / density."""
    for name, share in QUANTILES.items():
        wanted = truth.ppf(share)
        error = np.sqrt(share * (1 - share) / draws) / truth.pdf(wanted)
        np.testing.assert_array_less(np.abs(found[name] - wanted), ERRORS * error)


def test_known_noise_gives_the_normal_predictive_distribution() -> None:
    """β ~ normal(m, V) and known σ: a new observation is normal(x'm, x'Vx + σ²)."""
    rng = np.random.default_rng(1)
    mean, root, sigma = np.array([10.0, -2.0]), np.array([[1.0, 0.0], [0.5, 0.7]]), 1.5
    coef = mean + rng.normal(size=(SIZE, 2)) @ root.T
    values = np.array([[1.0, 0.0], [1.0, 3.0], [1.0, -2.0]])
    found = predicted(JointDraws(coef, np.full(SIZE, sigma)), values)
    center, spread = values @ mean, np.einsum("nj,jk,nk->n", values, root @ root.T, values)
    assert_quantiles(found.expected, stats.norm(center, np.sqrt(spread)), SIZE)
    assert_quantiles(found.predicted, stats.norm(center, np.sqrt(spread + sigma**2)), SIZE)
    np.testing.assert_allclose(found.predicted["mean"], center, atol=5 * np.sqrt(spread.max() / SIZE))
    np.testing.assert_allclose(found.predicted["sd"], np.sqrt(spread + sigma**2), rtol=0.01)


def test_the_conjugate_posterior_gives_student_t() -> None:
    """σ² ~ scaled inverse χ²(ν, s²), β | σ ~ normal(m, σ²V): a new observation is t_ν(x'm, s √(1 + x'Vx))."""
    rng = np.random.default_rng(2)
    degrees, scale, mean, root = 8, 2.0, np.array([5.0, 1.0]), np.diag([0.5, 0.2])
    sigma = scale * np.sqrt(degrees / rng.chisquare(degrees, SIZE))
    coef = mean + sigma[:, None] * (rng.normal(size=(SIZE, 2)) @ root)
    values = np.array([[1.0, 0.0], [1.0, 4.0]])
    found = predicted(JointDraws(coef, sigma), values)
    spread = scale * np.sqrt(1 + np.einsum("nj,jk,nk->n", values, root @ root, values))
    assert_quantiles(found.predicted, stats.t(degrees, values @ mean, spread), SIZE)


def test_a_log_response_gives_the_lognormal_distribution() -> None:
    mu, sigma = np.array([2.0, 3.5]), 0.4
    joint = JointDraws(np.ones((4000, 1)), np.full(4000, sigma))
    found = predicted(joint, mu[:, None], log=True)
    truth = stats.lognorm(sigma, scale=np.exp(mu))
    for name, share in QUANTILES.items():
        np.testing.assert_allclose(found.predicted[name], truth.ppf(share), rtol=1e-3)
        np.testing.assert_allclose(found.expected[name], truth.mean(), rtol=1e-12)
        np.testing.assert_allclose(found.predicted_model[name], mu + sigma * stats.norm.ppf(share), rtol=1e-3)
    np.testing.assert_allclose(found.predicted["mean"], truth.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.predicted["sd"], truth.std(), rtol=1e-12)
    np.testing.assert_allclose(found.expected_model["mean"], mu, rtol=1e-12)
    np.testing.assert_allclose(found.predicted_model["sd"], sigma, rtol=1e-12)


def test_totals_are_sums_within_draws() -> None:
    """Parameters are common to all rows, noise is not: the sds of a sum of n are n·sd(β) and √n·σ."""
    rng = np.random.default_rng(4)
    coef, sigma, rows = rng.normal(10, 0.5, (SIZE, 1)), 2.0, 25
    found = predicted(JointDraws(coef, np.full(SIZE, sigma)), np.ones((rows, 1)))
    np.testing.assert_allclose(found.expected_totals[0], rows * coef[:, 0])
    assert found.predicted_totals.std() == pytest.approx(np.hypot(rows * 0.5, np.sqrt(rows) * sigma), rel=0.02)
    assert_quantiles(
        {name: np.array([np.quantile(found.predicted_totals, share)]) for name, share in QUANTILES.items()},
        stats.norm(rows * 10.0, np.hypot(rows * 0.5, np.sqrt(rows) * sigma)), SIZE,
    )  # fmt: skip


def test_log_totals_have_the_mean_and_variance_of_sums_of_lognormals() -> None:
    mu, sigma = np.array([1.0, 1.5, 2.0]), 0.3
    found = predicted(JointDraws(np.ones((SIZE, 1)), np.full(SIZE, sigma)), mu[:, None], log=True)
    truth = stats.lognorm(sigma, scale=np.exp(mu))
    assert found.predicted_totals.mean() == pytest.approx(truth.mean().sum(), rel=0.003)
    assert found.predicted_totals.std() == pytest.approx(np.sqrt(truth.var().sum()), rel=0.03)


def test_noise_is_independent_between_rows() -> None:
    joint = JointDraws(np.zeros((SIZE, 1)), np.ones(SIZE))
    first, second = (predict(joint, matrix_of(np.ones((2, 1))), np.array(unit), 2, seed=1) for unit in ([0, 1], [0, 0]))
    one, other = first.predicted_totals
    assert abs(np.corrcoef(one, other)[0, 1]) < ERRORS / np.sqrt(SIZE)
    np.testing.assert_allclose(second.predicted_totals[0], one + other)


def small_joint(draws: int = 500) -> JointDraws:
    rng = np.random.default_rng(5)
    return JointDraws(rng.normal(size=(draws, 2)), rng.uniform(0.5, 1, draws))


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    values = np.random.default_rng(6).normal(size=(30, 2))
    first, again, other = (predicted(small_joint(), values, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.predicted["q05"], again.predicted["q05"])
    np.testing.assert_array_equal(first.predicted_totals, again.predicted_totals)
    assert not np.array_equal(first.predicted["q05"], other.predicted["q05"])
    np.testing.assert_array_equal(first.expected["q05"], other.expected["q05"])


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values, unit = np.random.default_rng(6).normal(size=(30, 2)), np.repeat([0, 1, 3], 10)
    whole = predict(small_joint(), matrix_of(values, log=True), unit, 4, seed=1)
    monkeypatch.setattr(dsam_assets.fit.predictor, "BLOCK_CELLS", 500 * 7)
    cut = predict(small_joint(), matrix_of(values, log=True), unit, 4, seed=1)
    for name in whole.predicted:
        np.testing.assert_allclose(whole.predicted[name], cut.predicted[name], rtol=1e-12)
    np.testing.assert_allclose(whole.predicted_totals, cut.predicted_totals, rtol=1e-12)
    assert not whole.predicted_totals[2].any()


def test_a_point_has_values_and_no_spread() -> None:
    found = predicted(JointDraws(np.array([[2.0, 0.5]]), np.array([0.3])), np.array([[1.0, 2.0]]), log=True)
    for part in (found.expected, found.predicted):
        assert (part["mean"], part["q50"]) == (np.exp(3.0), np.exp(3.0))
        assert all(np.isnan(part[name]).all() for name in ("sd", "q05", "q10", "q25", "q75", "q90", "q95"))


def test_the_seed_is_that_of_the_fit() -> None:
    draws = draws_of(("x0",), np.zeros((2, 1)), np.ones(2))
    assert fit_seed(draws) == 7
    assert fit_seed(Draws(draws.terms, draws.coef, draws.noise_sd, {}, 10, {})) == 0


FORMULA = "kpi ~ tv + (1 + tv | market)"


def hierarchical(times: int, *, point: bool = False) -> tuple[Draws, ModelSource, FutureData]:
    """One draw of the population, many times, and future rows of a known and of a new market; not standardised."""
    past, future = split(panel(weeks=20), 2)
    rows = future[future["market"] == "m1"]
    ahead = pd.concat([rows, rows.assign(market="zz")], ignore_index=True)
    source = source_of(past, FORMULA, model={"scale": False})
    deviations = np.tile(np.array([[1.0, 0.1], [2.0, 0.2], [3.0, 0.3]]), (1, times, 1, 1))
    draws = draws_of(
        source.matrix.terms, np.tile([100.0, 0.5], (times, 1)), np.ones(times),
        group_sd={"sd_1[(Intercept)]": np.full((1, times), 4.0), "sd_1[tv]": np.full((1, times), 0.05)},
        deviations=(GroupDeviations("market", ("m0", "m1", "m2"), ("(Intercept)", "tv"), deviations),),
        attributes={"method": "optimise" if point else "mcmc"},
    )  # fmt: skip
    return draws, source, FutureData(ahead)


def test_a_new_group_is_drawn_from_the_population() -> None:
    """Its level and slope are normal(0, τ) around the population's, so its variance is τ₀² + τ₁² x² + σ²."""
    draws, source, ahead = hierarchical(SIZE)
    rows = future_rows(source, ahead)
    design = model_design(source.matrix, priors_of(FORMULA, model={"scale": False}))
    joint = forecast_draws(draws, design, rows, seed=fit_seed(draws))
    found = predict(joint, rows.matrix, rows.unit, 2, seed=7)
    tv = rows.frame["tv"].to_numpy()
    known = rows.unit == 0
    np.testing.assert_allclose(found.expected["mean"][known], 102.0 + 0.7 * tv[known])
    np.testing.assert_allclose(found.expected["sd"][known], 0, atol=1e-9)
    spread = np.sqrt(16.0 + (0.05 * tv[~known]) ** 2 + 1.0)
    new = stats.norm(100.0 + 0.5 * tv[~known], spread)
    assert_quantiles({name: found.predicted[name][~known] for name in QUANTILES}, new, SIZE)
    assert rows.new == ("zz",)


def test_a_new_group_of_a_point_estimate_is_the_average_group() -> None:
    draws, source, ahead = hierarchical(1, point=True)
    rows = future_rows(source, ahead)
    joint = forecast_draws(draws, None, rows, seed=0)
    np.testing.assert_allclose(
        predictor(joint, rows.matrix, slice(None))[:, 0],
        np.where(rows.unit == 0, 102.0 + 0.7 * rows.frame["tv"], 100.0 + 0.5 * rows.frame["tv"]),
    )


def test_known_groups_need_no_design() -> None:
    draws, _, _ = hierarchical(10)
    rows = rows_of(matrix_of(np.ones((2, 2))))
    np.testing.assert_array_equal(forecast_draws(draws, None, rows, seed=0).coef, joint_draws(draws).coef)
