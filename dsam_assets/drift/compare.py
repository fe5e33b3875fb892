"""Refresh drift as it is published: what changed between a market's last fit and the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from dsam_assets.diagnostics.gate_table import gate_frame, gates_from_frame
from dsam_assets.drift.causes import Happened, cause_table, settings_changed
from dsam_assets.drift.channels import ALL, channel_table
from dsam_assets.drift.checks import drift_checks, skipped_checks, uncomputed_checks
from dsam_assets.drift.density import DensityChange, density_change
from dsam_assets.drift.parameters import parameter_table
from dsam_assets.drift.reweighting import reweighted
from dsam_assets.drift.rows import match_rows, revisions
from dsam_assets.drift.samples import moments, samples_of
from dsam_assets.drift.snapshot import FitSnapshot
from dsam_assets.errors import DsamError
from dsam_assets.verdict import GateResult

CHECK_TABLE = "refresh_drift_checks"
COMPARED, FIRST, NOT_COMPARABLE = "compared", "first_fit", "not_comparable"
NO_PREVIOUS = "there is no previous fit to compare with"
COUNTS = (
    "rows_previous", "rows", "rows_both", "rows_added", "rows_removed", "cells_revised", "columns_revised",
    "config_changes", "code_changes", "parameters", "parameters_within_mcse", "channels", "channels_changed",
    "elpd_rows",
)  # fmt: skip
NUMBERS = ("elpd_previous", "elpd", "elpd_change", "se_elpd_change", "pareto_k_revised", "pareto_k_rows")
TEXTS = ("status", "reason", "matched_by", "reliability_previous", "reliability", "reweighting")


@dataclass(frozen=True)
class Missing:
    """There is no previous fit to compare with: `first_fit`, or `not_comparable` for the reason given."""

    status: str = FIRST
    reason: str = NO_PREVIOUS


def refresh_drift(previous: FitSnapshot | Missing, now: FitSnapshot) -> dict[str, pd.DataFrame]:
    """What changed from one fit to the next.

    Args:
        previous: the fit before, or why there is none.
        now: the new fit.

    Returns:
        `drift_summary` and `refresh_drift_checks`; with a previous fit also `drift_parameters`, `drift_causes`,
        `drift_settings`, `drift_columns`, `drift_cells`, and with media `drift_channels`.
    """
    if isinstance(previous, Missing):
        return _without(previous, now)
    match = match_rows(previous, now)
    revised = revisions(previous, now, match, previous.columns_read | now.columns_read)
    samples = samples_of(previous.draws, previous.matrix), samples_of(now.draws, now.matrix)
    told = moments(samples[0]), moments(samples[1])
    data = reweighted(previous, now, match, samples[0], told[0])
    parameters = parameter_table(samples, told, data.shares, _channels(previous) | _channels(now))
    settings = settings_changed(previous, now)
    is_point = previous.draws.is_point, now.draws.is_point
    known = bool(previous.code and now.code)
    happened = Happened(match, revised, settings, data, parameters, known, any(is_point))
    channels = channel_table(previous, now, parameters)
    density = density_change(previous, now, match)
    tables = {
        "drift_summary": _summary(previous, now, happened, channels, density),
        "drift_parameters": parameters,
        "drift_causes": cause_table(happened),
        "drift_settings": settings,
        "drift_columns": revised.columns,
        "drift_cells": revised.cells,
        CHECK_TABLE: gate_frame(drift_checks(channels, density, is_point)),
    }
    return tables if channels is None else tables | {"drift_channels": channels}


def compare_fits(load: Callable[[], FitSnapshot | None], now: FitSnapshot) -> dict[str, pd.DataFrame]:
    """`refresh_drift` with a previous fit that has yet to be read, and that may be damaged or another version's.

    Args:
        load: returns the previous fit, or `None` when there is none.
        now: the new fit.
    """
    try:
        previous = load()
        return refresh_drift(Missing() if previous is None else previous, now)
    except Exception as error:
        # What was kept of an older fit must not stop a new one; that nothing is compared is said, and is no pass.
        told = error.brief if isinstance(error, DsamError) else f"{type(error).__name__}: {error}"
        return _without(Missing(NOT_COMPARABLE, f"the previous fit cannot be compared: {told}"), now)


def _without(missing: Missing, now: FitSnapshot) -> dict[str, pd.DataFrame]:
    first = missing.status == FIRST
    checks = skipped_checks(missing.reason) if first else uncomputed_checks(missing.reason)
    row = {"status": missing.status, "reason": missing.reason, "rows": len(now.frame), "reliability": now.reliability}
    return {"drift_summary": _frame(row), CHECK_TABLE: gate_frame(checks)}


def _frame(row: Mapping[str, Any]) -> pd.DataFrame:
    whole = {name: row.get(name, "") for name in TEXTS}
    whole |= {"previous_fitted_at": row.get("previous_fitted_at")}
    whole |= {name: row.get(name) for name in (*COUNTS, *NUMBERS)}
    kinds = {**dict.fromkeys(COUNTS, "Int64"), **dict.fromkeys(NUMBERS, "float64")}
    return pd.DataFrame([whole]).astype({**kinds, "previous_fitted_at": "datetime64[ns]"})


def _summary(
    previous: FitSnapshot,
    now: FitSnapshot,
    found: Happened,
    channels: pd.DataFrame | None,
    density: DensityChange,
) -> pd.DataFrame:
    kinds = found.settings["kind"]
    within = found.parameters["within_mcse"]
    whole = None if channels is None else channels[channels["group"] == ALL]
    return _frame({
        "status": COMPARED,
        "previous_fitted_at": _time(previous.fitted_at),
        "matched_by": ", ".join(found.match.by),
        "reliability_previous": previous.reliability, "reliability": now.reliability,
        "rows_previous": len(previous.frame), "rows": len(now.frame), "rows_both": len(found.match.now),
        "rows_added": len(found.match.added), "rows_removed": len(found.match.removed),
        "cells_revised": found.revisions.count, "columns_revised": len(found.revisions.revised),
        "config_changes": int((kinds == "config").sum()),
        "code_changes": int((kinds == "code").sum()) if found.code_known else None,
        "parameters": int((found.parameters["state"] == "both").sum()),
        "parameters_within_mcse": None if found.is_point else int(within.fillna(False).astype(bool).sum()),
        "channels": 0 if whole is None else len(whole),
        "channels_changed": 0 if whole is None else int(whole["story_changed"].sum()),
        "elpd_rows": density.rows, "elpd_previous": density.previous, "elpd": density.now,
        "elpd_change": density.change, "se_elpd_change": density.se,
        "reweighting": found.data.reason or "ok",
        "pareto_k_revised": found.data.k_revised, "pareto_k_rows": found.data.k_rows,
    })  # fmt: skip


def _time(text: str) -> datetime | None:
    return None if not text else datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _channels(fit: FitSnapshot) -> dict[str, str]:
    table = fit.tables.get("decomp_channels")
    if table is None:
        return {}
    return {term: name for term, name in zip(table["term"], table["channel"], strict=True) if name != "TOTAL"}


def checks_of(tables: Mapping[str, pd.DataFrame]) -> tuple[GateResult, ...]:
    """The judged rows."""
    return gates_from_frame(tables[CHECK_TABLE])


def facts(tables: Mapping[str, pd.DataFrame]) -> dict[str, str | float | int]:
    """Key numbers for the asset's metadata."""
    row = tables["drift_summary"].iloc[0]
    shown = ("rows_added", "rows_removed", "cells_revised", "config_changes", "channels_changed", "elpd_change")
    known = {name: row[name] for name in shown if pd.notna(row[name])}
    return {"status": str(row["status"]), "reason": str(row["reason"]) or "none", **known}
