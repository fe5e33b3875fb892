"""Sentences about what a run computed besides the fit: folds in time and alternative formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsam_assets.cli.words import count, wrapped


def side_results(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """One line each for time-series selection and transform sensitivity, where the config asked for them."""
    lines = (_folds(facts.get("tscv", {})), _scenarios(facts.get("transform_sensitivity", {})))
    return "\n".join(wrapped(line, "", "  ") for line in lines if line)


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
