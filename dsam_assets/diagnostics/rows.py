"""Building blocks of gate rows: judge a number, phrase the result.

A check whose number is missing is `not_computed`, with the reason. When a number is missing for some parameters only, a
failure of the others still counts as a failure; otherwise the check is `not_computed`, as the worst value is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsam_assets.diagnostics.advice import advice_for
from dsam_assets.diagnostics.thresholds import THRESHOLDS, describe, judge
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import CHECKS, GateResult, PolicyMode, Status

_NAMES_SHOWN = 5


def worst_row(
    check_id: str, label: str, values: FloatArray, names: Sequence[str], notes: Sequence[str], mode: PolicyMode
) -> GateResult:
    """Judge the worst of several values, some of which may be missing (NaN)."""
    threshold = THRESHOLDS[mode][check_id]
    rows = zip(names, notes, values, strict=True)
    missing = [f"{name} ({text or 'no value'})" for name, text, value in rows if np.isnan(value)]
    reason = listed(missing)
    if len(missing) == len(names):
        return not_computed(check_id, mode, reason)
    worst = int(np.nanargmax(values) if threshold.direction == "above" else np.nanargmin(values))
    value = float(values[worst])
    message = f"{label} is {value:.4g} ({names[worst]}{': ' + notes[worst] if notes[worst] else ''})."
    if not missing:
        return judged(check_id, value, mode, names[worst], message)
    if judge(value, threshold) == "fail":
        return judged(check_id, value, mode, names[worst], f"{message} Not computed for {reason}.")
    return not_computed(check_id, mode, reason)


def judged(check_id: str, value: float, mode: PolicyMode, subject: str, message: str) -> GateResult:
    """A row whose number was computed."""
    threshold = THRESHOLDS[mode][check_id]
    return row(check_id, judge(value, threshold), float(value), describe(threshold), subject, message)


def not_computed(check_id: str, mode: PolicyMode, reason: str) -> GateResult:
    """A row whose number is missing, and why."""
    rule = describe(THRESHOLDS[mode][check_id])
    return row(check_id, "not_computed", None, rule, "model", f"Not computed: {reason}.")


def row(check_id: str, status: Status, value: float | None, rule: str, subject: str, message: str) -> GateResult:
    """A row whose status is known."""
    check = CHECKS[check_id]
    return GateResult(
        gate=check.gate,
        check_id=check_id,
        phase=check.phase,
        severity=check.severity,
        metric=check.metric,
        value=value,
        threshold=rule,
        status=status,
        subject=subject,
        message=message,
        advice=advice_for(check_id, status),
    )


def listed(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    shown = ", ".join(names[:_NAMES_SHOWN]) or "none"
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"
