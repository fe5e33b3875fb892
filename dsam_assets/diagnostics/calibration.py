"""g5: whether the predictive distribution is calibrated, judged from the stored tables of `selection.calibration`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from dsam_assets.diagnostics.report import DiagnosticsReport
from dsam_assets.diagnostics.rows import not_computed, row
from dsam_assets.diagnostics.thresholds import THRESHOLDS, describe, judge
from dsam_assets.verdict import GateResult, PolicyMode

CHECK_ID = "calibration_loo_pit"
# With thousands of rows a test sees deviations that change no interval worth mentioning. Under publish one that moves
# neither the distribution function nor the coverage of any interval by this much does not fail, whatever its p-value.
SMALL_DEVIATION = 0.05


def calibration_gate(tables: Mapping[str, pd.DataFrame], mode: PolicyMode) -> GateResult:
    """g5: p-value of uniformity of the LOO-PIT values and of the coverage of central intervals.

    Args:
        tables: at least `calibration_summary`.
        mode: the policy that chooses the thresholds; explore cannot fail.
    """
    summary = tables["calibration_summary"].iloc[0]
    if summary["status"] != "ok":
        return not_computed(CHECK_ID, mode, str(summary["reason"]) or "calibration has no result")
    value, threshold = float(summary["p_value"]), THRESHOLDS[mode][CHECK_ID]
    if math.isnan(value):
        return not_computed(CHECK_ID, mode, "the p-value is NaN")
    status, small = judge(value, threshold), largest_deviation(summary) < SMALL_DEVIATION
    downgraded = mode == "publish" and status == "fail" and small
    note = f" That is less than {SMALL_DEVIATION:.0%}, so it does not fail." if downgraded else ""
    shown = "warn" if downgraded else status
    return row(CHECK_ID, shown, value, describe(threshold), str(summary["diagnosis"]), _message(summary) + note)


def largest_deviation(summary: pd.Series) -> float:
    """How far the distribution function of the PIT values, or the coverage of an interval, is off."""
    return max(float(summary["largest_ecdf_difference"]), float(summary["largest_coverage_error"]))


def calibration_json(report: DiagnosticsReport, tables: Mapping[str, pd.DataFrame] | None = None) -> dict[str, Any]:
    """Content of `calibration_report.json`.

    Fields:
        well_calibrated: true when calibration was computed and passes, false when it warns or fails, null when it was
            not computed or does not apply.
        computed: whether there is a number; when false, `reason` says why.
        diagnosis: well-calibrated, over-confident, under-confident or biased; null when not computed.
        meaning: the diagnosis in a sentence.
        method: how the PIT values were computed: the Gaussian predictive distribution function of each draw, averaged
            with leave-one-out weights, without simulation.
        rows: of the model, scored, and scored with an unreliable weight (Pareto k > 0.7).
        uniformity: p-values of the simultaneous tests of the ECDF and of the coverage, the level of their bands,
            the largest deviations, and the standardised mean (`shift`) and spread of the PIT values.
        coverage: level, observed share, and simultaneous band, for central intervals of 10 % … 90 %.
        check: the judged row.

    Args:
        report: the verdict.
        tables: `calibration_summary` and, where there is a result, `calibration_coverage`.
    """
    check = report.find(CHECK_ID)
    computed = check is not None and check.value is not None
    summary = None if tables is None or not computed else tables["calibration_summary"].iloc[0]
    return {
        "well_calibrated": check.status == "pass" if check is not None and computed else None,
        "computed": computed,
        "reason": None if computed else f"{CHECK_ID} is absent." if check is None else check.message,
        **_evidence(summary),
        "coverage": None if summary is None or tables is None else _coverage(tables),
        "check": None if check is None else {**asdict(check), "computed": computed},
    }


def _evidence(summary: pd.Series | None) -> dict[str, Any]:
    if summary is None:
        return dict.fromkeys(("diagnosis", "meaning", "method", "rows", "uniformity"))
    numbers = (
        "p_value", "p_value_ecdf", "p_value_coverage", "level", "largest_ecdf_difference", "largest_coverage_error",
        "pit_mean", "shift", "spread",
    )  # fmt: skip
    return {
        **{name: str(summary[name]) for name in ("diagnosis", "meaning", "method")},
        "rows": {name: int(summary[f"n_{name}"]) for name in ("rows", "scored", "unreliable")},
        "uniformity": {name: float(summary[name]) for name in numbers},
    }


def _coverage(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]] | None:
    table = tables.get("calibration_coverage")
    if table is None:
        return None
    columns = {name: table[name].tolist() for name in ("level", "observed", "lower", "upper", "outside")}
    return [dict(zip(columns, each, strict=True)) for each in zip(*columns.values(), strict=True)]


def _message(summary: pd.Series) -> str:
    rows, scored = int(summary["n_rows"]), int(summary["n_scored"])
    of = f"{scored:,} rows" if rows == scored else f"a sample of {scored:,} of {rows:,} rows"
    diagnosis = str(summary["diagnosis"])
    return (
        f"{diagnosis[0].upper()}{diagnosis[1:]}: {summary['meaning']} ({of}; the PIT distribution is off by up to "
        f"{summary['largest_ecdf_difference']:.3f}, an interval's coverage by up to "
        f"{summary['largest_coverage_error']:.3f}; p = {summary['p_value']:.2g})."
    )
