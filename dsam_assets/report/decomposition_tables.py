"""Schemas of the decomposition's tables. All amounts are sums over rows on the KPI scale unless a column says else."""

from __future__ import annotations

from dsam_assets.report.columns import TERM, count, number, text
from dsam_assets.tables import Column, Table

_KPI = "KPI units"
_GROUPS = ("baseline", "trend", "seasonality", "holidays", "controls", "media")
_UNIT = text("group", "panel unit, or all")
_RELIABILITY = Column(
    "reliability", "text", "text", "state of the evidence", one_of=("final", "provisional", "blocked")
)


def _estimate(
    unit: str, name: str, low: str, high: str, what: str, *, nullable: bool = False
) -> tuple[Column, Column, Column]:
    return (
        number(name, unit, f"{what}: posterior mean", nullable=nullable),
        number(low, unit, f"{what}: 5 % quantile over draws; missing for a point", nullable=True),
        number(high, unit, f"{what}: 95 % quantile over draws; missing for a point", nullable=True),
    )


_CONTRIBUTION = _estimate(_KPI, "contribution", "q05", "q95", "what it adds to the fitted KPI")
_SHARE = (
    number("share", "share", "of the fitted KPI, mean by mean; shares add up to 1", nullable=True),
    number("share_q05", "share", "5 % quantile of the share under each draw; missing for a point", nullable=True),
    number("share_q95", "share", "95 % quantile of the share under each draw; missing for a point", nullable=True),
)
_KINDS = (*_GROUPS, "total")

DECOMPOSITION_TABLES: tuple[Table, ...] = (
    Table(
        "decomp_summary",
        "the fit",
        (
            text("reasons", "what the reliability is owed to; empty when it is final"),
            Column("diagnostics_overall", "text", "text", "all checks", one_of=("pass", "warn", "fail")),
            Column("estimate", "text", "text", "posterior draws or their mode", one_of=("posterior", "point")),
            count("draws", "draws used"),
            text("response", "KPI column"),
            Column("response_scale", "text", "text", "scale of the likelihood", one_of=("identity", "log")),
            text("conversion_method", "how draws reached the KPI scale"),
            Column(
                "attribution", "text", "text", "how a row's fitted KPI is divided: it is a sum, or Aumann–Shapley",
                one_of=("sum", "aumann_shapley"),
            ),
            count("rows", "modelled rows"),
            *_estimate(_KPI, "fitted", "fitted_q05", "fitted_q95", "fitted KPI over all rows"),
            number("observed", _KPI, "observed KPI over all rows"),
            Column(
                "series_step", "text", "text", "what a period of decomp_timeseries is: a date of the data, or longer",
                one_of=("own", "day", "week", "month", "quarter", "year", "all"),
            ),
            Column("series_by_unit", "flag", "true/false", "whether decomp_timeseries tells panel units apart"),
            _RELIABILITY,
        ),
    ),
    Table(
        "decomp_predictor_impact",
        "one term of one panel unit, the largest first; TOTAL is their sum",
        (
            _UNIT,
            TERM,
            Column("term_group", "text", "text", "kind of driver", one_of=_KINDS),
            Column("rank", "integer", "position", "by size; none for intercept, offset and TOTAL", nullable=True,
                   at_least=1),
            Column("top_n", "flag", "true/false", "among the outputs.decomp_top_n largest, which plots show"),
            *_CONTRIBUTION,
            *_SHARE,
            number("model_scale", "model scale", "Σ coefficient × column, posterior mean; log KPI for a log response"),
            _RELIABILITY,
        ),
        unique=("group", "term"),
    ),
    Table(
        "decomp_group_impact",
        "one group of terms of one panel unit, as the bars of a waterfall; total is their sum",
        (
            _UNIT,
            Column("term_group", "text", "text", "kind of driver", one_of=_KINDS),
            count("terms", "terms of this kind"),
            *_CONTRIBUTION,
            *_SHARE,
            number("start", _KPI, "where its bar begins: the sum of the groups above"),
            number("end", _KPI, "where its bar ends"),
            _RELIABILITY,
        ),
        unique=("group", "term_group"),
    ),
    Table(
        "decomp_timeseries",
        "one term of one period, for panels of one unit",
        (
            Column("date", "date", "date", "date of the rows, or first day of a longer period", required=False),
            Column("row", "integer", "position", "row of the data, where it has no dates", required=False, at_least=0),
            Column("group", "text", "text", "panel unit, or all", required=False),
            TERM,
            Column("term_group", "text", "text", "kind of driver", one_of=_GROUPS),
            *_CONTRIBUTION,
        ),
    ),
    Table(
        "decomp_channels",
        "one media channel of one panel unit; TOTAL is all channels together",
        (
            _UNIT,
            text("channel", "name of the channel"),
            TERM,
            *_CONTRIBUTION,
            *(number(f"share_of_effect{end}", "share", f"{what} all channels' effect", nullable=True)
              for end, what in (("", "of"), ("_q05", "5 % quantile of the share of"),
                                ("_q95", "95 % quantile of the share of"))),
            number("spend", "spend column's unit", "spend over all rows; missing without a spend column",
                   nullable=True, at_least=0),
            number("money", "currency", "the same in money", nullable=True, at_least=0),
            number("share_of_spend", "share", "of all channels' money; missing unless all are known", nullable=True,
                   at_least=0, at_most=1),
            Column("metric", "text", "text", "return on investment, or cost per KPI unit", one_of=("roi", "cpa")),
            text("metric_unit", "unit of the returns"),
            *_estimate("metric_unit", "metric_value", "metric_q05", "metric_q95", "average return on all money",
                       nullable=True),
            *_estimate("metric_unit", "marginal_value", "marginal_q05", "marginal_q95",
                       "return on the next unit of money, spent as the last ones were", nullable=True),
            text("response", "how spend is taken to turn into the term's column"),
            text("assumption", "what spend and marginal return rest on"),
            _RELIABILITY,
        ),
        unique=("group", "channel"),
    ),
    Table(
        "channel_evidence",
        "one media channel",
        (
            text("channel", "name of the channel"),
            TERM,
            number("contraction", "share", "1 − posterior variance / prior variance; missing for a point",
                   nullable=True, at_most=1),
            number("boundary_share", "share", "largest share of draws next to a boundary; missing without one",
                   nullable=True, at_least=0, at_most=1),
            number("max_baseline_corr", "correlation", "largest |r| with trend, season or holidays; missing if none",
                   nullable=True, at_least=0, at_most=1),
            Column("weak", "flag", "true/false", "whether the data say too little about it"),
            text("why", "reasons separated by ;, empty when it is not weak"),
        ),
        unique=("channel",),
    ),
)  # fmt: skip
