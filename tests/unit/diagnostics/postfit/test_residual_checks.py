"""Autocorrelation of residuals: statsmodels, loops by the definition, and simulation as second opinions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.signal import lfilter

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics.residual_checks import MIN_PAIRS, residual_diagnostics
from dsam_assets.diagnostics.residual_gates import limit_for_units, residual_gates
from dsam_assets.diagnostics.residual_table import residual_table
from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import GateResult, PolicyMode

Make = Callable[..., Any]
MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")


def seasons(n: int, media: int, rng: np.random.Generator) -> FloatArray:
    """Intercept, trend, two annual harmonics and media with carry-over: a usual design."""
    t = np.arange(n)
    waves = [wave(2 * np.pi * h * t / 52.18) for h in (1, 2) for wave in (np.sin, np.cos)]
    carried = lfilter([1], [1, -0.7], rng.normal(size=(media, n)), axis=1)
    return np.column_stack([np.ones(n), t / n, *waves, *carried])


def point(matrix: ModelMatrix, as_draws: Make) -> Draws:
    estimate = np.linalg.lstsq(matrix.values, matrix.response, rcond=None)[0]
    return as_draws(matrix.terms, estimate[np.newaxis], np.ones(1))


def by_check(gates: tuple[GateResult, ...]) -> dict[str, GateResult]:
    return {gate.check_id: gate for gate in gates}


@pytest.mark.parametrize("n", [10, 23, 60, 208])
def test_without_gaps_it_is_what_statsmodels_computes(
    n: int, make_matrix: Make, make_weeks: Make, as_draws: Make
) -> None:
    from statsmodels.stats.diagnostic import acorr_ljungbox
    from statsmodels.tsa.stattools import acf

    rng = np.random.default_rng(n)
    matrix = make_matrix(np.ones((n, 1)), rng.normal(size=n).cumsum())
    table = residual_diagnostics(point(matrix, as_draws), matrix, make_weeks(n))
    lags = min(26, n - MIN_PAIRS)
    residual = matrix.response - matrix.response.mean()
    theirs = acorr_ljungbox(residual, lags=list(range(1, lags + 1)))
    ours = table.iloc[:lags]
    np.testing.assert_allclose(ours["acf"], acf(residual, nlags=lags, fft=False)[1:], rtol=1e-10)
    np.testing.assert_allclose(ours["acf_of_mean"], ours["acf"], rtol=1e-10)
    np.testing.assert_allclose(ours["lb_stat"], theirs["lb_stat"], rtol=1e-10)
    np.testing.assert_allclose(ours["lb_p"], theirs["lb_pvalue"], rtol=1e-8)
    judged = table[table["lb_p_holm"].notna()]
    assert judged["lag"].tolist() == [min(10, n // 5)]
    assert judged["lb_p_holm"].tolist() == judged["lb_p"].tolist()
    np.testing.assert_allclose(table["band"], 1.96 / np.sqrt(n))


def test_autocovariances_are_means_over_draws(make_matrix: Make, make_posterior: Make, make_weeks: Make) -> None:
    """C_k of the mean residuals plus the posterior autocovariance of the fit, both written out."""
    rng = np.random.default_rng(3)
    n, X = 60, seasons(60, 3, rng)
    matrix = make_matrix(X, X @ rng.normal(size=X.shape[1]) + rng.normal(size=n))
    draws = make_posterior(matrix, size=150)
    table = residual_diagnostics(draws, matrix, make_weeks(n))
    fits = draws.coef_flat @ X.T
    residual = matrix.response - fits
    residual = residual - residual.mean(axis=1, keepdims=True)
    mean, spread = residual.mean(axis=0), np.cov(residual.T, bias=True)
    c = [mean[k:] @ mean[: n - k] + np.trace(spread, k) for k in range(27)]
    np.testing.assert_allclose(table["acf"], np.array(c[1:]) / c[0], rtol=1e-9)
    of_mean = [mean[k:] @ mean[: n - k] / (mean @ mean) for k in range(1, 27)]
    np.testing.assert_allclose(table["acf_of_mean"], of_mean, rtol=1e-9)
    assert abs(table["acf"][0] - table["acf_of_mean"][0]) > 0.05, "the fit takes up slow noise"


def test_mean_residuals_are_those_of_the_residual_table(
    make_matrix: Make, make_posterior: Make, make_weeks: Make
) -> None:
    from statsmodels.tsa.stattools import acf

    rng = np.random.default_rng(4)
    matrix = make_matrix(seasons(80, 2, rng), rng.normal(size=80))
    draws, labels = make_posterior(matrix, size=1000), make_weeks(80)
    residual = residual_table(draws, matrix, labels)["residual"]
    table = residual_diagnostics(draws, matrix, labels)
    np.testing.assert_allclose(table["acf_of_mean"], acf(residual, nlags=26, fft=False)[1:], rtol=1e-10)


def test_gaps_are_gaps(make_matrix: Make, make_weeks: Make, as_draws: Make) -> None:
    """By the definition: every pair of rows that are k weeks apart, found by comparing dates."""
    rng = np.random.default_rng(5)
    kept = np.sort(rng.choice(np.arange(1, 99), size=70, replace=False))
    labels = make_weeks(100).iloc[kept].reset_index(drop=True)
    matrix = make_matrix(np.ones((70, 1)), rng.normal(size=70).cumsum())
    table = residual_diagnostics(point(matrix, as_draws), matrix, labels)
    e = matrix.response - matrix.response.mean()
    days, n, span = (labels["date"] - labels["date"][0]).dt.days.to_numpy(), 70, int(kept[-1] - kept[0]) + 1
    stat = 0.0
    for k in range(1, 27):
        pairs = [(i, j) for i in range(n) for j in range(n) if days[i] - days[j] == 7 * k]
        product = sum(e[i] * e[j] for i, j in pairs)
        stat += n * (n + 2) * (product / (e @ e)) ** 2 / len(pairs)
        row = table.iloc[k - 1]
        assert row["pairs"] == len(pairs)
        assert row["acf"] == pytest.approx(product / len(pairs) / (e @ e / n) * (span - k) / span, rel=1e-10)
        assert row["lb_stat"] == pytest.approx(stat, rel=1e-10)
        assert row["lb_p"] == pytest.approx(stats.chi2.sf(stat, k), rel=1e-8)


def test_lags_without_pairs_cost_no_degree_of_freedom(make_matrix: Make, as_draws: Make) -> None:
    """One unit weekly, one every other week: its odd lags do not exist."""
    rng = np.random.default_rng(6)
    weekly, sparse = (pd.date_range("2023-01-02", periods=60, freq=f) for f in ("7D", "14D"))
    labels = pd.DataFrame({"row": np.arange(120), "date": [*weekly, *sparse], "group": ["a"] * 60 + ["b"] * 60})
    matrix = make_matrix(np.ones((120, 1)), rng.normal(size=120))
    table = residual_diagnostics(point(matrix, as_draws), matrix, labels)
    b = table[table["group"] == "b"].set_index("lag")
    assert b.loc[[1, 3, 9], "acf"].isna().all()
    assert b.loc[[2, 4, 10], "acf"].notna().all()
    assert b["lb_df"].tolist() == [lag // 2 for lag in range(1, 27)]
    assert b.loc[10, "lb_p"] == pytest.approx(stats.chi2.sf(b.loc[10, "lb_stat"], 5))
    assert np.isnan(b.loc[1, "lb_p"])


def test_order_of_the_rows_does_not_matter(make_matrix: Make, make_weeks: Make, make_posterior: Make) -> None:
    rng = np.random.default_rng(7)
    values, response = seasons(90, 2, rng), rng.normal(size=90)
    labels = make_weeks(45, units=2)
    shuffle = rng.permutation(90)
    tables = []
    for order in (np.arange(90), shuffle):
        matrix = make_matrix(values[order], response[order])
        draws = make_posterior(make_matrix(values, response))
        table = residual_diagnostics(draws, matrix, labels.iloc[order].reset_index(drop=True))
        tables.append(table.sort_values(["group", "lag"], ignore_index=True))
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=1e-9)


def test_holm_is_statsmodels_holm(make_matrix: Make, make_weeks: Make, as_draws: Make) -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(8)
    response = np.concatenate([lfilter([1], [1, -phi], rng.normal(size=80)) for phi in (0, 0.2, 0.25, 0.3, 0, 0.8)])
    matrix = make_matrix(np.ones((480, 1)), response)
    table = residual_diagnostics(point(matrix, as_draws), matrix, make_weeks(80, units=6))
    judged = table[table["lb_p_holm"].notna()]
    assert len(judged) == 6
    np.testing.assert_allclose(judged["lb_p_holm"], multipletests(judged["lb_p"], method="holm")[1], rtol=1e-12)
    gate = by_check(residual_gates(table, "publish"))["resid_ljung_box_p"]
    assert (gate.value, gate.subject) == (judged["lb_p_holm"].min(), "u05")
    assert "Holm-adjusted for 6 series" in gate.message


@pytest.mark.parametrize("limit", [0.15, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("units", [2, 20, 500])
def test_acf_limit_of_a_panel_is_passed_as_seldom_as_that_of_one_series(limit: float, units: int) -> None:
    n = np.array([30.0, 156.0, 400.0])
    adjusted = limit_for_units(limit, n, units)
    assert (adjusted > limit).all()
    single, each = stats.norm.sf(limit * np.sqrt(n)), stats.norm.sf(adjusted * np.sqrt(n))
    np.testing.assert_allclose(each * units, single, rtol=0.03)  # limits have 4 decimals


def test_acf_limits_of_one_series_and_of_very_long_ones_are_the_documented_ones() -> None:
    n = np.array([20.0, 1e5])
    assert limit_for_units(0.2, n, 1).tolist() == [0.2, 0.2]
    assert limit_for_units(np.inf, n, 50).tolist() == [np.inf, np.inf]
    assert limit_for_units(0.2, n, 50)[1] == pytest.approx(0.2, abs=1e-3)


def simulate(
    make_matrix: Make, make_posterior: Make, make_weeks: Make, *, n: int, media: int | None, units: int, times: int,
    phi: float = 0.0, unit_phi: float | None = None, mode: PolicyMode = "publish",
) -> tuple[list[dict[str, GateResult]], list[float]]:  # fmt: skip
    """Gates of many fits to data whose noise is white, or AR(1); and Ljung–Box p-values of their mean residuals."""
    rng, gates, of_mean = np.random.default_rng(11), [], []
    for seed in range(times):
        X = np.vstack([np.ones((n, 1)) if media is None else seasons(n, media, rng) for _ in range(units)])
        phis = np.full(units, phi)
        phis[-1] = phi if unit_phi is None else unit_phi
        noise = [lfilter([1], [1, -p], rng.normal(size=n + 50))[50:] for p in phis]
        matrix = make_matrix(X, np.concatenate(noise))
        table = residual_diagnostics(make_posterior(matrix, size=200, seed=seed), matrix, make_weeks(n, units=units))
        gates.append(by_check(residual_gates(table, mode)))
        r = table["acf_of_mean"].to_numpy()[:10]
        of_mean.append(float(stats.chi2.sf(n * (n + 2) * np.sum(r**2 / (n - np.arange(1, 11))), 10)))
    return gates, of_mean


def share(gates: list[dict[str, GateResult]], check: str, *statuses: str) -> float:
    return float(np.mean([gate[check].status in statuses for gate in gates]))


def test_white_noise_of_one_series_passes(make_matrix: Make, make_posterior: Make, make_weeks: Make) -> None:
    """At n = 156 the level is 5 % for the warning and 1 % for the failure."""
    gates, _ = simulate(make_matrix, make_posterior, make_weeks, n=156, media=None, units=1, times=400)
    assert 0.02 < share(gates, "resid_ljung_box_p", "warn", "fail") < 0.09
    assert share(gates, "resid_ljung_box_p", "fail") < 0.035
    assert 0.01 < share(gates, "resid_acf_max", "warn", "fail") < 0.09
    assert share(gates, "resid_acf_max", "fail") == 0


def test_white_noise_of_twenty_series_passes(make_matrix: Make, make_posterior: Make, make_weeks: Make) -> None:
    gates, _ = simulate(make_matrix, make_posterior, make_weeks, n=156, media=None, units=20, times=60)
    assert share(gates, "resid_ljung_box_p", "warn", "fail") < 0.2  # 0.09 in 1,000; without Holm 0.68
    assert share(gates, "resid_acf_max", "warn", "fail") < 0.2  # 0.04 in 1,000; unadjusted 0.57
    assert share(gates, "resid_ljung_box_p", "fail") < 0.1


def test_slow_predictors_do_not_make_white_noise_fail(
    make_matrix: Make, make_posterior: Make, make_weeks: Make
) -> None:
    """The residuals of the mean would: that is why they are not what is judged."""
    gates, of_mean = simulate(make_matrix, make_posterior, make_weeks, n=104, media=14, units=1, times=200)
    assert np.mean(np.array(of_mean) < 0.05) > 0.15
    assert share(gates, "resid_ljung_box_p", "warn", "fail") < 0.05
    assert share(gates, "resid_acf_max", "warn", "fail") < 0.12


@pytest.mark.parametrize(("media", "least"), [(None, 0.85), (3, 0.75)])
def test_autocorrelated_noise_is_found(
    media: int | None, least: float, make_matrix: Make, make_posterior: Make, make_weeks: Make
) -> None:
    """AR(1) with 0.3 in 150 weeks."""
    gates, _ = simulate(make_matrix, make_posterior, make_weeks, n=150, media=media, units=1, times=80, phi=0.3)
    noticed = [any(gate.status in ("warn", "fail") for gate in each.values()) for each in gates]
    assert np.mean(noticed) > least


def test_one_bad_series_among_twenty_is_named(make_matrix: Make, make_posterior: Make, make_weeks: Make) -> None:
    gates, _ = simulate(make_matrix, make_posterior, make_weeks, n=150, media=None, units=20, times=10, unit_phi=0.6)
    for each in gates:
        assert {gate.status for gate in each.values()} == {"fail"}
        assert {gate.subject for gate in each.values()} == {"u19"}


@pytest.fixture
def judge_series(make_matrix: Make, as_draws: Make) -> Callable[..., dict[str, GateResult]]:
    def judge(labels: pd.DataFrame, mode: PolicyMode = "publish", response: FloatArray | None = None) -> Any:
        n = len(labels)
        values = np.random.default_rng(1).normal(size=n) if response is None else response
        matrix = make_matrix(np.ones((n, 1)), values)
        return by_check(residual_gates(residual_diagnostics(point(matrix, as_draws), matrix, labels), mode))

    return judge


@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_series_is_not_computed(mode: PolicyMode, judge_series: Make, make_weeks: Make) -> None:
    good = make_weeks(40)
    twice = good.assign(date=good["date"].where(good.index != 7, good["date"][6]))
    odd = good.assign(date=good["date"].where(good.index != 7, good["date"][7] + np.timedelta64(2, "D")))
    cases = {
        "no date column": good.drop(columns="date"),
        "several rows have the date 2022-02-14": twice,
        "not 7 days or a multiple apart": odd,
        "fewer than 10 rows": good.iloc[:9],
    }
    for words, labels in cases.items():
        for gate in judge_series(labels, mode).values():
            assert (gate.status, gate.value) == ("not_computed", None), words
            assert words in gate.message
            assert "date column" in gate.advice


def test_constant_residuals_are_not_computed(judge_series: Make, make_weeks: Make) -> None:
    gate = judge_series(make_weeks(40), response=np.full(40, 3.0))["resid_ljung_box_p"]
    assert (gate.status, "never change" in gate.message) == ("not_computed", True)


def test_too_few_pairs_are_not_computed(judge_series: Make) -> None:
    """Pairs of neighbouring weeks, years apart: 14 pairs are enough, 7 are not."""
    starts = pd.date_range("2000-01-03", periods=14, freq="700D")
    labels = pd.DataFrame({"row": np.arange(28), "date": np.sort([*starts, *(starts + np.timedelta64(7, "D"))])})
    assert judge_series(labels)["resid_acf_max"].value is not None
    for gate in judge_series(labels.iloc[:14]).values():
        assert gate.status == "not_computed"
        assert "no lag up to 2 has 8 pairs" in gate.message


def test_short_units_are_named_and_broken_ones_are_not_forgiven(judge_series: Make, make_weeks: Make) -> None:
    labels, quiet = make_weeks(150, units=3), np.random.default_rng(12).normal(size=450)
    short = labels.iloc[:305].reset_index(drop=True)  # 5 rows of the third unit
    for gate in judge_series(short, response=quiet[:305]).values():
        assert gate.status == "pass"
        assert gate.message.endswith("Too short to be tested: u02.")
    broken = labels.assign(date=labels["date"].where(labels.index != 400, labels["date"][401]))
    for gate in judge_series(broken, response=quiet).values():
        assert (gate.status, gate.value) == ("not_computed", None)
        assert "u02 (several rows have the date" in gate.message
    wave = np.where(labels["group"] == "u00", np.sin(np.arange(450) / 4), quiet)
    for gate in judge_series(broken, response=wave).values():
        assert (gate.status, gate.subject) == ("fail", "u00")
        assert "Not computed for u02" in gate.message


@pytest.mark.parametrize(("phi", "expected"), [(0.35, ["warn", "fail", "fail"]), (0.0, ["pass"] * 3)])
def test_policies(phi: float, expected: list[str], judge_series: Make, make_weeks: Make) -> None:
    series = lfilter([1], [1, -phi], np.random.default_rng(21).normal(size=150))
    found = [judge_series(make_weeks(150), mode, series)["resid_ljung_box_p"].status for mode in MODES]
    assert found == expected


def test_one_series_is_judged_by_the_documented_acf_thresholds(judge_series: Make, make_weeks: Make) -> None:
    rules = [judge_series(make_weeks(60), mode)["resid_acf_max"].threshold for mode in MODES]
    assert rules == ["warn > 0.2", "warn > 0.2, fail > 0.4", "warn > 0.15, fail > 0.3"]
    late = np.tile(np.random.default_rng(3).normal(size=13), 8)  # repeats after 13 weeks: no early lag
    gates = judge_series(make_weeks(104), response=late)
    assert abs(gates["resid_acf_max"].value) < 0.5
    assert "lags 1 to 4" in gates["resid_acf_max"].message
