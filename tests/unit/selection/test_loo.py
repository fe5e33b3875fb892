"""PSIS-LOO against closed-form leave-one-out densities of a conjugate model, and against ArviZ."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base.array import array_stats
from scipy import stats

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import DataError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictor import JointDraws, joint_draws
from dsam_assets.scales import FloatArray
from dsam_assets.selection import loo
from dsam_assets.selection.loo import LooResult, k_band, log_likelihood, psis_loo
from dsam_assets.selection.loo_tables import loo_pointwise_frame, loo_summary_frame, skipped_summary

SIGMA, PRIOR_SD, CHAINS = 0.7, 5.0, 4


def make_matrix(n_rows: int, seed: int, outlier: bool = False) -> ModelMatrix:
    rng = np.random.default_rng(seed)
    values = np.column_stack([np.ones(n_rows), rng.normal(size=(n_rows, 2))])
    offset = rng.normal(size=n_rows)
    if outlier:
        values[10, 1] = 12.0
    response = values @ [3.0, 0.5, -0.3] + offset + SIGMA * rng.normal(size=n_rows)
    if outlier:
        response[10] += 8.0
    return ModelMatrix(
        terms=("(Intercept)", "m_tv", "m_search"),
        values=values,
        response=response,
        offset=offset,
        response_name="kpi",
        response_scale="identity",
        rows=np.arange(n_rows) + 2,
        dropped={},
    )


def conjugate(values: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Exact posterior mean and covariance of the coefficients for known sigma and a normal(0, PRIOR_SD) prior."""
    covariance = np.linalg.inv(values.T @ values / SIGMA**2 + np.eye(values.shape[1]) / PRIOR_SD**2)
    return covariance @ values.T @ target / SIGMA**2, covariance


def exact_draws(matrix: ModelMatrix, size: int, seed: int) -> Draws:
    mean, covariance = conjugate(matrix.values, matrix.response - matrix.offset)
    coef = np.random.default_rng(seed).multivariate_normal(mean, covariance, size=(CHAINS, size))
    return Draws(matrix.terms, coef, np.full((CHAINS, size), SIGMA), {}, 10, {})


def exact_loo(matrix: ModelMatrix) -> FloatArray:
    """Log density of each row under the exact posterior of the others."""
    target = matrix.response - matrix.offset
    result = np.empty(len(target))
    for row in range(len(target)):
        others = np.arange(len(target)) != row
        mean, covariance = conjugate(matrix.values[others], target[others])
        x = matrix.values[row]
        result[row] = stats.norm.logpdf(target[row], x @ mean, np.sqrt(x @ covariance @ x + SIGMA**2))
    return result


def run(draws: Draws, matrix: ModelMatrix, **options: object) -> LooResult:
    settings = {"max_draws": None, "seed": 1, "pareto_k_warn": 0.7, **options}
    return psis_loo(draws, matrix, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def weekly() -> tuple[Draws, ModelMatrix]:
    matrix = make_matrix(60, seed=1)
    return exact_draws(matrix, 2500, seed=2), matrix


Weekly = tuple[Draws, ModelMatrix]


def test_equals_exact_leave_one_out(weekly: Weekly) -> None:
    draws, matrix = weekly
    result, truth = run(draws, matrix), exact_loo(matrix)
    np.testing.assert_allclose(result.elpd_pointwise, truth, atol=0.01)
    assert result.elpd_loo == pytest.approx(truth.sum(), abs=0.03)
    assert result.looic == -2 * result.elpd_loo
    assert result.se_elpd_loo == pytest.approx(np.sqrt(60 * truth.var(ddof=1)), rel=0.01)
    full = stats.norm.logpdf(matrix.response - matrix.offset, *exact_predictive(matrix)).sum()
    assert result.p_loo == pytest.approx(full - truth.sum(), abs=0.05)
    assert (result.k_counts["good"], result.n_rows, result.n_scored, result.n_draws) == (60, 60, 60, 10_000)
    assert result.warnings == ()


@pytest.mark.parametrize("seed", range(5))
def test_total_is_within_its_monte_carlo_error_where_no_row_is_flagged(seed: int) -> None:
    """The error of Σ log E is that of its terms over independent sets of draws."""
    matrix = make_matrix(60, seed=20 + seed)
    truth = exact_loo(matrix).sum()
    totals = [run(exact_draws(matrix, 500, seed=100 * seed + each), matrix) for each in range(8)]
    assert all(result.k_counts["above_warn"] == 0 for result in totals)
    values = np.array([result.elpd_loo for result in totals])
    assert abs(values.mean() - truth) < 4 * values.std(ddof=1) / np.sqrt(8)
    assert values.std(ddof=1) < 0.05 * totals[0].se_elpd_loo


def test_rows_that_it_cannot_judge_are_flagged_and_the_others_are_right() -> None:
    """An outlier with leverage: its weights have no finite mean, and no number of draws makes its score right."""
    matrix = make_matrix(60, seed=3, outlier=True)
    truth = exact_loo(matrix)
    result = run(exact_draws(matrix, 2500, seed=4), matrix)
    error = np.abs(result.elpd_pointwise - truth)
    flagged = result.pareto_k > 0.7
    assert flagged.tolist() == (error > 0.1).tolist()
    assert np.flatnonzero(flagged).tolist() == [10]
    assert error[10] > 1.0


def exact_predictive(matrix: ModelMatrix) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of each row under the posterior of all rows."""
    mean, covariance = conjugate(matrix.values, matrix.response - matrix.offset)
    x = matrix.values
    return x @ mean, np.sqrt(np.einsum("ij,jk,ik->i", x, covariance, x) + SIGMA**2)


def test_same_as_arviz_for_the_same_relative_efficiency(weekly: Weekly) -> None:
    draws, matrix = weekly
    result = run(draws, matrix, r_eff=0.8)
    density = log_likelihood(joint_draws(draws), matrix, np.arange(60)).reshape(60, CHAINS, -1)
    elpd, k, p_loo = array_stats.loo(density, r_eff=0.8)
    np.testing.assert_allclose(result.elpd_pointwise, elpd, atol=1e-9)
    np.testing.assert_allclose(result.pareto_k, k, atol=1e-6)
    np.testing.assert_allclose(result.p_loo_pointwise, p_loo, atol=1e-9)


def test_likelihood_is_gaussian(weekly: Weekly) -> None:
    draws, matrix = weekly
    joint = JointDraws(draws.coef_flat[:3], np.array([0.5, 1.0, 2.0]))
    mean = matrix.values @ joint.coef.T + matrix.offset[:, np.newaxis]
    expected = stats.norm.logpdf(matrix.response[:, np.newaxis], mean, joint.noise_sd)
    np.testing.assert_allclose(log_likelihood(joint, matrix, np.arange(60)), expected, rtol=1e-12)


def test_outlier_with_leverage_has_a_high_k() -> None:
    matrix = make_matrix(60, seed=3, outlier=True)
    result = run(exact_draws(matrix, 1000, seed=4), matrix)
    assert np.argmax(result.pareto_k) == 10
    assert result.pareto_k[10] > 0.7
    assert np.delete(result.pareto_k, 10).max() < 0.7
    assert result.k_counts["above_warn"] == 1
    assert "1 of 60 scored rows" in result.warnings[0]


def test_kpi_scale_is_the_lognormal_density(weekly: Weekly) -> None:
    draws, matrix = weekly
    matrix = replace(matrix, response_scale="log")
    result, kpi = run(draws, matrix), np.exp(matrix.response)
    others = [np.arange(60) != row for row in range(60)]
    target, truth = matrix.response - matrix.offset, 0.0
    for row in range(60):
        mean, covariance = conjugate(matrix.values[others[row]], target[others[row]])
        x = matrix.values[row]
        sd = np.sqrt(x @ covariance @ x + SIGMA**2)
        truth += stats.lognorm.logpdf(kpi[row], sd, scale=np.exp(x @ mean + matrix.offset[row]))
    assert result.kpi_elpd_loo == pytest.approx(truth, abs=0.03)
    assert result.elpd_loo == pytest.approx(run(draws, weekly[1]).elpd_loo)
    assert result.se_kpi_elpd_loo == pytest.approx(
        np.sqrt(60 * (exact_loo(matrix) - matrix.response).var(ddof=1)), rel=0.01
    )


def test_identity_response_needs_no_jacobian(weekly: Weekly) -> None:
    result = run(*weekly)
    assert (result.kpi_elpd_loo, result.se_kpi_elpd_loo) == (result.elpd_loo, result.se_elpd_loo)


def test_blocks_of_rows_do_not_change_the_result(weekly: Weekly, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(*weekly)
    monkeypatch.setattr(loo, "_BLOCK_BYTES", 7 * 8 * 6 * 10_000)
    blocked = run(*weekly)
    np.testing.assert_allclose(blocked.elpd_pointwise, whole.elpd_pointwise, atol=1e-12)
    assert loo._block_rows(10_000, 300) < 60


def test_block_of_rows_fits_the_memory() -> None:
    assert loo._block_rows(4000, 189) * 4000 * 8 * 6 <= 64 * 2**20
    assert loo._block_rows(100_000_000, 30_000) == 1


def test_max_draws(weekly: Weekly) -> None:
    draws, matrix = weekly
    result = run(draws, matrix, max_draws=800)
    assert result.n_draws == 800
    assert result.elpd_loo == pytest.approx(exact_loo(matrix).sum(), abs=0.2)
    assert result.elpd_loo != run(draws, matrix).elpd_loo


def test_relative_efficiency_follows_the_autocorrelation(weekly: Weekly) -> None:
    draws, matrix = weekly
    assert run(draws, matrix).r_eff == pytest.approx(1.0, abs=0.05)
    sticky = replace(draws, coef=np.repeat(draws.coef[:, :500], 5, axis=1))
    assert run(sticky, matrix).r_eff == pytest.approx(0.2, abs=0.03)
    assert run(sticky, matrix, max_draws=2000).r_eff == pytest.approx(1.0, abs=0.1)


def test_few_draws_lower_the_reliable_k(weekly: Weekly) -> None:
    result = run(*weekly, max_draws=200)
    assert any("above 0.57" in text for text in result.warnings)


def test_sample_of_rows_is_honest_about_its_error() -> None:
    matrix = make_matrix(3000, seed=5)
    draws = exact_draws(matrix, 100, seed=6)
    options = {"max_rows": 1000, "sampled_rows": 300}
    whole = run(draws, matrix)
    samples = [run(draws, matrix, seed=seed, **options) for seed in range(40)]
    totals = np.array([sample.elpd_loo for sample in samples])
    first = samples[0]
    assert (first.n_rows, first.n_scored, len(first.pareto_k)) == (3000, 300, 300)
    assert totals.std(ddof=1) == pytest.approx(first.se_subsampling, rel=0.3)
    assert abs(totals.mean() - whole.elpd_loo) < 4 * first.se_subsampling / np.sqrt(40)
    assert first.se_elpd_loo == pytest.approx(np.hypot(whole.se_elpd_loo, first.se_subsampling), rel=0.15)
    assert first.p_loo == pytest.approx(whole.p_loo, abs=2)
    np.testing.assert_array_equal(first.elpd_pointwise, run(draws, matrix, seed=0, **options).elpd_pointwise)
    assert (samples[1].scored != first.scored).any()
    assert "random sample of 300 of 3,000 rows" in first.warnings[0]
    assert whole.se_subsampling == 0


def test_twenty_thousand_rows_are_the_limit() -> None:
    matrix = make_matrix(20_001, seed=7)
    draws = exact_draws(matrix, 10, seed=8)
    assert run(draws, matrix).n_scored == 5000
    short = replace(
        matrix, values=matrix.values[1:], response=matrix.response[1:], offset=matrix.offset[1:], rows=matrix.rows[1:]
    )
    assert run(draws, short).n_scored == 20_000


def test_nan_draw_is_nan_not_a_number_made_up(weekly: Weekly) -> None:
    draws, matrix = weekly
    noise = draws.noise_sd.copy()
    noise[0, 3] = np.nan
    result = run(replace(draws, noise_sd=noise), matrix)
    assert np.isnan(result.elpd_loo)
    assert np.isnan(result.pareto_k).all()
    assert "not finite" in result.warnings[-1]
    assert result.k_counts["not_computed"] == 60


def test_zero_noise_is_nan_without_a_warning(weekly: Weekly) -> None:
    draws, matrix = weekly
    noise = draws.noise_sd.copy()
    noise[0, 3] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(run(replace(draws, noise_sd=noise), matrix).elpd_loo)


@pytest.mark.parametrize(
    ("k", "band"),
    [(-0.2, "good"), (0.5, "good"), (0.51, "ok"), (0.7, "ok"), (0.71, "bad"), (1.0, "bad"), (1.01, "very_bad")],
)
def test_bands(k: float, band: str) -> None:
    assert list(k_band(np.array([k, np.nan, np.inf]))) == [band, "not_computed", "very_bad"]


def test_summary_table() -> None:
    matrix = make_matrix(60, seed=3, outlier=True)
    result = run(exact_draws(matrix, 1000, seed=4), matrix)
    row = loo_summary_frame(result).iloc[0]
    assert (row["status"], row["scale"], row["elpd_loo"]) == ("ok", "model", result.elpd_loo)
    assert row["max_pareto_k"] == result.pareto_k[10]
    counts = [row[name] for name in ("n_k_le_0_5", "n_k_0_5_to_0_7", "n_k_gt_0_7", "n_k_above_warn")]
    assert counts == [
        np.count_nonzero(result.pareto_k <= 0.5),
        np.count_nonzero((result.pareto_k > 0.5) & (result.pareto_k <= 0.7)),
        1,
        1,
    ]


def test_skipped_summary_has_the_same_columns(weekly: Weekly) -> None:
    stub, full = skipped_summary("fit.method is optimise"), loo_summary_frame(run(*weekly))
    assert list(stub.columns) == list(full.columns)
    assert (stub.dtypes == full.dtypes).all()
    assert (stub.loc[0, "status"], stub.loc[0, "reason"]) == ("skipped", "fit.method is optimise")
    assert stub[["elpd_loo", "n_rows", "max_pareto_k"]].isna().all(axis=None)
    assert pd.read_csv(io.StringIO(stub.to_csv(index=False))).loc[0, "status"] == "skipped"


def test_pointwise_table() -> None:
    matrix = make_matrix(60, seed=3, outlier=True)
    labels = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=60, freq="7D")})
    result = run(exact_draws(matrix, 1000, seed=4), matrix)
    table = loo_pointwise_frame(result, top_n=3, labels=labels)
    assert list(table.columns) == [
        "row", "date", "elpd_loo", "p_loo", "pareto_k", "k_band", "influential", "top_n",
    ]  # fmt: skip
    assert list(table["row"]) == list(range(2, 62))
    assert list(np.flatnonzero(table["influential"])) == [10]
    assert set(np.flatnonzero(table["top_n"])) == set(np.argsort(result.pareto_k)[-3:])
    assert table.loc[10, "k_band"] in ("bad", "very_bad")
    assert not loo_pointwise_frame(result, top_n=0)["top_n"].any()
    with pytest.raises(DataError, match="do not match"):
        loo_pointwise_frame(result, top_n=3, labels=labels[:5])


def test_pointwise_table_of_a_sample_of_rows() -> None:
    matrix = make_matrix(300, seed=9)
    labels = pd.DataFrame({"week": np.arange(300) * 10})
    result = run(exact_draws(matrix, 50, seed=10), matrix, max_rows=100, sampled_rows=20)
    table = loo_pointwise_frame(result, top_n=5, labels=labels)
    assert len(table) == 20
    np.testing.assert_array_equal(table["week"], result.scored * 10)
    np.testing.assert_array_equal(table["row"], result.scored + 2)
