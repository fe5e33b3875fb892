"""The gates of the residuals: Ljung–Box and autocorrelation, judged from the table of `residual_checks`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.residual_checks import ACF_LAGS
from dsam_assets.diagnostics.rows import judged, listed, not_computed, row
from dsam_assets.diagnostics.thresholds import THRESHOLDS, Threshold, describe, judge
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import GateResult, PolicyMode

LJUNG_BOX = "resid_ljung_box_p"
ACF = "resid_acf_max"


def residual_gates(table: pd.DataFrame, mode: PolicyMode, *, step: str = "week") -> tuple[GateResult, ...]:
    """p1: both checks of the residuals.

    Units too short to have autocorrelations are left out as long as others have them, and named. A unit that has none
    for another reason makes the checks `not_computed`, unless the others fail.

    Args:
        table: as `residual_diagnostics` makes it.
        mode: the policy that chooses the thresholds.
        step: what a lag is a number of, for the messages.
    """
    return tuple(
        _with_missing(gate, table, mode) for gate in (ljung_box_gate(table, mode), acf_gate(table, mode, step))
    )


def ljung_box_gate(table: pd.DataFrame, mode: PolicyMode) -> GateResult:
    """p1: smallest Ljung–Box p-value over the units that have one, Holm's where there are several."""
    tested = table[table["lb_p_holm"].notna()]
    if tested.empty:
        return not_computed(LJUNG_BOX, mode, _reason(table))
    worst = tested.sort_values("lb_p", kind="stable").iloc[0]  # the order of Holm's, and without its ties at 1
    several = f"; Holm-adjusted for {len(tested)} series, {worst['lb_p']:.3g} on its own" if len(tested) > 1 else ""
    message = (
        f"The smallest Ljung–Box p-value of the residuals is {worst['lb_p_holm']:.3g} "
        f"({worst['group']}, lags 1 to {worst['lag']}{several})."
    )
    return judged(LJUNG_BOX, float(worst["lb_p_holm"]), mode, str(worst["group"]), message)


def acf_gate(table: pd.DataFrame, mode: PolicyMode, step: str = "week") -> GateResult:
    """p1: largest absolute autocorrelation at lags 1 to 4 over the units that have any."""
    early = table[(table["state"] == "ok") & (table["lag"] <= ACF_LAGS) & table["acf"].notna()]
    if early.empty:
        return not_computed(ACF, mode, _reason(table))
    n_units, documented = early["group"].nunique(), THRESHOLDS[mode][ACF]
    size, n = early["acf"].abs().to_numpy(dtype=np.float64), early["n"].to_numpy(dtype=np.float64)
    warn, fail = (limit_for_units(limit, n, n_units) for limit in (documented.warn, documented.fail))
    worst = int(np.lexsort((size / warn, size > fail))[-1])
    threshold = Threshold("above", float(warn[worst]), float(fail[worst]))
    place, unit = early.iloc[worst], str(early["group"].iloc[worst])
    several = f"; thresholds are those of one series, adjusted for {n_units} series" if n_units > 1 else ""
    message = (
        f"The largest autocorrelation of the residuals at lags 1 to {ACF_LAGS} is {place['acf']:.2f} "
        f"({unit}, lag {place['lag']} ({step}), {place['n']} rows{several})."
    )
    return row(ACF, judge(float(size[worst]), threshold), float(size[worst]), describe(threshold), unit, message)


def limit_for_units(limit: float, n: FloatArray, n_units: int) -> FloatArray:
    """The threshold that white noise passes in one of `n_units` units as seldom as in a single series.

    Args:
        limit: the threshold for a single series.
        n: rows of each unit; its autocorrelations have standard deviation 1/√n under white noise.
        n_units: units looked at.

    Returns:
        The absolute autocorrelation beyond which lies 1/`n_units` of the white noise probability beyond `limit`,
        rounded to 4 decimals, shape as `n`; `limit` itself for one unit.
    """
    if n_units == 1 or math.isinf(limit):
        return np.full_like(n, limit)
    from scipy.special import log_ndtr, ndtri_exp

    tail = log_ndtr(-limit * np.sqrt(n)) - math.log(n_units)
    return np.round(-ndtri_exp(tail) / np.sqrt(n), 4)


def _with_missing(gate: GateResult, table: pd.DataFrame, mode: PolicyMode) -> GateResult:
    """The row with what it leaves out: nothing but short units may be missing from anything but a failure."""
    if gate.value is None:
        return gate
    short = sorted(table.loc[table["state"] == "too_short", "group"].astype(str).unique())
    missing = table.loc[table["state"] == "not_computed"]
    if len(missing) and gate.status != "fail":
        return not_computed(gate.check_id, mode, f"{_reason(missing)}. Of the others: {gate.message.rstrip('.')}")
    parts = [gate.message]
    if len(missing):
        parts.append(f"Not computed for {_reason(missing)}.")
    if short:
        parts.append(f"Too short to be tested: {listed(short)}.")
    return replace(gate, message=" ".join(parts))


def _reason(table: pd.DataFrame) -> str:
    units = table[table["state"] != "ok"].drop_duplicates("group")
    notes = [f"{group} ({note})" for group, note in zip(units["group"], units["note"], strict=True)]
    alone = set(units["group"]) == {"all"}
    return str(units["note"].iloc[0]) if alone else listed(notes)
