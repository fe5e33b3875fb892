"""The fleet's status as one HTML page without a script or another file, and as a Markdown preview."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd

from dsam_assets.report.fleet_status import GATE_WORDS, GATES
from dsam_assets.report.fleet_words import markdown_table

if TYPE_CHECKING:
    from dsam_assets.report.fleet_status import FleetStatus

STATUS_WORDS = {"pass": "pass", "warn": "warn", "fail": "fail", "not_computed": "not run", "skipped": "skipped"}
MARKS = {"pass": "🟩", "warn": "🟨", "fail": "🟥", "not_computed": "🟪", "skipped": "⬜"}
STATES = {"never_run": "never run", "gone": "no config"}


def status_page(status: FleetStatus) -> str:
    """The page; all text of configs and data is escaped."""
    from jinja2 import Environment, StrictUndefined

    source = files("dsam_assets.report").joinpath("fleet_page.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    return page.render(
        as_of=f"{status.as_of:%Y-%m-%d %H:%M}",
        summary=summary(status),
        gates=GATE_WORDS,
        words=STATUS_WORDS,
        rows=[_shown(row) for row in status.table.to_dict("records")],
    )


def summary(status: FleetStatus) -> str:
    """How many markets are in which state."""
    counts = ", ".join(f"{number} {STATES.get(name, name)}" for name, number in status.counts().items())
    return f"{len(status.table)} {'market' if len(status.table) == 1 else 'markets'}: {counts}." if counts else ""


def status_preview(status: FleetStatus) -> str:
    """Markets × gates in Markdown, for the UI."""
    head = ("market", "state", "overall", *GATES, "last date", "fitted", "since the last fit", "what is wrong")
    rows = [_preview_row(_shown(row)) for row in status.table.to_dict("records")]
    legend = " ".join(f"{mark} {STATUS_WORDS[name]}" for name, mark in MARKS.items())
    return (
        "\n\n".join([f"{summary(status)} {legend}", markdown_table(head, rows)]) if rows else "No market is registered."
    )


def _preview_row(row: dict[str, Any]) -> tuple[str, ...]:
    gates = [MARKS[status] if status else "" for status in row["gates"]]
    return (
        row["market"], row["state"], row["overall"], *gates, row["last_date"], row["fitted"],
        "; ".join(text for text in (row["story"], row["elpd_drift"]) if text), row["problem"] or row["stale"],
    )  # fmt: skip


def _shown(row: dict[Any, Any]) -> dict[str, Any]:
    """One market's cells as text."""
    return {
        "market": row["market"],
        "state": STATES.get(row["condition"], row["condition"]),
        "overall": _text(row["overall"]),
        "reliability": _text(row["reliability"]),
        "gates": [_text(row[gate]) for gate in GATES],
        "last_date": _date(row["last_date"]),
        "data_age": _age(row["data_age_days"]),
        "fitted": _date(row["fitted_at"]),
        "fit_age": _age(row["fit_age_days"]),
        "elpd": "" if pd.isna(row["kpi_elpd_loo"]) else f"{row['kpi_elpd_loo']:,.1f}",
        "story": _story(row),
        "elpd_drift": _elpd_drift(row),
        "efficiency": _efficiency(row),
        "interval": _interval(row),
        "stale": row["stale"],
        "since": _date(row["stale_since"]),
        "problem": row["problem"],
        "report": row["report"],
    }


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _date(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:%Y-%m-%d}"


def _age(days: Any) -> str:
    return "" if pd.isna(days) else "today" if days == 0 else f"{days:,} {'day' if days == 1 else 'days'}"


def _story(row: dict[Any, Any]) -> str:
    if pd.isna(row["channels_changed"]) or not row["channels_compared"]:
        return ""
    return f"{row['channels_changed']} of {row['channels_compared']} channels"


def _elpd_drift(row: dict[Any, Any]) -> str:
    if pd.isna(row["elpd_drift"]):
        return ""
    error = "" if pd.isna(row["se_elpd_drift"]) else f" ± {row['se_elpd_drift']:,.1f}"
    return f"ELPD {row['elpd_drift']:+,.1f}{error}"


def _efficiency(row: dict[Any, Any]) -> str:
    if pd.isna(row["efficiency"]):
        return ""
    return f"{str(row['efficiency_metric']).upper()} {row['efficiency']:,.2f}"


def _interval(row: dict[Any, Any]) -> str:
    if pd.isna(row["efficiency_lower"]) or pd.isna(row["efficiency_upper"]):
        return ""
    return f"{row['efficiency_lower']:,.2f} to {row['efficiency_upper']:,.2f}"
