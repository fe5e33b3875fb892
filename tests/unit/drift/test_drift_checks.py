"""Each check of refresh drift from both sides of its threshold, and what has no number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from drift_fits import RETURNS, SHARES, channels, frame_of, loo_tables, matrix_of, normal_draws, point, snapshot

from dsam_assets.drift.checks import DRIFT_CHECKS, drift_checks
from dsam_assets.drift.compare import Missing, checks_of, compare_fits, refresh_drift
from dsam_assets.drift.density import DensityChange, density_change
from dsam_assets.drift.rows import match_rows
from dsam_assets.drift.snapshot import FitSnapshot
from dsam_assets.verdict import GateResult

ROW: dict[str, Any] = {
    "group": "all", "channel": "tv", "term": "m_tv", "state": "both", "metric": "roi", "return_previous": 2.0,
    "return": 2.0, "return_change": 0.0, "share_change": 0.0, "shift": 0.0, "shift_previous_sd": 0.0, "mcse": 0.0,
    "probability_sign_flip": 0.1,
}  # fmt: skip
SAME = DensityChange(100, -50.0, -50.0, 0.0, 1.0)
SAMPLED = (False, False)


def judged(*rows: dict[str, Any], density: DensityChange = SAME) -> dict[str, GateResult]:
    table = pd.DataFrame([{**ROW, **row} for row in rows])
    return {row.check_id: row for row in drift_checks(table, density, SAMPLED)}


def test_one_row_per_check_and_none_can_fail() -> None:
    found = judged({}, {"channel": "search"})
    assert tuple(found) == DRIFT_CHECKS
    assert {row.status for row in found.values()} == {"pass"}
    worst = judged(
        {"shift": 9.0, "shift_previous_sd": 99.0, "probability_sign_flip": 1.0, "share_change": -1.0, "return": 0.0},
        {"channel": "search", "return_previous": 1.0, "return": 5.0},
        {"channel": "radio", "state": "added"},
        density=DensityChange(100, 0.0, -1e6, -1e6, 1.0),
    )
    assert {row.status for row in worst.values()} == {"warn"}
    assert all(row.advice for row in worst.values())


@pytest.mark.parametrize(("shift", "status"), [(1.1, "pass"), (1.3, "warn"), (-1.3, "warn")])
def test_shift_counts_beyond_twice_its_monte_carlo_error(shift: float, status: str) -> None:
    found = judged({"shift": shift, "shift_previous_sd": shift, "mcse": 0.1})["refresh_drift_shift"]
    assert found.status == status
    assert found.value == pytest.approx(abs(shift) - 0.2)
    assert found.subject == "tv"


def test_a_shift_within_its_monte_carlo_error_is_none() -> None:
    found = judged({"shift": 3.0, "shift_previous_sd": 3.0, "mcse": 2.0})["refresh_drift_shift"]
    assert (found.value, found.status) == (0.0, "pass")


@pytest.mark.parametrize(
    ("check", "row", "value", "status"),
    [
        ("refresh_drift_sign", {"probability_sign_flip": 0.60}, 0.60, "pass"),
        ("refresh_drift_sign", {"probability_sign_flip": 0.61}, 0.61, "warn"),
        ("refresh_drift_share", {"share_change": -0.10}, 0.10, "pass"),
        ("refresh_drift_share", {"share_change": -0.11}, 0.11, "warn"),
        ("refresh_drift_channels", {}, 0, "pass"),
        ("refresh_drift_channels", {"channel": "radio", "state": "removed"}, 1, "warn"),
    ],
)
def test_thresholds(check: str, row: dict[str, Any], value: float, status: str) -> None:
    found = judged({"channel": "other"}, row)[check]
    assert (found.value, found.status) == (pytest.approx(value), status)


def test_a_panels_units_are_not_judged() -> None:
    found = judged({}, {"channel": "search"}, {"group": "uk", "share_change": 0.9})
    assert found["refresh_drift_share"].status == "pass"


@pytest.mark.parametrize(
    ("change", "se", "value", "status"),
    [
        (-3.9, 0.1, 0.0, "pass"),  # below 4 nats nothing is lost
        (-8.0, 2.0, 2.0, "pass"),
        (-8.1, 2.0, 2.05, "warn"),
        (50.0, 2.0, 0.0, "pass"),
        (-9.0, 0.0, np.inf, "warn"),
    ],
)
def test_elpd_warns_two_standard_errors_beyond_four_nats(change: float, se: float, value: float, status: str) -> None:
    found = judged({}, density=DensityChange(100, 0.0, change, change, se))["refresh_drift_elpd"]
    assert (found.value, found.status) == (pytest.approx(value), status)


def test_a_missing_number_is_never_a_pass() -> None:
    found = judged(
        {"shift_previous_sd": np.nan, "shift": 1.0, "share_change": np.nan},
        {"channel": "search"},
        density=DensityChange(reason="the new fit has no PSIS-LOO: it is off"),
    )
    statuses = {name: row.status for name, row in found.items()}
    assert statuses["refresh_drift_shift"] == "not_computed"
    assert statuses["refresh_drift_share"] == "not_computed"
    assert statuses["refresh_drift_elpd"] == "not_computed"
    assert "no number for tv" in found["refresh_drift_shift"].message


def test_a_missing_number_hides_no_warning() -> None:
    found = judged({"share_change": np.nan}, {"channel": "search", "share_change": 0.5})["refresh_drift_share"]
    assert (found.status, found.subject) == ("warn", "search")


def statuses(tables: dict[str, pd.DataFrame]) -> set[str]:
    return {row.status for row in checks_of(tables)}


def test_the_first_fit_is_compared_with_nothing_and_does_not_pass() -> None:
    tables = refresh_drift(Missing(), snapshot())
    assert set(tables) == {"drift_summary", "refresh_drift_checks"}
    assert statuses(tables) == {"skipped"}
    assert {row.message for row in checks_of(tables)} == {"Skipped: there is no previous fit to compare with."}
    assert tables["drift_summary"].iloc[0]["status"] == "first_fit"


def test_a_previous_fit_that_cannot_be_read_is_not_computed_and_stops_nothing() -> None:
    def broken() -> FitSnapshot:
        raise ValueError("no column term")

    tables = compare_fits(broken, snapshot())
    assert statuses(tables) == {"not_computed"}
    summary = tables["drift_summary"].iloc[0]
    assert summary["status"] == "not_comparable"
    assert "ValueError: no column term" in summary["reason"]


def fit(draws: Any, **parts: Any) -> FitSnapshot:
    return snapshot(draws=draws, tables={"decomp_channels": channels(RETURNS, SHARES)}, **parts)


POINT = point({"(Intercept)": 1.0, "m_tv": 1.0, "m_search": 1.0})
SPREAD = normal_draws({"(Intercept)": 1.0, "m_tv": 1.0, "m_search": 1.0}, sd=0.1)


def test_point_estimates_have_no_shift_in_sd_and_the_rest_is_judged() -> None:
    found = {row.check_id: row.status for row in checks_of(refresh_drift(fit(POINT), fit(POINT)))}
    assert found == {
        "refresh_drift_shift": "skipped", "refresh_drift_sign": "skipped", "refresh_drift_share": "pass",
        "refresh_drift_order": "pass", "refresh_drift_channels": "pass", "refresh_drift_elpd": "skipped",
    }  # fmt: skip


@pytest.mark.parametrize("pair", [(POINT, SPREAD), (SPREAD, POINT)])
def test_a_point_beside_a_posterior_is_not_computed(pair: tuple[Any, Any]) -> None:
    found = {row.check_id: row.status for row in checks_of(refresh_drift(fit(pair[0]), fit(pair[1])))}
    assert found["refresh_drift_shift"] == found["refresh_drift_sign"] == "not_computed"


def test_without_media_only_the_predictions_are_judged() -> None:
    bare = snapshot(draws=SPREAD, tables={"decomp_channels": None})
    found = {row.check_id: row.status for row in checks_of(refresh_drift(bare, bare))}
    assert found.pop("refresh_drift_elpd") == "pass"
    assert set(found.values()) == {"skipped"}


def test_elpd_is_that_of_the_rows_that_both_score_with_the_same_kpi() -> None:
    frame = frame_of(12)
    before, after = frame.iloc[:10], frame.copy()
    after.loc[2, "kpi"] += 1.0
    d = np.linspace(-1, 1, 12) ** 3
    base = np.arange(12.0)
    old = fit(SPREAD, frame=before)
    old = snapshot(before, SPREAD, tables=loo_tables(matrix_of(before), base[:10]))
    new = snapshot(after, SPREAD, tables=loo_tables(matrix_of(after), base + d))
    found = density_change(old, new, match_rows(old, new))
    kept = [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert found.rows == 9
    assert found.previous == pytest.approx(base[kept].sum())
    assert found.change == pytest.approx(d[kept].sum())
    assert found.se == pytest.approx(3 * d[kept].std(ddof=1))


def test_elpd_of_a_log_response_is_that_of_the_kpi() -> None:
    """log density of y = log kpi under N(0, 1) is that of kpi, a log-normal, plus log kpi."""
    from dataclasses import replace

    from scipy.stats import lognorm, norm

    frame = frame_of(8).assign(kpi=np.linspace(0.5, 3, 8))
    matrix = matrix_of(frame)
    plain = snapshot(frame, SPREAD, tables=loo_tables(matrix, lognorm(1).logpdf(frame["kpi"])))
    logged = replace(matrix, response=np.log(matrix.response), response_scale="log")
    log = snapshot(frame, SPREAD, matrix=logged, tables=loo_tables(matrix, norm.logpdf(np.log(frame["kpi"]))))
    assert density_change(plain, log, match_rows(plain, log)).change == pytest.approx(0, abs=1e-9)


def test_elpd_without_loo_says_why() -> None:
    skipped = pd.DataFrame([{"status": "skipped", "reason": "it is switched off"}])
    off = snapshot(draws=SPREAD, tables={"loo_summary": skipped, "loo_pointwise": None})
    found = density_change(off, off, match_rows(off, off))
    assert found.reason == "the previous fit has no PSIS-LOO: it is switched off"
