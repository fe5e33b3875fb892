"""Schemas of the tables of a forecast."""

from __future__ import annotations

from dsam_assets.report.columns import DATE, GROUP, MODEL, count, number, text
from dsam_assets.tables import Column, Table

KPI = "KPI units"
SHARES = {"q05": "5 %", "q10": "10 %", "q25": "25 %", "q50": "50 %", "q75": "75 %", "q90": "90 %", "q95": "95 %"}
RELIABILITY = Column("reliability", "text", "text", "state of the evidence", one_of=("final", "provisional", "blocked"))
OVERALL = Column("diagnostics_overall", "text", "text", "overall status of the checks", one_of=("pass", "warn", "fail"))
FUTURE_ROW = Column("row", "integer", "position", "0-based position in the future data file", at_least=0)
SCOPE = text("group", "panel unit, or all of them together")
DIFFERENCES = ("plan_minus_base", "plan_minus_even")


def _distribution(unit: str, of: str, prefix: str = "") -> tuple[Column, ...]:
    """Mean, sd and quantiles; of a point there are the mean and the median, which are the point."""
    quantiles = (
        number(f"{prefix}{name}", unit, f"{of}: {share} quantile", nullable=name != "q50")
        for name, share in SHARES.items()
    )
    sd = number(f"{prefix}sd", unit, f"{of}: standard deviation; missing for a point", nullable=True, at_least=0)
    return (number(f"{prefix}mean", unit, f"{of}: mean"), sd, *quantiles)


def _rows(unit: str) -> tuple[Column, ...]:
    return (
        FUTURE_ROW,
        DATE,
        GROUP,
        count("periods_ahead", "periods after the panel unit's last one in the data"),
        number("observed", unit, "the KPI, where the future data have it", nullable=True),
        *_distribution(unit, "what is expected", "expected_"),
        *_distribution(unit, "what will be observed, noise included", "predicted_"),
    )


FORECAST_TABLES: tuple[Table, ...] = (
    Table("future_frame", "one row of the future data file", (), open=True),
    Table("future_holidays", "one row of the future data file, with a column per generated feature", (), open=True),
    Table(
        "forecast",
        "one future row, KPI scale",
        (*_rows(KPI), text("conversion_method", "how draws reached this scale"), RELIABILITY),
        unique=("row",),
    ),
    Table("forecast_model_scale", "one future row, model scale (log KPI)", _rows(MODEL), unique=("row",)),
    Table(
        "forecast_summary",
        "a total over the horizon, summed within each draw: one panel unit or all, under one path of spending",
        (
            SCOPE,
            count("periods", "distinct dates"),
            count("rows", "rows that are summed"),
            Column("first_date", "date", "date", "first date"),
            Column("last_date", "date", "date", "last date"),
            Column("new", "flag", "true/false", "whether the data do not have this unit"),
            number("observed_total", KPI, "sum of the KPI where all rows have it", nullable=True),
            Column(
                "path", "text", "text",
                "base: as the future data say; plan: the budget plan's spend in every period; even: the future data's"
                " mean spend in every period; differences are paired by draw",
                one_of=("base", "plan", "even", *DIFFERENCES),
            ),
            Column(
                "quantity", "text", "text", "expected: without noise; predicted: what will be observed",
                one_of=("expected", "predicted"),
            ),
            *_distribution(KPI, "the total"),
            number(
                "probability_positive", "share", "of a difference: share of draws above zero", nullable=True,
                at_least=0, at_most=1,
            ),
            RELIABILITY,
            OVERALL,
        ),
        unique=("group", "path", "quantity"),
    ),
    Table(
        "forecast_extrapolation",
        "one design column under one path of spending",
        (
            Column("path", "text", "text", "base, plan or even", one_of=("base", "plan", "even")),
            text("term", "design column, by R's name"),
            number("fitted_min", "data units", "smallest value in the modelled rows"),
            number("fitted_max", "data units", "largest value in the modelled rows"),
            number("ahead_min", "data units", "smallest value in the future rows"),
            number("ahead_max", "data units", "largest value in the future rows"),
            count("rows", "future rows"),
            count("rows_outside", "future rows outside the range of the modelled rows"),
            number("share_outside", "share", "their share of the future rows", at_least=0, at_most=1),
            number("beyond", "data units", "furthest distance from that range", at_least=0),
            number("beyond_share", "share", "the same relative to the width of the range", at_least=0),
        ),
        unique=("path", "term"),
    ),
    Table(
        "forecast_plan",
        "one channel of the budget plan",
        (
            text("channel", "channel name"),
            text("term", "model term"),
            Column(
                "effect", "text", "text", "how the plan's spend enters the column", one_of=("replaced", "shifted")
            ),
            number("spend_ahead", "spend", "mean spend per period in the future data", nullable=True),
            number("spend_reference", "spend", "reference spend per period of the allocation"),
            number("spend_plan", "spend", "the plan's spend per period"),
            number("column_ahead", "data units", "mean of the column as the future data give it"),
            number("column_plan", "data units", "mean of the column under the plan"),
            text("assumption", "what that takes for granted"),
        ),
        unique=("channel",),
    ),
    Table(
        "forecast_scores",
        "the rows with a known KPI: of one panel unit, or all",
        (
            SCOPE,
            count("rows", "rows with a known KPI"),
            *(
                number(
                    f"coverage_{level}", "share", f"rows inside the central {level} % of their prediction; missing for"
                    " a point", nullable=True, at_least=0, at_most=1,
                )
                for level in (50, 80, 90)
            ),
            number("mean_error", KPI, "mean of observed minus expected"),
            number("rmse", KPI, "root mean squared error of what was expected", at_least=0),
            number("smape", "share", "mean of 2|y − f| / (|y| + |f|)", at_least=0, at_most=2),
            number("elpd", "nats", "log predictive density, model scale; missing for a point", nullable=True),
            number("kpi_elpd", "nats", "the same on the KPI scale; missing for a point", nullable=True),
        ),
        unique=("group",),
    ),
)  # fmt: skip
