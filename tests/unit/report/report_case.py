"""A small run's published tables, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.report import build_report
from dsam_assets.diagnostics.thresholds import CHECKS
from dsam_assets.report.interpretation import Evidence
from dsam_assets.verdict import GateResult, Gating, Status


def gate(check_id: str, status: Status, message: str = "as it should be") -> GateResult:
    check = CHECKS[check_id]
    advice = "" if status == "pass" else "Do something."
    return GateResult(
        check.gate, check_id, check.phase, check.severity, check.metric, 1.0, "rule", status, "model", message, advice
    )


def verdict(worst: Status = "pass", gating: Gating = "warn") -> Any:
    rows = [gate(name, "pass") for name in CHECKS if name.startswith("sampler_")]
    rows[0] = gate("sampler_rhat_max", worst, "The chains <disagree>.") if worst != "pass" else rows[0]
    return build_report(rows, "publish", gating, enforce_publish_gate=False)


def tables(decisions: bool = True) -> dict[str, pd.DataFrame]:
    spec = {
        "model_type": "blm",
        "formula": "sales ~ m_tv +\n  <b>x</b>",
        "response": "sales",
        "response_scale": "identity",
        "rows_modelled": 104,
    }
    metrics = [
        {"group": "all", "metric": "r2", "q50": 0.9, "q05": 0.88, "q95": 0.92},
        {"group": "all", "metric": "smape", "q50": 0.05, "q05": 0.04, "q95": 0.06},
        {"group": "all", "metric": "coverage_95", "q50": 0.96, "q05": np.nan, "q95": np.nan},
    ]
    found = {
        "spec_summary": pd.DataFrame([spec]),
        "observed": pd.DataFrame({"date": pd.date_range("2023-01-02", periods=104, freq="7D"), "observed": 1.0}),
        "fit_metrics": pd.DataFrame(metrics),
        "loo_summary": pd.DataFrame([{"status": "ok", "elpd_loo": -100.0, "se_elpd_loo": 5.0}]),
    }
    return {**found, **decision_tables()} if decisions else found


def decision_tables() -> dict[str, pd.DataFrame]:
    share = {"share_q05": 0.1, "share_q95": 0.3}
    groups = [("baseline", 800.0, 0.8), ("seasonality", 1e-12, 1e-15), ("media", 200.0, 0.2), ("total", 1000.0, 1.0)]
    channels = [("TV", 150.0, 2.0), ("Search", 50.0, 1.0), ("TOTAL", 200.0, 1.6)]
    summary = {
        "scenario": "max_response",
        "target": "kpi_uplift",
        "risk": "mean",
        "method": "water_filling",
        "level": "model",
        "response_unit": "kpi",
        "objective_unit": "kpi",
        "estimate": "posterior",
        "status": "pass",
        "budget_total": 50_000.0,
        "score": 12.0,
        "delta_kpi_mean": 12.0,
        "delta_kpi_lower": -1.0,
        "delta_kpi_upper": 25.0,
        "probability_beats_reference": 0.87,
        "shadow_price": 0.1,
        "n_extrapolated": 0,
    }
    return {
        "decomp_group_impact": pd.DataFrame(
            [
                {
                    "group": "all",
                    "term_group": kind,
                    "contribution": value,
                    "q05": value * 0.9,
                    "q95": value * 1.1,
                    "share": part,
                    **share,
                }
                for kind, value, part in groups
            ]
        ),
        "decomp_channels": pd.DataFrame(
            [
                {
                    "group": "all",
                    "channel": name,
                    "contribution": value,
                    "q05": value * 0.5,
                    "q95": value * 1.5,
                    "share_of_effect": value / 200,
                    "money": 75.0,
                    "share_of_spend": 0.5,
                    "metric": "roi",
                    "metric_unit": "KPI per EUR",
                    "metric_value": roi,
                    "metric_q05": roi / 2,
                    "metric_q95": roi * 2,
                    "marginal_value": roi / 3,
                }
                for name, value, roi in channels
            ]
        ),
        "channel_evidence": pd.DataFrame(
            {"channel": ["TV", "Search"], "weak": [False, True], "why": ["", "prior-dominated"]}
        ),
        "budget_summary": pd.DataFrame([summary]),
        "budget_allocation": pd.DataFrame(
            [
                {
                    "channel": "TV",
                    "spend_reference": 40_000.0,
                    "spend_optimised": 30_000.0,
                    "at_lower": False,
                    "at_upper": False,
                    "extrapolated": False,
                },
                {
                    "channel": "Search",
                    "spend_reference": 10_000.0,
                    "spend_optimised": 20_000.0,
                    "at_lower": False,
                    "at_upper": True,
                    "extrapolated": True,
                },
            ]
        ),
        "budget_diagnostics": pd.DataFrame(
            {"status": ["pass", "warn"], "message": ["fine", "Few draws favour the plan."]}
        ),
    }


def evidence(worst: Status = "pass", gating: Gating = "warn", decisions: bool = True) -> Evidence:
    asked = ("drivers", "channels", "plan")
    return Evidence("uk", "demo", verdict(worst, gating), tables(decisions), asked)
