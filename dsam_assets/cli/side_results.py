"""Sentences about what a run computed besides fit and plan: evidence before it, folds in time, alternative formulas,
the forecast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsam_assets.cli.words import count, wrapped

BEFORE = ("prior_predictive", "stationarity_report", "transfer_entropy_report")
NO_TERMS = "none"
# What the budget plan is compared with, the fairer rival first: a plan spends evenly.
RIVALS = {"plan_over_even": "the same weeks' own budget spent evenly", "plan_over_base": "the spend that they have"}


def side_results(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """What is known before the fit, and a line each for folds in time, transform sensitivity and the forecast."""
    lines = (
        _before(facts),
        _folds(facts.get("tscv", {})),
        _scenarios(facts.get("transform_sensitivity", {})),
        _forecast(facts.get("forecast", {})),
    )
    return "\n".join(wrapped(line, "", "  ") for line in lines if line)


def _before(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """The prior's share of plausible responses; random walks and media that follow the KPI, if any."""
    prior, series, media = (facts.get(name, {}) for name in BEFORE)
    parts = []
    if "share_inside" in prior:
        share = f"{prior['share_inside']:.0%} of the prior's draws lie near the observed range"
        parts.append(f"{share} (documented limit: {prior['documented_limit']:.0%})")
    if series.get("unit_root"):
        parts.append(f"series like random walks: {series['unit_root_series']} (stationarity_report.csv)")
    if media.get("kpi_to_media", NO_TERMS) != NO_TERMS:
        parts.append(f"media that may follow the KPI: {media['kpi_to_media']} (transfer_entropy_report.csv)")
    return f"Before the fit: {'; '.join(parts)}." if parts else ""


def _folds(facts: Mapping[str, Any]) -> str:
    if not facts.get("enabled"):
        return ""
    if not facts["folds_scored"]:
        return f"Folds in time: none scored. {facts['reason']}".rstrip()
    scored = f"{facts['folds_scored']} of {count(facts['folds_requested'], 'fold')} scored"
    odd = facts["folds_not_converged"]
    flagged = f"; {count(odd, 'fold')} did not converge" if odd else ""
    return f"Folds in time: {scored}, held-out RMSE {_number(facts['rmse_kpi'])} KPI units{flagged}."


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _scenarios(facts: Mapping[str, Any]) -> str:
    if not facts.get("enabled"):
        return ""
    text = f"Transform sensitivity: {count(facts['scenarios'], 'scenario')} beside the base"
    odd = facts["not_fitted"]
    return f"{text}; not fitted well: {odd} (transform_sensitivity_summary.csv says why)." if odd else f"{text}."


def _forecast(facts: Mapping[str, Any]) -> str:
    if not facts.get("enabled"):
        return ""
    head = f"Forecast ({facts['reliability']}), {count(facts['periods'], 'period')} to {facts['last_date']}"
    text = f"{head}: {_number(facts['total'])} KPI units in all{_interval(facts, 'total')}"
    for rival, words in RIVALS.items():
        if rival in facts:
            sign = "+" if facts[rival] >= 0 else "-"
            text += f"; the budget plan {sign}{_number(abs(facts[rival]))}{_interval(facts, rival)} against {words}"
            text += _spending(facts.get("plan_spend_change", 0.0))
            break
    if "coverage_90" in facts:
        rows = count(facts["scored_rows"], "row")
        text += f". Of {rows} whose KPI is known {facts['coverage_90']:.0%} lie inside their 90% interval"
    beyond = facts["predictors_beyond_the_fit"]
    return f"{text}. Beyond the range of the fit: {count(beyond, 'predictor')}." if beyond else f"{text}."


def _spending(change: float) -> str:
    """That the plan spends another amount, where it does."""
    from dsam_assets.forecast.totals import more_or_less

    otherwise = more_or_less(change)
    return f", spending {otherwise}" if otherwise else ""


def _interval(facts: Mapping[str, Any], name: str) -> str:
    """A point estimate has no interval."""
    if f"{name}_lower" not in facts:
        return ""
    return f" (90% interval {_number(facts[f'{name}_lower'])} to {_number(facts[f'{name}_upper'])})"
