"""Schemas of the tables before the fit: data, design, specification, collinearity, stationarity, transfer entropy, the
response under the prior."""

from __future__ import annotations

from dsam_assets.report.columns import DATE, GROUP, MODEL, ROW, TERM, count, number, text
from dsam_assets.tables import Column, Table

KPI = "response on the KPI scale"


def _prior_rows(name: str, scale: str, unit: str) -> Table:
    quantiles = (("q025", "2.5 %"), ("q25", "25 %"), ("q50", "50 %"), ("q75", "75 %"), ("q975", "97.5 %"))
    return Table(
        name,
        f"one modelled row, {scale} scale",
        (
            ROW,
            DATE,
            GROUP,
            number("observed", unit, "observed response"),
            *(number(column, unit, f"{share} quantile of the prior's draws") for column, share in quantiles),
        ),
    )


PRE_RUN_TABLES: tuple[Table, ...] = (
    Table(
        "design_matrix_manifest",
        "one design column",
        (
            TERM,
            Column("role", "text", "text", "intercept or predictor", one_of=("intercept", "predictor")),
            count("rows", "modelled rows"),
            number("mean", "data units", "mean over modelled rows"),
            number("sd", "data units", "sample standard deviation", nullable=True, at_least=0),
            number("min", "data units", "smallest value"),
            number("max", "data units", "largest value"),
            number("share_zero", "share", "share of rows that are zero", at_least=0, at_most=1),
            count("unique", "different values over modelled rows"),
        ),
        unique=("term",),
    ),
    Table(
        "data_dictionary",
        "one column of the data",
        (
            text("term", "column name"),
            text("unit", "unit of measurement"),
            text("cadence", "how often it is measured"),
            text("source", "where it comes from"),
            text("transform", "what was done to it"),
            text("rationale", "why it is in the model"),
            Column("in_formula", "flag", "true/false", "whether the formula uses it"),
            Column("kind", "text", "text", "kind of value", one_of=("number", "date", "flag", "text")),
            count("missing", "rows without a value"),
            count("unique", "different values"),
            number("mean", "data units", "mean; missing unless the values are numbers", nullable=True),
            number("sd", "data units", "sample standard deviation, likewise", nullable=True, at_least=0),
            number("min", "data units", "smallest value, likewise", nullable=True),
            number("max", "data units", "largest value, likewise", nullable=True),
        ),
        unique=("term",),
    ),
    Table(
        "spec_summary",
        "the model",
        (
            text("model_name", "model.name"),
            text("model_type", "model class"),
            text("formula", "the formula that is fitted, generated terms included"),
            text("response", "KPI column"),
            Column("response_scale", "text", "text", "scale of the likelihood", one_of=("identity", "log")),
            count("rows_in_file", "rows of the data file"),
            count("rows_modelled", "rows that are modelled"),
            count("rows_dropped", "rows dropped for missing values"),
            text("dropped_by_column", "missing values by column"),
            count("terms", "columns of the design matrix"),
            count("parameters", "what is estimated: coefficients (of labels where pooled), noise sd, group sds"),
            number("rows_per_parameter", "rows", "modelled rows per parameter", at_least=0),
            text("unsafe_formula", "Python that the formulas run (security.allow_unsafe_formula), or no"),
        ),
    ),
    Table(
        "vif_report",
        "one predictor",
        (
            TERM,
            number("vif", "ratio", "variance inflation factor 1/(1−R²); infinite when collinear", nullable=True),
            number("tolerance", "share", "1/VIF", nullable=True, at_least=0),
            Column("level", "text", "text", "severity", one_of=("ok", "moderate", "high", "not_computed")),
            text("note", "why a value is missing or infinite"),
        ),
        unique=("term",),
    ),
    Table(
        "stationarity_report",
        "one series of one panel unit: the response on the model scale, or a predictor",
        (
            text("series", "response, or design column by R's name"),
            text("group", "panel unit, or all"),
            count("n", "rows tested"),
            Column(
                "conclusion", "text", "text", "what both tests together say at the 5 % level",
                one_of=(
                    "stationary", "trend_stationary", "unit_root", "inconclusive", "constant", "too_short",
                    "not_tested",
                ),
            ),
            Column(
                "regression", "text", "text", "what the tests take the series to move around; empty without tests",
                one_of=("", "level", "trend"),
            ),
            number("adf_stat", "t statistic", "Dickey and Fuller's; a unit root is its null hypothesis", nullable=True),
            number("adf_p", "probability", "its p-value", nullable=True, at_least=0, at_most=1),
            count("adf_lags", "lagged differences that it uses", nullable=True),
            number("kpss_stat", "statistic", "KPSS; stationarity is its null hypothesis", nullable=True, at_least=0),
            number("kpss_p", "probability", "its p-value", nullable=True, at_least=0, at_most=1),
            Column(
                "kpss_p_bound", "text", "text", "how p stands to kpss_p where only a bound is known",
                one_of=("", "<=", ">="),
            ),
            text("reason", "why tests or a conclusion are missing; may be empty"),
        ),
        unique=("series", "group"),
    ),
    Table(
        "transfer_entropy_report",
        "one media term in one direction",
        (
            text("term", "media term by R's name; empty where none is known"),
            Column("direction", "text", "text", "from whom to whom", one_of=("media_to_kpi", "kpi_to_media")),
            count("pairs", "pairs of rows one step of the calendar apart"),
            count("bins", "bins of each series"),
            count("permutations", "shuffles of the source; 0 where nothing was computed"),
            number("te", "nats", "transfer entropy at lag 1, as estimated", nullable=True),
            number("te_shuffled", "nats", "mean over the shuffles: what chance gives", nullable=True),
            number("te_effective", "nats", "te less te_shuffled", nullable=True),
            number("p", "probability", "share of shuffles that reach te", nullable=True, at_least=0, at_most=1),
            number(
                "q", "probability", "false discovery rate over the terms of one direction (Benjamini–Hochberg)",
                nullable=True, at_least=0, at_most=1,
            ),
            text("note", "what a small q means, or why nothing was computed; may be empty"),
        ),
        unique=("term", "direction"),
    ),
    Table(
        "prior_predictive_summary",
        "one number about the response under the prior",
        (
            text("metric", "name of the number"),
            Column("scale", "text", "text", "scale that it is on", one_of=("model", "kpi", "count")),
            number("value", "as its meaning says", "the number; missing where it does not apply", nullable=True),
            number("documented_limit", "as value", "the least that is documented as plausible", nullable=True),
            Column(
                "reaches_limit", "flag", "true/false", "whether the value reaches it, in every policy mode",
                nullable=True,
            ),
            text("meaning", "what the number is"),
        ),
        unique=("metric",),
    ),
    _prior_rows("prior_predictive_rows", "model", MODEL),
    _prior_rows("prior_predictive_rows_kpi", "KPI", KPI),
)  # fmt: skip
