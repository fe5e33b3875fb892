"""Schema of the fleet's status."""

from __future__ import annotations

from dsam_assets.report.columns import STATUS, count, number, text
from dsam_assets.report.fleet_status import CONDITIONS, GATE_WORDS
from dsam_assets.tables import Column, Table


def _time(name: str, description: str) -> Column:
    return Column(name, "date", "UTC", description, nullable=True)


FLEET_TABLES: tuple[Table, ...] = (
    Table(
        "fleet_status",
        "one market, worst first",
        (
            text("market", "partition"),
            Column("condition", "text", "text", "what a run would do with it", one_of=CONDITIONS),
            Column(
                "overall", "text", "text", "overall status of the stored verdict", nullable=True,
                one_of=("pass", "warn", "fail"),
            ),
            Column(
                "reliability", "text", "text", "what may be built on it", nullable=True,
                one_of=("final", "provisional", "blocked"),
            ),
            *(
                Column(gate, "text", "text", f"worst status: {words}", nullable=True, one_of=STATUS)
                for gate, words in GATE_WORDS.items()
            ),
            count("n_fail", "checks that fail", nullable=True),
            count("n_not_computed", "checks that were not computed", nullable=True),
            count("n_warn", "checks that warn", nullable=True),
            Column("last_date", "date", "date", "last date that was modelled", nullable=True),
            Column("data_age_days", "integer", "days", "from there to the time of the look", nullable=True),
            _time("fitted_at", "when the posterior was computed"),
            Column("fit_age_days", "integer", "days", "from there to the time of the look", nullable=True),
            number("kpi_elpd_loo", "nats", "expected log predictive density on the KPI scale", nullable=True),
            number("se_kpi_elpd_loo", "nats", "its standard error", nullable=True, at_least=0),
            count("n_rows", "modelled rows", nullable=True),
            number("elpd_drift", "nats", "change of the density of the rows that the fit before scored", nullable=True),
            number("se_elpd_drift", "nats", "its standard error", nullable=True, at_least=0),
            count("elpd_drift_rows", "rows that both fits score", nullable=True),
            count("channels_changed", "channels whose story changed since the fit before", nullable=True),
            count("channels_compared", "channels of either fit", nullable=True),
            _time("compared_with", "when the fit before was computed; missing without one"),
            text("efficiency_metric", "roi or cpa; missing without a current plan", nullable=True),
            number("efficiency", "efficiency_unit", "of the whole portfolio at the reference spend", nullable=True),
            number("efficiency_lower", "efficiency_unit", "its 5 % quantile", nullable=True),
            number("efficiency_upper", "efficiency_unit", "its 95 % quantile", nullable=True),
            text("efficiency_unit", "unit of the efficiency", nullable=True),
            text("stale", "what changed since it was computed; empty when nothing did"),
            _time("stale_since", "when the first known change was made"),
            text("problem", "what is wrong, or the last failure; empty when nothing is"),
            text("report", "address of the last report, relative to the fleet's page; empty without one"),
        ),
        unique=("market",),
    ),
)  # fmt: skip
