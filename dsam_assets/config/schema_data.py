"""Sections about data: where it is, what it means, how panels are pooled, which calendar features are added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from dsam_assets.config.defaults import infer_format, with_default
from dsam_assets.config.schema_base import Count, PositiveInt, Section, Text, Texts, part

DataFormat = Literal["csv", "rds", "long", "parquet"]
WeekDay = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class DictionaryEntry(Section):
    """What a data column means; every field is free text for the data dictionary."""

    unit: str | None = Field(default=None, description="Unit of measurement, for example GBP or impressions.")
    cadence: str | None = Field(default=None, description="How often the source reports, for example weekly.")
    source: str | None = Field(default=None, description="Where the numbers come from.")
    transform: str | None = Field(
        default=None, description="What was done to the raw numbers, for example adstock 0.6."
    )
    rationale: str | None = Field(default=None, description="Why the column is in the model.")


class DataSection(Section):
    """`data`: input file, format, dates, missing values, dictionary."""

    path: Text = Field(description="Data file, relative to the folder of this config. Required.")
    format: DataFormat = Field(description="csv, rds, long or parquet. Default: inferred from the file extension.")
    date_var: Text | None = Field(
        default=None, description="Date column. Needed for long data, holidays and time-series selection."
    )
    date_format: Text | None = Field(default=None, description="Date format such as %d/%m/%Y; null means ISO 8601.")
    na_action: Literal["omit", "error"] = Field(
        default="omit", description="Rows with missing values: omit (dropped rows are counted by column) or error."
    )
    long_id_col: Text | None = Field(default=None, description="Long data: column that identifies the panel unit.")
    long_variable_col: Text | None = Field(default=None, description="Long data: column that names the variable.")
    long_value_col: Text | None = Field(default=None, description="Long data: column that holds the value.")
    dictionary_path: Text | None = Field(
        default=None, description="CSV with data dictionary rows, relative to this config."
    )
    dictionary: Mapping[str, DictionaryEntry] = Field(
        default_factory=dict, description="Inline dictionary: term → unit, cadence, source, transform, rationale."
    )

    @model_validator(mode="before")
    @classmethod
    def _infer_format(cls, raw: Any) -> Any:
        return with_default(raw, "format", infer_format(raw.get("path"))) if isinstance(raw, dict) else raw


class CreSection(Section):
    """`cre`: correlated random effects (Mundlak group means)."""

    enabled: bool = Field(description="Add group means to the population formula. Default: true for model.type cre.")
    vars: Texts = Field(default=(), description="Columns whose group means are added. Required when enabled.")
    group: Text | None = Field(default=None, description="Grouping column; null uses the formula's only group factor.")
    prefix: Text = Field(default="cre_mean_", description="Prefix of the generated mean terms.")


class PoolingSection(Section):
    """`pooling`: media variables that share coefficients through labels."""

    enabled: bool = Field(description="Fit the pooled model. Default: true for model.type pooled.")
    grouping_vars: Texts = Field(default=(), description="Label columns of the pooling map. Required when enabled.")
    map_path: Text | None = Field(
        default=None, description="Pooling map, relative to this config. Required when enabled."
    )
    map_format: Literal["csv", "rds", "parquet"] | None = Field(
        default=None, description="csv, rds or parquet. Default: inferred from the extension of map_path."
    )
    min_waves: PositiveInt | None = Field(
        default=None,
        description=(
            "Drop groups with fewer waves than this; null keeps all. A group is a combination of labels, and its waves"
            " are the rows in which at least one of its variables is not zero."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _infer_format(cls, raw: Any) -> Any:
        return with_default(raw, "map_format", infer_format(raw.get("map_path"))) if isinstance(raw, dict) else raw


class HolidaySection(Section):
    """`time_components.holidays`: weekly features from a calendar of events."""

    enabled: bool = Field(default=False, description="Generate holiday features.")
    calendar_path: Text | None = Field(
        default=None, description="Calendar (CSV or RDS), relative to this config. Required when enabled."
    )
    date_col: Text | None = Field(
        default=None, description="Date column of the calendar; null looks for date, ds, event_date."
    )
    label_col: Text = Field(default="holiday", description="Column with the event's name.")
    date_format: Text | None = Field(default=None, description="Date format of the calendar; null means ISO 8601.")
    week_start: WeekDay = Field(default="monday", description="First day of the weeks in the data.")
    timezone: Text = Field(default="UTC", description="Time zone in which date-times become dates.")
    prefix: Text = Field(default="holiday_", description="Prefix of the generated columns.")
    window_before: Count = Field(default=0, description="Days before each event that also count.")
    window_after: Count = Field(default=0, description="Days after each event that also count.")
    aggregation_rule: Literal["count", "any"] = Field(
        default="count", description="count event days per week, or any (0/1)."
    )
    overlap_policy: Literal["count_all", "dedupe_label_date"] = Field(
        default="count_all", description="count_all event days, or dedupe_label_date to count a label once per date."
    )
    add_to_formula: bool = Field(default=True, description="Append the generated columns to the formula.")
    overwrite_existing: bool = Field(
        default=False, description="Replace data columns of the same name instead of stopping."
    )


class TimeComponentsSection(Section):
    """`time_components`: managed calendar features."""

    enabled: bool = Field(default=False, description="Master switch for calendar features.")
    holidays: HolidaySection = part(HolidaySection, "Holiday features.")
