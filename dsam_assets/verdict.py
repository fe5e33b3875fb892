"""Gate results as data, and what follows from them.

Numbers are computed in the stages, judged against thresholds held as data, and phrased for people elsewhere. A check
that could not be computed is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail", "skipped", "not_computed"]
Phase = Literal["P0", "P1", "P2"]
PolicyMode = Literal["explore", "publish", "strict"]
Gating = Literal["strict", "warn", "off"]
Overall = Literal["pass", "warn", "fail"]
Reliability = Literal["final", "provisional", "blocked"]
Severity = Literal["critical", "important"]


@dataclass(frozen=True)
class Check:
    """What a check is, apart from its thresholds."""

    gate: str
    phase: Phase
    severity: Severity
    metric: str


CHECKS: Mapping[str, Check] = {
    "pre_response_finite": Check("p0", "P0", "critical", "non_finite_response_count"),
    "pre_design_constants_duplicates": Check("p0", "P0", "critical", "constant_plus_duplicate_columns"),
    "pre_design_rank_deficit": Check("p0", "P0", "critical", "rank_deficit"),
    "pre_design_condition_number": Check("p0", "P0", "critical", "kappa_X"),
    "pre_identification": Check("p0", "P0", "important", "identification_findings"),
    "pre_weeks_per_parameter": Check("p0", "P0", "important", "rows_per_coefficient"),
    "pre_weeks_of_data": Check("p0", "P0", "important", "min_weeks_per_unit"),
    "pre_spend_without_exposure": Check("p0", "P0", "important", "rows_with_spend_and_no_exposure"),
    "pre_literal_missing": Check("p0", "P0", "important", "cells_with_words_for_missing"),
    "pre_week_anchor": Check("p0", "P0", "important", "rows_off_the_usual_weekday"),
    "pre_week_gaps": Check("p0", "P0", "important", "missing_weeks"),
    "prior_predictive_plausibility": Check("g1", "P0", "important", "prior_share_inside"),
    "prior_predictive_coverage": Check("g1", "P0", "important", "rows_covered_by_prior"),
    "prior_predictive_movement": Check("g1", "P0", "important", "prior_movement_ratio"),
    "sampler_rhat_max": Check("g2", "P1", "important", "max_rhat"),
    "sampler_ess_bulk_min": Check("g3", "P1", "important", "min_ess_bulk"),
    "sampler_ess_tail_min": Check("g3", "P1", "important", "min_ess_tail"),
    "sampler_divergences": Check("g4", "P1", "important", "divergent_fraction"),
    "sampler_treedepth_frac": Check("g4", "P1", "important", "treedepth_hit_fraction"),
    "sampler_ebfmi_min": Check("g7", "P1", "important", "min_ebfmi"),
    "loo_pareto_k": Check("g6", "P1", "important", "max_pareto_k"),
    "optimiser_converged": Check("p1", "P1", "important", "best_start_converged"),
    "calibration_loo_pit": Check("g5", "P1", "important", "uniformity_p_value"),
    "resid_ljung_box_p": Check("p1", "P1", "important", "resid_lb_p"),
    "resid_acf_max": Check("p1", "P1", "important", "resid_acf_max"),
    "boundary_hit_fraction": Check("p1", "P1", "important", "boundary_hit_frac"),
    "within_var_ratio": Check("p1", "P1", "important", "within_var_min_ratio"),
    "pre_identifiability_baseline_media_corr": Check("p1", "P1", "important", "max_abs_corr"),
    "loo_leverage_one": Check("g6", "P1", "important", "rows_with_leverage_one"),
    "refresh_drift_shift": Check("p2", "P2", "important", "max_shift_beyond_mcse"),
    "refresh_drift_sign": Check("p2", "P2", "important", "max_sign_flip_probability"),
    "refresh_drift_share": Check("p2", "P2", "important", "max_share_change"),
    "refresh_drift_order": Check("p2", "P2", "important", "channel_pairs_reversed"),
    "refresh_drift_channels": Check("p2", "P2", "important", "channels_added_or_removed"),
    "refresh_drift_elpd": Check("p2", "P2", "important", "elpd_loss_in_se"),
}


@dataclass(frozen=True)
class Waived:
    """What a waiver did to a failing row.

    Attributes:
        original_status: the judgement that somebody answers for, `fail` or `not_computed`.
        by: who answers for it.
        until: the last day on which the waiver holds, as ISO text.
        why: the reason that they gave.
    """

    original_status: Status
    by: str
    until: str
    why: str


@dataclass(frozen=True)
class GateResult:
    """One judged check.

    Attributes:
        gate: `g1`…`g7`, or `p0`/`p1`/`p2` for checks outside the seven gates.
        check_id: the check's name in the specification, e.g. `sampler_rhat_max`.
        phase: `P0` before the fit, `P1` after it, `P2` beside the fit before; what P2 finds is no part of the verdict.
        severity: `critical` or `important`.
        metric: name of the number, e.g. `max_rhat`.
        value: the number; `None` when it was not computed.
        threshold: the rule as text, e.g. `warn > 1.01, fail > 1.05`.
        status: the judgement.
        subject: what the number is about, e.g. a term, or `model`.
        message: one sentence for a person.
        advice: what to do about it; empty for a pass.
        waived: set when a waiver made a warning of a failure; the number and its threshold stay what they are.
    """

    gate: str
    check_id: str
    phase: Phase
    severity: Severity
    metric: str
    value: float | None
    threshold: str
    status: Status
    subject: str
    message: str
    advice: str
    waived: Waived | None = None

    @property
    def judged_status(self) -> Status:
        """The judgement of the number itself, which no waiver changes."""
        return self.status if self.waived is None else self.waived.original_status


def effective_status(status: Status, mode: PolicyMode) -> Status:
    """What a status counts as: not computed is a warning under explore, a failure under publish and strict."""
    if status == "not_computed":
        return "warn" if mode == "explore" else "fail"
    return status


def overall_status(results: Iterable[GateResult], mode: PolicyMode) -> Overall:
    """`fail` if any check fails, else `warn` if any warns, else `pass`; an empty report is never a pass."""
    statuses = {effective_status(result.status, mode) for result in results}
    if not statuses or "fail" in statuses:
        return "fail"
    return "warn" if "warn" in statuses else "pass"
