"""`diagnostics`: what is checked after a fit, how strictly, and what a failed check stops."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from dsam_assets.config.defaults import with_default
from dsam_assets.config.schema_base import Bound, Count, Line, PositiveInt, Section, Texts, part
from dsam_assets.verdict import Gating, PolicyMode

BASELINE_REGEX = ("^t(_|$)", "^sin[0-9]", "^cos[0-9]", "^holiday_")


def _date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return dt.datetime.strptime(value, "%Y-%m-%d").date()
        except ValueError:
            pass
    elif isinstance(value, dt.date):
        return value
    raise PydanticCustomError("dsam_rule", "must be a date as YYYY-MM-DD")


class ModelSelectionSection(Section):
    """`diagnostics.model_selection`: PSIS-LOO."""

    enabled: bool = Field(default=True, description="Compute PSIS-LOO.")
    method: Literal["psis_loo"] = Field(default="psis_loo", description="Only psis_loo.")
    max_draws: PositiveInt | None = Field(default=None, description="Use at most this many draws; null uses all.")
    pareto_k_warn: Bound = Field(default=0.7, description="Pareto k above this warns; 0 to 1, or .Inf for never.")
    pareto_k_fail: Bound = Field(
        default=float("inf"), description="Pareto k above this fails; greater than pareto_k_warn, or .Inf."
    )
    moment_match: bool = Field(default=False, description="Improve bad points by moment matching.")
    reloo: bool = Field(default=False, description="Refit without each bad point.")
    top_n: Count = Field(default=10, description="How many of the worst points are listed.")


class TimeSeriesSelectionSection(Section):
    """`diagnostics.time_series_selection`: refit and score on held-out weeks."""

    enabled: bool = Field(
        default=False, description="Refit on time folds. Requires fit.method: mcmc and data.date_var."
    )
    method: Literal["blocked_cv", "leave_future_out"] = Field(
        default="blocked_cv", description="blocked_cv or leave_future_out."
    )
    horizon_weeks: PositiveInt = Field(default=13, description="Weeks held out per fold.")
    n_folds: PositiveInt = Field(default=4, description="Number of folds.")
    stride_weeks: PositiveInt = Field(description="Weeks between fold starts. Default: horizon_weeks.")
    min_train_weeks: PositiveInt = Field(default=52, description="Least weeks of training data.")
    save_pointwise: bool = Field(default=False, description="Write the score of each held-out row.")
    save_png: bool = Field(default=True, description="Draw the score by fold.")

    @model_validator(mode="before")
    @classmethod
    def _stride(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        horizon = raw.get("horizon_weeks", cls.model_fields["horizon_weeks"].default)
        return with_default(raw, "stride_weeks", horizon)


class IdentifiabilitySection(Section):
    """`diagnostics.identifiability`: can media be told apart from the baseline."""

    enabled: bool = Field(default=True, description="Check correlation between media and baseline terms.")
    media_terms: Texts = Field(default=(), description="Media terms.")
    baseline_terms: Texts = Field(default=(), description="Baseline terms.")
    baseline_regex: Texts = Field(
        default=BASELINE_REGEX, description="Regular expressions that also name baseline terms."
    )
    abs_corr_warn: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.80, description="Absolute correlation that warns, 0 to below 1."
    )
    abs_corr_fail: Bound = Field(
        default=0.95, description="Absolute correlation that fails; above abs_corr_warn up to 1, or .Inf."
    )


class Waiver(Section):
    """A failed check that somebody answers for, until a date."""

    check: Line = Field(description="Check whose failure is waived, for example resid_ljung_box_p.")
    subject: Line | None = Field(
        default=None, description="Only when the check's subject in the report is this; null for any."
    )
    who: Line = Field(description="Who answers for it.")
    why: Line = Field(description="The reason.")
    expires: Annotated[dt.date, BeforeValidator(_date)] = Field(
        description="Last day (UTC) on which it holds, YYYY-MM-DD."
    )


class DiagnosticsSection(Section):
    """`diagnostics`: policy, gates and their thresholds."""

    enabled: bool = Field(default=True, description="Run the diagnostics.")
    policy_mode: PolicyMode = Field(default="publish", description="Thresholds: explore, publish or strict.")
    gating: Gating = Field(
        default="warn",
        description="strict halts below an unconverged fit, warn continues with a stamp, off does not enforce.",
    )
    enforce_publish_gate: bool = Field(default=False, description="Halt when the overall status is fail.")
    waivers: Annotated[tuple[Waiver, ...], Field(strict=False)] = Field(
        default=(), description="Failures that somebody answers for, as {check, subject, who, why, expires}."
    )
    model_selection: ModelSelectionSection = part(ModelSelectionSection, "PSIS-LOO.")
    time_series_selection: TimeSeriesSelectionSection = part(
        TimeSeriesSelectionSection, "Time-series cross-validation."
    )
    identifiability: IdentifiabilitySection = part(IdentifiabilitySection, "Baseline against media.")
