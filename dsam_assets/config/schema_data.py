"""Sections about data: where it is, what it means, how panels are pooled, which calendar features are added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dsam_assets.config.defaults import infer_format, with_default
from dsam_assets.config.schema_base import Count, PositiveInt, Section, Text, Texts, Unit, part

DataFormat = Literal["csv", "rds", "long", "parquet"]
WeekDay = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class DictionaryEntry(Section):
    """What a data column means; every field is free text for the data dictionary."""

    unit: str | None = Field(default=None, examples=["GBP"], description="Unit of measurement.")
    cadence: str | None = Field(default=None, examples=["weekly"], description="How often the source reports.")
    source: str | None = Field(default=None, examples=["media agency"], description="Where the numbers come from.")
    transform: str | None = Field(
        default=None, examples=["adstock 0.6"], description="What was done to the numbers before they were in the file."
    )
    rationale: str | None = Field(
        default=None, examples=["largest channel"], description="Why the column is in the model."
    )


class DataSection(Section):
    """`data`: input file, format, dates, missing values, dictionary."""

    path: Text = Field(
        examples=["data/uk.csv"], description="Data file, relative to the folder of this config. Required."
    )
    format: DataFormat = Field(
        description=(
            "csv, rds, parquet, or long for a file of any of them with one value per row."
            " Default: inferred from the file extension."
        )
    )
    date_var: Text | None = Field(
        default=None,
        examples=["date"],
        description=(
            "Date column. Needed for long data, holidays, forecasts, time-series selection, and lag() or lead() in the"
            " formula; name it in any case, so that results carry dates."
        ),
    )
    date_format: Text | None = Field(
        default=None, examples=["%d/%m/%Y"], description="How dates are written, as in strptime; null means ISO 8601."
    )
    na_action: Literal["omit", "error"] = Field(
        default="omit", description="Rows with missing values: omit (dropped rows are counted by column) or error."
    )
    long_id_col: Text | None = Field(
        default=None, examples=["market"], description="Long data: column that identifies the panel unit."
    )
    long_variable_col: Text | None = Field(
        default=None, examples=["variable"], description="Long data: column that names the variable."
    )
    long_value_col: Text | None = Field(
        default=None, examples=["value"], description="Long data: column that holds the value."
    )
    dictionary_path: Text | None = Field(
        default=None,
        examples=["data/dictionary.csv"],
        description=(
            "Data dictionary as a CSV, relative to this config: a column term, and any of unit, cadence, source,"
            " transform, rationale. It fills what dictionary leaves out."
        ),
    )
    dictionary: Mapping[str, DictionaryEntry] = Field(
        default_factory=dict,
        examples=[{"m_tv": {"unit": "GBP", "cadence": "weekly"}}],
        description="Data dictionary written here: column → unit, cadence, source, transform, rationale.",
    )

    @model_validator(mode="before")
    @classmethod
    def _infer_format(cls, raw: Any) -> Any:
        return with_default(raw, "format", infer_format(raw.get("path"))) if isinstance(raw, dict) else raw


class CreSection(Section):
    """`cre`: correlated random effects (Mundlak group means)."""

    enabled: bool = Field(description="Add group means to the population formula. Default: true for model.type cre.")
    vars: Texts = Field(
        default=(),
        examples=[["m_tv", "m_search"]],
        description="Numeric columns whose group means are added. Required when enabled.",
    )
    group: Text | None = Field(
        default=None,
        examples=["market"],
        description=(
            "Grouping to average over, one of the formula's; a composite key is written market:brand."
            " null uses the formula's only one."
        ),
    )
    prefix: Text = Field(default="cre_mean_", description="Prefix of the generated mean terms.")


class PoolingSection(Section):
    """`pooling`: media variables that share coefficients through labels."""

    enabled: bool = Field(description="Fit the pooled model. Default: true for model.type pooled.")
    grouping_vars: Texts = Field(
        default=(),
        examples=[["channel", "campaign"]],
        description=(
            "Label columns of the pooling map: a variable's coefficient is the sum of its labels' coefficients."
            " Required when enabled."
        ),
    )
    map_path: Text | None = Field(
        default=None,
        examples=["data/pooling_map.csv"],
        description=(
            "Pooling map, relative to this config: one row per media variable, with a column variable and the label"
            " columns. Required when enabled."
        ),
    )
    map_format: Literal["csv", "rds", "parquet"] | None = Field(
        default=None, description="csv, rds or parquet. Default: inferred from the extension of map_path."
    )
    min_waves: Annotated[PositiveInt | None, Unit("rows")] = Field(
        default=None,
        examples=[8],
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
        default=None,
        examples=["data/holidays.csv"],
        description=(
            "Calendar with one row per event (CSV, RDS or parquet), relative to this config. Required when enabled."
        ),
    )
    date_col: Text | None = Field(
        default=None,
        examples=["event_date"],
        description="Date column of the calendar; null looks for date, ds, event_date.",
    )
    label_col: Text = Field(default="holiday", description="Column with the event's name.")
    date_format: Text | None = Field(
        default=None,
        examples=["%d/%m/%Y"],
        description="How the calendar's dates are written, as in strptime; null means ISO 8601.",
    )
    week_start: WeekDay = Field(default="monday", description="First day of the weeks in the data.")
    timezone: Text = Field(default="UTC", description="Time zone in which date-times become dates.")
    prefix: Text = Field(default="holiday_", description="Prefix of the generated columns.")
    window_before: Annotated[Count, Unit("days")] = Field(
        default=0, description="Days before each event that also count."
    )
    window_after: Annotated[Count, Unit("days")] = Field(
        default=0, description="Days after each event that also count."
    )
    aggregation_rule: Literal["count", "any"] = Field(
        default="count", description="Value of a week: count its event days, or any of them (0 or 1)."
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
