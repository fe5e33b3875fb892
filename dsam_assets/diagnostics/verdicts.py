"""From the evidence of a fit to its verdict.

Evidence is judged once and kept, as tables of rows: `pre_run_checks`, `fit_checks`, `postfit_checks`. The verdict puts
them together under the policy and the waivers of a day; that takes no time, so it is done anew in every run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.advice import advice_for
from dsam_assets.diagnostics.calibration import calibration_gate
from dsam_assets.diagnostics.gate_table import gates_from_frame
from dsam_assets.diagnostics.gates import optimiser_gate, pareto_k_gate, sampler_gates, skipped_gates
from dsam_assets.diagnostics.report import DiagnosticsReport, build_report
from dsam_assets.diagnostics.thresholds import DRAWS_CHECKS, POINT_CHECKS
from dsam_assets.diagnostics.waivers import WaiverLike, apply_waivers
from dsam_assets.verdict import GateResult, Gating, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws


class PolicyLike(Protocol):
    """What the config's `diagnostics` section says about the verdict."""

    @property
    def enabled(self) -> bool: ...
    @property
    def policy_mode(self) -> PolicyMode: ...
    @property
    def gating(self) -> Gating: ...
    @property
    def enforce_publish_gate(self) -> bool: ...
    @property
    def waivers(self) -> Sequence[WaiverLike]: ...


@dataclass(frozen=True)
class Verdict:
    """The verdict as it is published: the report, and the evidence on calibration that its documents quote."""

    report: DiagnosticsReport
    loo: Mapping[str, pd.DataFrame]


POINT = "a point estimate (fit.method: optimise) has no draws to judge"
SAMPLED = "the posterior was sampled, not optimised"
DISABLED = "diagnostics.enabled is false"


def fit_checks(draws: Draws, loo: Mapping[str, pd.DataFrame], section: Any) -> tuple[GateResult, ...]:
    """The checks of the sampler or of the optimiser, of calibration and of Pareto k.

    Args:
        draws: the posterior.
        loo: tables `loo_summary` and `calibration_summary` and, when it was computed, `loo_pointwise`.
        section: the config's `diagnostics` section (policy_mode, model_selection).

    Returns:
        One row per check. Checks of what the fit does not have (draws, or an optimiser) are `skipped`.
    """
    mode = section.policy_mode
    if draws.is_point:
        return optimiser_gate(draws, mode), *skipped_gates(DRAWS_CHECKS, POINT)
    scored = calibration_gate(loo, mode), loo_gate(loo, section.model_selection)
    return *sampler_gates(draws, mode), *scored, *skipped_gates(POINT_CHECKS, SAMPLED)


def verdict(tables: Iterable[pd.DataFrame], policy: PolicyLike, today: dt.date) -> DiagnosticsReport:
    """Judge a fit by its tables of checks.

    Args:
        tables: rows as `gate_table.gate_frame` stores them, one table per stage of the evidence.
        policy: the config's `diagnostics` section. With `enabled: false` every check that applies is `not_computed`,
            which is never a pass.
        today: the date in UTC; waivers hold until the end of their last day.
    """
    rows = tuple(row for table in tables for row in gates_from_frame(table))
    rows = rows if policy.enabled else tuple(map(_disabled, rows))
    rows, waivers = apply_waivers(rows, policy.waivers, policy.policy_mode, policy.gating, today)
    return build_report(rows, policy.policy_mode, policy.gating, policy.enforce_publish_gate, waivers)


def _disabled(row: GateResult) -> GateResult:
    if row.status == "skipped":
        return row
    message, advice = f"Not computed: {DISABLED}.", advice_for(row.check_id, "not_computed")
    return replace(row, status="not_computed", value=None, subject="model", message=message, advice=advice)


def loo_gate(loo: Mapping[str, pd.DataFrame], section: Any) -> GateResult:
    """g6 from the stored LOO tables."""
    summary, pointwise = loo["loo_summary"].iloc[0], loo.get("loo_pointwise")
    if pointwise is None:
        return pareto_k_gate(
            None, warn=section.pareto_k_warn, fail=section.pareto_k_fail, reason=str(summary["reason"])
        )
    return pareto_k_gate(
        pointwise["pareto_k"].to_numpy(dtype=np.float64),
        warn=section.pareto_k_warn,
        fail=section.pareto_k_fail,
        n_rows=int(summary["n_rows"]),
        places=_places(pointwise),
    )


def _places(pointwise: pd.DataFrame) -> list[str]:
    """Panel unit and date of each scored row, as far as it has them."""
    units = pointwise["group"].astype(str) if "group" in pointwise else None
    if "date" not in pointwise:
        return [] if units is None else units.tolist()
    dates = pd.to_datetime(pointwise["date"]).dt.strftime("%Y-%m-%d")
    return (dates if units is None else units + " " + dates).tolist()
