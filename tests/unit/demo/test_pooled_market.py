"""The committed market with labelled media: true to its labels, and sparse enough that pooling helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from demo_files import CONFIGS, DATA, design, formula_terms, read_config, read_truth, with_holidays

from dsam_assets.demo import pooled
from dsam_assets.demo.holidays import holiday_counts
from dsam_assets.demo.series import mondays


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return with_holidays(pd.read_csv(DATA / "pooled_demo.csv"))


@pytest.fixture(scope="module")
def labels() -> pd.DataFrame:
    return pd.read_csv(DATA / "pooled_demo.map.csv").set_index("variable")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return read_truth("pooled_demo")


def indicator(labels: pd.DataFrame) -> pd.DataFrame:
    """M: variables × labels."""
    return pd.concat(
        [pd.get_dummies(labels[group]).add_prefix(f"{group}[").add_suffix("]") for group in labels], axis=1
    )


def label_estimates(frame: pd.DataFrame, truth: dict[str, Any], labels: pd.DataFrame) -> pd.Series:
    """β = M γ by least squares of the KPI on base terms and X·M (of minimal length: only sums of γ are known)."""
    M = indicator(labels).astype(float)
    base = [term for term in truth["coefficients"] if term not in M.index]
    X = np.column_stack([frame.assign(**{"(Intercept)": 1.0})[base], frame[M.index] @ M])
    estimate = np.linalg.lstsq(X, frame[truth["response"]], rcond=None)[0]
    return pd.Series(M.to_numpy() @ estimate[len(base) :], M.index)


def plain_estimates(frame: pd.DataFrame, truth: dict[str, Any]) -> pd.Series:
    X, _ = design(frame, truth["coefficients"])
    return pd.Series(np.linalg.lstsq(X, frame[truth["response"]], rcond=None)[0], truth["coefficients"])


def test_coefficients_are_sums_of_labels(truth: dict[str, Any], labels: pd.DataFrame) -> None:
    gamma = truth["label_coefficients"]
    for variable, row in labels.iterrows():
        assert truth["coefficients"][variable] == sum(gamma[f"{group}[{label}]"] for group, label in row.items())
    assert set(indicator(labels)) == set(gamma)


def test_residuals_at_the_truth_are_the_stated_noise(frame: pd.DataFrame, truth: dict[str, Any]) -> None:
    X, beta = design(frame, truth["coefficients"])
    z = (frame[truth["response"]].to_numpy() - X @ beta) / truth["noise_sd"]
    assert abs(z.mean()) < 3 / np.sqrt(len(z))
    assert abs(z.std() - 1) < 3 / np.sqrt(2 * len(z))
    assert np.abs(z).max() < 4


def test_least_squares_on_labels_recovers_the_truth(
    frame: pd.DataFrame, truth: dict[str, Any], labels: pd.DataFrame
) -> None:
    """Errors are 1 000 to 2 000 per variable; the pilot's own label has five weeks."""
    beta = pd.Series(truth["coefficients"])[labels.index]
    assert (label_estimates(frame, truth, labels) - beta).drop("m_pilot_social_mobile").abs().max() < 6_000


def test_pooling_helps_over_many_markets(labels: pd.DataFrame) -> None:
    """Root mean squared errors over 40 markets: of sparse variables, less than 0.7 of plain least squares."""
    pooled_errors, plain_errors = [], []
    for seed in range(40):
        made = pooled.generate(seed)
        frame, truth = with_holidays(made.frame), dict(made.truth)
        beta = pd.Series(truth["coefficients"])[labels.index]
        sparse = [name for name, weeks in truth["active_weeks"].items() if pooled.MIN_WAVES <= weeks <= 15]
        pooled_errors += list((label_estimates(frame, truth, labels) - beta)[sparse])
        plain_errors += list((plain_estimates(frame, truth) - beta)[sparse])
    assert len(pooled_errors) > 100
    rms = [float(np.sqrt(np.mean(np.square(errors)))) for errors in (pooled_errors, plain_errors)]
    assert rms[0] < 0.7 * rms[1]
    assert abs(np.mean(pooled_errors)) < 4 * rms[0] / np.sqrt(40)


def test_some_variables_are_sparse_and_the_pilot_is_below_the_minimum(
    frame: pd.DataFrame, truth: dict[str, Any], labels: pd.DataFrame
) -> None:
    active = (frame[labels.index] != 0).sum()
    assert active.to_dict() == truth["active_weeks"]
    minimum = read_config("pooled_demo")["pooling"]["min_waves"]
    assert list(active[active < minimum].index) == truth["below_min_waves"] == ["m_pilot_social_mobile"]
    assert ((active >= minimum) & (active <= 15)).sum() >= 3


def test_media_columns_are_the_stated_response_of_spend(frame: pd.DataFrame, truth: dict[str, Any]) -> None:
    for term, spec in truth["responses"].items():
        expected = np.log((spec["scale"] + frame[spec["spend_col"]]) / spec["scale"])
        np.testing.assert_allclose(frame[term], expected, atol=0.51e-6)


def test_the_calendar_holds_the_holidays_of_the_single_market() -> None:
    """The committed calendar, counted by week with pandas, is what the single market's columns hold."""
    weeks = mondays(156)
    counted = with_holidays(pd.DataFrame({"date": [day.isoformat() for day in weeks]}))
    for name, values in holiday_counts(weeks).items():
        assert counted[name.replace("h_", "holiday_")].to_list() == values.tolist()


def test_frame_and_map_equal_the_files_they_are_written_to(tmp_path: Path) -> None:
    made = pooled.generate(seed=3)
    csv, pooling_map, _ = pooled.write(tmp_path, made)
    pd.testing.assert_frame_equal(pd.read_csv(csv), made.frame, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(pd.read_csv(pooling_map), made.labels)
    assert not made.frame["kpi_value"].equals(pooled.generate(seed=4).frame["kpi_value"])


def test_config_names_the_true_model(truth: dict[str, Any], labels: pd.DataFrame) -> None:
    config = read_config("pooled_demo")
    response, terms = formula_terms(config)
    generated = [term for term in truth["coefficients"] if term.startswith(("holiday_", "(Int"))]
    assert response == truth["response"]
    assert set(terms) == set(truth["coefficients"]) - set(generated)
    assert config["model"]["type"] == "pooled"
    assert config["pooling"]["grouping_vars"] == list(labels.columns)
    assert (CONFIGS / config["pooling"]["map_path"]).samefile(DATA / "pooled_demo.map.csv")


def test_config_poses_the_budget_problem_of_the_truth(truth: dict[str, Any]) -> None:
    allocation, budget = read_config("pooled_demo")["allocation"], truth["budget"]
    assert (
        allocation["budget"]["total"] == budget["total"] == pytest.approx(sum(budget["best_spend"].values()), abs=0.1)
    )
    assert {channel["term"] for channel in allocation["channels"]} == set(budget["bounds"])
    for channel in allocation["channels"]:
        assert [channel["bounds"]["min"], channel["bounds"]["max"]] == budget["bounds"][channel["term"]]
        assert {"spend_col": channel["spend_col"], **channel["response"]} == truth["responses"][channel["term"]]
