"""The thresholds are the contract: each number of the Diagnostics Gates page, from both sides, in each mode."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dsam_assets.diagnostics.advice import ADVICE, advice_for
from dsam_assets.diagnostics.thresholds import (
    CHECKS,
    CONVERGENCE_CHECKS,
    THRESHOLDS,
    Threshold,
    describe,
    judge,
)
from dsam_assets.verdict import PolicyMode

INF = math.inf
# (check, mode, first value that is worse than warn, first value that is worse than fail, status beyond fail); the
# values on the thresholds themselves are one floating-point step better and must get the better status.
CONTRACT: list[tuple[str, PolicyMode, float, float | None, str]] = [
    ("pre_response_finite", "explore", 0, 0, "fail"),
    ("pre_response_finite", "publish", 0, 0, "fail"),
    ("pre_response_finite", "strict", 0, 0, "fail"),
    ("pre_design_constants_duplicates", "explore", 0, 0, "fail"),
    ("pre_design_constants_duplicates", "publish", 0, 0, "fail"),
    ("pre_design_constants_duplicates", "strict", 0, 0, "fail"),
    ("pre_design_rank_deficit", "explore", 0, None, "warn"),
    ("pre_design_rank_deficit", "publish", 0, None, "warn"),
    ("pre_design_rank_deficit", "strict", 0, 0, "fail"),
    ("pre_design_condition_number", "explore", 1e4, None, "warn"),
    ("pre_design_condition_number", "publish", 1e4, 1e6, "warn"),
    ("pre_design_condition_number", "strict", 1e4, 1e6, "fail"),
    ("pre_identification", "explore", 0, None, "warn"),
    ("pre_identification", "publish", 0, None, "warn"),
    ("pre_identification", "strict", 0, None, "warn"),
    *(("pre_weeks_per_parameter", mode, 6.25, None, "warn") for mode in THRESHOLDS),
    *(("pre_weeks_of_data", mode, 80, None, "warn") for mode in THRESHOLDS),
    *(("pre_spend_without_exposure", mode, 0, None, "warn") for mode in THRESHOLDS),
    *(("pre_literal_missing", mode, 0, None, "warn") for mode in THRESHOLDS),
    *(("pre_week_anchor", mode, 0, None, "warn") for mode in THRESHOLDS),
    *(("pre_week_gaps", mode, 0, None, "warn") for mode in THRESHOLDS),
    *(("refresh_drift_shift", mode, 1.0, None, "warn") for mode in THRESHOLDS),
    *(("refresh_drift_sign", mode, 0.6, None, "warn") for mode in THRESHOLDS),
    *(("refresh_drift_share", mode, 0.10, None, "warn") for mode in THRESHOLDS),
    *(("refresh_drift_order", mode, 0, None, "warn") for mode in THRESHOLDS),
    *(("refresh_drift_channels", mode, 0, None, "warn") for mode in THRESHOLDS),
    *(("refresh_drift_elpd", mode, 2.0, None, "warn") for mode in THRESHOLDS),
    ("prior_predictive_plausibility", "explore", 0.10, None, "warn"),
    ("prior_predictive_plausibility", "publish", 0.10, 0.05, "fail"),
    ("prior_predictive_plausibility", "strict", 0.50, 0.10, "fail"),
    ("prior_predictive_coverage", "explore", 0.90, None, "warn"),
    ("prior_predictive_coverage", "publish", 0.90, 0.50, "fail"),
    ("prior_predictive_coverage", "strict", 0.90, 0.90, "fail"),
    ("prior_predictive_movement", "explore", 0.50, None, "warn"),
    ("prior_predictive_movement", "publish", 0.50, 0.25, "fail"),
    ("prior_predictive_movement", "strict", 0.50, 0.50, "fail"),
    ("sampler_rhat_max", "explore", 1.01, 1.10, "fail"),
    ("sampler_rhat_max", "publish", 1.01, 1.05, "fail"),
    ("sampler_rhat_max", "strict", 1.01, 1.01, "fail"),
    ("sampler_ess_bulk_min", "explore", 400, 50, "fail"),
    ("sampler_ess_bulk_min", "publish", 400, 200, "fail"),
    ("sampler_ess_bulk_min", "strict", 400, 400, "fail"),
    ("sampler_ess_tail_min", "explore", 200, 25, "fail"),
    ("sampler_ess_tail_min", "publish", 200, 100, "fail"),
    ("sampler_ess_tail_min", "strict", 200, 200, "fail"),
    ("sampler_ebfmi_min", "explore", 0.30, 0.10, "fail"),
    ("sampler_ebfmi_min", "publish", 0.30, 0.20, "fail"),
    ("sampler_ebfmi_min", "strict", 0.30, 0.30, "fail"),
    ("sampler_treedepth_frac", "explore", 0, 0.05, "fail"),
    ("sampler_treedepth_frac", "publish", 0, 0.01, "fail"),
    ("sampler_treedepth_frac", "strict", 0, 0, "fail"),
    ("sampler_divergences", "explore", 0, None, "warn"),
    ("sampler_divergences", "publish", 0, 0, "fail"),
    ("sampler_divergences", "strict", 0, 0, "fail"),
    ("optimiser_converged", "explore", 1, 1, "fail"),
    ("optimiser_converged", "publish", 1, 1, "fail"),
    ("optimiser_converged", "strict", 1, 1, "fail"),
    ("resid_ljung_box_p", "explore", 0.05, None, "warn"),
    ("resid_ljung_box_p", "publish", 0.05, 0.01, "fail"),
    ("resid_ljung_box_p", "strict", 0.10, 0.05, "fail"),
    ("resid_acf_max", "explore", 0.20, None, "warn"),
    ("resid_acf_max", "publish", 0.20, 0.40, "fail"),
    ("resid_acf_max", "strict", 0.15, 0.30, "fail"),
    ("boundary_hit_fraction", "explore", 0.05, None, "warn"),
    ("boundary_hit_fraction", "publish", 0.05, 0.20, "fail"),
    ("boundary_hit_fraction", "strict", 0.02, 0.10, "fail"),
    ("within_var_ratio", "explore", 0.10, None, "warn"),
    ("within_var_ratio", "publish", 0.10, 0.05, "fail"),
    ("within_var_ratio", "strict", 0.10, 0.05, "fail"),
    ("pre_identifiability_baseline_media_corr", "explore", 0.80, None, "warn"),
    ("pre_identifiability_baseline_media_corr", "publish", 0.80, 0.95, "fail"),
    ("pre_identifiability_baseline_media_corr", "strict", 0.70, 0.85, "fail"),
    ("loo_leverage_one", "explore", 0, None, "warn"),
    ("loo_leverage_one", "publish", 0, None, "warn"),
    ("loo_leverage_one", "strict", 0, None, "warn"),
    ("calibration_loo_pit", "explore", 0.05, None, "warn"),
    ("calibration_loo_pit", "publish", 0.05, 0.001, "fail"),
    ("calibration_loo_pit", "strict", 0.05, 0.05, "fail"),
]
LOWER_IS_WORSE = {
    "sampler_ess_bulk_min", "sampler_ess_tail_min", "sampler_ebfmi_min", "optimiser_converged", "resid_ljung_box_p",
    "within_var_ratio", "calibration_loo_pit", "pre_weeks_per_parameter", "pre_weeks_of_data",
    "prior_predictive_plausibility", "prior_predictive_coverage", "prior_predictive_movement",
}  # fmt: skip


def test_contract_covers_every_check_in_every_mode() -> None:
    assert {(check, mode) for check, mode, *_ in CONTRACT} == {
        (check, mode) for mode, table in THRESHOLDS.items() for check in table
    }
    assert set(CHECKS) == {check for check, *_ in CONTRACT} | {"loo_pareto_k"}
    assert set(ADVICE) == set(CHECKS)


@pytest.mark.parametrize(("check", "mode", "warn", "fail", "beyond"), CONTRACT)
def test_both_sides_of_each_threshold(
    check: str, mode: PolicyMode, warn: float, fail: float | None, beyond: str
) -> None:
    threshold = THRESHOLDS[mode][check]
    worse = -INF if check in LOWER_IS_WORSE else INF
    assert judge(warn, threshold) == "pass"
    assert judge(float(np.nextafter(warn, worse)), threshold) == (beyond if fail == warn else "warn")
    if fail is None:
        assert judge(0.0 if check in LOWER_IS_WORSE else 1e300, threshold) == "warn"
        assert "fail" not in describe(threshold)
    else:
        assert judge(fail, threshold) == ("pass" if fail == warn else "warn")
        assert judge(float(np.nextafter(fail, worse)), threshold) == beyond


@pytest.mark.parametrize("value", [None, math.nan])
@pytest.mark.parametrize("mode", ["explore", "publish", "strict"])
def test_missing_number_is_never_a_pass(value: float | None, mode: PolicyMode) -> None:
    assert {judge(value, threshold) for threshold in THRESHOLDS[mode].values()} == {"not_computed"}


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (Threshold("above", 1.01, 1.05), "warn > 1.01, fail > 1.05"),
        (Threshold("below", 400, 200), "warn < 400, fail < 200"),
        (Threshold("above", 0, 0), "fail > 0"),
        (Threshold("above", 0.7, INF), "warn > 0.7"),
        (Threshold("above", INF, INF), "cannot warn or fail"),
        (Threshold("above", 1e4, 1e6, "warn"), "warn > 10,000 (fail > 1,000,000 is downgraded to warn)"),
    ],
)
def test_rule_as_text(threshold: Threshold, text: str) -> None:
    assert describe(threshold) == text


def test_gate_numbers() -> None:
    gates = {
        check: CHECKS[check].gate
        for check in CHECKS
        if check.startswith(("prior", "sampler", "loo", "calibration", "optimiser"))
    }
    assert gates == {
        "prior_predictive_plausibility": "g1",
        "prior_predictive_coverage": "g1",
        "prior_predictive_movement": "g1",
        "sampler_rhat_max": "g2",
        "sampler_ess_bulk_min": "g3",
        "sampler_ess_tail_min": "g3",
        "sampler_divergences": "g4",
        "sampler_treedepth_frac": "g4",
        "loo_pareto_k": "g6",
        "loo_leverage_one": "g6",
        "calibration_loo_pit": "g5",
        "sampler_ebfmi_min": "g7",
        "optimiser_converged": "p1",
    }
    assert {check.phase for check in CHECKS.values() if check.gate in ("p0", "g1")} == {"P0"}
    assert "optimiser_converged" not in CONVERGENCE_CHECKS
    assert "sampler_treedepth_frac" not in CONVERGENCE_CHECKS


def test_advice_depends_on_status() -> None:
    assert advice_for("sampler_divergences", "pass") == ""
    assert advice_for("sampler_divergences", "skipped") == ""
    assert "adapt_delta" in advice_for("sampler_divergences", "fail")
    assert "chains" in advice_for("sampler_rhat_max", "not_computed")
