"""The tables of calibration: a summary, and where there is a result its PIT values, their ECDF, and coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.design.labels import labelled
from dsam_assets.scales import FloatArray
from dsam_assets.selection.calibration import BAND_LEVEL, RELIABLE_K, Calibration, calibration
from dsam_assets.selection.loo import LooResult
from dsam_assets.selection.uniformity import EcdfBand

METHOD = "loo_pit_exact_cdf"
# Shares of n are compared, so anything between 0 and 1/n will do.
_ROUNDING = 1e-9
_NUMBERS = (
    "p_value", "p_value_ecdf", "p_value_coverage", "level", "largest_ecdf_difference", "largest_coverage_error",
    "pit_mean", "shift", "spread",
)  # fmt: skip
SUMMARY_DTYPES: dict[str, str] = {
    **dict.fromkeys(("status", "reason", "method", "diagnosis", "meaning"), "object"),
    **dict.fromkeys(_NUMBERS, "float64"),
    **dict.fromkeys(("n_rows", "n_scored", "n_unreliable"), "Int64"),
}


def calibration_tables(result: LooResult, labels: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """`calibration_summary`, and where calibration can be judged `calibration_pit`, `_ecdf` and `_coverage`.

    Args:
        result: the LOO result.
        labels: columns that identify the rows of the model matrix (date, group), one row per row of it.
    """
    found = calibration(result)
    if isinstance(found, str):
        return {"calibration_summary": missing_summary(found)}
    return {
        "calibration_summary": _summary(found, result.n_rows),
        "calibration_pit": _pit_frame(result, labels),
        "calibration_ecdf": _band_frame(found.ecdf_band, "x", "ecdf_difference", found.ecdf_difference, shifted=True),
        "calibration_coverage": _band_frame(found.coverage_band, "level", "observed", found.coverage, shifted=False),
    }


def missing_summary(reason: str) -> pd.DataFrame:
    """The stub row of `calibration_summary` when there is nothing to judge: same columns, no numbers, the reason."""
    row = {"status": "not_computed", "reason": reason, "method": METHOD, "diagnosis": "", "meaning": ""}
    return pd.DataFrame([row], columns=list(SUMMARY_DTYPES)).astype(SUMMARY_DTYPES)


def _summary(found: Calibration, n_rows: int) -> pd.DataFrame:
    row: dict[str, Any] = {
        "status": "ok",
        "reason": "",
        "method": METHOD,
        "diagnosis": found.diagnosis,
        "meaning": found.meaning,
        "p_value": found.p_value,
        "p_value_ecdf": found.p_ecdf,
        "p_value_coverage": found.p_coverage,
        "level": BAND_LEVEL,
        "largest_ecdf_difference": float(np.abs(found.ecdf_difference).max()),
        "largest_coverage_error": float(np.abs(found.coverage - found.coverage_band.points).max()),
        "pit_mean": found.mean,
        "shift": found.moments["shift"],
        "spread": found.moments["spread"],
        "n_rows": n_rows,
        "n_scored": found.n_scored,
        "n_unreliable": found.n_unreliable,
    }
    return pd.DataFrame([row])[list(SUMMARY_DTYPES)].astype(SUMMARY_DTYPES)


def _pit_frame(result: LooResult, labels: pd.DataFrame | None) -> pd.DataFrame:
    """One row per scored row: row, those of `labels`, pit, and whether its weights can be trusted."""
    table = labelled(result.all_rows, labels).iloc[result.scored].reset_index(drop=True)
    return table.assign(pit=result.pit, reliable=result.pareto_k <= RELIABLE_K)


def _band_frame(band: EcdfBand, at: str, what: str, values: FloatArray, *, shifted: bool) -> pd.DataFrame:
    """Values beside their simultaneous band; with `shifted` as differences from the diagonal."""
    base = band.points if shifted else np.zeros(len(band.points))
    share = values + base
    outside = (share < band.lower - _ROUNDING) | (share > band.upper + _ROUNDING)
    return pd.DataFrame(
        {at: band.points, what: values, "lower": band.lower - base, "upper": band.upper - base, "outside": outside}
    )
