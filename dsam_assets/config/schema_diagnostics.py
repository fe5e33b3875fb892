"""`diagnostics`: what is checked after a fit, how strictly, and what a failed check stops."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from dsam_assets.config.defaults import with_default
from dsam_assets.config.schema_base import Bound, Count, Line, PositiveInt, Section, Texts, Unit, part
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

    enabled: bool = Field(default=True, description="Compute PSIS-LOO, and calibration from it.")
    method: Literal["psis_loo"] = Field(default="psis_loo", description="Only psis_loo.")
    max_draws: Annotated[PositiveInt | None, Unit("draws")] = Field(
        default=None, examples=[1000], description="Use at most this many draws, evenly spaced; null uses all."
    )
    pareto_k_warn: Bound = Field(default=0.7, description="Pareto k above this warns; 0 to 1, or .Inf for never.")
    pareto_k_fail: Bound = Field(
        default=float("inf"), description="Pareto k above this fails; above pareto_k_warn up to 1, or .Inf for never."
    )
    moment_match: bool = Field(
        default=False, description="Score rows with a Pareto k above pareto_k_warn again by moment matching: cheap."
    )
    reloo: bool = Field(
        default=False, description="Refit without each row that is still above: exact, and a fit per row (at most 50)."
    )
    top_n: Annotated[Count, Unit("rows")] = Field(
        default=10, description="How many of the rows with the largest Pareto k are marked in loo_pointwise.csv."
    )


class TimeSeriesSelectionSection(Section):
    """`diagnostics.time_series_selection`: refit and score on held-out weeks."""

    enabled: bool = Field(
        default=False, description="Refit on time folds. Requires fit.method: mcmc and data.date_var."
    )
    method: Literal["blocked_cv", "leave_future_out"] = Field(
        default="blocked_cv",
        description=(
            "Both train on the weeks before a fold: blocked_cv predicts its weeks from there, leave_future_out each"
            " week from all before it."
        ),
    )
    horizon_weeks: Annotated[PositiveInt, Unit("weeks")] = Field(default=13, description="Weeks held out per fold.")
    n_folds: Annotated[PositiveInt, Unit("folds")] = Field(
        default=4, description="Number of folds; each is a fit. Fewer where the data are too short, with the reason."
    )
    stride_weeks: Annotated[PositiveInt, Unit("weeks")] = Field(
        examples=[13], description="Weeks between fold starts. Default: horizon_weeks."
    )
    min_train_weeks: Annotated[PositiveInt, Unit("weeks")] = Field(
        default=52, description="Least weeks of training data of a fold."
    )
    save_pointwise: bool = Field(default=False, description="Write tscv_pointwise.csv: the score of each held-out row.")
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
    media_terms: Texts = Field(
        default=(),
        examples=[["m_tv", "m_search"]],
        description="Media terms of the formula. Without any this check is skipped; the decomposition reads them, too.",
    )
    baseline_terms: Texts = Field(
        default=(),
        examples=[["trend", "price_index"]],
        description="Baseline terms of the formula; generated holiday terms and baseline_regex add to them.",
    )
    baseline_regex: Texts = Field(
        default=BASELINE_REGEX, description="Regular expressions that find further baseline terms."
    )
    abs_corr_warn: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.80, description="Absolute correlation above which the check warns."
    )
    abs_corr_fail: Bound = Field(
        default=0.95,
        description="Absolute correlation above which the check fails; above abs_corr_warn up to 1, or .Inf for never.",
    )


class Waiver(Section):
    """A failed check that somebody answers for, until a date."""

    check: Line = Field(
        examples=["resid_ljung_box_p"], description="Check whose failure is waived, as in diagnostics_report.csv."
    )
    subject: Line | None = Field(
        default=None,
        examples=["m_search in market"],
        description="Only when the check's subject in the report is this; null for any.",
    )
    who: Line = Field(examples=["Lead analyst"], description="Who answers for it.")
    why: Line = Field(examples=["Known launch week"], description="The reason.")
    expires: Annotated[dt.date, BeforeValidator(_date)] = Field(
        examples=["2030-01-31"], description="Last day (UTC) on which it holds, YYYY-MM-DD."
    )


class DiagnosticsSection(Section):
    """`diagnostics`: policy, gates and their thresholds."""

    enabled: bool = Field(
        default=True, description="Run the diagnostics; false makes every check not computed, which is never a pass."
    )
    policy_mode: PolicyMode = Field(
        default="publish", description="Thresholds: explore while building, publish to share, strict for an audit."
    )
    gating: Gating = Field(
        default="warn",
        description="strict halts decisions below an unconverged fit, warn continues with a stamp, off only reports.",
    )
    enforce_publish_gate: bool = Field(
        default=False, description="Also halt decisions when the overall status is fail, whatever the gating."
    )
    waivers: Annotated[tuple[Waiver, ...], Field(strict=False)] = Field(
        default=(),
        examples=[[{"check": "resid_ljung_box_p", "who": "Lead analyst", "why": "Launch", "expires": "2030-01-31"}]],
        description="Failures that somebody answers for until a date, as {check, subject, who, why, expires}.",
    )
    model_selection: ModelSelectionSection = part(ModelSelectionSection, "PSIS-LOO.")
    time_series_selection: TimeSeriesSelectionSection = part(
        TimeSeriesSelectionSection, "Time-series cross-validation."
    )
    identifiability: IdentifiabilitySection = part(IdentifiabilitySection, "Baseline against media.")
