"""What to do about a check that does not pass: words as data, keyed by check id."""

from __future__ import annotations

from collections.abc import Mapping

from dsam_assets.verdict import Status

ADVICE: Mapping[str, str] = {
    "pre_response_finite": (
        "Clean the response: remove or impute missing and infinite values; a log response needs values above zero."
    ),
    "pre_design_constants_duplicates": "Remove the redundant terms from model.formula.",
    "pre_design_rank_deficit": (
        "Remove one term of each exact dependency from model.formula (a total next to its parts, a full set of dummies "
        "next to the intercept), or accept that only the priors separate the terms."
    ),
    "pre_design_condition_number": (
        "Reduce correlated predictors (see the VIF report), combine them, or simplify the formula."
    ),
    "pre_identification": (
        "Leave the variables named out of cre.vars or of the group term, give them a population coefficient, or put "
        "variables that share a label into the same unit."
    ),
    "sampler_rhat_max": "Increase fit.mcmc.iter and fit.mcmc.warmup; if it stays high, simplify the model.",
    "sampler_ess_bulk_min": "Increase fit.mcmc.iter; if it stays low, check for several modes.",
    "sampler_ess_tail_min": (
        "Increase fit.mcmc.iter; if it stays low, check for several modes or draws piling up at a bound."
    ),
    "sampler_divergences": (
        "Increase fit.mcmc.control.adapt_delta (e.g. 0.95, then 0.99); if divergences remain, reparameterise or "
        "simplify the model."
    ),
    "sampler_treedepth_frac": "Increase fit.mcmc.control.max_treedepth.",
    "sampler_ebfmi_min": "The posterior's geometry is difficult: simplify the model or increase fit.mcmc.warmup.",
    "loo_pareto_k": (
        "Inspect the dates with high Pareto k in loo_pointwise: correct data errors, add what the model misses there, "
        "and compare models by time-series cross-validation (diagnostics.time_series_selection) when there are many."
    ),
}

NOT_COMPUTED_ADVICE: Mapping[str, str] = {
    "sampler_rhat_max": (
        "Sample at least two chains (fit.mcmc.chains) of enough draws, and look at the parameters named."
    ),
}
_NOT_COMPUTED = "Find out why the number is missing before using the results: not computed is not a pass."


def advice_for(check_id: str, status: Status) -> str:
    """What to do about this status; empty when there is nothing to do."""
    if status in ("pass", "skipped"):
        return ""
    if status == "not_computed":
        return NOT_COMPUTED_ADVICE.get(check_id, _NOT_COMPUTED)
    return ADVICE[check_id]
