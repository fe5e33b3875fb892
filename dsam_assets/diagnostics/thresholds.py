"""Every threshold of the diagnostics, as data, and the one function that applies them.

The numbers are those of the specification's Diagnostics Gates page. Where it leaves a choice, the choice is made here:

- **explore** relaxes the *fail* thresholds of the sampler checks ("e.g. R-hat 1.10, bulk ESS 50"). Bulk ESS is relaxed
  to a quarter, so tail ESS is too (25). E-BFMI is halved (0.10): below that the energy tells that whole regions were
  never visited, which no exploration should overlook. Tree depth may saturate in 5 % of the draws: that costs time, not
  validity. Divergences can only warn.
- **strict** fails where publish warns. (The page says that strict's warn thresholds equal publish's fail thresholds,
  which would make strict the laxer mode.) Nothing is left between pass and fail, so warn equals fail.
- **publish** counts a condition number above its fail threshold as a warning, as the page says.
- Pareto k has one pair of thresholds for all modes, and it comes from the config.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dsam_assets.verdict import Phase, PolicyMode, Status

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


@dataclass(frozen=True)
class Check:
    """What a check is, apart from its thresholds."""

    gate: str
    phase: Phase
    severity: Literal["critical", "important"]
    metric: str


CHECKS: Mapping[str, Check] = {
    "pre_response_finite": Check("p0", "P0", "critical", "non_finite_response_count"),
    "pre_design_constants_duplicates": Check("p0", "P0", "critical", "constant_plus_duplicate_columns"),
    "pre_design_rank_deficit": Check("p0", "P0", "critical", "rank_deficit"),
    "pre_design_condition_number": Check("p0", "P0", "critical", "kappa_X"),
    "pre_identification": Check("p0", "P0", "important", "identification_findings"),
    "sampler_rhat_max": Check("g2", "P1", "important", "max_rhat"),
    "sampler_ess_bulk_min": Check("g3", "P1", "important", "min_ess_bulk"),
    "sampler_ess_tail_min": Check("g3", "P1", "important", "min_ess_tail"),
    "sampler_divergences": Check("g4", "P1", "important", "divergent_fraction"),
    "sampler_treedepth_frac": Check("g4", "P1", "important", "treedepth_hit_fraction"),
    "sampler_ebfmi_min": Check("g7", "P1", "important", "min_ebfmi"),
    "loo_pareto_k": Check("g6", "P1", "important", "max_pareto_k"),
}

# Saturated tree depth makes sampling slow, not wrong, so it belongs to g4 but does not decide convergence.
CONVERGENCE_CHECKS: tuple[str, ...] = (
    "sampler_rhat_max",
    "sampler_ess_bulk_min",
    "sampler_ess_tail_min",
    "sampler_divergences",
    "sampler_ebfmi_min",
)
SAMPLER_CHECKS: tuple[str, ...] = tuple(check_id for check_id in CHECKS if check_id.startswith("sampler_"))

_ANY = Threshold("above", 0, 0)
_NEVER_FAILS = Threshold("above", 0, INF)

_EXPLORE: Mapping[str, Threshold] = {
    "pre_response_finite": _ANY,
    "pre_design_constants_duplicates": _ANY,
    "pre_design_rank_deficit": _NEVER_FAILS,
    "pre_design_condition_number": Threshold("above", 1e4, INF),
    "pre_identification": _NEVER_FAILS,
    "sampler_rhat_max": Threshold("above", 1.01, 1.10),
    "sampler_ess_bulk_min": Threshold("below", 400, 50),
    "sampler_ess_tail_min": Threshold("below", 200, 25),
    "sampler_divergences": _NEVER_FAILS,
    "sampler_treedepth_frac": Threshold("above", 0, 0.05),
    "sampler_ebfmi_min": Threshold("below", 0.30, 0.10),
}
_PUBLISH: Mapping[str, Threshold] = {
    "pre_response_finite": _ANY,
    "pre_design_constants_duplicates": _ANY,
    "pre_design_rank_deficit": _NEVER_FAILS,
    "pre_design_condition_number": Threshold("above", 1e4, 1e6, fail_counts_as="warn"),
    "pre_identification": _NEVER_FAILS,
    "sampler_rhat_max": Threshold("above", 1.01, 1.05),
    "sampler_ess_bulk_min": Threshold("below", 400, 200),
    "sampler_ess_tail_min": Threshold("below", 200, 100),
    "sampler_divergences": _ANY,
    "sampler_treedepth_frac": Threshold("above", 0, 0.01),
    "sampler_ebfmi_min": Threshold("below", 0.30, 0.20),
}
_STRICT: Mapping[str, Threshold] = {
    "pre_response_finite": _ANY,
    "pre_design_constants_duplicates": _ANY,
    "pre_design_rank_deficit": _ANY,
    "pre_design_condition_number": Threshold("above", 1e4, 1e6),
    "pre_identification": _NEVER_FAILS,
    "sampler_rhat_max": Threshold("above", 1.01, 1.01),
    "sampler_ess_bulk_min": Threshold("below", 400, 400),
    "sampler_ess_tail_min": Threshold("below", 200, 200),
    "sampler_divergences": _ANY,
    "sampler_treedepth_frac": _ANY,
    "sampler_ebfmi_min": Threshold("below", 0.30, 0.30),
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
