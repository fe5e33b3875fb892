"""LOO-PIT against closed forms; uniform for the model that made the data, and not where the noise is understated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_loo import SIGMA, exact_draws, make_matrix, run

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics import thresholds
from dsam_assets.diagnostics.calibration import CHECK_ID, SMALL_DEVIATION, calibration_gate, calibration_json
from dsam_assets.diagnostics.report import build_report
from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray
from dsam_assets.selection.calibration import ALPHA, Calibration, calibration, diagnose, pit_moments
from dsam_assets.selection.calibration_tables import SUMMARY_DTYPES, calibration_tables, missing_summary
from dsam_assets.selection.uniformity import uniformity_p_value
from dsam_assets.verdict import PolicyMode, effective_status

MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")
SHAPE, RATE, PRIOR_SPREAD = 3.0, 2.0, 3.0


def simulated(rng: np.random.Generator, n_rows: int, columns: int) -> ModelMatrix:
    """Data from the prior: variance from an inverse gamma, coefficients normal given it, then the rows."""
    variance = RATE / rng.gamma(SHAPE)
    values = np.column_stack([np.ones(n_rows), rng.normal(size=(n_rows, columns - 1))])
    coef = PRIOR_SPREAD * np.sqrt(variance) * rng.normal(size=columns)
    response = values @ coef + np.sqrt(variance) * rng.normal(size=n_rows)
    terms = ("(Intercept)", *(f"x{column}" for column in range(1, columns)))
    return ModelMatrix(terms, values, response, np.zeros(n_rows), "kpi", "identity", np.arange(n_rows), {})


def posterior(matrix: ModelMatrix, rng: np.random.Generator, size: int = 1000, noise_factor: float = 1.0) -> Draws:
    """Exact draws of the normal-inverse-gamma posterior; with `noise_factor` below 1 the noise is understated."""
    X, y = matrix.values, matrix.response
    precision = X.T @ X + np.eye(X.shape[1]) / PRIOR_SPREAD**2
    mean = np.linalg.solve(precision, X.T @ y)
    rate = RATE + 0.5 * (y @ y - mean @ precision @ mean)
    variance = noise_factor**2 * rate / rng.gamma(SHAPE + len(y) / 2, size=size)
    root = np.linalg.cholesky(np.linalg.inv(precision))
    coef = mean + np.sqrt(variance)[:, None] * (rng.normal(size=(size, X.shape[1])) @ root.T)
    return Draws(matrix.terms, coef.reshape(4, -1, X.shape[1]), np.sqrt(variance).reshape(4, -1), {}, 10, {})


def replicated(count: int, noise_factor: float, n_rows: int = 100, columns: int = 10) -> tuple[FloatArray, list[str]]:
    """PIT of the first row of each data set, which are independent, and the gate's status under publish."""
    first, found = [], []
    for seed in range(count):
        rng = np.random.default_rng([seed, n_rows])
        matrix = simulated(rng, n_rows, columns)
        result = run(posterior(matrix, rng, noise_factor=noise_factor), matrix)
        first.append(result.pit[0])
        found.append(calibration_gate(calibration_tables(result), "publish").status)
    return np.array(first), found


def test_pit_is_the_exact_leave_one_out_one() -> None:
    matrix = make_matrix(60, seed=1)
    result = run(exact_draws(matrix, 2500, seed=2), matrix)
    x, target = matrix.values, matrix.response - matrix.offset
    for row in range(60):
        others = np.arange(60) != row
        covariance = np.linalg.inv(x[others].T @ x[others] / SIGMA**2 + np.eye(3) / 25)
        mean = x[row] @ covariance @ x[others].T @ target[others] / SIGMA**2
        spread = np.sqrt(x[row] @ covariance @ x[row] + SIGMA**2)
        assert result.pit[row] == pytest.approx(stats.norm.cdf(target[row], mean, spread), abs=0.01)


def test_pit_of_a_log_model_is_that_of_the_kpi() -> None:
    """P(new KPI ≤ KPI) of a lognormal: the exponential keeps the order."""
    matrix = make_matrix(60, seed=1)
    draws = exact_draws(matrix, 500, seed=2)
    logged = run(draws, replace(matrix, response_scale="log"))
    np.testing.assert_array_equal(logged.pit, run(draws, matrix).pit)


def test_uniform_for_the_model_that_made_the_data() -> None:
    first, found = replicated(40, 1.0)
    assert uniformity_p_value(first) > 0.01
    assert found.count("pass") >= 38


def test_not_uniform_where_the_noise_is_understated() -> None:
    first, found = replicated(40, 0.5)
    assert uniformity_p_value(first) < 0.01
    assert found.count("fail") >= 36


@pytest.mark.slow
def test_uniform_over_two_hundred_data_sets() -> None:
    first, found = replicated(200, 1.0)
    assert uniformity_p_value(first) > 0.01
    assert found.count("pass") >= 194
    assert "fail" not in found


@pytest.mark.slow
@pytest.mark.parametrize(("n_rows", "columns"), [(60, 10), (60, 20), (200, 20)])
def test_few_well_specified_models_warn(n_rows: int, columns: int) -> None:
    _, found = replicated(100, 1.0, n_rows, columns)
    assert found.count("warn") <= 3
    assert "fail" not in found
    assert found.count("not_computed") <= (
        10 if n_rows == 60 and columns == 20 else 0
    )  # a third as many columns as rows


@pytest.mark.slow
def test_not_uniform_over_two_hundred_data_sets() -> None:
    first, found = replicated(200, 0.6)
    assert uniformity_p_value(first) < 1e-6
    assert found.count("pass") <= 2


def judged(pit: FloatArray) -> Calibration:
    """The calibration of these PIT values."""
    matrix = make_matrix(len(pit), seed=1)
    result = run(exact_draws(matrix, 50, seed=2), matrix)
    found = calibration(replace(result, pit=pit, pareto_k=np.full(len(pit), 0.1)))
    assert isinstance(found, Calibration)
    return found


EVEN = (np.arange(200) + 0.5) / 200


@pytest.mark.parametrize(
    ("pit", "diagnosis"),
    [
        (EVEN, "well-calibrated"),
        (stats.beta.ppf(EVEN, 0.5, 0.5), "over-confident"),
        (stats.beta.ppf(EVEN, 2.5, 2.5), "under-confident"),
        (stats.beta.ppf(EVEN, 2.0, 1.0), "biased"),
        (stats.beta.ppf(EVEN, 1.0, 2.0), "biased"),
    ],
)
def test_diagnosis(pit: FloatArray, diagnosis: str) -> None:
    found = judged(pit)
    assert found.diagnosis == diagnosis
    assert (found.p_value >= ALPHA) == (diagnosis == "well-calibrated")


def test_bias_has_a_direction() -> None:
    assert "too little" in judged(EVEN**0.5).meaning
    assert "too much" in judged(1 - EVEN**0.5).meaning
    assert diagnose({"shift": 0.0, "spread": 9.0}, 0.5)[0] == "well-calibrated"


def test_moments_have_the_sampling_distribution_of_uniform_values() -> None:
    rng = np.random.default_rng(1)
    found = np.array([list(pit_moments(rng.uniform(size=150)).values()) for _ in range(4000)])
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.07)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=0.05)


def test_coverage_is_of_central_intervals() -> None:
    pit = np.concatenate([np.full(30, 0.5), np.full(70, 0.02)])
    found = judged(pit)
    np.testing.assert_allclose(found.coverage, [0.3] * 9)
    np.testing.assert_allclose(found.coverage_band.points, np.arange(1, 10) / 10)
    within = [(np.abs(EVEN - 0.5) <= level / 2).mean() for level in found.coverage_band.points]
    np.testing.assert_allclose(judged(EVEN).coverage, within, atol=0.006)


def tables_of(pit: FloatArray) -> dict[str, pd.DataFrame]:
    matrix = make_matrix(len(pit), seed=1)
    result = run(exact_draws(matrix, 50, seed=2), matrix)
    labels = pd.DataFrame({"date": pd.date_range("2020-01-01", periods=len(pit), freq="7D")})
    return calibration_tables(replace(result, pit=pit, pareto_k=np.full(len(pit), 0.1)), labels)


def test_tables() -> None:
    tables = tables_of(stats.beta.ppf(EVEN, 0.5, 0.5))
    assert list(tables["calibration_pit"].columns) == ["row", "date", "pit", "reliable"]
    assert tables["calibration_pit"]["reliable"].all()
    assert tables["calibration_pit"].loc[0, "row"] == 2
    curve = tables["calibration_ecdf"]
    assert list(curve.columns) == ["x", "ecdf_difference", "lower", "upper", "outside"]
    assert (curve["lower"] <= 0).all()
    assert (curve["upper"] >= 0).all()
    outside = (curve["ecdf_difference"] < curve["lower"] - 1e-9) | (curve["ecdf_difference"] > curve["upper"] + 1e-9)
    np.testing.assert_array_equal(curve["outside"], outside)
    assert outside.any()
    coverage = tables["calibration_coverage"]
    assert list(coverage.columns) == ["level", "observed", "lower", "upper", "outside"]
    assert coverage["outside"].any()
    summary = tables["calibration_summary"]
    assert list(summary.columns) == list(SUMMARY_DTYPES)
    assert summary.loc[0, "p_value"] == 2 * min(summary.loc[0, "p_value_ecdf"], summary.loc[0, "p_value_coverage"])
    assert (missing_summary("why").dtypes == summary.dtypes).all()
    assert not tables_of(EVEN)["calibration_ecdf"]["outside"].any()


@pytest.mark.parametrize("power", [0.6, 0.8, 1.0, 1.25])
def test_outside_a_band_is_what_the_gate_warns_of(power: float) -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        tables = tables_of(rng.uniform(size=100) ** power)
        outside = any(tables[f"calibration_{name}"]["outside"].any() for name in ("ecdf", "coverage"))
        assert outside == (calibration_gate(tables, "explore").status == "warn")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pareto_k": 0.9}, "22 of 200 rows have an unreliable estimate"),
        ({"pareto_k": np.inf}, "more than 10%"),
        ({"pit": np.nan}, "22 of 200 rows have a log likelihood that is not finite"),
    ],
)
def test_not_computed(change: Mapping[str, float], words: str) -> None:
    matrix = make_matrix(200, seed=1)
    result = run(exact_draws(matrix, 500, seed=2), matrix)
    for name, value in change.items():
        values = getattr(result, name).copy()
        values[:22] = value
        result = replace(result, **{name: values})
    assert words in str(calibration(result))
    tables = calibration_tables(result)
    assert list(tables) == ["calibration_summary"]
    assert [calibration_gate(tables, mode).status for mode in MODES] == ["not_computed"] * 3
    row = calibration_gate(tables, "publish")
    assert words in row.message
    assert "moment_match" in row.advice
    assert effective_status(row.status, "publish") == "fail"


def test_a_tenth_of_unreliable_rows_is_borne() -> None:
    matrix = make_matrix(200, seed=1)
    result = run(exact_draws(matrix, 500, seed=2), matrix)
    k = result.pareto_k.copy()
    k[:20] = 0.9
    found = calibration(replace(result, pareto_k=k))
    assert isinstance(found, Calibration)
    assert (found.n_unreliable, found.n_scored) == (20, 200)


def test_few_rows_are_not_judged() -> None:
    matrix = make_matrix(19, seed=1)
    assert "too few" in str(calibration(run(exact_draws(matrix, 500, seed=2), matrix)))


MILD = stats.beta.ppf(EVEN, 0.7, 0.7)
BAD = stats.beta.ppf(EVEN, 0.3, 0.3)


@pytest.mark.parametrize(
    ("pit", "expected"),
    [(EVEN, ["pass"] * 3), (MILD, ["warn", "warn", "fail"]), (BAD, ["warn", "fail", "fail"])],
)
def test_gate_by_mode(pit: FloatArray, expected: list[str]) -> None:
    tables = tables_of(pit)
    found = [calibration_gate(tables, mode) for mode in MODES]
    assert [row.status for row in found] == expected
    assert {(row.gate, row.check_id, row.phase) for row in found} == {("g5", CHECK_ID, "P1")}
    assert found[0].value == tables["calibration_summary"].loc[0, "p_value"]
    assert found[0].threshold == "warn < 0.05"
    assert found[1].threshold == "warn < 0.05, fail < 0.001"
    assert (found[1].advice == "") == (expected[1] == "pass")


def test_bands_and_gate_have_one_level() -> None:
    for mode in MODES:
        assert thresholds.THRESHOLDS[mode][CHECK_ID].warn == ALPHA


def test_a_small_deviation_of_many_rows_does_not_fail_under_publish() -> None:
    even = (np.arange(8000) + 0.5) / 8000
    tables = tables_of(stats.beta.ppf(even, 0.9, 0.9))
    summary = tables["calibration_summary"].iloc[0]
    assert summary["p_value"] < 1e-6
    assert max(summary["largest_ecdf_difference"], summary["largest_coverage_error"]) < SMALL_DEVIATION
    assert [calibration_gate(tables, mode).status for mode in MODES] == ["warn", "warn", "fail"]
    assert "does not fail" in calibration_gate(tables, "publish").message


def report_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, object]:
    return calibration_json(build_report([calibration_gate(tables, "publish")], "publish", "warn", False), tables)


def test_document_of_a_good_and_a_bad_fit() -> None:
    good, bad = report_of(tables_of(EVEN)), report_of(tables_of(BAD))
    assert (good["well_calibrated"], good["computed"], good["reason"]) == (True, True, None)
    assert (good["diagnosis"], bad["diagnosis"]) == ("well-calibrated", "over-confident")
    assert (bad["well_calibrated"], bad["computed"]) == (False, True)
    assert good["rows"] == {"rows": 200, "scored": 200, "unreliable": 0}
    assert [each["level"] for each in good["coverage"]] == pytest.approx(np.arange(1, 10) / 10)  # type: ignore[attr-defined]
    assert any(each["outside"] for each in bad["coverage"])  # type: ignore[attr-defined]
    assert report_of(tables_of(MILD))["well_calibrated"] is False
    assert set(good) == set(bad)


def test_not_computed_never_reads_as_ok() -> None:
    missing = report_of({"calibration_summary": missing_summary("no PSIS-LOO: diagnostics.enabled is false")})
    assert (missing["well_calibrated"], missing["computed"]) == (None, False)
    assert "diagnostics.enabled is false" in str(missing["reason"])
    assert missing["coverage"] is missing["diagnosis"] is None
    absent = calibration_json(build_report([], "publish", "warn", False))
    assert (absent["well_calibrated"], absent["computed"], absent["reason"]) == (None, False, f"{CHECK_ID} is absent.")
    assert set(absent) == set(missing) == set(report_of(tables_of(EVEN)))
