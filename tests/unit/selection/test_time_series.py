"""Refits, scores and tables of time-series selection, without Stan."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner
from pandas.testing import assert_frame_equal
from scipy import stats
from time_series_cases import ShowingRunner, inputs, panel, weekly

from dsam_assets.errors import FitError, ToolchainError
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.scales import FloatArray
from dsam_assets.selection import time_series
from dsam_assets.selection.time_series import time_series_tables

FORMULA = "kpi ~ tv + price"


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    fit = {"mcmc": {"chains": 4, "iter": 1200, "warmup": 200, "seed": 7}}
    return time_series_tables(inputs(weekly(), FORMULA, fit=fit), FakeRunner())


def least_squares(frame: pd.DataFrame, past: int) -> tuple[FloatArray, FloatArray]:
    """Predictive t distribution of the next four rows under flat priors: mean and scale."""
    X = np.column_stack([np.ones(len(frame)), frame[["tv", "price"]]])
    y = frame["kpi"].to_numpy()
    coef, rss, *_ = np.linalg.lstsq(X[:past], y[:past], rcond=None)
    later = X[past : past + 4]
    leverage = np.einsum("ij,jk,ik->i", later, np.linalg.inv(X[:past].T @ X[:past]), later)
    return later @ coef, np.sqrt(rss[0] / (past - 3) * (1 + leverage))


@pytest.mark.parametrize("fold", [1, 2])
def test_scores_are_those_of_the_fit_before_the_origin(tables: dict[str, pd.DataFrame], fold: int) -> None:
    """With default priors as good as flat, the predictive distribution is Student's t of a regression on the past."""
    frame, past = weekly(), 18 + 4 * fold
    rows = tables["tscv_pointwise"][lambda table: table["fold"] == fold]
    mean, scale = least_squares(frame, past)
    truth = stats.t(past - 3, mean, scale)
    observed = frame["kpi"].to_numpy()[past : past + 4]
    np.testing.assert_array_equal(rows["observed"], observed)
    np.testing.assert_allclose(rows["predicted"], mean, atol=0.15 * scale.max())
    np.testing.assert_allclose(rows["elpd"], truth.logpdf(observed), atol=0.06)
    np.testing.assert_allclose(rows["pit"], truth.cdf(observed), atol=0.03)


def test_rows_are_named_as_elsewhere(tables: dict[str, pd.DataFrame]) -> None:
    rows = tables["tscv_pointwise"]
    assert rows["row"].tolist() == [22, 23, 24, 25, 26, 27, 28, 29]
    assert rows["fold"].tolist() == [1] * 4 + [2] * 4
    assert rows["weeks_ahead"].tolist() == [1, 2, 3, 4] * 2
    assert (rows["date"] == weekly()["date"].iloc[22:].reset_index(drop=True)).all()


def scores_by_hand(rows: pd.DataFrame) -> dict[str, float]:
    error = rows["observed"] - rows["predicted"]
    return {
        "elpd": rows["elpd"].sum(),
        "se_elpd": np.sqrt(len(rows)) * rows["elpd"].std(),
        "rmse": np.sqrt((error**2).mean()),
        "smape": (2 * error.abs() / (rows["observed"].abs() + rows["predicted"].abs())).mean(),
        "coverage_90": rows["pit"].between(0.05, 0.95).mean(),
    }


def test_sums_and_errors_are_over_rows(tables: dict[str, pd.DataFrame]) -> None:
    rows, folds, summary = (tables[f"tscv_{name}"] for name in ("pointwise", "folds", "summary"))
    for number in (1, 2):
        own, found = rows[rows["fold"] == number], folds[folds["fold"] == number].iloc[0]
        for name, value in scores_by_hand(own).items():
            assert found[name] == pytest.approx(value)
    for name, value in scores_by_hand(rows).items():
        assert summary[name].item() == pytest.approx(value)
    assert summary[["status", "reason", "notes"]].iloc[0].tolist() == ["ok", "", ""]
    assert summary[["folds_requested", "folds_possible", "folds_scored", "n_rows"]].iloc[0].tolist() == [2, 2, 2, 8]
    assert folds["train_rows"].tolist() == [22, 26]
    assert folds["max_rhat"].between(0.99, 1.05).all()


def test_log_and_identity_scores_meet_on_the_kpi_scale() -> None:
    rows = time_series_tables(inputs(weekly(), "log(kpi) ~ tv + price"), FakeRunner())["tscv_pointwise"]
    np.testing.assert_allclose(rows["kpi_elpd"], rows["elpd"] - rows["observed"])
    np.testing.assert_allclose(rows["observed_kpi"], weekly()["kpi"].iloc[22:])
    np.testing.assert_allclose(rows["predicted_kpi"], rows["observed_kpi"], rtol=0.2)


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"diagnostics": {"enabled": False}}, "diagnostics.enabled is false"),
        ({"fit": {"method": "optimise"}}, "a point estimate"),
        ({"selection": {"min_train_weeks": 40}}, "No fold is possible with 30 weeks of data"),
        ({"data": {"path": "data.csv"}}, "data.date_var is not set"),
    ],
)
def test_what_cannot_be_scored_says_why(sections: dict[str, Any], reason: str) -> None:
    runner = FakeRunner()
    case = inputs(weekly(), FORMULA, **{key: value for key, value in sections.items() if key != "data"})
    if "data" in sections:
        case = time_series.replace(case, data=case.data.model_copy(update={"date_var": None}))
    tables = time_series_tables(case, runner)
    summary = tables["tscv_summary"].iloc[0]
    assert sorted(tables) == ["tscv_status", "tscv_summary"]
    assert (summary["status"], summary["folds_scored"], summary["folds_requested"]) == ("skipped", 0, 2)
    assert summary["reason"].startswith(reason)
    assert runner.calls == []


def test_switched_off_leaves_only_its_status() -> None:
    found = time_series_tables(inputs(weekly(), FORMULA, selection={"enabled": False}), FakeRunner())
    assert list(found) == ["tscv_status"]
    assert found["tscv_status"].iloc[0].tolist() == [False, "blocked_cv", 2]


def test_fewer_folds_than_asked_for_are_said() -> None:
    summary = time_series_tables(inputs(weekly(), FORMULA, selection={"n_folds": 9}), FakeRunner())["tscv_summary"]
    assert summary["status"].item() == "partial"
    assert summary["reason"].item().startswith("Only 5 of 9 folds are possible")
    assert summary[["folds_requested", "folds_possible", "folds_scored"]].iloc[0].tolist() == [9, 5, 5]


def test_rows_by_row_are_kept_only_when_asked_for() -> None:
    found = time_series_tables(inputs(weekly(), FORMULA, selection={"save_pointwise": False}), FakeRunner())
    assert sorted(found) == ["tscv_folds", "tscv_status", "tscv_summary"]


def test_a_fold_that_cannot_be_fitted_is_a_row_with_its_message() -> None:
    frame = weekly()
    frame.loc[:22, "kpi"] = 500.0
    found = time_series_tables(inputs(frame, FORMULA), FakeRunner())
    folds, summary = found["tscv_folds"], found["tscv_summary"].iloc[0]
    assert folds["status"].tolist() == ["error", "ok"]
    assert folds["message"][0].startswith("The response does not vary.")
    assert np.isnan(folds["elpd"][0])
    assert (summary["status"], summary["folds_scored"], summary["n_rows"]) == ("partial", 1, 4)
    assert summary["elpd"] == folds["elpd"][1]
    assert summary["reason"] == "1 of 2 folds could not be fitted."
    frame.loc[:26, "kpi"] = 500.0
    none = time_series_tables(inputs(frame, FORMULA), FakeRunner())
    assert none["tscv_summary"]["status"].item() == "error"
    assert "tscv_pointwise" not in none


def test_a_fold_that_did_not_converge_is_scored_and_flagged() -> None:
    found = time_series_tables(inputs(weekly(), FORMULA), FakeRunner(stuck=True))
    folds, summary = found["tscv_folds"], found["tscv_summary"].iloc[0]
    assert folds["status"].tolist() == ["not_converged"] * 2
    assert folds["max_rhat"].tolist() == [np.inf] * 2
    assert folds["message"].str.contains("R-hat").all()
    assert folds["elpd"].notna().all()
    assert summary["folds_not_converged"] == 2
    assert "Folds that did not converge: 1, 2." in summary["notes"]


def test_overlapping_blocks_and_past_responses_are_noted() -> None:
    case = inputs(weekly(), "kpi ~ tv + lag(kpi, 1)", selection={"stride_weeks": 2})
    notes = time_series_tables(case, FakeRunner())["tscv_summary"]["notes"].item()
    assert "Blocks overlap" in notes
    assert "kpi is shifted in time and used as a predictor" in notes


def test_a_panel_is_scored_with_its_new_group() -> None:
    case = inputs(panel(), "kpi ~ tv + (1 | market)", selection={"n_folds": 1, "method": "leave_future_out"})
    found = time_series_tables(case, ShowingRunner())
    assert found["tscv_folds"]["new_groups"].tolist() == ["market: m2"]
    assert found["tscv_folds"][["train_rows", "holdout_rows"]].iloc[0].tolist() == [52, 12]
    rows = found["tscv_pointwise"]
    assert rows["group"].value_counts().to_dict() == {"m0": 4, "m1": 4, "m2": 4}
    assert rows["weeks_ahead"].tolist() == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert rows["pareto_k"].notna().tolist() == [False] * 3 + [True] * 9
    assert found["tscv_summary"]["max_pareto_k"].item() == rows["pareto_k"].max()


@dataclass
class CountingRunner(FakeRunner):
    """Counts the chains that sample at the same time."""

    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        with self.lock:
            self.now += settings.parallel_chains
            self.most = max(self.most, self.now)
        time.sleep(0.05)
        with self.lock:
            self.now -= settings.parallel_chains
        return super().sample(program, data, settings)


@pytest.mark.parametrize(
    ("cores", "processes", "most"), [(1, 1, 1), (1, 3, 3), (2, 3, 2), (2, 5, 4), (4, 3, 3), (9, 9, 8)]
)
def test_no_more_chains_sample_than_there_are_processors(cores: int, processes: int, most: int) -> None:
    fit = {"mcmc": {"chains": 4, "iter": 300, "warmup": 100, "seed": 7, "cores": cores}}
    runner = CountingRunner()
    case = inputs(weekly(), FORMULA, fit=fit, selection={"n_folds": 4})
    time_series_tables(case, runner, processes=processes)
    assert runner.most == most
    assert len(runner.calls) == 4


def test_the_machines_processors_are_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_series.os, "cpu_count", lambda: 2)
    runner = CountingRunner()
    time_series_tables(inputs(weekly(), FORMULA, selection={"n_folds": 4}), runner)
    assert runner.most == 2


def test_the_order_of_work_changes_nothing() -> None:
    case = inputs(weekly(), FORMULA, selection={"n_folds": 4})
    alone, together = (time_series_tables(case, FakeRunner(), processes=number) for number in (1, 4))
    for name, table in alone.items():
        assert_frame_equal(table, together[name])


class BrokenRunner(FakeRunner):
    """Cannot sample."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        raise self.error


def test_a_missing_toolchain_stops_everything_and_a_failed_fit_its_fold() -> None:
    with pytest.raises(ToolchainError, match="no compiler"):
        time_series_tables(inputs(weekly(), FORMULA), BrokenRunner(ToolchainError("no compiler")))
    found = time_series_tables(inputs(weekly(), FORMULA), BrokenRunner(FitError("stopped", fix="try again")))
    assert found["tscv_folds"]["message"].tolist() == ["stopped do this: try again"] * 2
    assert found["tscv_summary"]["reason"].item() == "2 of 2 folds could not be fitted."
