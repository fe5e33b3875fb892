"""What every check asks, for whoever reads its row: words as data, keyed by check id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dsam_assets.verdict import CHECKS


@dataclass(frozen=True)
class Meaning:
    """A check for somebody who reads its row.

    Attributes:
        asks: the question that it answers.
        computed: the number, and what is left out of it.
    """

    asks: str
    computed: str


MEANINGS: Mapping[str, Meaning] = {
    "pre_response_finite": Meaning(
        "Does every row have a response?",
        "Rows whose response, logged where the formula logs it, is missing or infinite.",
    ),
    "pre_design_constants_duplicates": Meaning(
        "Is every column of the model there for a reason?",
        "Columns that never change, plus columns that repeat another one. The intercept does not count.",
    ),
    "pre_design_rank_deficit": Meaning(
        "Does every column say something that the others do not?",
        "Columns that are exact sums of multiples of columns before them, such as a total next to its parts.",
    ),
    "pre_design_condition_number": Meaning(
        "Can the columns be told apart numerically?",
        "Condition number of the design matrix with every column scaled to length one, so that units do not matter; "
        "infinite for an exact dependency. It is about near-copies: two channels with a correlation of 0.98 are far "
        "below the threshold, see the predictor risk register below.",
    ),
    "pre_identification": Meaning(
        "Do group terms, group means and pooling labels have something to be estimated from?",
        "Number of findings about them, each told in the message: a term that varies by group but hardly within "
        "groups, a group mean that says what another one says, labels that no data tell apart.",
    ),
    "prior_predictive_plausibility": Meaning(
        "Do the priors expect responses of the right size?",
        "Share of responses drawn from the priors alone that lie within two standard deviations of the observed range. "
        "Default priors give about a fifth on ordinary markets, which only the documented limit of a half, judged by "
        "strict, calls too wide.",
    ),
    "prior_predictive_coverage": Meaning(
        "Do the priors allow what happened?",
        "Share of the observed values that lie in the central 95 % of what the priors expect in their row.",
    ),
    "prior_predictive_movement": Meaning(
        "Do the priors let the predictors explain the movement of the response?",
        "How much the model's prediction moves over the rows under a typical draw of the priors, relative to how much "
        "the response moved. This is the check that an over-tight prior does not pass.",
    ),
    "pre_weeks_per_parameter": Meaning(
        "Are there enough rows for so many coefficients?", "Rows of the model divided by its coefficients."
    ),
    "pre_weeks_of_data": Meaning("Is the series long enough?", "Weeks of the unit that has the fewest."),
    "pre_spend_without_exposure": Meaning(
        "Does spend come with media?",
        "Rows in which a channel of the allocation has spend and its media column is zero.",
    ),
    "pre_literal_missing": Meaning(
        "Are missing values missing?",
        "Cells with a text that stands for a missing value, such as N/A or null, in columns that the formula, the "
        "dates or the channels read; those of other columns are only mentioned.",
    ),
    "pre_week_anchor": Meaning("Do all weeks begin on the same day?", "Rows that are not on the weekday of most rows."),
    "pre_week_gaps": Meaning("Are all weeks there?", "Weeks missing between the first and the last week of each unit."),
    "sampler_rhat_max": Meaning(
        "Did the chains find the same answer?",
        "Largest rank-normalised split R-hat over all parameters; 1 is agreement. A chain that never moves counts as "
        "infinite, and a single chain as not computed.",
    ),
    "sampler_ess_bulk_min": Meaning(
        "Are the averages precise?",
        "Smallest bulk effective sample size: how many independent draws the correlated ones are worth for means.",
    ),
    "sampler_ess_tail_min": Meaning(
        "Are the interval ends precise?",
        "Smallest tail effective sample size: the same for the 5 % and 95 % quantiles.",
    ),
    "sampler_divergences": Meaning(
        "Could the sampler go everywhere?",
        "Share of draws that ended in a divergence: a place that is too sharply bent to be explored.",
    ),
    "sampler_treedepth_frac": Meaning(
        "Was the sampler cut short?",
        "Share of draws that reached fit.mcmc.control.max_treedepth. It costs time rather than validity, so it does "
        "not decide whether the fit converged.",
    ),
    "sampler_ebfmi_min": Meaning(
        "Did the sampler reach the tails in reasonable steps?",
        "Smallest energy fraction of missing information (E-BFMI) over the chains.",
    ),
    "optimiser_converged": Meaning(
        "Is the point estimate really the mode?",
        "1 when the start that the estimate comes from ended at a mode, 0 when it was cut off. Skipped for sampled "
        "fits; a point estimate has this instead of the sampler's checks.",
    ),
    "calibration_loo_pit": Meaning(
        "Do intervals hold what they promise?",
        "p-value of two joint tests: whether each week's place in the distribution predicted without it (LOO-PIT) is "
        "uniform, and whether intervals of 10 % … 90 % hold that share of the weeks. Under publish a deviation below "
        "5 percentage points does not fail, however many rows there are to prove it.",
    ),
    "loo_pareto_k": Meaning(
        "Can the fit without a week be deduced from the fit with it?",
        "Largest Pareto k of PSIS-LOO. Above 0.7, the score of that week is not reliable: it decides too much about "
        "the fit. The thresholds are keys of the config, the same in every mode.",
    ),
    "loo_leverage_one": Meaning(
        "Is a coefficient there for a single row?",
        "Rows with a leverage above 0.99: the fit goes through them whatever their response is.",
    ),
    "resid_ljung_box_p": Meaning(
        "Is what is left over noise?",
        "Smallest Ljung–Box p-value of the residuals (model scale; log scale for log models) over the units of a "
        "panel, lags 1 to 10, averaged over posterior draws, Holm-adjusted for the number of units.",
    ),
    "resid_acf_max": Meaning(
        "Does a miss today announce a miss next week?",
        "Largest absolute autocorrelation of the same residuals at lags 1 to 4, over the units of a panel. The "
        "thresholds shown are those of one series; for several they are widened so that white noise passes as often.",
    ),
    "boundary_hit_fraction": Meaning(
        "Did the data or the boundary make the estimate?",
        "Largest share of a parameter's draws within 0.3 posterior standard deviations of a boundary. The zero below a "
        "standard deviation is no choice and is not judged.",
    ),
    "within_var_ratio": Meaning(
        "Does the predictor change within groups, or only between them?",
        "Smallest share of a predictor's variance that lies within groups. Skipped without group terms; group means "
        "are left out.",
    ),
    "pre_identifiability_baseline_media_corr": Meaning(
        "Can media be told apart from the baseline?",
        "Largest absolute correlation between a media and a baseline column. Media are the terms of "
        "diagnostics.identifiability.media_terms; the baseline is baseline_terms, generated holiday terms, and what "
        "baseline_regex finds. Constant columns do not count. Skipped when it is disabled, and when there are no such "
        "media, no such baseline, or only constant ones. The thresholds shown are those of the default abs_corr_warn "
        "and abs_corr_fail; explore never fails, and strict takes the tighter of the config's and its own.",
    ),
    "refresh_drift_shift": Meaning(
        "Did a channel's coefficient move by more than new rows move one?",
        "Largest over the channels of |new mean − previous mean| less twice its Monte Carlo error, in standard "
        "deviations of the previous posterior. Like all checks of this phase it is skipped when there is no previous "
        "fit, warns at most, is no part of the verdict, and is the same in every mode; docs/drift.md has the formulas.",
    ),
    "refresh_drift_sign": Meaning(
        "Did an effect change sign?",
        "Largest over the channels of the probability that a draw of the new posterior and one of the previous lie on "
        "opposite sides of zero. Above one half the two medians do.",
    ),
    "refresh_drift_share": Meaning(
        "Was the media effect divided otherwise?",
        "Largest change of a channel's share of the media effect, over all rows of each fit.",
    ),
    "refresh_drift_order": Meaning(
        "Is the order of the channels by return the same?",
        "Pairs of channels whose order by ROI or CPA is reversed; a pair counts when the two were and are more than a "
        "tenth of the larger return apart. Skipped when fewer than two channels have a return in both fits.",
    ),
    "refresh_drift_channels": Meaning("Are the channels the same?", "Channels that are in one of the two fits alone."),
    "refresh_drift_elpd": Meaning(
        "Does the new fit predict the old rows as well as the last one did?",
        "By how much the PSIS-LOO log predictive density of the rows that both fits score with the same KPI fell "
        "beyond 4 nats, in standard errors of the change; 0 when it did not. Skipped for point estimates.",
    ),
}


def check_description(check_id: str) -> str:
    """What the catalogue says of a check before it has run: the question, the number, and the gate it belongs to."""
    check, meaning = CHECKS[check_id], MEANINGS[check_id]
    return f"{meaning.asks} {meaning.computed} Gate {check.gate}, {check.severity}."
