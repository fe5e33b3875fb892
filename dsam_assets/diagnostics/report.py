"""The verdict: all checks of one fit, what they add up to, and what may follow."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

import pandas as pd

from dsam_assets.diagnostics.gate_table import STATUSES, gates_from_frame, verdict_frame
from dsam_assets.diagnostics.thresholds import CONVERGENCE_CHECKS, POINT_CHECKS, SAMPLER_CHECKS
from dsam_assets.diagnostics.waivers import WaiverRecord, waived_text, waiver_frame
from dsam_assets.errors import GateError
from dsam_assets.verdict import (
    GateResult,
    Gating,
    Overall,
    PolicyMode,
    Reliability,
    Status,
    effective_status,
    overall_status,
)

POINT_ESTIMATE = "point estimate (MAP), no uncertainty"


@dataclass(frozen=True)
class DiagnosticsReport:
    """Every judged check of one fit, and what follows from them.

    Attributes:
        results: one row per check.
        policy_mode, gating, enforce_publish_gate: the policy they were judged and are enforced under.
        overall: `fail` if any check fails, else `warn` if any warns, else `pass`; what is not computed counts as warn
            under explore and as fail otherwise, and a waived failure as warn.
        converged: True when all of R-hat, bulk and tail ESS, divergences and E-BFMI were computed and none fails; False
            when one fails, was not computed, or is absent, waived or not; None when all were skipped because they do
            not apply: the fit is a point estimate.
        reliability: what may be said about anything built on this fit. It depends on the statuses; `gating` only
            decides whether a bad one is stamped or blocks:
            `blocked` when `enforce` would halt; otherwise `final` when overall is pass and convergence was shown, and
            `provisional` for everything else. A point estimate (convergence does not apply) is never final.
        reasons: why the result is not final, one sentence each; empty when it is.
        waivers: what became of each waiver on the day of the verdict.
    """

    results: tuple[GateResult, ...]
    policy_mode: PolicyMode
    gating: Gating
    enforce_publish_gate: bool
    overall: Overall
    converged: bool | None
    reliability: Reliability
    reasons: tuple[str, ...]
    waivers: tuple[WaiverRecord, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row per check, in the order they were given; `value` is NaN where not computed."""
        return verdict_frame(self.results)

    def tables(self) -> dict[str, pd.DataFrame]:
        """`diagnostics_report`, and `waivers` when there are any."""
        tables = {"diagnostics_report": self.to_frame()}
        return tables | {"waivers": waiver_frame(self.waivers)} if self.waivers else tables

    @property
    def is_point(self) -> bool:
        """Whether the fit is a point estimate: convergence of chains does not apply."""
        return self.converged is None

    @property
    def waived(self) -> str:
        """The failures that waivers made warnings of, on one line; empty when there are none."""
        return waived_text(self.results)

    @property
    def holds_until(self) -> dt.date | None:
        """The last day on which nothing changes by itself: the first end of a waiver that is not over yet."""
        return min((record.expires for record in self.waivers if record.state != "expired"), default=None)

    def find(self, check_id: str) -> GateResult | None:
        """The row of a check, or None when the report has none."""
        return next((result for result in self.results if result.check_id == check_id), None)


def build_report(
    results: Iterable[GateResult],
    mode: PolicyMode,
    gating: Gating,
    enforce_publish_gate: bool,
    waivers: Iterable[WaiverRecord] = (),
) -> DiagnosticsReport:
    """Aggregate judged checks into a verdict; `waivers` are those that `apply_waivers` has applied to the checks."""
    rows = tuple(results)
    overall, converged = overall_status(rows, mode), convergence_state(rows)
    halts = bool(halt_reasons(rows, overall, gating, enforce_publish_gate))
    reliability: Reliability = "blocked" if halts else "final" if overall == "pass" and converged else "provisional"
    reasons = () if reliability == "final" else _reasons(rows, mode, converged)
    return DiagnosticsReport(
        rows, mode, gating, enforce_publish_gate, overall, converged, reliability, reasons, tuple(waivers)
    )


def convergence_state(
    results: Iterable[GateResult], status_of: Callable[[GateResult], Status] = attrgetter("judged_status")
) -> bool | None:
    """See `DiagnosticsReport.converged`; `status_of` chooses the judgement, by default that of the numbers alone."""
    status = {result.check_id: status_of(result) for result in results}
    states = [status.get(check_id, "not_computed") for check_id in CONVERGENCE_CHECKS]
    if all(state == "skipped" for state in states):
        return None
    return all(state in ("pass", "warn") for state in states)


def _optimiser_lets_through(results: Iterable[GateResult]) -> bool:
    """Whether the optimiser was shown to converge, or that it was not is waived."""
    states = [result.status for result in results if result.check_id in POINT_CHECKS]
    return bool(states) and all(state in ("pass", "warn") for state in states)


def halt_reasons(
    results: Iterable[GateResult], overall: Overall, gating: Gating, enforce_publish_gate: bool
) -> tuple[str, ...]:
    """Why everything downstream must stop; empty when it may go on.

    `gating: strict` halts on convergence, of the chains or of the optimiser; `enforce_publish_gate: true` on the
    overall status whatever `gating` is: a key that somebody set to true must not lose its effect through another one.
    What is waived does not halt.
    """
    reasons, rows = [], tuple(results)
    converged = convergence_state(rows, attrgetter("status"))
    if gating == "strict" and converged is False:
        reasons.append("the posterior has not been shown to converge (diagnostics.gating: strict)")
    if gating == "strict" and converged is None and not _optimiser_lets_through(rows):
        reasons.append("the optimiser has not been shown to converge (diagnostics.gating: strict)")
    if enforce_publish_gate and overall == "fail":
        reasons.append("the overall diagnostics status is fail (diagnostics.enforce_publish_gate: true)")
    return tuple(reasons)


def _reasons(results: Iterable[GateResult], mode: PolicyMode, converged: bool | None) -> tuple[str, ...]:
    rows = tuple(results)
    bad = [row for row in rows if effective_status(row.status, mode) in ("fail", "warn")]
    bad.sort(key=lambda row: effective_status(row.status, mode))
    reasons = [_sentence(row) for row in bad]
    if converged is None:
        reasons.append(f"{POINT_ESTIMATE[0].upper()}{POINT_ESTIMATE[1:]}: nothing says how sure its numbers are.")
    known = {row.check_id for row in rows}
    absent = [check_id for check_id in CONVERGENCE_CHECKS if check_id not in known]
    if absent:
        reasons.append(f"Convergence checks are absent: {', '.join(absent)}.")
    return tuple(reasons)


def _sentence(row: GateResult) -> str:
    return f"{row.check_id} ({status_words(row)}): {row.message}"


def status_words(row: GateResult) -> str:
    """The judgement in words: `fail`, `not computed`, `fail, waived`."""
    words = row.judged_status.replace("_", " ")
    return words if row.waived is None else f"{words}, waived"


def enforce(report: DiagnosticsReport) -> None:
    """Raise `GateError` when the policy says that nothing downstream of this fit may be built.

    The verdict must be of today: `waivers.require_in_force`, which every asset that takes the verdict is put through.
    """
    reasons = halt_reasons(report.results, report.overall, report.gating, report.enforce_publish_gate)
    if not reasons:
        return
    bad = [row for row in report.results if effective_status(row.status, report.policy_mode) == "fail"]
    bad = bad or [row for row in report.results if row.status == "not_computed"]
    advice = dict.fromkeys(row.advice for row in bad if row.advice)
    raise GateError(
        f"A quality gate halts this run: {' and '.join(reasons)}.",
        where="diagnostics_report",
        got="; ".join(_sentence(row) for row in bad) or "no convergence checks at all",
        wanted=f"no failing check under diagnostics.policy_mode: {report.policy_mode}",
        fix=" ".join(advice) or "Compute the convergence checks before building on this fit.",
    )


def summary_text(report: DiagnosticsReport) -> str:
    """Text of `diagnostics_summary.txt`: overall status, counts by status, and what to do about what does not pass."""
    counts = Counter(row.status for row in report.results)
    waived = [row for row in report.results if row.waived is not None]
    lines = [
        f"overall_status: {report.overall}",
        f"policy_mode: {report.policy_mode}",
        f"gating: {report.gating}",
        f"converged: {_word(report.converged)}",
        f"reliability: {report.reliability}{f' ({POINT_ESTIMATE})' if report.is_point else ''}",
        *(f"{status}: {counts[status]}" for status in STATUSES),
        *([f"waived: {len(waived)}"] if report.waivers else []),
    ]
    bad = [row for row in report.results if row.status in ("fail", "not_computed", "warn")]
    for row in sorted(bad, key=lambda row: ("fail", "not_computed", "warn").index(row.status)):
        lines += [
            "",
            f"[{row.status if row.waived is None else status_words(row)}] {row.gate} {row.check_id}: {row.message}",
            f"  rule: {row.threshold}",
        ]
        lines += [f"  do this: {row.advice}"] if row.advice else []
    lines += ["", "Waivers:", *(f"  {record.line()}" for record in report.waivers)] if report.waivers else []
    return "\n".join([*lines, "", "Passing checks show that the computation is sound; they do not show causality.", ""])


def _word(value: bool | None) -> str:
    return "does not apply" if value is None else str(value).lower()


def convergence_json(report: DiagnosticsReport) -> dict[str, Any]:
    """Content of `convergence_report.json`.

    `converged` is true only when every convergence check was computed and none fails, false when one fails or is
    missing, null when they do not apply. `computed` says whether all of them have a value, and `reason` why not. The
    checks of a point estimate end with the optimiser's.
    """
    rows = [row for row in report.results if row.check_id in SAMPLER_CHECKS]
    known = {row.check_id: row for row in rows if row.value is not None}
    missing = [check_id for check_id in CONVERGENCE_CHECKS if check_id not in known]
    if report.is_point:
        rows += [row for row in report.results if row.check_id in POINT_CHECKS]
    return {
        "converged": report.converged,
        "computed": not missing,
        "reason": _why_missing(report, missing),
        "policy_mode": report.policy_mode,
        "gating": report.gating,
        "convergence_checks": list(CONVERGENCE_CHECKS),
        "checks": [_check_json(row) for row in rows],
    }


def _why_missing(report: DiagnosticsReport, check_ids: Iterable[str]) -> str | None:
    """What the rows of checks without a value say, each sentence once; None when there are none."""
    rows = {check_id: report.find(check_id) for check_id in check_ids}
    sentences = [f"{name} is absent." if row is None else row.message for name, row in rows.items()]
    return " ".join(dict.fromkeys(sentences)) or None


def pareto_k_json(report: DiagnosticsReport, tables: Mapping[str, pd.DataFrame] | None = None) -> dict[str, Any]:
    """Content of `pareto_k_summary.json`.

    `ok` is true when the largest Pareto k was computed and is not above the warning threshold, false when it is, null
    when it was not computed, and then `reason` says why.

    Args:
        report: the verdict.
        tables: `loo_summary`, for the rows per Pareto-k band.
    """
    row = report.find("loo_pareto_k")
    computed = row is not None and row.value is not None
    summary = (tables or {}).get("loo_summary")
    return {
        "ok": row.status == "pass" if row is not None and computed else None,
        "computed": computed,
        "reason": None if computed else _why_missing(report, ["loo_pareto_k"]),
        "counts": None if summary is None else _counts(summary.iloc[0]),
        "check": None if row is None else _check_json(row),
    }


def _counts(summary: pd.Series) -> dict[str, int] | None:
    """Rows of the model, scored rows, and those of each Pareto-k band; None where none was scored."""
    if summary["status"] != "ok":
        return None
    names = {
        "rows": "n_rows", "scored": "n_scored", "above_warn": "n_k_above_warn", "up_to_0_5": "n_k_le_0_5",
        "up_to_0_7": "n_k_0_5_to_0_7", "above_0_7": "n_k_gt_0_7", "above_1": "n_k_gt_1",
        "not_computed": "n_k_not_computed",
    }  # fmt: skip
    return {name: int(summary[column]) for name, column in names.items()}


def _check_json(row: GateResult) -> dict[str, Any]:
    return {**asdict(row), "value": _json_number(row.value), "computed": row.value is not None}


def _json_number(value: float | None) -> float | str | None:
    """JSON has no infinity; a text says more than a null, which would read as not computed."""
    return value if value is None or math.isfinite(value) else str(value)


def report_from_frame(
    frame: pd.DataFrame,
    mode: PolicyMode,
    gating: Gating,
    enforce_publish_gate: bool,
    waivers: Iterable[WaiverRecord] = (),
) -> DiagnosticsReport:
    """Rebuild a report, as of the day of its verdict, from its stored table; raises as `gates_from_frame`."""
    return build_report(gates_from_frame(frame), mode, gating, enforce_publish_gate, waivers)
