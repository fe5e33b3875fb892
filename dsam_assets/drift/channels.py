"""What became of every channel: its return, its place among the others, its share, its coefficient, and its story.

A channel's story changed when one of `LIMITS` is passed, when its order with another channel is reversed, or when it is
new or gone. Returns are those of the whole data of each fit, so new rows change them even where no coefficient moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dsam_assets.diagnostics.thresholds import THRESHOLDS, judge
from dsam_assets.drift.parameters import MCSE_FACTOR

if TYPE_CHECKING:
    from dsam_assets.drift.snapshot import FitSnapshot

TOTAL, ALL = "TOTAL", "all"
# Two channels change places when each return was, and is, apart from the other's by more than this share of the larger:
# what lies closer together has no order.
ORDER_GAP = 0.1
CHECK_OF = {
    "excess_shift": "refresh_drift_shift",
    "probability_sign_flip": "refresh_drift_sign",
    "share_change_size": "refresh_drift_share",
}
WHY = {
    "excess_shift": "its coefficient moved by {shift_previous_sd:+.1f} sd of the previous posterior",
    "probability_sign_flip": "its effect has probably changed sign ({probability_sign_flip:.0%})",
    "share_change_size": "its share of the media effect changed by {points:+.0f} percentage points",
}
_RETURN = ("metric_value", "metric_q05", "metric_q95", "marginal_value")
_RENAMED = {
    "metric_value": "return", "metric_q05": "return_q05", "metric_q95": "return_q95", "marginal_value": "marginal",
    "share_of_effect": "share",
}  # fmt: skip
_MOVED = ("shift", "shift_previous_sd", "mcse", "probability_sign_flip")


def channel_table(previous: FitSnapshot, now: FitSnapshot, parameters: pd.DataFrame) -> pd.DataFrame | None:
    """One row per panel unit and channel of either fit; `None` when neither has media.

    Args:
        previous, now: the two fits.
        parameters: `drift_parameters`.
    """
    old, new = (_returns(fit) for fit in (previous, now))
    if old.empty and new.empty:
        return None
    keys = list(dict.fromkeys([*new.index, *old.index]))
    table = pd.DataFrame(keys, columns=["group", "channel"])
    table["term"] = [(new if key in new.index else old).loc[key, "term"] for key in keys]
    table["state"] = ["both" if k in old.index and k in new.index else "added" if k in new.index else "removed"
                      for k in keys]  # fmt: skip
    for name in ("metric", "metric_unit"):
        table[name] = [(new if key in new.index else old).loc[key, name] for key in keys]
    before, after = (each.reindex(pd.MultiIndex.from_tuples(keys)) for each in (old, new))
    alike = ((before["metric"] == after["metric"]) & (before["metric_unit"] == after["metric_unit"])).to_numpy()
    for name, renamed in _RENAMED.items():
        a, b = (each[name].to_numpy(dtype=np.float64) for each in (before, after))
        table[f"{renamed}_previous"], table[renamed] = a, b
        if name in ("metric_value", "marginal_value"):
            table[f"{renamed}_change"] = np.where(alike, b - a, np.nan)
        elif name == "share_of_effect":
            table["share_change"] = b - a
    table = _with_ranks(table)
    return _with_story(_with_coefficients(table, parameters))


def _returns(fit: FitSnapshot) -> pd.DataFrame:
    table = fit.tables.get("decomp_channels")
    columns = ["term", "metric", "metric_unit", *_RENAMED]
    if table is None:
        return pd.DataFrame(columns=columns, index=pd.MultiIndex.from_arrays([[], []]))
    rows = table[table["channel"] != TOTAL]
    return rows.set_index(["group", "channel"])[columns]


def _with_ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Rank of each return within its panel unit, 1 the best: the largest ROI, or the lowest cost."""
    is_cost = (table["metric"] == "cpa").to_numpy()
    for name in ("rank_previous", "rank"):
        values = table["return_previous" if name == "rank_previous" else "return"]
        best_first = pd.Series(np.where(is_cost, values, -values), index=table.index)
        table[name] = best_first.groupby(table["group"]).rank(method="min").astype("Int64")
    return table


def _with_coefficients(table: pd.DataFrame, parameters: pd.DataFrame) -> pd.DataFrame:
    """The channel's coefficient: that of the panel unit where it varies, the population's otherwise."""
    found = parameters.drop_duplicates(["group", "parameter"]).set_index(["group", "parameter"])[list(_MOVED)]
    rows = [(group if (group, term) in found.index else ALL, term) for group, term in table[["group", "term"]].values]
    moved = found.reindex(pd.MultiIndex.from_tuples(rows)).reset_index(drop=True)
    return pd.concat([table, moved], axis=1)


def _with_story(table: pd.DataFrame) -> pd.DataFrame:
    swapped = swaps(table)
    reasons = [[*_reasons(row), *_order(row, swapped)] for row in table.to_dict("records")]
    return table.assign(story_changed=[bool(each) for each in reasons], why=["; ".join(each) for each in reasons])


def excess_shift(table: pd.DataFrame) -> pd.Series:
    """Size of each shift beyond its Monte Carlo error, in sd of the previous posterior."""
    sd = (table["shift"] / table["shift_previous_sd"]).abs()
    beyond = (table["shift"].abs() - MCSE_FACTOR * table["mcse"]).clip(lower=0.0)
    still = table["shift"] == 0  # of no shift the sd cannot be told, and need not be
    return (beyond / sd).where(~still, 0.0)


def _reasons(row: Mapping[Any, Any]) -> Iterator[str]:
    if row["state"] != "both":
        yield "it is new in the model" if row["state"] == "added" else "it is no longer in the model"
        return
    frame = pd.DataFrame([row])
    values = {
        "excess_shift": float(excess_shift(frame).iloc[0]),
        "probability_sign_flip": row["probability_sign_flip"],
        "share_change_size": abs(row["share_change"]),
    }
    for name, check in CHECK_OF.items():
        if judge(values[name], THRESHOLDS["explore"][check]) == "warn":
            yield WHY[name].format(**{**row, "points": 100 * row["share_change"]})


def _order(row: Mapping[Any, Any], swapped: Mapping[str, list[tuple[str, str]]]) -> Iterator[str]:
    others = [b if a == row["channel"] else a for a, b in swapped.get(row["group"], []) if row["channel"] in (a, b)]
    if others:
        yield f"its return has changed places with that of {', '.join(others)}"


def swaps(table: pd.DataFrame) -> dict[str, list[tuple[str, str]]]:
    """Pairs of channels by panel unit whose order by return is reversed, and clear before and after."""
    found: dict[str, list[tuple[str, str]]] = {}
    known = table.dropna(subset=["return", "return_previous", "return_change"])
    for group, rows in known.groupby("group", sort=False):
        values = rows[["channel", "return_previous", "return"]].to_numpy()
        for (a, old_a, new_a), (b, old_b, new_b) in combinations(values, 2):
            if _clear(old_a, old_b) * _clear(new_a, new_b) < 0:
                found.setdefault(str(group), []).append((str(a), str(b)))
    return found


def _clear(a: float, b: float) -> int:
    """Which of two returns is larger, 1 or −1; 0 when they are too close to say."""
    return 0 if abs(a - b) <= ORDER_GAP * max(abs(a), abs(b)) else 1 if a > b else -1
