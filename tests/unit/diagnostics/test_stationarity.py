"""Stationarity: series whose kind is known, the tests against their definitions, and what cannot be tested."""

from __future__ import annotations

import math
import warnings
from typing import cast

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics import stationarity
from dsam_assets.diagnostics.series import ALL, unit_series, usual_step
from dsam_assets.diagnostics.stationarity import (
    Regression,
    UnitRootTests,
    conclude,
    kpss_bound,
    stationarity_facts,
    stationarity_report,
    unit_root_tests,
)
from dsam_assets.report.tables import TABLES
from dsam_assets.scales import FloatArray
from dsam_assets.tables import validate

WEEKS = 156


def weekly(count: int, start: str = "2022-01-03") -> np.ndarray:
    return np.datetime64(start) + 7 * np.arange(count)


def matrix_of(columns: dict[str, FloatArray], response: FloatArray) -> ModelMatrix:
    size = len(response)
    values = np.column_stack([np.ones(size), *columns.values()])
    terms = ("(Intercept)", *columns)
    return ModelMatrix(terms, values, response, np.zeros(size), "kpi", "identity", np.arange(size), {})


def labels_of(dates: np.ndarray, groups: np.ndarray | None = None) -> pd.DataFrame:
    labels = pd.DataFrame({"row": np.arange(len(dates)), "date": dates.astype("datetime64[ns]")})
    return labels if groups is None else labels.assign(group=groups)


def autoregressive(rho: float, size: int, seed: int) -> FloatArray:
    shocks, values = np.random.default_rng(seed).normal(size=size + 50), np.zeros(size + 50)
    for t in range(1, size + 50):
        values[t] = rho * values[t - 1] + shocks[t]
    return values[50:]


def shares(make, seeds: int = 60) -> pd.Series:  # type: ignore[no-untyped-def]
    return pd.Series([conclude(make(seed))[1] for seed in range(seeds)]).value_counts(normalize=True)


def test_kinds_of_series_are_told_apart() -> None:
    """Over many seeds, as tests at 5 % err: both must be right for a conclusion."""
    time = np.arange(WEEKS)
    assert shares(lambda seed: autoregressive(0.3, WEEKS, seed))["stationary"] > 0.8
    assert shares(lambda seed: 0.1 * time + autoregressive(0.3, WEEKS, seed))["trend_stationary"] > 0.8
    walks = shares(lambda seed: np.cumsum(np.random.default_rng(seed).normal(size=WEEKS)))
    assert walks["unit_root"] > 0.6
    assert walks.get("stationary", 0) < 0.1


def both_tests(regression: Regression, adf_p: float, kpss_p: float) -> UnitRootTests:
    return UnitRootTests(regression, -1.0, adf_p, 0, 0.1, kpss_p, "")


@pytest.mark.parametrize(
    ("level", "trend", "conclusion", "shown", "reason"),
    [
        ((0.01, 0.10), (0.01, 0.01), "stationary", "level", ""),
        ((0.01, 0.05), (0.01, 0.01), "stationary", "level", ""),
        ((0.01, 0.04), (0.01, 0.10), "trend_stationary", "trend", ""),
        ((0.60, 0.01), (0.01, 0.10), "trend_stationary", "trend", ""),
        ((0.60, 0.01), (0.60, 0.01), "unit_root", "trend", ""),
        ((0.60, 0.10), (0.60, 0.01), "unit_root", "trend", ""),
        ((0.60, 0.01), (0.60, 0.10), "inconclusive", "trend", "neither test rejects"),
        ((0.01, 0.01), (0.01, 0.01), "inconclusive", "trend", "both tests reject"),
        ((0.05, 0.10), (0.05, 0.10), "inconclusive", "trend", "neither test rejects"),
        ((0.60, 0.01), (math.nan, 0.01), "inconclusive", "trend", "a test has no finite result"),
        ((math.nan, 0.10), (0.01, 0.10), "trend_stationary", "trend", ""),
    ],
)
def test_the_rule(
    monkeypatch: pytest.MonkeyPatch,
    level: tuple[float, float],
    trend: tuple[float, float],
    conclusion: str,
    shown: str,
    reason: str,
) -> None:
    found = {"level": both_tests("level", *level), "trend": both_tests("trend", *trend)}
    monkeypatch.setattr(stationarity, "unit_root_tests", lambda values, regression: found[regression])
    tests, name, why = conclude(np.arange(40.0))
    assert (tests.regression, name) == (shown, conclusion)
    assert why.startswith(reason)
    assert bool(why) == bool(reason)


@pytest.mark.parametrize("regression", ["level", "trend"])
def test_the_statistics_are_those_of_their_definitions(regression: str) -> None:
    values = autoregressive(0.6, 120, 4)
    found = unit_root_tests(values, cast(Regression, regression))
    time = np.arange(1, 121.0)
    fixed = np.column_stack([np.ones(120)] + ([time] if regression == "trend" else []))

    assert found.adf_lags is not None
    change = np.diff(values)
    lag = found.adf_lags
    size = len(change) - lag
    lagged = [change[lag - k : len(change) - k] for k in range(1, lag + 1)]
    X = np.column_stack([values[lag:-1], *lagged, fixed[:size]])
    coef, rest, *_ = np.linalg.lstsq(X, change[lag:], rcond=None)
    variance = rest[0] / (size - X.shape[1]) * np.linalg.inv(X.T @ X)[0, 0]
    assert found.adf_stat == pytest.approx(coef[0] / math.sqrt(variance), rel=1e-6)

    left = values - fixed @ np.linalg.lstsq(fixed, values, rcond=None)[0]
    longrun = [
        (left @ left + 2 * sum((1 - s / (m + 1)) * (left[s:] @ left[:-s]) for s in range(1, m + 1))) / 120
        for m in range(20)
    ]
    candidates = np.sum(np.cumsum(left) ** 2) / 120**2 / np.array(longrun)
    assert np.abs(candidates / found.kpss_stat - 1).min() < 1e-9


@pytest.mark.parametrize(("statistic", "bound"), [(0.9, "<="), (0.739, "<="), (0.5, ""), (0.347, ">="), (0.1, ">=")])
def test_p_outside_the_table_is_a_bound(statistic: float, bound: str) -> None:
    assert kpss_bound(statistic, {"10%": 0.347, "5%": 0.463, "2.5%": 0.574, "1%": 0.739}) == bound


def test_bounds_and_p_agree_and_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noise = unit_root_tests(autoregressive(0.0, WEEKS, 1), "level")
        walk = unit_root_tests(np.cumsum(np.ones(WEEKS) + 0.1 * autoregressive(0.0, WEEKS, 1)), "level")
    assert (noise.kpss_p_bound, noise.kpss_p) == (">=", pytest.approx(0.10))
    assert (walk.kpss_p_bound, walk.kpss_p) == ("<=", pytest.approx(0.01))


def test_the_report_has_a_row_per_series() -> None:
    noise, other = autoregressive(0.0, WEEKS, 1), autoregressive(0.2, WEEKS, 2)
    flat, line = np.full(WEEKS, 4.0), np.round(np.arange(WEEKS) / 155, 6)
    order = np.random.default_rng(1).permutation(WEEKS)
    columns = {"m_tv": other, "flat": flat, "trend": line}
    matrix = matrix_of({name: values[order] for name, values in columns.items()}, noise[order])
    table = stationarity_report(matrix, labels_of(weekly(WEEKS)[order])).set_index("series")
    assert list(table.index) == ["kpi", "m_tv", "flat", "trend"]
    assert list(table["conclusion"]) == ["stationary", "stationary", "constant", "trend_stationary"]
    assert set(table["group"]) == {ALL}
    tests = unit_root_tests(noise, "level")
    assert table.loc["kpi", ["adf_stat", "kpss_stat"]].tolist() == pytest.approx([tests.adf_stat, tests.kpss_stat])
    assert table.loc["flat", ["adf_p", "kpss_p", "adf_lags"]].isna().all()
    assert "straight line" in str(table.loc["trend", "reason"])
    assert list(table["regression"]) == ["level", "level", "", ""]


def test_panels_are_tested_by_unit() -> None:
    groups = np.repeat(["uk", "pt", "de"], [WEEKS, 26, WEEKS])
    walk = np.cumsum(autoregressive(0.0, WEEKS, 3))
    response = np.concatenate([autoregressive(0.0, WEEKS, 1), np.zeros(26), walk])
    dates = np.concatenate([weekly(WEEKS), weekly(26), weekly(WEEKS)])
    table = stationarity_report(matrix_of({"x": response}, response), labels_of(dates, groups))
    assert list(table["group"]) == ["uk", "pt", "de"] * 2
    assert table["n"].tolist() == [WEEKS, 26, WEEKS] * 2
    assert table["conclusion"].tolist()[:2] == ["stationary", "constant"]
    assert table.loc[2, "conclusion"] == conclude(walk)[1] != "stationary"


def test_what_cannot_be_tested_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = autoregressive(0.0, 60, 1)
    twice = np.repeat(weekly(30), 2)
    repeated = stationarity_report(matrix_of({"x": noise}, noise), labels_of(twice)).iloc[0]
    assert repeated["conclusion"] == "inconclusive"
    assert "30 dates repeat, the first 2022-01-03" in repeated["reason"]
    short = stationarity_report(matrix_of({"x": noise[:29]}, noise[:29]), labels_of(weekly(29))).iloc[0]
    assert (short["conclusion"], short["reason"]) == ("too_short", "fewer than 30 rows")
    holed = np.where(np.arange(60) == 5, -np.inf, noise)
    unusable = stationarity_report(matrix_of({"x": noise}, holed), labels_of(weekly(60)))
    assert unusable["conclusion"].tolist()[0] == "inconclusive"
    assert "not finite" in unusable["reason"][0]
    assert unusable["reason"][1] == ""
    monkeypatch.setattr(stationarity, "MOST_ROWS", 40)
    latest = stationarity_report(matrix_of({"x": noise}, noise), labels_of(weekly(60))).iloc[0]
    assert (latest["n"], latest["reason"]) == (40, "the latest 40 of 60 rows")
    assert latest["adf_stat"] == pytest.approx(unit_root_tests(noise[-40:], "level").adf_stat)


def test_facts_count_conclusions_and_name_random_walks() -> None:
    walk, noise = np.cumsum(autoregressive(0.0, WEEKS, 3)), autoregressive(0.0, WEEKS, 1)
    table = stationarity_report(matrix_of({"x": noise, "flat": np.ones(WEEKS)}, walk), labels_of(weekly(WEEKS)))
    validate(TABLES["stationarity_report"], table)
    assert table["conclusion"].tolist() == ["unit_root", "stationary", "constant"]
    assert stationarity_facts(table) == {
        "tested": 2, "unit_root": 1, "stationary": 1, "constant": 1, "unit_root_series": "kpi",
    }  # fmt: skip
    dates, groups = np.tile(weekly(WEEKS), 2), np.repeat(["uk", "pt"], WEEKS)
    panel = matrix_of({"x": np.tile(noise, 2)}, np.concatenate([walk, noise]))
    assert stationarity_facts(stationarity_report(panel, labels_of(dates, groups)))["unit_root_series"] == (
        "kpi in 1 of 2 units"
    )


def test_large_panels_test_a_sample_of_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stationarity, "MOST_SERIES", 4)
    noise = autoregressive(0.0, 160, 1)
    labels = labels_of(np.tile(weekly(40), 4), np.repeat(list("abcd"), 40))
    table = stationarity_report(matrix_of({"x": noise}, noise), labels)
    assert table.groupby("series")["conclusion"].agg(lambda found: (found == "not_tested").sum()).tolist() == [2, 2]
    assert table["group"][table["conclusion"] != "not_tested"].tolist() == ["a", "d"] * 2


def test_a_perfect_wave_ends_in_a_conclusion_without_warnings() -> None:
    wave = 4 + np.round(np.sin(2 * np.pi * np.arange(104) / 52.18), 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = stationarity_report(matrix_of({"sin": wave}, wave), labels_of(weekly(104)))
    assert set(table["conclusion"]) == {"stationary"}
    assert set(table["reason"]) == {"an exact wave: nothing is left to test"}
    assert table["adf_stat"].isna().all()


@pytest.mark.parametrize(
    "values",
    [
        np.sin(2 * np.pi * np.arange(104) / 52) + 1e-3 * autoregressive(0.0, 104, 1),
        np.sin(2 * np.pi * np.arange(104) / 52) + np.arange(104) / 104,  # a wave about a line
        np.exp(np.arange(104) / 20),
        np.append(np.zeros(103), 1.0),
        (np.arange(104) % 2).astype(float),
    ],
)
def test_other_series_are_no_waves(values: FloatArray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = stationarity_report(matrix_of({"x": values}, values), labels_of(weekly(104)))
    assert not report["reason"].str.contains("wave").any()


def test_without_dates_the_file_s_order_counts() -> None:
    noise = autoregressive(0.0, 60, 1)
    found = stationarity_report(matrix_of({"x": noise}, noise), pd.DataFrame({"row": np.arange(60)})).iloc[0]
    assert found["adf_stat"] == pytest.approx(unit_root_tests(noise, "level").adf_stat)


def test_units_in_date_order() -> None:
    labels = labels_of(
        np.array(["2024-01-08", "2024-01-01", "2024-01-01", "2024-01-22"], dtype="datetime64[D]"),
        np.array(["b", "a", "b", "b"]),
    )
    first, second = unit_series(labels)
    assert (first.group, first.rows.tolist(), first.steps.tolist()) == ("b", [2, 0, 3], [7, 14])
    assert (second.group, second.rows.tolist(), second.steps.tolist()) == ("a", [1], [])
    assert usual_step((first, second)) == 7
    assert usual_step((second,)) is None
    repeated = unit_series(labels_of(np.repeat(weekly(3), 3)))
    assert usual_step(repeated) == 7
    assert repeated[0].repeated.tolist() == weekly(3).tolist()
