"""Totals over the horizon: summed within each draw, by panel unit and over all, path by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.fit.spread import probability
from dsam_assets.forecast.future_rows import FutureRows
from dsam_assets.forecast.joined import IntArray
from dsam_assets.forecast.predictive import summary
from dsam_assets.forecast.timeline import ALL
from dsam_assets.scales import FloatArray

SAME_BUDGET = 0.005  # totals that differ by less than this share count as one
# Paths whose difference is worth showing, as far as both are there.
DIFFERENCES: Mapping[str, tuple[str, str]] = {"plan_minus_base": ("plan", "base"), "plan_minus_even": ("plan", "even")}


@dataclass(frozen=True)
class Totals:
    """Draws of the sums over the rows of each unit, KPI scale, shape (units, S) each."""

    expected: FloatArray
    predicted: FloatArray


def summary_table(rows: FutureRows, totals: Mapping[str, Totals]) -> pd.DataFrame:
    """One row per scope, path and quantity; scopes are the panel units and `all`.

    Differences between paths are of what is expected, paired by draw.

    Args:
        rows: the rows that were summed.
        totals: path → draws.
    """
    scopes: list[tuple[str, IntArray, IntArray]] = [(ALL, np.arange(len(rows.units)), np.arange(len(rows.unit)))]
    if rows.matrix.groups:
        units = enumerate(rows.units)
        scopes = [(name, np.array([unit]), np.flatnonzero(rows.unit == unit)) for unit, name in units] + scopes
    return pd.DataFrame(
        [
            {**_scope(rows, label, chosen), **line}
            for label, members, chosen in scopes
            for line in _lines({name: _over(each, members) for name, each in totals.items()})
        ]
    )


def _over(totals: Totals, units: IntArray) -> Totals:
    return Totals(totals.expected[units].sum(axis=0), totals.predicted[units].sum(axis=0))


def _scope(rows: FutureRows, label: str, chosen: IntArray) -> dict[str, Any]:
    dates, known = rows.dates.iloc[chosen], rows.observed[chosen]
    return {
        "group": label,
        "periods": int(dates.nunique()),
        "rows": int(chosen.size),
        "first_date": dates.min(),
        "last_date": dates.max(),
        "new": label in rows.new,
        "observed_total": float(known.sum()) if np.isfinite(known).all() else float("nan"),
    }


def _lines(totals: Mapping[str, Totals]) -> Iterator[dict[str, Any]]:
    """Totals of each path, then differences of what is expected; draws of shape (S,)."""
    for path, each in totals.items():
        yield _line(path, "expected", each.expected, float("nan"))
        # noise averages out, so the mean of what is expected is the mean of what will be observed, known more exactly
        yield {**_line(path, "predicted", each.predicted, float("nan")), "mean": float(each.expected.mean())}
    for name, (first, second) in DIFFERENCES.items():
        if first in totals and second in totals:
            change = totals[first].expected - totals[second].expected
            yield _line(name, "expected", change, probability(change > 0))


def _line(path: str, quantity: str, draws: FloatArray, positive: float) -> dict[str, Any]:
    with np.errstate(invalid="ignore"):  # infinite totals have no spread
        numbers = {name: float(value) for name, value in summary(draws).items()}
    return {"path": path, "quantity": quantity, **numbers, "probability_positive": positive}


def spend_change(channels: pd.DataFrame) -> float:
    """How much more the plan spends than the future data, as a share; NaN where their spend is not known."""
    ahead, planned = float(channels["spend_ahead"].sum(skipna=False)), float(channels["spend_plan"].sum())
    return planned / ahead - 1 if ahead > 0 else float("nan")


def more_or_less(change: float) -> str:
    """`4.6% less`; empty where the totals count as one, or are not known."""
    return f"{abs(change):.1%} {'more' if change > 0 else 'less'}" if abs(change) > SAME_BUDGET else ""


def spending_notes(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Of the plan's change, what comes from spending evenly and from spending more or less, in sentences."""
    if "forecast_plan" not in tables:
        return []
    notes, change = [], spend_change(tables["forecast_plan"])
    if abs(change) > SAME_BUDGET:
        notes.append(f"The plan spends {change:+.1%} against the future data's spend.")
    table = tables["forecast_summary"]
    rows = table[(table["group"] == ALL) & (table["quantity"] == "expected")].set_index("path")["mean"]
    if "even" in rows.index:
        gain, even = rows["plan_minus_base"], rows["even"] - rows["base"]
        notes.append(
            f"The plan spends the same in every period. Of its change of {gain:+,.0f} KPI units, {even:+,.0f} would "
            "come from spending the future data's own budget that evenly (path even)."
        )
    return notes
