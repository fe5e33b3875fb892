"""Return on investment and cost per KPI unit, channel by channel and in total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsam_assets.allocation.channel_response import joint_response, responses_at
from dsam_assets.allocation.problem import Problem
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import FloatArray


def metric_words(problem: Problem) -> tuple[str, str]:
    """Name and unit of the efficiency metric: ROI for revenue, CPA for subscriptions."""
    if problem.kpi_type == "subscriptions":
        return "cpa", f"currency per {problem.response_unit}"
    valued = problem.value_per_kpi is not None and not problem.relative
    return "roi", "currency per currency" if valued else f"{problem.response_unit} per currency"


def metric_value(problem: Problem, response: FloatArray, money: FloatArray) -> FloatArray:
    """ROI = value_per_kpi × response / money (value 1 when not given), or CPA = money / response.

    Both average from zero spend. NaN where they mean nothing: no money spent, or for CPA no positive response.
    """
    response, money = np.broadcast_arrays(np.asarray(response, dtype=np.float64), money)
    out = np.full(response.shape, np.nan)
    if problem.kpi_type == "subscriptions":
        np.divide(money, response, out=out, where=(response > 0.0) & (money > 0.0))
        return out
    value = 1.0 if problem.value_per_kpi is None or problem.relative else problem.value_per_kpi
    np.divide(value * response, money, out=out, where=money > 0.0)
    return out


def metric_interval(
    problem: Problem, response: FloatArray, money: FloatArray, interval: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Ends of the metric's interval over draws of the response (S, N). CPA falls as the response rises: ends swap."""
    low, high = metric_value(problem, quantiles(response, interval), money)
    return (high, low) if problem.kpi_type == "subscriptions" else (low, high)


def roi_cpa_rows(
    problem: Problem, spends: Mapping[str, FloatArray], interval: tuple[float, float]
) -> Mapping[str, Any]:
    """One row per channel and a TOTAL, whose response is the joint one: all channels against none."""
    metric, unit = metric_words(problem)
    columns: dict[str, Any] = {key: np.append(column, column.sum()) for key, column in spends.items()}
    means = {}
    for when in ("reference", "optimised"):
        spend, money = spends[f"spend_{when}"], columns[f"spend_{when}_currency"]
        draws = np.column_stack([responses_at(problem, spend), joint_response(problem, spend)])
        means[when] = draws.mean(axis=0)
        columns[f"mean_{when}"] = means[when]
        columns[f"value_{when}"] = metric_value(problem, means[when], money)
        low, high = metric_interval(problem, draws, money, interval)
        columns[f"value_{when}_lower"], columns[f"value_{when}_upper"] = low, high
    return {
        "channel": [*problem.names, "TOTAL"],
        "is_total": [False] * len(problem.names) + [True],
        "metric": metric,
        "metric_unit": unit,
        **columns,
        "delta_response": means["optimised"] - means["reference"],
        "response_unit": problem.response_unit,
    }
