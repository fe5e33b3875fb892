"""What a run says, as facts: the content of `interpretation.json`, and all that the narrative may speak of.

Every number comes from a published table and names it; what a gate blocks is withheld with the reason, and what was not
computed is null with the reason. Nothing is phrased here beyond what the tables say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsam_assets.design.unsafe import CAVEAT as UNSAFE
from dsam_assets.design.unsafe import NOTHING, RUNS
from dsam_assets.diagnostics.report import POINT_ESTIMATE
from dsam_assets.diagnostics.stamped import CAVEAT
from dsam_assets.report.drift_words import drift_facts
from dsam_assets.report.numbers import number
from dsam_assets.verdict import effective_status

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.verdict import GateResult

SCHEMA_VERSION = 1
CAVEATS = (
    CAVEAT,
    "Effects are associations in the modelled weeks under the model's assumptions; what was not in the data, or moved"
    " together with media, can stand behind them. Experiments are the way to check the large ones.",
)
INTERVAL_CAVEAT = (
    "Intervals are the model's own: they hold if its form is right, and do not cover a change of the market."
)
DECISION_TABLES = {
    "drift": "drift_summary", "drivers": "decomp_group_impact", "channels": "decomp_channels", "plan": "budget_summary",
    "forecast": "forecast_summary",
}  # fmt: skip


ALWAYS_ASKED = ("drift", "drivers", "channels")


def asked_sections(*, plan: bool, forecast: bool) -> tuple[str, ...]:
    """The sections that rest on the verdict and that a config asks for.

    Args:
        plan: `allocation.enabled`.
        forecast: `forecast.enabled`.
    """
    return (*ALWAYS_ASKED, *(["plan"] if plan else []), *(["forecast"] if forecast else []))


@dataclass(frozen=True)
class Evidence:
    """What a report is made from.

    Attributes:
        market: partition key.
        model_name: `model.name`.
        report: the verdict.
        tables: published tables by name; those of a decision are absent when a gate blocks it.
        asked: sections that rest on the verdict and that the config asks for.
    """

    market: str
    model_name: str
    report: DiagnosticsReport
    tables: Mapping[str, pd.DataFrame]
    asked: Collection[str] = ALWAYS_ASKED


def interpretation(evidence: Evidence) -> dict[str, Any]:
    """The facts of a run as one JSON document.

    `reliability` holds for everything below it. A section that is withheld is null and named in `withheld`.
    """
    tables = evidence.tables
    return {
        "schema_version": SCHEMA_VERSION,
        "market": evidence.market,
        "model": _model(evidence),
        "verdict": _verdict(evidence.report),
        "fit": _fit(tables),
        "drift": drift_facts(tables),
        "drivers": _drivers(tables),
        "channels": _channels(tables),
        "plan": _plan(tables),
        "forecast": _forecast(tables),
        "withheld": _withheld(evidence),
        "caveats": [*_unsafe(tables), *CAVEATS, *(() if evidence.report.is_point else (INTERVAL_CAVEAT,))],
    }


def _unsafe(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """First of all caveats, that code which nobody checked has made the numbers; older runs could have none."""
    python = str(tables["spec_summary"].iloc[0].get("unsafe_formula", NOTHING))
    return [UNSAFE.format(python.removeprefix(RUNS))] if python.startswith(RUNS) else []


def _model(evidence: Evidence) -> dict[str, Any]:
    spec = evidence.tables["spec_summary"].iloc[0]
    observed = evidence.tables["observed"]
    dated = "date" in observed
    return {
        "name": evidence.model_name,
        "class": str(spec["model_type"]),
        "estimate": "point" if evidence.report.is_point else "posterior",
        "formula": str(spec["formula"]),
        "response": str(spec["response"]),
        "response_scale": str(spec["response_scale"]),
        "rows": int(spec["rows_modelled"]),
        "first_date": str(observed["date"].min())[:10] if dated else None,
        "last_date": str(observed["date"].max())[:10] if dated else None,
        "panel_units": int(observed["group"].nunique()) if "group" in observed else None,
        "source": "spec_summary.csv",
    }


def _verdict(report: DiagnosticsReport) -> dict[str, Any]:
    bad = [row for row in report.results if effective_status(row.status, report.policy_mode) in ("warn", "fail")]
    bad.sort(key=lambda row: effective_status(row.status, report.policy_mode))
    return {
        "overall": report.overall,
        "reliability": report.reliability,
        "converged": report.converged,
        "policy_mode": report.policy_mode,
        "gating": report.gating,
        "counts": dict(Counter(row.status for row in report.results)),
        "reasons": list(report.reasons),
        "findings": [{**_check(row), "advice": row.advice} for row in bad],
        "checks": [_check(row) for row in report.results],
        "source": "diagnostics_report.csv",
    }  # fmt: skip


def _check(row: GateResult) -> dict[str, Any]:
    return {
        "gate": row.gate, "check": row.check_id, "status": row.status, "value": number(row.value),
        "rule": row.threshold, "message": row.message,
    }  # fmt: skip


def _fit(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    metrics = tables["fit_metrics"]
    rows = metrics[metrics["group"] == "all"]
    values = {
        str(row["metric"]): {"value": number(row["q50"]), "lower": number(row["q05"]), "upper": number(row["q95"])}
        for row in rows.to_dict("records")
    }
    loo = tables["loo_summary"].iloc[0]
    return {
        "metrics": values,
        "scale": "model",
        "elpd_loo": number(loo["elpd_loo"]),
        "se_elpd_loo": number(loo["se_elpd_loo"]),
        "loo_status": str(loo["status"]),
        "source": "fit_metrics_by_group.csv, loo_summary.csv",
    }


def _drivers(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any] | None:
    if "decomp_group_impact" not in tables:
        return None
    groups = tables["decomp_group_impact"]
    rows = groups[(groups["group"] == "all") & (groups["term_group"] != "total")]
    return {
        "rows": [
            {"kind": row["term_group"], **_estimate(row, "contribution"), **_named(row, "share")}
            for row in rows.to_dict("records")
        ],
        "unit": "KPI units over all rows",
        "interval": 0.9,
        "source": "decomp_group_impact.csv",
    }


def _channels(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any] | None:
    if "decomp_channels" not in tables:
        return None
    channels = tables["decomp_channels"]
    rows = channels[channels["group"] == "all"]
    weak = _weak(tables.get("channel_evidence"))
    return {
        "rows": [
            {
                "channel": row["channel"],
                **_estimate(row, "contribution"),
                "share_of_effect": number(row["share_of_effect"]),
                "spend": number(row["money"]),
                "share_of_spend": number(row["share_of_spend"]),
                "return": number(row["metric_value"]),
                "return_lower": number(row["metric_q05"]),
                "return_upper": number(row["metric_q95"]),
                "marginal_return": number(row["marginal_value"]),
                "weak": weak.get(row["channel"]),
            }
            for row in rows.to_dict("records")
        ],
        "metric": str(rows["metric"].iloc[0]) if len(rows) else None,
        "metric_unit": str(rows["metric_unit"].iloc[0]) if len(rows) else None,
        "interval": 0.9,
        "source": "decomp_channels.csv, channel_evidence.csv",
    }


def _weak(evidence: pd.DataFrame | None) -> dict[str, str]:
    """Channel → why the data say too little about it, for those of which they do."""
    if evidence is None:
        return {}
    rows = evidence[evidence["weak"].astype(bool)]
    return dict(zip(rows["channel"].astype(str), rows["why"].astype(str), strict=True))


def _plan(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any] | None:
    if "budget_summary" not in tables:
        return None
    summary, rows = tables["budget_summary"].iloc[0], tables["budget_allocation"]
    keys = ("scenario", "target", "risk", "method", "response_unit", "objective_unit", "level", "estimate", "status")
    numbers = (
        "budget_total", "score", "delta_kpi_mean", "delta_kpi_lower", "delta_kpi_upper", "probability_beats_reference",
        "shadow_price", "n_extrapolated",
    )  # fmt: skip
    return {
        **{key: str(summary[key]) for key in keys},
        **{key: number(summary[key]) for key in numbers},
        "channels": [
            {
                "channel": row["channel"], "reference": number(row["spend_reference"]),
                "plan": number(row["spend_optimised"]), "at_bound": bool(row["at_lower"] or row["at_upper"]),
                "extrapolated": _flag(row["extrapolated"]),
            }
            for row in rows.to_dict("records")
        ],
        "warnings": list(tables["budget_diagnostics"].query("status == 'warn'")["message"]),
        "interval": 0.9,
        "source": "budget_summary.csv, budget_allocation.csv, budget_diagnostics.csv",
    }  # fmt: skip


def _forecast(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any] | None:
    if "forecast_summary" not in tables:
        return None
    rows = tables["forecast_summary"]
    totals = rows[rows["quantity"] == "expected"]
    return {
        "rows": [
            {
                "group": row["group"], "path": row["path"], "periods": int(row["periods"]),
                "first_date": str(row["first_date"])[:10], "last_date": str(row["last_date"])[:10],
                "total": number(row["mean"]), "lower": number(row["q05"]), "upper": number(row["q95"]),
                "probability_positive": number(row["probability_positive"]),
            }
            for row in totals.to_dict("records")
        ],
        "unit": "KPI units over the horizon, without the noise of single periods",
        "interval": 0.9,
        "source": "forecast_summary.csv, forecast.csv",
    }  # fmt: skip


def _withheld(evidence: Evidence) -> list[dict[str, str]]:
    """Sections that a gate keeps back, and why."""
    if evidence.report.reliability != "blocked":
        return []
    why = " ".join(evidence.report.reasons) or (POINT_ESTIMATE if evidence.report.is_point else "a gate halts this run")
    kept = [name for name, table in DECISION_TABLES.items() if name in evidence.asked and table not in evidence.tables]
    return [{"section": name, "reason": why} for name in kept]


def _estimate(row: Mapping[Any, Any], name: str) -> dict[str, float | None]:
    return {name: number(row[name]), "lower": number(row["q05"]), "upper": number(row["q95"])}


def _named(row: Mapping[Any, Any], name: str) -> dict[str, float | None]:
    return {
        name: number(row[name]),
        f"{name}_lower": number(row[f"{name}_q05"]),
        f"{name}_upper": number(row[f"{name}_q95"]),
    }


def _flag(value: Any) -> bool | None:
    return None if value is None or value != value else bool(value)  # NaN is not itself
