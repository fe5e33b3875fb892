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
    "pre_weeks_per_parameter": (
        "Use fewer terms, more weeks, or pool; or accept that priors decide much of the result and choose them with "
        "care."
    ),
    "pre_weeks_of_data": (
        "Bring in more weeks. In a short series the priors, and in a panel the other units, decide most media effects."
    ),
    "pre_spend_without_exposure": (
        "Check the rows named: exposure may be missing, or spend booked in another week. A lag or adstock can explain "
        "the first weeks of a campaign."
    ),
    "pre_literal_missing": "Leave missing values empty in the data, or write NA in a CSV file.",
    "pre_week_anchor": "Date every row by the first day of its week, in every unit.",
    "pre_week_gaps": (
        "Add the missing weeks, with zeros where nothing happened. Lags, adstock and residual correlations take rows "
        "as neighbours; data.na_action: omit drops rows, too."
    ),
    "prior_predictive_plausibility": (
        "Look at sd_ratio in prior_predictive_summary. Well above 1: the priors are wider than the data (the default "
        "ones are), so what the data cannot tell stays open; where you know more, give slopes a prior sd of about "
        "sd(response) / sd(predictor) and noise_sd one of sd(response). Below 1, or the share near zero: the priors "
        "rule out what happened; check the units of priors.overrides, and set model.scale: true."
    ),
    "prior_predictive_coverage": (
        "The priors rule out observed values: check the means, units and bounds of priors.overrides and "
        "boundaries.overrides, and widen what you are not that sure of."
    ),
    "prior_predictive_movement": (
        "The priors of the slopes are too tight to explain the response: check the units of priors.overrides, and use "
        "standard deviations of about sd(response) / sd(predictor)."
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
    "optimiser_converged": (
        "Look at optimisation_runs: increase fit.optimise.iter where it was used up, and try more starts "
        "(fit.optimise.n_runs) or starts closer to the centre (fit.optimise.init: 0.1); if none converges, give the "
        "parameters that run away tighter priors or bounds."
    ),
    "loo_pareto_k": (
        "Inspect the dates with high Pareto k in loo_pointwise: correct data errors, add what the model misses there, "
        "and compare models by time-series cross-validation (diagnostics.time_series_selection) when there are many."
    ),
    "calibration_loo_pit": (
        "Look at calibration_ecdf and calibration_pit: intervals that are too narrow ask for a wider noise_sd prior or "
        "for what the model misses; rows too often near the centre for a tighter noise_sd prior, or for events that "
        "explain a few rows far out; a bias for a missing control, trend or level shift."
    ),
    "resid_ljung_box_p": (
        "Add what the model misses over time (trend, seasonality, holidays, lagged media); until then its "
        "intervals are too narrow."
    ),
    "resid_acf_max": (
        "Add what the model misses over time (trend, seasonality, holidays, lagged media), above all for the series "
        "named; check the carry-over of its media."
    ),
    "boundary_hit_fraction": (
        "Ask whether the boundary is justified: if it is, report the estimate as set by the boundary; if not, widen or "
        "remove it in boundaries.overrides and fit again."
    ),
    "within_var_ratio": (
        "Read the coefficient as a difference between groups, or give the predictor data that vary within groups; a "
        "random intercept with cre.vars separates the two."
    ),
    "pre_identifiability_baseline_media_corr": (
        "Separate media from the baseline: review trend and season terms in model.formula, add controls, or bring in "
        "outside evidence as a prior."
    ),
    "loo_leverage_one": (
        "Do not use LOO of the rows named; take dummies of single weeks out of comparisons of models, or give them a "
        "prior that says how large such an event can be."
    ),
    "refresh_drift_shift": (
        "Look at drift_causes: revised cells or a changed config explain it, or the new rows say something else than "
        "the old ones did. Then tell whoever acted on the last report."
    ),
    "refresh_drift_sign": (
        "Do not act on the sign of this effect in either report: look at its interval, at drift_causes, and for what "
        "moves together with the channel."
    ),
    "refresh_drift_share": "Compare drift_channels with drift_causes before the budget is moved after it.",
    "refresh_drift_order": (
        "Look at the intervals of both fits in drift_channels: returns that overlap have no order to plan by."
    ),
    "refresh_drift_channels": "The media effect is divided otherwise than before: compare totals, not shares.",
    "refresh_drift_elpd": (
        "The new fit predicts the old rows worse than the last one did: look at drift_causes and at elpd_influence for "
        "the rows, and ask whether the market has changed so that one set of coefficients no longer holds."
    ),
}

NOT_COMPUTED_ADVICE: Mapping[str, str] = {
    "sampler_rhat_max": (
        "Sample at least two chains (fit.mcmc.chains) of enough draws, and look at the parameters named."
    ),
    **dict.fromkeys(
        ("resid_ljung_box_p", "resid_acf_max"),
        "Name the date column (data.date_var) and let the formula's group terms name the panel's units, so that each "
        "has one row per date on a regular calendar.",
    ),
    "calibration_loo_pit": (
        "Calibration needs PSIS-LOO (diagnostics.model_selection.enabled) with few influential rows: set "
        "diagnostics.model_selection.moment_match or reloo when there are many."
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
