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
    part,
)

Scenario = Literal["max_response", "target_efficiency"]


class BudgetSection(Section):
    """`allocation.budget`."""

    total: Positive | None = Field(
        default=None, description="Total spend. Required for max_response; an optional cap for target_efficiency."
    )


class PosteriorSection(Section):
    """`allocation.posterior`."""

    draws: PositiveInt | None = Field(default=500, description="Posterior draws that score a plan; null uses all.")


class RiskSection(Section):
    """`allocation.objective.risk`: how a distribution of outcomes becomes one score."""

    type: Literal["mean", "mean_minus_sd", "quantile"] = Field(
        default="mean", description="mean, mean_minus_sd or quantile."
    )
    lambda_: Annotated[float, Field(ge=0)] = Field(
        default=0.0, alias="lambda", description="Weight on the standard deviation for mean_minus_sd, >= 0."
    )
    quantile: Share = Field(default=0.1, description="Quantile that is maximised for quantile, between 0 and 1.")


class ObjectiveSection(Section):
    """`allocation.objective`: what is maximised."""

    target: Literal["kpi_uplift", "profit"] = Field(default="kpi_uplift", description="kpi_uplift or profit.")
    value_per_kpi: float | None = Field(
        default=None, description="Currency value of one KPI unit. Required for profit."
    )
    kpi_baseline: Positive | None = Field(
        default=None, description="KPI per period at the reference spend, > 0; for log-response models."
    )
    allow_relative_log_uplift: bool = Field(
        default=False, description="Report relative uplift for log-response models without kpi_baseline."
    )
    risk: RiskSection = part(RiskSection, "Attitude to uncertainty.")


class BoundsSection(Section):
    """Spend limits of a channel."""

    min: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Least spend, >= 0.")
    max: Bound = Field(
        default=math.inf, description="Largest spend; must be finite and >= min when allocation is enabled."
    )


class ResponseSection(Section):
    """How spend turns into the model's term."""

    type: Literal["identity", "atan", "log1p", "hill"] = Field(
        default="identity", description="identity, atan, log1p or hill."
    )
    scale: Positive | None = Field(
        default=None, description="Spend scale of atan(spend / scale) and log(1 + spend / scale)."
    )
    k: Positive | None = Field(default=None, description="Half-saturation spend of hill.")
    n: Positive | None = Field(default=None, description="Shape of hill.")


class ChannelSection(Section):
    """One channel of the budget."""

    term: Text = Field(description="Model term of the channel. Unique.")
    name: Text = Field(description="Label of the channel. Unique. Default: term.")
    spend_col: Text = Field(description="Data column with the channel's spend. Default: name.")
    bounds: BoundsSection = part(BoundsSection, "Spend limits {min, max}.")
    currency_col: Text | None = Field(
        default=None, description="Data column that converts the term's units to currency."
    )
    response: ResponseSection = part(ResponseSection, "Response transform.")

    @model_validator(mode="before")
    @classmethod
    def _label(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        named = with_default(raw, "name", raw.get("term"))
        return with_default(named, "spend_col", named.get("name"))


class NamedBudget(Section):
    """One of several budgets that are compared."""

    name: Text = Field(description="Unique name of the scenario.")
    total: Positive = Field(description="Total spend of the scenario.")


class AllocationSection(Section):
    """`allocation`: budget optimisation after the fit."""

    enabled: bool = Field(default=False, description="Optimise the budget after the fit.")
    scenario: Scenario = Field(default="max_response", description="max_response or target_efficiency.")
    target_value: Positive | None = Field(
        default=None, description="Efficiency to reach. Required for target_efficiency."
    )
    n_candidates: Annotated[int, Field(ge=10)] = Field(
        default=2000, description="Random plans of the audit search, >= 10."
    )
    seed: Seed | None = Field(default=None, description="Seed of the candidate search.")
    budget: BudgetSection = part(BudgetSection, "Budget.")
    channels: Annotated[tuple[ChannelSection, ...], Field(strict=False)] = Field(
        default=(),
        description="Channels as {term, name, spend_col, bounds, currency_col, response}. Required when enabled.",
    )
    reference_spend: ReferenceSpend = Field(
        default=None, description="Baseline spend: one per channel (list or channel: spend); null uses the data's mean."
    )
    currency_scale: Positive | None = Field(default=None, description="Factor from spend units to currency, > 0.")
    posterior: PosteriorSection = part(PosteriorSection, "Posterior draws.")
    objective: ObjectiveSection = part(ObjectiveSection, "What is maximised.")
    scenarios: Annotated[tuple[NamedBudget, ...], Field(strict=False)] = Field(
        default=(), description="Budgets {name, total} that are optimised and compared; none: the plan's and others."
    )
    level: Text = Field(
        default="population",
        description="population effects, one group of a panel as market=north, or group: every group at once.",
    )
    hold_weak: bool = Field(default=False, description="Keep channels with weak evidence at their reference spend.")
