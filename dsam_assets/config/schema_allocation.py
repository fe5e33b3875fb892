"""`allocation`: the budget question asked of a fitted model. Spend is in the units of the spend columns."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dsam_assets.config.defaults import with_default
from dsam_assets.config.schema_base import (
    Bound,
    Positive,
    PositiveInt,
    ReferenceSpend,
    Section,
    Seed,
    Share,
    Text,
    Unit,
    part,
)

Scenario = Literal["max_response", "target_efficiency"]


class BudgetSection(Section):
    """`allocation.budget`."""

    total: Annotated[Positive | None, Unit("spend per period")] = Field(
        default=None,
        examples=[71500.0],
        description=(
            "Budget per period (a week, in weekly data) over all channels. Required for max_response; an optional cap"
            " for target_efficiency."
        ),
    )


class PosteriorSection(Section):
    """`allocation.posterior`."""

    draws: Annotated[PositiveInt | None, Unit("draws")] = Field(
        default=500, description="Posterior draws that score a plan; null uses all."
    )


class RiskSection(Section):
    """`allocation.objective.risk`: how a distribution of outcomes becomes one score."""

    type: Literal["mean", "mean_minus_sd", "quantile"] = Field(
        default="mean",
        description="How the draws of an outcome become one score: their mean, mean - lambda * sd, or a quantile.",
    )
    lambda_: Annotated[float, Field(ge=0)] = Field(
        default=0.0, alias="lambda", description="Weight on the standard deviation, for mean_minus_sd."
    )
    quantile: Share = Field(default=0.1, description="Which quantile is maximised, for quantile.")


class ObjectiveSection(Section):
    """`allocation.objective`: what is maximised."""

    target: Literal["kpi_uplift", "profit"] = Field(
        default="kpi_uplift", description="kpi_uplift, or profit: value_per_kpi * uplift - extra spend."
    )
    value_per_kpi: Annotated[float | None, Unit("currency per KPI unit")] = Field(
        default=None, examples=[1.0], description="What a KPI unit is worth; ROI uses it, too. Required for profit."
    )
    kpi_baseline: Annotated[Positive | None, Unit("KPI per period")] = Field(
        default=None,
        examples=[60000.0],
        description="KPI at the reference spend, for log-response models; with level group that of all units together.",
    )
    allow_relative_log_uplift: bool = Field(
        default=False, description="Plan a log-response model without kpi_baseline, in shares of the KPI."
    )
    risk: RiskSection = part(RiskSection, "Attitude to uncertainty.")


class BoundsSection(Section):
    """Spend limits of a channel."""

    min: Annotated[float, Field(ge=0), Unit("spend per period")] = Field(default=0.0, description="Least spend.")
    max: Annotated[Bound, Unit("spend per period")] = Field(
        default=math.inf,
        examples=[38400.0],
        description="Largest spend, at least min. A finite number is required when allocation is enabled.",
    )


class ResponseSection(Section):
    """How spend turns into the model's term."""

    type: Literal["identity", "atan", "log1p", "hill"] = Field(
        default="identity",
        description=(
            "The transform that made the term from spend: identity, atan(spend / scale), log1p: log(1 + spend / scale),"
            " or hill: spend^n / (spend^n + k^n)."
        ),
    )
    scale: Annotated[Positive | None, Unit("spend per period")] = Field(
        default=None, examples=[6000.0], description="Scale of atan and log1p; required for them."
    )
    k: Annotated[Positive | None, Unit("spend per period")] = Field(
        default=None, examples=[25000.0], description="Half-saturation spend of hill; required for it."
    )
    n: Positive | None = Field(
        default=None, examples=[1.0], description="Shape of hill; above 1 the curve is S-shaped. Required for it."
    )


class ChannelSection(Section):
    """One channel of the budget."""

    term: Text = Field(examples=["m_tv"], description="Model term of the channel. Unique. Required.")
    name: Text = Field(examples=["TV"], description="Label of the channel. Unique. Default: term.")
    spend_col: Text = Field(examples=["spend_tv"], description="Data column with the channel's spend. Default: name.")
    bounds: BoundsSection = part(BoundsSection, "Spend limits {min, max}.")
    currency_col: Text | None = Field(
        default=None,
        examples=["cost_tv"],
        description=(
            "Data column with the money behind spend_col, where that counts something else, such as rating points."
            " A unit of spend then costs sum(currency_col) / sum(spend_col)."
        ),
    )
    response: ResponseSection = part(ResponseSection, "How spend turns into the term.")

    @model_validator(mode="before")
    @classmethod
    def _label(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        named = with_default(raw, "name", raw.get("term"))
        return with_default(named, "spend_col", named.get("name"))


class NamedBudget(Section):
    """One of several budgets that are compared."""

    name: Text = Field(examples=["plus_10_percent"], description="Unique name; not plan.")
    total: Annotated[Positive, Unit("spend per period")] = Field(
        examples=[78650.0], description="Budget of the scenario over all channels."
    )


class AllocationSection(Section):
    """`allocation`: budget optimisation after the fit."""

    enabled: bool = Field(default=False, description="Optimise the budget after the fit.")
    scenario: Scenario = Field(
        default="max_response",
        description="max_response spends the budget in the best way; target_efficiency spends as much as is efficient.",
    )
    target_value: Annotated[Positive | None, Unit("ROI, or cost per KPI unit")] = Field(
        default=None,
        examples=[1.2],
        description=(
            "Efficiency to reach: least ROI, or for kpi_type subscriptions largest cost per KPI unit."
            " Required for target_efficiency."
        ),
    )
    n_candidates: Annotated[int, Field(ge=10), Unit("plans")] = Field(
        default=2000, description="Random plans: starts of the search, and its audit."
    )
    seed: Seed | None = Field(
        default=None, examples=[123], description="Seed of what is random in the search; null is 0."
    )
    budget: BudgetSection = part(BudgetSection, "Budget.")
    channels: Annotated[tuple[ChannelSection, ...], Field(strict=False)] = Field(
        default=(),
        examples=[[{"term": "m_tv", "name": "TV", "spend_col": "spend_tv", "bounds": {"max": 38400.0}}]],
        description=(
            "Channels as {term, name, spend_col, bounds, currency_col, response}. Required when enabled; the"
            " decomposition uses them in any case."
        ),
    )
    reference_spend: Annotated[ReferenceSpend, Unit("spend per period")] = Field(
        default=None,
        examples=[{"TV": 19000.0, "Search": 14700.0}],
        description=(
            "Spend that the plan is compared with, one number per channel: a list in their order, or channel: spend."
            " null uses the means of the spend columns."
        ),
    )
    currency_scale: Annotated[Positive | None, Unit("money per unit of spend")] = Field(
        default=None, examples=[1000.0], description="Factor from spend, or from currency_col, to money; null is 1."
    )
    posterior: PosteriorSection = part(PosteriorSection, "Posterior draws.")
    objective: ObjectiveSection = part(ObjectiveSection, "What is maximised.")
    scenarios: Annotated[tuple[NamedBudget, ...], Field(strict=False)] = Field(
        default=(),
        examples=[[{"name": "plus_10_percent", "total": 78650.0}]],
        description=(
            "Budgets {name, total} that are planned as well and compared with the plan; without any, the plan's budget"
            " less and more a tenth and a fifth."
        ),
    )
    level: Text = Field(
        default="population",
        description=(
            "Whose effects: population (the average group), one group of a panel as market=north, or group: every group"
            " at once."
        ),
    )
    hold_weak: bool = Field(
        default=False, description="Keep channels about which the data say little at their reference spend."
    )
