"""From the evidence of a fit to its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.calibration import calibration_gate
from dsam_assets.diagnostics.gate_table import gates_from_frame
from dsam_assets.diagnostics.gates import optimiser_gate, pareto_k_gate, sampler_gates, skipped_gates
from dsam_assets.diagnostics.report import DiagnosticsReport, build_report
from dsam_assets.diagnostics.rows import not_computed
from dsam_assets.diagnostics.thresholds import CHECKS, DRAWS_CHECKS, POINT_CHECKS
from dsam_assets.verdict import GateResult

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws


@dataclass(frozen=True)
class Verdict:
    """The verdict as it is published: the report, and the evidence on calibration that its documents quote."""

    report: DiagnosticsReport
    loo: Mapping[str, pd.DataFrame]


POINT = "a point estimate (fit.method: optimise) has no draws to judge"
SAMPLED = "the posterior was sampled, not optimised"
DISABLED = "diagnostics.enabled is false"


def verdict_of_fit(
    draws: Draws,
    pre_run_checks: pd.DataFrame,
    prior_checks: pd.DataFrame,
    postfit_checks: pd.DataFrame,
    loo: Mapping[str, pd.DataFrame],
    section: Any,
) -> DiagnosticsReport:
    """Judge a fit.

    Args:
        draws: the posterior.
        pre_run_checks: the P0 rows that need no draws, as stored.
        prior_checks: the g1 rows of `prior_predictive.prior_predictive`, as stored.
        postfit_checks: the rows of `postfit.postfit_checks`, as stored.
        loo: tables `loo_summary` and `calibration_summary` and, when it was computed, `loo_pointwise`.
        section: the config's `diagnostics` section.

    Returns:
        The report. Checks of what the fit does not have (draws, or an optimiser) are `skipped`. With
        `diagnostics.enabled: false` all others are `not_computed`, which is never a pass.
    """
    mode = section.policy_mode
    rows: tuple[GateResult, ...]
    if not section.enabled:
        rows = _disabled(DRAWS_CHECKS if draws.is_point else POINT_CHECKS, section)
    else:
        around = (
            (*gates_from_frame(pre_run_checks), *gates_from_frame(prior_checks)),
            gates_from_frame(postfit_checks),
        )
        own = (optimiser_gate(draws, mode),) if draws.is_point else _sampled_gates(draws, loo, section)
        rows = (*around[0], *own, *around[1])
    return build_report((*rows, *_inapplicable(draws)), mode, section.gating, section.enforce_publish_gate)


def _sampled_gates(draws: Draws, loo: Mapping[str, pd.DataFrame], section: Any) -> tuple[GateResult, ...]:
    mode = section.policy_mode
    return (*sampler_gates(draws, mode), calibration_gate(loo, mode), loo_gate(loo, section.model_selection))


def _inapplicable(draws: Draws) -> tuple[GateResult, ...]:
    return skipped_gates(DRAWS_CHECKS, POINT) if draws.is_point else skipped_gates(POINT_CHECKS, SAMPLED)


def _disabled(inapplicable: Sequence[str], section: Any) -> tuple[GateResult, ...]:
    wanted = [check_id for check_id in CHECKS if check_id not in inapplicable]
    return tuple(
        _loo_not_computed(section.model_selection, DISABLED)
        if check_id == "loo_pareto_k"
        else not_computed(check_id, section.policy_mode, DISABLED)
        for check_id in wanted
    )


def loo_gate(loo: Mapping[str, pd.DataFrame], section: Any) -> GateResult:
    """g6 from the stored LOO tables."""
    summary, pointwise = loo["loo_summary"].iloc[0], loo.get("loo_pointwise")
    if pointwise is None:
        return _loo_not_computed(section, str(summary["reason"]))
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


def _loo_not_computed(section: Any, reason: str) -> GateResult:
    return pareto_k_gate(None, warn=section.pareto_k_warn, fail=section.pareto_k_fail, reason=reason)
