"""Schemas of refresh drift: what changed between a market's last fit and the one before."""

from __future__ import annotations

from dsam_assets.report.columns import DATE, GROUP, ROW, count, number, text
from dsam_assets.report.verdict_tables import CHECK_COLUMNS
from dsam_assets.tables import Column, Table

_DATA = "data units, model scale"
_RELIABILITY = ("final", "provisional", "blocked", "")
_STATE = Column("state", "text", "text", "in which of the two fits", one_of=("both", "added", "removed"))
_UNIT = text("group", "panel unit, or all")


def _pair(name: str, unit: str, what: str) -> tuple[Column, Column]:
    return (
        number(f"{name}_previous", unit, f"{what}, previous fit", nullable=True),
        number(name, unit, f"{what}, new fit", nullable=True),
    )


def _share(name: str, what: str) -> Column:
    return number(name, "probability", what, nullable=True, at_least=0, at_most=1)


_SHIFT = (
    number("shift", _DATA, "new mean − previous mean", nullable=True),
    number("shift_previous_sd", "sd of the previous posterior", "the shift in units of it", nullable=True),
)

DRIFT_TABLES: tuple[Table, ...] = (
    Table(
        "drift_summary",
        "the new fit beside the one before",
        (
            Column(
                "status", "text", "text", "whether there was a fit to compare with",
                one_of=("compared", "first_fit", "not_comparable"),
            ),
            text("reason", "why nothing was compared; may be empty"),
            text("matched_by", "columns that name a row in both data sets"),
            Column("reliability_previous", "text", "text", "verdict of the previous fit", one_of=_RELIABILITY),
            Column("reliability", "text", "text", "verdict of the new fit", one_of=_RELIABILITY),
            text("reweighting", "ok, or why shifts were not split by cause"),
            Column("previous_fitted_at", "date", "UTC", "when the previous posterior was computed", nullable=True),
            count("rows_previous", "rows of the previous data", nullable=True),
            count("rows", "rows of the new data", nullable=True),
            count("rows_both", "rows in both", nullable=True),
            count("rows_added", "rows of the new data alone", nullable=True),
            count("rows_removed", "rows of the previous data alone", nullable=True),
            count("cells_revised", "cells of rows in both that changed", nullable=True),
            count("columns_revised", "columns with such cells", nullable=True),
            count("config_changes", "keys of the config that changed", nullable=True),
            count("code_changes", "parts of the code that changed; missing when not known", nullable=True),
            count("parameters", "parameters in both fits, groups' included", nullable=True),
            count("parameters_within_mcse", "of them moved within twice the Monte Carlo error", nullable=True),
            count("channels", "channels of either fit", nullable=True),
            count("channels_changed", "channels whose story changed", nullable=True),
            count("elpd_rows", "rows that both fits score, with the same KPI", nullable=True),
            number("elpd_previous", "nats, KPI scale", "log predictive density of them, previous fit", nullable=True),
            number("elpd", "nats, KPI scale", "log predictive density of them, new fit", nullable=True),
            number("elpd_change", "nats, KPI scale", "new − previous; below 0 predicts them worse", nullable=True),
            number("se_elpd_change", "nats, KPI scale", "its standard error, by row", nullable=True, at_least=0),
            number("pareto_k_revised", "k", "Pareto k of the weights for revised rows", nullable=True),
            number("pareto_k_rows", "k", "Pareto k of the weights for all changed rows", nullable=True),
        ),
    ),
    Table(
        "drift_parameters",
        "one parameter of the population, or one coefficient of a group",
        (
            text("grouping", "grouping key; empty for the population"),
            text("group", "group, or all"),
            text("parameter", "coefficient by R's name, noise_sd, group sd or pooled label"),
            Column("kind", "text", "text", "what it is", one_of=("coefficient", "spread", "label")),
            text("channel", "channel of the term; empty for others"),
            _STATE,
            number("mean_previous", _DATA, "mean of the previous posterior", nullable=True),
            number("sd_previous", _DATA, "its sd; missing for a point", nullable=True, at_least=0),
            number("mean", _DATA, "mean of the new posterior", nullable=True),
            number("sd", _DATA, "its sd; missing for a point", nullable=True, at_least=0),
            *_SHIFT,
            number("shift_combined_sd", "√(sd² previous + sd² new)", "the shift in units of it", nullable=True),
            number("mcse", _DATA, "Monte Carlo standard error of the shift", nullable=True, at_least=0),
            Column("within_mcse", "flag", "true/false", "whether the shift is within twice that", nullable=True),
            _share("probability_sign_flip", "that draws of the two posteriors have opposite signs"),
            _share("probability_sign_flip_unchanged", "the same of two draws of the previous posterior"),
            number("shift_revised", _DATA, "part of the shift: revised rows, by reweighting", nullable=True),
            number("shift_rows", _DATA, "part of the shift: rows that came or went", nullable=True),
            number("shift_rest", _DATA, "what remains: config, code and sampler noise", nullable=True),
            number("se_shift_rest", _DATA, "its standard error: samplers and weights", nullable=True, at_least=0),
        ),
        unique=("grouping", "group", "parameter"),
    ),
    Table(
        "drift_channels",
        "one channel of one panel unit, or of all",
        (
            _UNIT,
            text("channel", "channel"),
            text("term", "its term"),
            _STATE,
            Column("metric", "text", "text", "what its return is", one_of=("roi", "cpa")),
            text("metric_unit", "unit of the return"),
            *_pair("return", "metric_unit", "average return, posterior mean"),
            number("return_change", "metric_unit", "new − previous; missing between kinds of return", nullable=True),
            *_pair("return_q05", "metric_unit", "its 5 % quantile"),
            *_pair("return_q95", "metric_unit", "its 95 % quantile"),
            *_pair("marginal", "metric_unit", "marginal return"),
            number("marginal_change", "metric_unit", "new − previous", nullable=True),
            *_pair("share", "share of the media effect", "share"),
            number("share_change", "share of the media effect", "new − previous", nullable=True),
            count("rank_previous", "place by return within its unit, previous fit; 1 is the best", nullable=True),
            count("rank", "place by return within its unit, new fit", nullable=True),
            *_SHIFT,
            number("mcse", _DATA, "Monte Carlo standard error of the shift", nullable=True, at_least=0),
            _share("probability_sign_flip", "that draws of the two coefficients have opposite signs"),
            Column("story_changed", "flag", "true/false", "whether one of the checks' limits is passed"),
            text("why", "in what way; empty when it did not"),
        ),
        unique=("group", "channel"),
    ),
    Table(
        "drift_causes",
        "one kind of cause",
        (
            Column(
                "cause", "text", "text", "what may have moved the fit",
                one_of=("rows", "history", "config", "code", "sampler_noise"),
            ),
            Column("state", "text", "text", "whether it happened", one_of=("present", "absent", "not_computed")),
            count("count", "how often", nullable=True),
            text("unit", "what is counted"),
            text("detail", "what happened"),
            number(
                "largest_shift_sd", "sd of the previous posterior",
                "largest shift that it explains; 0 when it did not happen, missing when not computed", nullable=True,
            ),
            text("parameter", "the parameter of that shift; may be empty"),
            text("shift_note", "how it was computed, or why not"),
        ),
        unique=("cause",),
    ),
    Table(
        "drift_settings",
        "one key of the config, or one part of the code, that changed",
        (
            Column("kind", "text", "text", "what changed", one_of=("config", "code")),
            text("section", "section of the config, or what the code made"),
            text("key", "key path within the section, or part of the code"),
            text("previous", "value of the previous fit"),
            text("now", "value of the new fit"),
        ),
        unique=("kind", "section", "key"),
    ),
    Table(
        "drift_columns",
        "one column of either data set, the most revised first",
        (
            text("column", "column of the data"),
            Column("state", "text", "text", "in which of the two data sets", one_of=("both", "added", "removed")),
            Column("used", "flag", "true/false", "whether the model or its channels read it"),
            count("cells_revised", "cells that changed in rows of both data sets"),
            number(
                "largest_change_in_sd", "sd of the previous column", "largest change of a number", nullable=True,
                at_least=0,
            ),
        ),
        unique=("column",),
    ),
    Table(
        "drift_cells",
        "one revised cell: values that came or went and text first, then the largest changes",
        (
            ROW, DATE, GROUP,
            text("column", "column of the data"),
            text("previous", "value of the previous data; empty where it was missing"),
            text("now", "value of the new data; empty where it is missing"),
            number("change", "data units", "new − previous, for numbers", nullable=True),
            number("change_in_sd", "sd of the previous column", "the change in units of it", nullable=True),
        ),
        unique=("row", "column"),
    ),
    Table(
        "refresh_drift_checks", "one check of the new fit beside the one before", CHECK_COLUMNS, unique=("check_id",)
    ),
)  # fmt: skip
