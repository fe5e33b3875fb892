"""Each channel's response at any spend, with bands over draws, beside where the spend is now and where it should be.

Responses are KPI per period above the channel's zero spend, the other channels at their reference spend; under a log
response they go through the baseline draw by draw, and without a baseline they are shares of the KPI. A marginal is the
derivative of the response: KPI per further unit of spend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.allocation.channel_response import channel_response, marginal_draws
from dsam_assets.allocation.efficiency import metric_interval, metric_value, metric_words
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.rows import LOWER, UPPER, beyond, budget_table, finite
from dsam_assets.fit.spread import MIDDLE, quantiles
from dsam_assets.scales import FloatArray

CURVE_POINTS = 101
# Quantiles of the inner band: a central 50 % interval.
INNER = (0.25, 0.75)
# Curves run this far beyond the largest of reference, recommended and observed spend.
_CURVE_REACH = 1.25


def response_curve_tables(problem: Problem, plan: FloatArray | None) -> Mapping[str, pd.DataFrame]:
    """`budget_response_curves`, `budget_response_points` and `budget_marginal_roi`.

    Args:
        problem: channels, draws and reference spends; its budget and bounds only matter where nothing else says how far
            a channel's curve should run.
        plan: recommended spend per channel, shape (C,); None when there is no plan, and then no optimised points.
    """
    grids, points = _grids(problem, plan), _points(problem, plan)
    count = len(points)
    labels = [name for _ in problem.names for name in ("reference", "optimised")[:count]]
    at_points = np.stack(points, axis=1)
    return {
        "budget_response_curves": budget_table("budget_response_curves", _response_rows(problem, grids)),
        "budget_response_points": budget_table(
            "budget_response_points", {"point": labels, **_response_rows(problem, list(at_points))}
        ),
        "budget_marginal_roi": budget_table("budget_marginal_roi", _marginal_rows(problem, grids, at_points)),
    }


def _points(problem: Problem, plan: FloatArray | None) -> list[FloatArray]:
    return [problem.reference] if plan is None else [problem.reference, plan]


def _grids(problem: Problem, plan: FloatArray | None) -> list[FloatArray]:
    """Spends from zero to a quarter beyond the largest spend of interest, per channel."""
    ends = _CURVE_REACH * np.fmax.reduce([*_points(problem, plan), problem.observed_max])
    ends = np.where(ends > 0.0, ends, np.where(problem.reach > 0.0, problem.reach, problem.total))
    return [np.linspace(0.0, float(end), CURVE_POINTS) for end in ends]


def _response_rows(problem: Problem, spends: Sequence[FloatArray]) -> Mapping[str, Any]:
    return _stack([_response(problem, channel, spend) for channel, spend in enumerate(spends)])


def _response(problem: Problem, channel: int, spends: FloatArray) -> dict[str, Any]:
    """Response columns of one channel at some spends."""
    draws = channel_response(problem, channel, spends)
    low, low_50, middle, high_50, high = quantiles(draws, [LOWER, INNER[0], MIDDLE, INNER[1], UPPER])
    slopes = finite(marginal_draws(problem, channel, spends))
    slope_low, slope_high = quantiles(slopes, [LOWER, UPPER])
    mean, (metric, unit) = draws.mean(axis=0), metric_words(problem)
    return {
        **_place(problem, channel, spends),
        "mean": mean,
        "lower": low,
        "lower_50": low_50,
        "p50": middle,
        "upper_50": high_50,
        "upper": high,
        "marginal": slopes.mean(axis=0),
        "marginal_lower": slope_low,
        "marginal_upper": slope_high,
        "response_unit": _repeat(problem.response_unit, spends),
        "metric": _repeat(metric, spends),
        "metric_unit": _repeat(unit, spends),
        "metric_value": metric_value(problem, mean, problem.money_rates[channel] * spends),
    }


def _marginal_rows(problem: Problem, grids: Sequence[FloatArray], points: FloatArray) -> Mapping[str, Any]:
    labels = ["reference", "optimised"][: points.shape[1]]
    blocks = []
    for channel, (grid, at) in enumerate(zip(grids, points, strict=True)):
        block = _marginal(problem, channel, np.concatenate([grid, at]))
        blocks.append({**block, "point": ["curve"] * len(grid) + labels})
    return _stack(blocks)


def _marginal(problem: Problem, channel: int, spends: FloatArray) -> dict[str, Any]:
    """The efficiency of one channel's next unit at some spends."""
    draws = finite(marginal_draws(problem, channel, spends))
    metric, unit = metric_words(problem)
    money = np.full(len(spends), problem.money_rates[channel])
    low, high = metric_interval(problem, draws, money, (LOWER, UPPER))
    return {
        **_place(problem, channel, spends),
        "metric": _repeat(metric, spends),
        "metric_unit": _repeat(unit, spends),
        "value": metric_value(problem, draws.mean(axis=0), money),
        "value_lower": low,
        "value_upper": high,
    }


def _place(problem: Problem, channel: int, spends: FloatArray) -> dict[str, Any]:
    return {
        "channel": _repeat(problem.names[channel], spends),
        "spend": spends,
        "spend_currency": problem.money_rates[channel] * spends,
        "extrapolated": beyond(spends, problem.observed_max[channel]),
    }


def _repeat(text: str, spends: FloatArray) -> list[str]:
    return [text] * len(spends)


def _stack(blocks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {key: [value for block in blocks for value in block[key]] for key in blocks[0]}
