"""Every threshold of the diagnostics, as data, and the one function that applies them.

The numbers are those of the specification's Diagnostics Gates page. Where it leaves a choice, the choice is made here:

- **explore** relaxes the *fail* thresholds of the sampler checks ("e.g. R-hat 1.10, bulk ESS 50"). Bulk ESS is relaxed
  to a quarter, so tail ESS is too (25). E-BFMI is halved (0.10): below that the energy tells that whole regions were
  never visited, which no exploration should overlook. Tree depth may saturate in 5 % of the draws: that costs time, not
  validity. Divergences can only warn.
- **strict** fails where publish warns. (The page says that strict's warn thresholds equal publish's fail thresholds,
  which would make strict the laxer mode.) Nothing is left between pass and fail, so warn equals fail.
- **publish** counts a condition number above its fail threshold as a warning, as the page says.
- Strict has no within-variation thresholds of its own, so publish's hold; leverage warns in every mode; calibration is
  judged by the p-value of the simultaneous tests of `selection.calibration`. What "cannot fail" under explore fails
  below −∞, which reads better than the page's "p < 0".
- Pareto k has one pair of thresholds for all modes, and it comes from the config.
- An optimiser that did not converge fails in every mode: what it returned is not the mode that it is taken for.
- **g1**, share of prior draws near the observed range: the documented limit, 0.50, holds under strict. The documented
  default priors give 0.18 to 0.21 on every ordinary market, so at 0.50 every default market would be provisional for
  ever and the warning would mean nothing; explore and publish warn below 0.10, where default priors get with about
  seventy coefficients. Whether 0.50 is reached always stands in `prior_predictive_summary`. The other two: observed
  values should lie in the 95 % band of their row, and a predictor that moves less than half as much as the response did
  is over-tight; strict fails where publish warns.
- **Refresh drift** compares a fit with the one before and warns when the story changed; nothing about it is a defect,
  so it never fails, in any mode. A quarter of new weekly rows moves a coefficient by about 0.3 posterior sd when the
  model holds (the spread of the shift is √(sd² before − sd² after)), so one sd is more than new rows explain. A sign
  flips when the medians have opposite signs (probability above 0.5), by a margin. Ten points of the media effect are
  what a plan would react to; and the densities fell when they did so by two standard errors beyond 4 nats.
- **Weeks**: "100+ weeks for a model with 10–15 predictors", so 100 rows for 15 slopes and an intercept; "below 80
  weeks, most media effects will be prior-driven", and 80 weeks per unit of a panel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dsam_assets.verdict import CHECKS, PolicyMode, Status

INF = math.inf


@dataclass(frozen=True)
class Threshold:
    """When a number warns and when it fails; both comparisons are strict, so a value on the threshold still passes it.

    Attributes:
        direction: the side on which values are bad.
        warn: beyond this the check warns.
        fail: beyond this the check fails; ±inf (or 0 for a count that cannot be negative) means it cannot fail.
        fail_counts_as: `warn` where the policy downgrades a failure.
    """

    direction: Literal["above", "below"]
    warn: float
    fail: float
    fail_counts_as: Literal["fail", "warn"] = "fail"


# Saturated tree depth makes sampling slow, not wrong, so it belongs to g4 but does not decide convergence.
CONVERGENCE_CHECKS: tuple[str, ...] = (
    "sampler_rhat_max",
    "sampler_ess_bulk_min",
    "sampler_ess_tail_min",
    "sampler_divergences",
    "sampler_ebfmi_min",
)
SAMPLER_CHECKS: tuple[str, ...] = tuple(check_id for check_id in CHECKS if check_id.startswith("sampler_"))
# What judges draws, and what judges a point estimate (1 when the best start converged, else 0).
DRAWS_CHECKS: tuple[str, ...] = (*SAMPLER_CHECKS, "loo_pareto_k", "calibration_loo_pit")
POINT_CHECKS: tuple[str, ...] = ("optimiser_converged",)

_ANY = Threshold("above", 0, 0)
_MUST_HOLD = Threshold("below", 1, 1)
_NEVER_FAILS = Threshold("above", 0, INF)

# The same in every mode: they name what to look at, and none of it makes a model impossible.
_DATA: Mapping[str, Threshold] = {
    "pre_weeks_per_parameter": Threshold("below", 100 / 16, -INF),
    "pre_weeks_of_data": Threshold("below", 80, -INF),
    "pre_spend_without_exposure": _NEVER_FAILS,
    "pre_literal_missing": _NEVER_FAILS,
    "pre_week_anchor": _NEVER_FAILS,
    "pre_week_gaps": _NEVER_FAILS,
}
_DRIFT: Mapping[str, Threshold] = {
    "refresh_drift_shift": Threshold("above", 1.0, INF),
    "refresh_drift_sign": Threshold("above", 0.6, INF),
    "refresh_drift_share": Threshold("above", 0.10, INF),
    "refresh_drift_order": _NEVER_FAILS,
    "refresh_drift_channels": _NEVER_FAILS,
    "refresh_drift_elpd": Threshold("above", 2.0, INF),
}
_EXPLORE: Mapping[str, Threshold] = {
    "pre_response_finite": _ANY,
    "pre_design_constants_duplicates": _ANY,
    "pre_design_rank_deficit": _NEVER_FAILS,
    "pre_design_condition_number": Threshold("above", 1e4, INF),
    "pre_identification": _NEVER_FAILS,
    **_DATA,
    **_DRIFT,
    "prior_predictive_plausibility": Threshold("below", 0.10, -INF),
    "prior_predictive_coverage": Threshold("below", 0.90, -INF),
    "prior_predictive_movement": Threshold("below", 0.50, -INF),
    "sampler_rhat_max": Threshold("above", 1.01, 1.10),
    "sampler_ess_bulk_min": Threshold("below", 400, 50),
    "sampler_ess_tail_min": Threshold("below", 200, 25),
    "sampler_divergences": _NEVER_FAILS,
    "sampler_treedepth_frac": Threshold("above", 0, 0.05),
    "sampler_ebfmi_min": Threshold("below", 0.30, 0.10),
    "optimiser_converged": _MUST_HOLD,
    "calibration_loo_pit": Threshold("below", 0.05, -INF),
    "resid_ljung_box_p": Threshold("below", 0.05, -INF),
    "resid_acf_max": Threshold("above", 0.20, INF),
    "boundary_hit_fraction": Threshold("above", 0.05, INF),
    "within_var_ratio": Threshold("below", 0.10, -INF),
    "pre_identifiability_baseline_media_corr": Threshold("above", 0.80, INF),
    "loo_leverage_one": _NEVER_FAILS,
}
_PUBLISH: Mapping[str, Threshold] = {
    "pre_response_finite": _ANY,
    "pre_design_constants_duplicates": _ANY,
    "pre_design_rank_deficit": _NEVER_FAILS,
    "pre_design_condition_number": Threshold("above", 1e4, 1e6, fail_counts_as="warn"),
    "pre_identification": _NEVER_FAILS,
    **_DATA,
    **_DRIFT,
    "prior_predictive_plausibility": Threshold("below", 0.10, 0.05),
    "prior_predictive_coverage": Threshold("below", 0.90, 0.50),
    "prior_predictive_movement": Threshold("below", 0.50, 0.25),
    "sampler_rhat_max": Threshold("above", 1.01, 1.05),
    "sampler_ess_bulk_min": Threshold("below", 400, 200),
    "sampler_ess_tail_min": Threshold("below", 200, 100),
    "sampler_divergences": _ANY,
    "sampler_treedepth_frac": Threshold("above", 0, 0.01),
    "sampler_ebfmi_min": Threshold("below", 0.30, 0.20),
    "optimiser_converged": _MUST_HOLD,
    "calibration_loo_pit": Threshold("below", 0.05, 0.001),
    "resid_ljung_box_p": Threshold("below", 0.05, 0.01),
    "resid_acf_max": Threshold("above", 0.20, 0.40),
    "boundary_hit_fraction": Threshold("above", 0.05, 0.20),
    "within_var_ratio": Threshold("below", 0.10, 0.05),
    "pre_identifiability_baseline_media_corr": Threshold("above", 0.80, 0.95),
    "loo_leverage_one": _NEVER_FAILS,
}
_STRICT: Mapping[str, Threshold] = {
    "pre_response_finite": _ANY,
    "pre_design_constants_duplicates": _ANY,
    "pre_design_rank_deficit": _ANY,
    "pre_design_condition_number": Threshold("above", 1e4, 1e6),
    "pre_identification": _NEVER_FAILS,
    **_DATA,
    **_DRIFT,
    "prior_predictive_plausibility": Threshold("below", 0.50, 0.10),
    "prior_predictive_coverage": Threshold("below", 0.90, 0.90),
    "prior_predictive_movement": Threshold("below", 0.50, 0.50),
    "sampler_rhat_max": Threshold("above", 1.01, 1.01),
    "sampler_ess_bulk_min": Threshold("below", 400, 400),
    "sampler_ess_tail_min": Threshold("below", 200, 200),
    "sampler_divergences": _ANY,
    "sampler_treedepth_frac": _ANY,
    "sampler_ebfmi_min": Threshold("below", 0.30, 0.30),
    "optimiser_converged": _MUST_HOLD,
    "calibration_loo_pit": Threshold("below", 0.05, 0.05),
    "resid_ljung_box_p": Threshold("below", 0.10, 0.05),
    "resid_acf_max": Threshold("above", 0.15, 0.30),
    "boundary_hit_fraction": Threshold("above", 0.02, 0.10),
    "within_var_ratio": Threshold("below", 0.10, 0.05),
    "pre_identifiability_baseline_media_corr": Threshold("above", 0.70, 0.85),
    "loo_leverage_one": _NEVER_FAILS,
}

THRESHOLDS: Mapping[PolicyMode, Mapping[str, Threshold]] = {
    "explore": _EXPLORE,
    "publish": _PUBLISH,
    "strict": _STRICT,
}


def judge(value: float | None, threshold: Threshold) -> Status:
    """Judge a number; `None` and NaN are `not_computed`, never a pass."""
    if value is None or math.isnan(value):
        return "not_computed"
    sign = 1.0 if threshold.direction == "above" else -1.0
    if sign * value > sign * threshold.fail:
        return threshold.fail_counts_as
    return "warn" if sign * value > sign * threshold.warn else "pass"


def describe(threshold: Threshold) -> str:
    """The rule as text, e.g. `warn > 1.01, fail > 1.05`."""
    sign = ">" if threshold.direction == "above" else "<"
    warn, fail = (f"{sign} {format(limit, ',.10g')}" for limit in (threshold.warn, threshold.fail))
    if threshold.fail_counts_as == "warn":
        return f"warn {warn} (fail {fail} is downgraded to warn)"
    if threshold.warn == threshold.fail:
        return "cannot warn or fail" if math.isinf(threshold.fail) else f"fail {fail}"
    return f"warn {warn}" if math.isinf(threshold.fail) else f"warn {warn}, fail {fail}"
