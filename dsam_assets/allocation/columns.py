"""What the allocation tables hold: name, type, unit and meaning of every column, as data.

Units: `spend` is the unit of a channel's spend column per period; `money` is spend × currency rate × currency scale
(spend itself without either); `response` is named row by row in the column `response_unit` (`kpi` per period, or
`relative`: a share of the KPI); `objective` is in the column `objective_unit`. Intervals run from the 5 % to the 95 %
quantile of draws. A point estimate (`estimate` is `point`) has neither intervals nor probabilities: they are missing,
and what is called a posterior mean or median is the value at the point.
"""

from __future__ import annotations

from collections.abc import Mapping

from dsam_assets.allocation import column_forms as forms
from dsam_assets.allocation.curve_columns import CURVE_COLUMNS
from dsam_assets.allocation.decision_columns import DECISION_COLUMNS
from dsam_assets.tables import Column

_text, _number, _interval, _estimate = forms.text, forms.number, forms.interval, forms.estimate
_CHANNEL, _RESPONSE_UNIT, _EXTRAPOLATED = forms.CHANNEL, forms.RESPONSE_UNIT, forms.EXTRAPOLATED
_METRIC, _METRIC_UNIT = forms.METRIC, forms.METRIC_UNIT
_SPENDS = (
    _number("spend_reference", "spend", "Reference spend per period."),
    _number("spend_optimised", "spend", "Recommended spend per period."),
    _number("delta_spend", "spend", "Recommended minus reference spend per period."),
)
_MONEY = (
    _number("spend_reference_currency", "money", "Reference spend per period in money."),
    _number("spend_optimised_currency", "money", "Recommended spend per period in money."),
    _number("delta_spend_currency", "money", "Recommended minus reference spend per period in money."),
)

_SUMMARY = (
    _text("scenario", "What is fixed and what is sought."),
    _text("target", "What is maximised: kpi_uplift or profit."),
    _text("risk", "How draws of the objective become one score."),
    _number("risk_parameter", "see risk", "lambda of mean_minus_sd, level of quantile; missing for mean.", True),
    _number("target_value", "metric", "Efficiency that target_efficiency asks for; missing otherwise.", True),
    _text("method", "How the plan was found."),
    Column(
        "concave",
        "flag",
        "true/false",
        "The score is concave in responses that are concave, so that equal marginals prove optimality.",
    ),
    Column("n_channels", "integer", "count", "Channels."),
    Column("n_draws", "integer", "count", "Posterior draws used."),
    Column("n_candidates", "integer", "count", "Random candidates in the audit."),
    Column("seed", "integer", "count", "Seed of thinning and candidates."),
    _number("budget_total", "spend", "Budget per period."),
    *_SPENDS,
    *_MONEY,
    _number("score", "objective", "Score of the plan; 0 at the reference."),
    _text("objective_unit", "Unit of the score: kpi, relative or currency."),
    *_estimate("delta_kpi", "response", "Change of the KPI per period against the reference"),
    _number("delta_kpi_p50", "response", "Change of the KPI per period against the reference: posterior median."),
    _RESPONSE_UNIT,
    *_estimate("delta_profit", "money", "value_per_kpi × change of the KPI − change of spend", True),
    _METRIC,
    _METRIC_UNIT,
    _number("metric_reference", "metric", "ROI or CPA of the reference, all channels; missing when undefined.", True),
    _number("metric_optimised", "metric", "ROI or CPA of the plan, all channels; missing when undefined.", True),
    _number(
        "probability_beats_reference",
        "share",
        "Draws in which it beats the reference; missing for a point.",
        True,
    ),
    _number("probability_beats_split", "share", "Draws in which it beats the reference's split of this budget.", True),
    _number("gain_over_split", "objective", "Score above the reference's split of this budget."),
    _number("shadow_price", "objective per spend", "What another unit of budget adds to the score.", True),
    _number("kkt_gap_share", "share", "Best small reallocation's gain relative to the largest marginal."),
    _number("optimality_gap_share", "share", "Largest possible shortfall from the global optimum.", True),
    _number("candidate_regret_share", "share", "Score above the best random candidate, relative to the score."),
    Column("n_extrapolated", "integer", "count", "Channels known to go beyond their observed spend."),
    _text("status", "pass when every check passes or does not apply, else warn."),
)

_ALLOCATION = (
    _CHANNEL,
    _text("term", "Model term."),
    _text("unit", "Panel unit whose spend it is; empty for the average of all rows."),
    *_SPENDS,
    _number("spend_min", "spend", "Smallest allowed spend per period."),
    _number("spend_max", "spend", "Largest allowed spend per period."),
    Column("at_lower", "flag", "true/false", "The plan is at the smallest allowed spend."),
    Column("at_upper", "flag", "true/false", "The plan is at the largest allowed spend."),
    _number("share_reference", "share", "Share of the reference's total spend.", True),
    _number("share_optimised", "share", "Share of the budget."),
    *_MONEY,
    *_estimate("response_reference", "response", "Response above zero spend at the reference"),
    *_estimate("response_optimised", "response", "Response above zero spend at the plan, others at reference"),
    *_estimate("delta_response", "response", "Optimised minus reference response"),
    _RESPONSE_UNIT,
    _METRIC,
    _METRIC_UNIT,
    _number("metric_reference", "metric", "ROI or CPA at the reference; missing when undefined.", True),
    _number("metric_optimised", "metric", "ROI or CPA at the plan; missing when undefined.", True),
    _number("marginal_response_reference", "response per spend", "Mean response per unit more at the reference.", True),
    _number("marginal_response_optimised", "response per spend", "Mean response per unit more at the plan.", True),
    _number("marginal_score", "objective per spend", "Score per further unit; equal where no bound binds.", True),
    _number("observed_max_spend", "spend", "Largest spend in the modelled rows.", True),
    _EXTRAPOLATED,
    _number("contraction", "share", "1 − posterior variance / prior variance: what data add; may be missing.", True),
    _number("boundary_share", "share", "Draws next to a boundary; missing without one.", True),
    _number("max_baseline_corr", "correlation", "Largest |r| with trend, season or holidays; may be missing.", True),
    forms.one_of(
        "evidence",
        "weak when prior, boundary or baseline say as much as the data, else ok; unknown when not computed.",
        "ok", "weak", "unknown",
    ),
    _text("evidence_why", "Why the evidence is weak; empty otherwise."),
    forms.flag("held", "Kept at the reference spend because the evidence is weak (allocation.hold_weak)."),
)  # fmt: skip

_DIAGNOSTICS = (
    _text("section", "certificate, start or candidates."),
    _text("check", "What the number is."),
    _text("subject", "What the number is about: the plan, a start, the candidates."),
    _number("value", "see unit", "The number; missing when it does not apply or is not known.", True),
    _text("unit", "Unit of the number; empty for shares and counts."),
    _text("threshold", "The rule, empty when the number is not judged."),
    _text("status", "pass, warn, skipped (does not apply) or not_computed; empty when not judged."),
    _text("message", "One sentence for a person."),
)

_ROI_CPA = (
    _text("channel", "Channel name, or TOTAL."),
    Column(
        "is_total",
        "flag",
        "true/false",
        "The row is the portfolio; under a log response its response is the joint one.",
    ),
    _METRIC,
    _METRIC_UNIT,
    *_SPENDS,
    *_MONEY,
    _number("mean_reference", "response", "Mean response above zero spend at the reference."),
    _number("mean_optimised", "response", "Mean response above zero spend at the plan."),
    _number("delta_response", "response", "Optimised minus reference mean response."),
    _RESPONSE_UNIT,
    _number("value_reference", "metric", "ROI or CPA of the mean response; missing when undefined.", True),
    *_interval("value_reference", "metric", "ROI or CPA at the reference"),
    _number("value_optimised", "metric", "The same at the plan; missing when undefined.", True),
    *_interval("value_optimised", "metric", "ROI or CPA at the plan"),
)

_IMPACT = (
    _text("channel", "Channel name, INTERACTION or TOTAL."),
    _text("kind", "channel, interaction (log response only: joint change minus single changes) or total."),
    *_SPENDS,
    _number("delta_spend_currency", "money", "Change of spend per period in money."),
    *_estimate("delta_response", "response", "Change of the KPI per period"),
    _RESPONSE_UNIT,
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "budget_summary": _SUMMARY,
    "budget_allocation": _ALLOCATION,
    "budget_diagnostics": _DIAGNOSTICS,
    "budget_roi_cpa": _ROI_CPA,
    "budget_impact": _IMPACT,
    **CURVE_COLUMNS,
    **DECISION_COLUMNS,
}
