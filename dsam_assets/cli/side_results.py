"""Sentences about what a run computed besides the fit: evidence before it, folds in time, alternative formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsam_assets.cli.words import count, wrapped

BEFORE = ("prior_predictive", "stationarity_report", "transfer_entropy_report")
NO_TERMS = "none"


def side_results(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """What is known before the fit, and a line each for time-series selection and transform sensitivity."""
    lines = (_before(facts), _folds(facts.get("tscv", {})), _scenarios(facts.get("transform_sensitivity", {})))
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
