"""Scores of held-out rows against the exact predictive distributions of a conjugate model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit import predictor as predictor_module
from dsam_assets.fit.predictor import JointDraws
from dsam_assets.scales import FloatArray, ResponseScale
from dsam_assets.selection import holdout_scores
from dsam_assets.selection.holdout_scores import RowScores, score_rows

SIGMA, SIZE = 0.6, 200_000
MEAN, COVARIANCE = np.array([2.0, -0.5]), np.array([[0.09, 0.02], [0.02, 0.04]])
WEEKS = np.array([1, 1, 2, 3, 3, 3])


def block(scale: ResponseScale = "identity") -> ModelMatrix:
    rng = np.random.default_rng(8)
    values = np.column_stack([np.ones(6), rng.normal(size=6)])
    offset = rng.normal(size=6)
    response = values @ [2.3, -0.3] + offset + SIGMA * rng.normal(size=6)
    return ModelMatrix(("(Intercept)", "x"), values, response, offset, "kpi", scale, np.arange(6), {})


@pytest.fixture(scope="module")
def joint() -> JointDraws:
    coef = np.random.default_rng(9).multivariate_normal(MEAN, COVARIANCE, size=SIZE)
    return JointDraws(coef, np.full(SIZE, SIGMA))


def predictive(matrix: ModelMatrix, rows: FloatArray, known: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of rows given the posterior before the origin and the known rows of the block."""
    X, y = matrix.values[known], (matrix.response - matrix.offset)[known]
    precision = np.linalg.inv(COVARIANCE)
    covariance = np.linalg.inv(precision + X.T @ X / SIGMA**2)
    mean = covariance @ (precision @ MEAN + X.T @ y / SIGMA**2)
    x = matrix.values[rows]
    return x @ mean + matrix.offset[rows], np.sqrt(np.einsum("ij,jk,ik->i", x, covariance, x) + SIGMA**2)


def exact(matrix: ModelMatrix, method: str) -> tuple[FloatArray, FloatArray]:
    """Mean and sd of every row's predictive distribution."""
    mean, sd = np.empty(6), np.empty(6)
    for week in (1, 2, 3):
        rows = week == WEEKS
        known = week > WEEKS if method == "leave_future_out" else np.zeros(6, dtype=bool)
        mean[rows], sd[rows] = predictive(matrix, rows, known)
    return mean, sd


@pytest.mark.parametrize("method", ["blocked_cv", "leave_future_out"])
def test_scores_equal_the_exact_predictive_distribution(joint: JointDraws, method: holdout_scores.Method) -> None:
    matrix = block()
    found = score_rows(joint, matrix, WEEKS, method)
    mean, sd = exact(matrix, method)
    np.testing.assert_allclose(found.predicted, mean, atol=0.01)
    np.testing.assert_allclose(found.elpd, stats.norm.logpdf(matrix.response, mean, sd), atol=0.01)
    np.testing.assert_allclose(found.pit, stats.norm.cdf(matrix.response, mean, sd), atol=0.01)
    np.testing.assert_array_equal(found.kpi_elpd, found.elpd)
    np.testing.assert_array_equal(found.predicted_kpi, found.predicted)
    np.testing.assert_array_equal(found.observed, matrix.response)
    weighed = np.isfinite(found.pareto_k)
    np.testing.assert_array_equal(weighed, (WEEKS > 1) if method == "leave_future_out" else np.zeros(6, dtype=bool))


def test_the_methods_differ_only_after_the_first_week(joint: JointDraws) -> None:
    matrix = block()
    blocked, week_by_week = (score_rows(joint, matrix, WEEKS, m) for m in ("blocked_cv", "leave_future_out"))
    apart = np.abs(blocked.elpd - week_by_week.elpd)
    assert apart[:2].max() < 1e-12
    assert apart[2:].min() > 0.01


def test_weekly_scores_of_one_row_add_up_to_the_joint_density(joint: JointDraws) -> None:
    """The chain rule: the block's density as a whole is a multivariate normal's."""
    matrix = block()
    found = score_rows(joint, matrix, np.arange(1, 7), "leave_future_out")
    centre = matrix.values @ MEAN + matrix.offset
    spread = matrix.values @ COVARIANCE @ matrix.values.T + SIGMA**2 * np.eye(6)
    truth = stats.multivariate_normal(centre, spread).logpdf(matrix.response)
    assert found.elpd.sum() == pytest.approx(truth, abs=0.03)
    blocked = score_rows(joint, matrix, np.arange(1, 7), "blocked_cv")
    assert blocked.elpd.sum() != pytest.approx(truth, abs=0.1)


def test_kpi_scale_of_a_log_response(joint: JointDraws) -> None:
    matrix = block("log")
    found = score_rows(joint, matrix, WEEKS, "blocked_cv")
    mean, sd = exact(matrix, "blocked_cv")
    kpi = np.exp(matrix.response)
    np.testing.assert_allclose(found.kpi_elpd, stats.lognorm.logpdf(kpi, sd, scale=np.exp(mean)), atol=0.01)
    np.testing.assert_allclose(found.elpd, stats.norm.logpdf(matrix.response, mean, sd), atol=0.01)
    np.testing.assert_allclose(found.observed_kpi, kpi)
    np.testing.assert_allclose(found.predicted_kpi, np.exp(mean + sd**2 / 2), rtol=0.01)


def test_intervals_hold_what_lies_between_the_quantiles(joint: JointDraws) -> None:
    matrix = block()
    mean, sd = exact(matrix, "blocked_cv")
    distances = np.array([-2.0, -1.7, -1.6, 1.6, 1.7, 2.0])  # the 95 % quantile is at 1.645
    moved = ModelMatrix(
        matrix.terms, matrix.values, mean + distances * sd, matrix.offset, "kpi", "identity", matrix.rows, {}
    )
    found: RowScores = score_rows(joint, moved, WEEKS, "blocked_cv")
    assert found.covered.tolist() == [False, False, True, True, False, False]


def test_small_blocks_of_rows_give_the_same(joint: JointDraws, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = block()
    whole = [score_rows(joint, matrix, WEEKS, method).elpd for method in ("blocked_cv", "leave_future_out")]
    assert predictor_module.BLOCK_CELLS == holdout_scores.BLOCK_CELLS
    monkeypatch.setattr(holdout_scores, "BLOCK_CELLS", 2 * SIZE)
    again = [score_rows(joint, matrix, WEEKS, method).elpd for method in ("blocked_cv", "leave_future_out")]
    np.testing.assert_allclose(again, whole, rtol=1e-12)
