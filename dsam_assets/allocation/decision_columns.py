"""What the tables around the plan hold: its rivals, other budgets, and deviations from it."""

from __future__ import annotations

from collections.abc import Mapping

from dsam_assets.allocation.column_forms import (
    CHANNEL,
    EXTRAPOLATED,
    METRIC,
    METRIC_UNIT,
    RESPONSE_UNIT,
    estimate,
    flag,
    interval,
    number,
    one_of,
    text,
)
from dsam_assets.tables import Column

_OBJECTIVE_UNIT = text("objective_unit", "Unit of scores: kpi, relative or currency.")
_TOTAL = flag("is_total", "The row is all channels together.")
_CHANNEL_OR_TOTAL = text("channel", "Channel name, or TOTAL.")

_WATERFALL = (
    text("step", "REFERENCE, then channel names by their gain, then PLAN."),
    one_of("kind", "start, channel, or end.", "start", "channel", "end"),
    number("delta_spend", "spend", "Change of spend per period."),
    number("delta_spend_currency", "money", "Change of spend per period in money."),
    *estimate(
        "delta_kpi", "response",
        "The channel's part of the KPI change per period; parts add up to the end's in every draw",
    ),
    number("kpi_from", "response", "Where the bar starts, counted from kpi_baseline, or from 0 without one."),
    number("kpi_to", "response", "Where the bar ends: kpi_from and the posterior mean of the change."),
    RESPONSE_UNIT,
)  # fmt: skip

_CONFIDENCE = (
    text("channel", "Channel name, or TOTAL. Chances and losses are those of the whole plan: only TOTAL has them."),
    _TOTAL,
    one_of(
        "rival", "reference: the reference spend; reference_split: this budget in the reference's proportions.",
        "reference", "reference_split",
    ),
    one_of("quantity", "kpi: response above zero spend; profit: its value less the spend.", "kpi", "profit"),
    text("unit", "Unit of the numbers: kpi, relative or currency."),
    *estimate("rival", "see unit", "The rival"),
    *estimate("plan", "see unit", "The plan"),
    number("difference_mean", "see unit", "Plan minus rival, paired by draw: posterior mean."),
    *(
        number(f"difference_{name}", "see unit", f"Plan minus rival: {share} quantile; missing for a point.", True)
        for name, share in (("q05", "5 %"), ("q25", "25 %"))
    ),
    number("difference_p50", "see unit", "Plan minus rival: posterior median."),
    *(
        number(f"difference_{name}", "see unit", f"Plan minus rival: {share} quantile; missing for a point.", True)
        for name, share in (("q75", "75 %"), ("q95", "95 %"))
    ),
    number("probability_better", "share", "Draws in which the plan is better; missing for a point.", True),
    number(
        "expected_loss", "see unit",
        "Mean shortfall behind the rival, counting draws without one as 0; missing for a point.", True,
    ),
    number("loss_if_worse", "see unit", "Mean shortfall in draws where the plan is worse; missing without any.", True),
)  # fmt: skip

_SHARE = (
    _CHANNEL_OR_TOTAL,
    _TOTAL,
    number("spend_reference", "spend", "Reference spend per period."),
    number("spend_optimised", "spend", "Recommended spend per period."),
    number("spend_reference_currency", "money", "Reference spend per period in money."),
    number("spend_optimised_currency", "money", "Recommended spend per period in money."),
    number("share_reference", "share", "Part of the reference's money; missing when it spends nothing.", True),
    number("share_optimised", "share", "Part of the plan's money; missing when spend costs nothing.", True),
    number("share_change", "share", "Optimised minus reference share: 0.05 is five percentage points.", True),
)

_POINT = one_of(
    "point",
    "plan: the recommended plan; reference_budget: the best split of what the reference spends; smallest, largest: the "
    "bounds allow no budget beyond; frontier: the others.",
    "frontier", "plan", "reference_budget", "smallest", "largest",
)  # fmt: skip
_MULTIPLIER = number("multiplier", "ratio", "Budget as a multiple of the plan's.")
_BUDGET = number("budget", "spend", "Total spend per period.")
_PROFIT_AND_RETURN = (
    number("delta_profit", "money", "value_per_kpi × mean change of the KPI − change of spend.", True),
    METRIC,
    METRIC_UNIT,
    number("metric_value", "metric", "ROI or CPA of the whole budget; missing when undefined.", True),
    *interval("metric", "metric", "ROI or CPA of the whole budget"),
    number("marginal_response", "response per spend", "Mean response to the last unit above the minima.", True),
    number("marginal_metric", "metric", "ROI or CPA of that unit.", True),
)
_FRONTIER = (
    _POINT,
    _MULTIPLIER,
    _BUDGET,
    number("budget_currency", "money", "Total spend per period in money."),
    number("score", "objective", "Score of the best plan with this budget; 0 at the reference."),
    _OBJECTIVE_UNIT,
    *estimate("delta_kpi", "response", "Change of the KPI per period against the reference"),
    *estimate("response", "response", "KPI per period above no spend in any channel"),
    RESPONSE_UNIT,
    *_PROFIT_AND_RETURN,
    Column("n_extrapolated", "integer", "count", "Channels known to go beyond their observed spend."),
)

_FRONTIER_SPEND = (
    _POINT,
    _MULTIPLIER,
    _BUDGET,
    CHANNEL,
    number("spend", "spend", "Spend per period."),
    number("spend_currency", "money", "Spend per period in money."),
    number("share", "share", "Part of the budget's money; missing without any.", True),
    EXTRAPOLATED,
)

_SENSITIVITY = (
    CHANNEL,
    number("change", "share", "Change of the channel's planned spend: -0.2 is a fifth less."),
    one_of(
        "rest",
        "Other channels: held as planned (the total changes), scaled in proportion, or reoptimised to keep the total.",
        "held", "scaled", "reoptimised",
    ),
    one_of(
        "status", "ok, or others_cannot_absorb: the others' bounds do not let them keep the total.",
        "ok", "others_cannot_absorb",
    ),
    number("spend", "spend", "The channel's spend per period."),
    number("spend_total", "spend", "Spend per period over all channels.", True),
    number("score", "objective", "Score; 0 at the reference.", True),
    number("delta_score", "objective", "Score above the plan's.", True),
    _OBJECTIVE_UNIT,
    *estimate("delta_kpi", "response", "Change of the KPI per period against the plan", True),
    RESPONSE_UNIT,
    flag("within_bounds", "The channel's spend is within its bounds."),
    EXTRAPOLATED,
)  # fmt: skip

_SCENARIO = text("scenario", "Name of the budget: as configured, plan for the recommended one, or 20% less.")
_KIND = one_of(
    "kind", "plan: the recommended plan; named: allocation.scenarios; change: the plan's budget, less or more.",
    "plan", "named", "change",
)  # fmt: skip
_SCENARIOS = (
    _SCENARIO,
    _KIND,
    one_of("status", "ok, or infeasible: the bounds do not allow this budget.", "ok", "infeasible"),
    text("reason", "Why it is infeasible; empty otherwise."),
    number("budget", "spend", "Total spend per period; all of it is spent."),
    number("budget_change", "share", "Budget relative to the plan's, minus 1; missing for a plan of nothing.", True),
    number("budget_currency", "money", "Total spend per period in money.", True),
    number("score", "objective", "Score of the best split of this budget; 0 at the reference.", True),
    _OBJECTIVE_UNIT,
    *estimate("delta_kpi", "response", "Change of the KPI per period against the reference", True),
    *estimate("response", "response", "KPI per period above no spend in any channel", True),
    RESPONSE_UNIT,
    *_PROFIT_AND_RETURN,
    number("probability_beats_reference", "share", "Draws in which it beats the reference; missing for a point.", True),
    number("probability_beats_plan", "share", "Draws in which it beats the plan; missing for a point.", True),
    number("score_above_plan", "objective", "Score above the plan's.", True),
    *estimate("kpi_above_plan", "response", "KPI per period above the plan's, paired by draw", True),
    Column("n_extrapolated", "integer", "count", "Channels known to go beyond their observed spend."),
)

_SCENARIO_SPEND = (
    _SCENARIO,
    _KIND,
    number("budget", "spend", "Total spend per period."),
    CHANNEL,
    number("spend", "spend", "Spend per period."),
    number("spend_currency", "money", "Spend per period in money."),
    number("share", "share", "Part of the budget's money; missing without any.", True),
    number("spend_above_plan", "spend", "Spend per period above the plan's."),
    number("spend_above_reference", "spend", "Spend per period above the reference."),
    flag("at_lower", "At the smallest allowed spend."),
    flag("at_upper", "At the largest allowed spend."),
    EXTRAPOLATED,
)

DECISION_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "budget_kpi_waterfall": _WATERFALL,
    "budget_confidence_comparison": _CONFIDENCE,
    "budget_spend_share": _SHARE,
    "budget_efficient_frontier": _FRONTIER,
    "budget_frontier_spend": _FRONTIER_SPEND,
    "budget_sensitivity": _SENSITIVITY,
    "budget_scenarios": _SCENARIOS,
    "budget_scenario_spend": _SCENARIO_SPEND,
}
