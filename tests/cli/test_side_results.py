"""What a run says of the evidence before the fit, of folds in time, of alternative formulas and of the forecast."""

from __future__ import annotations

import pandas as pd

from dsam_assets.cli.side_results import side_results
from dsam_assets.fit.sensitivity import sensitivity_facts
from dsam_assets.selection.tscv_tables import tscv_facts

FOLDS = {
    "enabled": True,
    "folds_requested": 4,
    "folds_scored": 4,
    "folds_not_converged": 0,
    "rmse_kpi": 14019.2,
    "reason": "",
}


def test_nothing_is_said_of_what_was_not_asked_for() -> None:
    assert side_results({}) == ""
    assert side_results({"tscv": {"enabled": False}, "transform_sensitivity": {"enabled": False}}) == ""


def test_before_the_fit() -> None:
    facts = {
        "prior_predictive": {"share_inside": 0.184, "documented_limit": 0.5},
        "stationarity_report": {"tested": 5, "stationary": 5, "unit_root_series": "none"},
        "transfer_entropy_report": {"terms": 2, "media_to_kpi": "m_tv", "kpi_to_media": "none"},
    }
    share = "18% of the prior's draws lie near the observed range (documented limit: 50%)"
    assert " ".join(side_results(facts).split()) == f"Before the fit: {share}."
    facts["stationarity_report"] |= {"unit_root": 2, "unit_root_series": "kpi, price"}
    facts["transfer_entropy_report"]["kpi_to_media"] = "m_search"
    assert " ".join(side_results(facts).split()) == (
        f"Before the fit: {share}; series like random walks: kpi, price (stationarity_report.csv); media that may "
        "follow the KPI: m_search (transfer_entropy_report.csv)."
    )


def test_folds() -> None:
    assert side_results({"tscv": FOLDS}) == "Folds in time: 4 of 4 folds scored, held-out RMSE 14,019 KPI units."
    flagged = side_results({"tscv": {**FOLDS, "folds_scored": 3, "folds_not_converged": 1}})
    assert "3 of 4 folds scored" in flagged
    assert "1 fold did not converge" in " ".join(flagged.split())
    none = {"tscv": {**FOLDS, "folds_scored": 0, "reason": "Too few weeks."}}
    assert side_results(none) == "Folds in time: none scored. Too few weeks."


def test_scenarios() -> None:
    fine = {"enabled": True, "scenarios": 2, "not_fitted": ""}
    assert side_results({"transform_sensitivity": fine}) == "Transform sensitivity: 2 scenarios beside the base."
    odd = " ".join(side_results({"transform_sensitivity": {**fine, "not_fitted": "slow"}}).split())
    assert "not fitted well: slow" in odd


def test_facts_of_stored_tables() -> None:
    """Counts that are missing because nothing was scored are zero, and numbers that are missing are left out."""
    status = pd.DataFrame({"enabled": [True], "method": ["blocked_cv"], "folds": [4]})
    summary = {"status": "skipped", "reason": "Too few weeks.", "elpd": None, "rmse_kpi": float("nan")}
    counts = {"folds_requested": 4, "folds_scored": 0, "folds_not_converged": None}
    facts = tscv_facts({"tscv_status": status, "tscv_summary": pd.DataFrame([summary | counts])})
    assert facts == {
        "enabled": True, "status": "skipped", "reason": "Too few weeks.", "folds_requested": 4, "folds_scored": 0,
        "folds_not_converged": 0,
    }  # fmt: skip
    assert "Too few weeks." in side_results({"tscv": facts})
    assert tscv_facts({"tscv_status": status.assign(enabled=False)}) == {"enabled": False}


def test_facts_of_scenarios() -> None:
    status = pd.DataFrame({"enabled": [True], "scenarios": [3]})
    rows = pd.DataFrame({"scenario": ["base", "a", "b"], "status": ["ok", "failed", "not_converged"]})
    tables = {"transform_sensitivity_status": status, "transform_sensitivity_summary": rows}
    assert sensitivity_facts(tables) == {"enabled": True, "scenarios": 3, "not_fitted": "a, b"}


FORECAST = {
    "enabled": True,
    "reliability": "provisional",
    "periods": 26,
    "last_date": "2026-01-19",
    "total": 16266425.2,
    "predictors_beyond_the_fit": 0,
}


def test_a_forecast_says_its_total_and_what_the_plan_brings() -> None:
    assert side_results({"forecast": {"enabled": False}}) == ""
    head = "Forecast (provisional), 26 periods to 2026-01-19: 16,266,425 KPI units in all"
    assert " ".join(side_results({"forecast": FORECAST}).split()) == f"{head}."
    facts = FORECAST | {
        "total_lower": 1.6e7, "total_upper": 1.7e7, "plan_over_even": -27642.0, "plan_over_base": 641349.0,
        "plan_spend_change": -0.046, "scored_rows": 25, "coverage_90": 0.92, "predictors_beyond_the_fit": 1,
    }  # fmt: skip
    assert " ".join(side_results({"forecast": facts}).split()) == (
        f"{head} (90% interval 16,000,000 to 17,000,000); the budget plan -27,642 against the same weeks' own budget "
        "spent evenly, spending 4.6% less. Of 25 rows whose KPI is known 92% lie inside their 90% interval. Beyond "
        "the range of the fit: 1 predictor."
    )
