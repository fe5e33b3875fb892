"""The schemas of all published tables, by table name."""

from __future__ import annotations

from dsam_assets.report.budget_tables import BUDGET_TABLES
from dsam_assets.report.columns import (
    DATE,
    FITTED_COLUMNS,
    GROUP,
    MODE_COLUMNS,
    MODEL,
    OBSERVED_COLUMNS,
    PARAMETER,
    PREDICTIVE_COLUMNS,
    ROW,
    SUMMARY_COLUMNS,
    TERM,
    count,
    number,
    quantile_columns,
    text,
)
from dsam_assets.report.decomposition_tables import DECOMPOSITION_TABLES
from dsam_assets.report.drift_tables import DRIFT_TABLES
from dsam_assets.report.evidence_tables import CALIBRATION_TABLES, POSTFIT_TABLES
from dsam_assets.report.fleet_tables import FLEET_TABLES
from dsam_assets.report.forecast_tables import FORECAST_TABLES
from dsam_assets.report.pre_run_tables import PRE_RUN_TABLES
from dsam_assets.report.selection_tables import SELECTION_TABLES
from dsam_assets.report.verdict_tables import VERDICT_TABLES
from dsam_assets.tables import Column, Table

FIT_METRICS = ("r2", "rmse", "mae", "me", "smape", "coverage_95")
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("holiday_features", "one row of the data, with a column per generated feature", (ROW,), open=True),
        Table(
            "holiday_feature_manifest",
            "one label of the holiday calendar",
            (
                text("feature", "name of the feature"),
                text("label", "the calendar's label"),
                count("events", "rows of the calendar with this label"),
                Column("generated", "flag", "true/false", "whether the data got a column for it"),
                text("reason", "why not"),
                Column("in_formula", "flag", "true/false", "whether it was appended to the formula"),
                Column("overwrites_column", "flag", "true/false", "whether it replaces a column of the data file"),
                count("event_days", "event days in the weeks of the data, windows included"),
                count("active_weeks", "weeks of the data with an event day"),
                Column("first_event", "date", "date", "first event of the calendar"),
                Column("last_event", "date", "date", "last event of the calendar"),
                Column("first_active_week", "date", "date", "first week with an event day", nullable=True),
                Column("last_active_week", "date", "date", "last week with an event day", nullable=True),
                count("window_before", "days before an event that count"),
                count("window_after", "days after an event that count"),
                Column("aggregation_rule", "text", "text", "how a week is summed", one_of=("count", "any")),
                Column(
                    "overlap_policy", "text", "text", "what repeated days count",
                    one_of=("count_all", "dedupe_label_date"),
                ),
                text("week_start", "first day of the weeks"),
                text("timezone", "zone in which date-times become dates"),
            ),
            unique=("feature",),
        ),
        Table(
            "prior_table",
            "one parameter",
            (
                PARAMETER,
                text("description", "what the parameter is"),
                Column("family", "text", "text", "prior family", one_of=("normal", "lognormal_ms")),
                number("mean", "data units", "prior mean"),
                number("sd", "data units", "prior standard deviation", at_least=0),
                number("lower", "data units", "lower bound"),
                number("upper", "data units", "upper bound"),
                Column("is_default", "flag", "true/false", "whether the prior is the default"),
                Column("boundary_is_default", "flag", "true/false", "whether the boundary is the default"),
                number("scaled_mean", "Stan's scale", "prior mean as Stan sees it"),
                number("scaled_sd", "Stan's scale", "prior standard deviation as Stan sees it", at_least=0),
                number("scaled_lower", "Stan's scale", "lower bound as Stan sees it"),
                number("scaled_upper", "Stan's scale", "upper bound as Stan sees it"),
            ),
            unique=("parameter",),
        ),
        Table(
            "fit_metrics",
            "one metric of in-sample fit",
            (
                text("group", "group, or all"),
                Column("metric", "text", "text", "what was measured, model scale", one_of=FIT_METRICS),
                number("mean", "metric", "mean over draws; no R² where the response does not vary", nullable=True),
                *quantile_columns("metric", ("q05", "5 %")),
                number("q50", "metric", "median over draws", nullable=True),
                *quantile_columns("metric", ("q95", "95 %")),
                count("rows", "rows"),
            ),
        ),
        Table(
            "posterior_summary",
            "one parameter",
            (
                PARAMETER,
                *SUMMARY_COLUMNS,
            ),
            unique=("parameter",),
        ),
        Table(
            "optimisation_runs",
            "one start of the optimisation (with as_vector: false, one parameter of one start)",
            (
                count("run", "position among the starts, from 1"),
                count("seed", "seed of the start"),
                Column("converged", "flag", "true/false", "whether it ended at a mode"),
                text("message", "why it stopped, or failed"),
                count("iterations", "steps taken, where known", nullable=True),
                number("log_posterior", "nats", "log posterior at the end; compares starts of one fit", nullable=True),
                number("log_posterior_gap", "nats", "what another Newton step would gain", nullable=True),
                number("rmse", MODEL, "root mean squared error at the end", nullable=True, at_least=0),
                Column("is_best", "flag", "true/false", "whether this is the fit"),
            ),
            open=True,
        ),
        Table(
            "optimisation_best",
            "one parameter of the best start",
            (PARAMETER, *MODE_COLUMNS),
            unique=("parameter",),
        ),
        Table(
            "group_coefficients",
            "one coefficient of one group",
            (
                text("grouping", "grouping key, as the formula writes it"),
                text("group", "group"),
                TERM,
                *SUMMARY_COLUMNS,
            ),
            unique=("grouping", "group", "term"),
        ),
        Table(
            "transform_sensitivity_status",
            "the market",
            (
                Column("enabled", "flag", "true/false", "whether alternative formulas are fitted"),
                count("scenarios", "alternative formulas"),
            ),
        ),
        Table(
            "transform_sensitivity_summary",
            "one formula",
            (
                text("scenario", "name; base is the model's own formula"),
                text("formula", "formula, without generated terms"),
                Column("status", "text", "text", "outcome", one_of=("ok", "not_converged", "failed")),
                text("message", "why it failed, or what was left out; may be empty"),
                text("response_scale", "identity or log", nullable=True),
                count("rows", "modelled rows", nullable=True),
                count("terms", "design columns, intercept included", nullable=True),
                number("r2", "share", "R² at the mode, model scale", nullable=True),
                number("rmse", MODEL, "root mean squared error at the mode, model scale", nullable=True, at_least=0),
                number("rmse_kpi", "KPI units", "the same on the KPI scale", nullable=True, at_least=0),
                number("smape", "share", "mean of 2|y − f| / (|y| + |f|), model scale", nullable=True, at_least=0),
            ),
            unique=("scenario",),
        ),
        Table(
            "transform_sensitivity_parameters",
            "one parameter under one formula",
            (
                text("scenario", "name; base is the model's own formula"),
                PARAMETER,
                *MODE_COLUMNS,
            ),
            unique=("scenario", "parameter"),
        ),
        Table(
            "pooling_map",
            "one pooled variable, with a column per grouping variable",
            (text("variable", "term of the formula"),),
            unique=("variable",),
            open=True,
        ),
        Table(
            "dropped_groups",
            "one group of labels that pooling.min_waves left out, with a column per grouping variable",
            (
                text("variables", "its media variables, which left the model"),
                count("waves", "rows in which one of them is not zero"),
                count("min_waves", "the fewest that a group must have"),
            ),
            open=True,
        ),
        Table("observed", "one modelled row, model scale", OBSERVED_COLUMNS),
        Table("observed_kpi", "one modelled row, KPI scale", OBSERVED_COLUMNS),
        Table("fitted", "one modelled row, model scale", FITTED_COLUMNS),
        Table("fitted_kpi", "one modelled row, KPI scale", FITTED_COLUMNS),
        Table("predictive", "one modelled row, KPI scale", PREDICTIVE_COLUMNS),
        Table(
            "residuals",
            "one modelled row",
            (
                ROW,
                DATE,
                GROUP,
                number("observed", MODEL, "observed response"),
                number("fitted", MODEL, "posterior mean of the linear predictor"),
                number("residual", MODEL, "observed − fitted"),
            ),
        ),
    )
}  # fmt: skip
TABLES |= BUDGET_TABLES
_BY_STAGE = (
    PRE_RUN_TABLES, DECOMPOSITION_TABLES, VERDICT_TABLES, SELECTION_TABLES, POSTFIT_TABLES, CALIBRATION_TABLES,
    FORECAST_TABLES, FLEET_TABLES, DRIFT_TABLES,
)  # fmt: skip
TABLES |= {table.name: table for tables in _BY_STAGE for table in tables}
