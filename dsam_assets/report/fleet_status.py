"""Markets × gates: where each market stands, worst first, as a table and as a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

GATES = ("p0", "g1", "g2", "g3", "g4", "g5", "g6", "g7", "p1")
GATE_WORDS = {
    "p0": "checks before the fit", "g1": "prior predictive", "g2": "R-hat", "g3": "effective sample size",
    "g4": "divergences, tree depth", "g5": "calibration", "g6": "Pareto k", "g7": "energy",
    "p1": "checks after the fit",
}  # fmt: skip
WORST_FIRST = ("fail", "not_computed", "warn", "pass", "skipped")
# How urgent a market's own state is: what cannot be run, then what nothing is known of, then what holds decisions back.
CONDITIONS = ("broken", "gone", "halted", "never_run", "stale", "current")
OVERALL = ("fail", "warn", "pass")
# Column → its column of `drift_summary`.
DRIFT = {
    "elpd_drift": "elpd_change", "se_elpd_drift": "se_elpd_change", "elpd_drift_rows": "elpd_rows",
    "channels_changed": "channels_changed", "channels_compared": "channels", "compared_with": "previous_fitted_at",
}  # fmt: skip


@dataclass(frozen=True)
class MarketNow:
    """Where one market stands.

    Attributes:
        market: partition key.
        condition: what a run would do with it, see `CONDITIONS`.
        stale: what changed, in words; empty when nothing did.
        stale_since: when the first known change was.
        overall, reliability: the verdict; empty before the first fit.
        gates: status of every check of each gate.
        last_date: last date that was modelled.
        fitted_at: when the posterior was computed.
        kpi_elpd_loo, se_kpi_elpd_loo, n_rows: PSIS-LOO on the KPI scale.
        drift: row of `drift_summary`; empty without a current comparison with the fit before.
        efficiency: row of the whole portfolio in `budget_roi_cpa`; empty without a current plan.
        problem: what is wrong, or the last failure; empty when nothing is.
        report: address of the last report, relative to the fleet's page; empty without one.
    """

    market: str
    condition: str
    stale: str = ""
    stale_since: datetime | None = None
    overall: str = ""
    reliability: str = ""
    gates: Mapping[str, Sequence[str]] = field(default_factory=dict)
    last_date: datetime | None = None
    fitted_at: datetime | None = None
    kpi_elpd_loo: float | None = None
    se_kpi_elpd_loo: float | None = None
    n_rows: int | None = None
    drift: Mapping[str, Any] = field(default_factory=dict)
    efficiency: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    report: str = ""

    @property
    def urgency(self) -> tuple[Any, ...]:
        """Sort key, worst first: condition that needs a person, verdict, number of bad checks, then staleness."""
        statuses = [status for each in self.gates.values() for status in each]
        bad = [-sum(status == wanted for status in statuses) for wanted in WORST_FIRST[:3]]
        blocked = self.condition in CONDITIONS[:4]
        place = CONDITIONS.index(self.condition)
        verdict = OVERALL.index(self.overall) if self.overall in OVERALL else len(OVERALL)
        return (not blocked, place if blocked else 0, verdict, *bad, place, self.market)


@dataclass(frozen=True)
class FleetStatus:
    """All markets at one time.

    Attributes:
        table: `fleet_status`, one row per market, worst first.
        as_of: the time of the look; ages count from here.
    """

    table: pd.DataFrame
    as_of: datetime

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {"fleet_status": self.table}

    @property
    def pages(self) -> dict[str, str]:
        """Files for people, by name."""
        from dsam_assets.report.fleet_page import status_page

        return {"fleet_status.html": status_page(self)}

    def document(self) -> dict[str, Any]:
        """The same facts for machines."""
        plain = self.table.astype(object).where(self.table.notna(), None)
        rows = [{str(name): _json(value) for name, value in row.items()} for row in plain.to_dict("records")]
        return {"as_of": self.as_of.isoformat(timespec="minutes"), "counts": self.counts(), "markets": rows}

    def counts(self) -> dict[str, int]:
        """Markets by condition."""
        found = self.table["condition"].value_counts()
        return {name: int(found[name]) for name in CONDITIONS if name in found.index}

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        overall = self.table["overall"]
        return {
            "markets": len(self.table),
            "need_attention": int(self.table["condition"].isin(CONDITIONS[:4]).sum()),
            "stale": int((self.table["condition"] == "stale").sum()),
            **{name: int((overall == name).sum()) for name in OVERALL},
            "story_changed": int((self.table["channels_changed"].fillna(0) > 0).sum()),
            "oldest_fit_days": _largest(self.table["fit_age_days"]),
            "oldest_data_days": _largest(self.table["data_age_days"]),
        }


def _json(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return str(value)  # JSON has no infinity
    return value.isoformat() if isinstance(value, datetime) else value


def _largest(ages: pd.Series) -> int | str:
    return int(ages.max()) if ages.notna().any() else "none"


def fleet_status(markets: Iterable[MarketNow], as_of: datetime) -> FleetStatus:
    """The fleet's table, worst first; `as_of` is the time of the look, in UTC without a zone."""
    rows = [_row(market, as_of) for market in sorted(markets, key=lambda market: market.urgency)]
    blank = [_row(MarketNow("", "current"), as_of)]
    frame = pd.DataFrame(rows or blank).head(len(rows))
    kinds = {
        **dict.fromkeys(("stale_since", "last_date", "fitted_at", "compared_with"), "datetime64[ns]"),
        **dict.fromkeys(("data_age_days", "fit_age_days", "n_rows", "n_fail", "n_not_computed", "n_warn"), "Int64"),
        **dict.fromkeys(("elpd_drift_rows", "channels_changed", "channels_compared"), "Int64"),
        **dict.fromkeys(("elpd_drift", "se_elpd_drift"), "float64"),
        **dict.fromkeys(
            ("kpi_elpd_loo", "se_kpi_elpd_loo", "efficiency", "efficiency_lower", "efficiency_upper"), "float64"
        ),
    }
    return FleetStatus(frame.astype(kinds), as_of)


def worst(statuses: Iterable[str]) -> str | None:
    """The worst of a gate's statuses; `None` when it has no check."""
    found = set(statuses)
    return next((status for status in WORST_FIRST if status in found), None)


def _row(market: MarketNow, as_of: datetime) -> dict[str, Any]:
    statuses = [status for each in market.gates.values() for status in each]
    total = market.efficiency
    return {
        "market": market.market,
        "condition": market.condition,
        "overall": market.overall or None,
        "reliability": market.reliability or None,
        **{gate: worst(market.gates.get(gate, ())) for gate in GATES},
        **{f"n_{name}": statuses.count(name) if statuses else None for name in ("fail", "not_computed", "warn")},
        "last_date": market.last_date,
        "data_age_days": _days(market.last_date, as_of),
        "fitted_at": market.fitted_at,
        "fit_age_days": _days(market.fitted_at, as_of),
        "kpi_elpd_loo": market.kpi_elpd_loo,
        "se_kpi_elpd_loo": market.se_kpi_elpd_loo,
        "n_rows": market.n_rows,
        **{name: market.drift.get(column) for name, column in DRIFT.items()},
        "efficiency_metric": total.get("metric"),
        "efficiency": total.get("value_reference"),
        "efficiency_lower": total.get("value_reference_lower"),
        "efficiency_upper": total.get("value_reference_upper"),
        "efficiency_unit": total.get("metric_unit"),
        "stale": market.stale,
        "stale_since": market.stale_since,
        "problem": market.problem,
        "report": market.report,
    }


def _days(then: datetime | None, now: datetime) -> int | None:
    return None if then is None else (now - then).days
