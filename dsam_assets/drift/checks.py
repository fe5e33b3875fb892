"""The checks of refresh drift: whether the story that the last fit told has changed. They warn and never halt.

Without a previous fit they are skipped, and say so; where the fits cannot be compared they are not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.rows import judged, not_computed, row
from dsam_assets.diagnostics.thresholds import THRESHOLDS, describe
from dsam_assets.drift.channels import ALL, excess_shift, swaps
from dsam_assets.verdict import CHECKS, GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.drift.density import DensityChange

DRIFT_CHECKS = tuple(name for name, check in CHECKS.items() if check.phase == "P2")
# What the checks say is the same under every policy: a story that changed is news, not a defect.
MODE: PolicyMode = "explore"
POINT = "a point estimate has no spread to measure a shift by"
NO_MEDIA = "neither fit has media terms"


def skipped_checks(reason: str) -> tuple[GateResult, ...]:
    """All of them, because they do not apply."""
    return tuple(_skipped(name, reason) for name in DRIFT_CHECKS)


def uncomputed_checks(reason: str) -> tuple[GateResult, ...]:
    """All of them, because the fits cannot be compared."""
    return tuple(not_computed(name, MODE, reason) for name in DRIFT_CHECKS)


def drift_checks(
    channels: pd.DataFrame | None, density: DensityChange, is_point: tuple[bool, bool]
) -> tuple[GateResult, ...]:
    """Judge the change of the channels and of the predictions.

    Args:
        channels: `drift_channels`; `None` without media.
        density: of the rows that both fits scored.
        is_point: whether each fit is a point estimate.
    """
    if channels is None:
        media = tuple(_skipped(name, NO_MEDIA) for name in DRIFT_CHECKS if name != "refresh_drift_elpd")
        return *media, _elpd(density)
    rows = channels[channels["group"] == ALL]
    both = rows[rows["state"] == "both"]
    return (*_coefficients(both, is_point), _share(both), _order(both), _set(rows), _elpd(density))


def _coefficients(rows: pd.DataFrame, is_point: tuple[bool, bool]) -> tuple[GateResult, GateResult]:
    names = ("refresh_drift_shift", "refresh_drift_sign")
    if all(is_point):
        return _skipped(names[0], POINT), _skipped(names[1], POINT)
    if any(is_point):
        reason = "one of the fits is a point estimate, the other is not"
        return not_computed(names[0], MODE, reason), not_computed(names[1], MODE, reason)
    shift = _worst(
        names[0], rows, excess_shift(rows),
        "The largest shift of a channel beyond Monte Carlo error is {value:.2f} sd of the previous posterior ({name})",
    )  # fmt: skip
    sign = _worst(
        names[1], rows, rows["probability_sign_flip"],
        "The new and the previous effect of {name} have opposite signs with probability {value:.2f}, the largest",
    )  # fmt: skip
    return shift, sign


def _share(rows: pd.DataFrame) -> GateResult:
    text = "The largest change of a channel's share of the media effect is {value:.1%} of it ({name})"
    return _worst("refresh_drift_share", rows, rows["share_change"].abs(), text)


def _worst(check: str, rows: pd.DataFrame, values: pd.Series, text: str) -> GateResult:
    """Judge the largest of the channels' numbers; none may be missing for a pass."""
    known = values.dropna()
    missing = list(rows.loc[values.isna(), "channel"])
    if known.empty:
        return not_computed(check, MODE, _lacking(missing))
    name = str(rows["channel"].to_numpy()[int(np.nanargmax(values.to_numpy(dtype=np.float64)))])
    found = judged(check, float(known.max()), MODE, name, text.format(value=known.max(), name=name) + ".")
    return not_computed(check, MODE, _lacking(missing)) if missing and found.status == "pass" else found


def _lacking(missing: Sequence[str]) -> str:
    return f"no number for {', '.join(missing)}" if missing else "no channel is in both fits"


def _order(rows: pd.DataFrame) -> GateResult:
    check = "refresh_drift_order"
    if rows["return_change"].notna().sum() < 2:
        return _skipped(check, "fewer than two channels have a return in both fits")
    pairs = swaps(rows).get(ALL, [])
    metric = str(rows["metric"].iloc[0]).upper()
    named = ", ".join(f"{a} and {b}" for a, b in pairs[:3])
    told = (
        f"Channels that changed places by {metric}: {named}."
        if pairs
        else f"No two channels changed places by {metric}."
    )
    return judged(check, float(len(pairs)), MODE, named or "model", told)


def _set(rows: pd.DataFrame) -> GateResult:
    moved = rows[rows["state"] != "both"]
    named = ", ".join(f"{name} ({state})" for name, state in moved[["channel", "state"]].to_numpy()[:5])
    told = f"Channels that came or went: {named}." if len(moved) else "The channels are the same."
    return judged("refresh_drift_channels", float(len(moved)), MODE, named or "model", told)


def _elpd(density: DensityChange) -> GateResult:
    check = "refresh_drift_elpd"
    if density.reason:
        return not_computed(check, MODE, density.reason) if density.applies else _skipped(check, density.reason)
    if not np.isfinite(density.change):
        return not_computed(check, MODE, "the log predictive density is not finite")
    told = (
        f"Over {density.rows:,} rows that both fits score, the log predictive density changed by"
        f" {density.change:+.1f} ± {density.se:.1f}."
    )
    return judged(check, density.loss, MODE, "model", told)


def _skipped(check: str, reason: str) -> GateResult:
    return row(check, "skipped", None, describe(THRESHOLDS[MODE][check]), "model", f"Skipped: {reason}.")
