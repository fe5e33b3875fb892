"""The efficient frontier: the best plan at every budget, what it brings, and what its last unit of budget brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.allocation.certificate import BOUND_TOLERANCE
from dsam_assets.allocation.channel_response import joint_marginal, joint_response
from dsam_assets.allocation.efficiency import metric_interval, metric_value, metric_words
from dsam_assets.allocation.nearby import at_budget, best_near
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.rows import LOWER, UPPER, beyond, budget_table, estimate, first_row
from dsam_assets.scales import FloatArray

# Budgets as multiples of the plan's: from nothing to twice as much in tenths.
MULTIPLIERS = tuple(step / 10 for step in range(21))
# The reference's budget has a point of its own where it differs from the plan's by more than this share.
_SAME = 0.005


@dataclass(frozen=True, eq=False)
class FrontierPoint:
    """One budget and its best plan.

    Attributes:
        kind: `plan` for the recommended plan, `reference_budget` for what the reference spends in all, `smallest` and
            `largest` where the bounds end the frontier, `frontier` for the rest.
        total: the budget per period, spend units.
        spend: the best plan, shape (C,).
    """

    kind: str
    total: float
    spend: FloatArray


def efficient_frontier(problem: Problem, plan: FloatArray) -> tuple[FrontierPoint, ...]:
    """Best plans at multiples of the plan's budget, as far as the bounds allow, and at the reference's budget.

    Every plan spends its whole budget. It starts from the next smaller budget's, so that where more spend never lowers
    the score, neither does a larger budget.

    Args:
        problem: what was asked; its own budget does not matter.
        plan: its solution, shape (C,), which is the frontier's point at its own budget.
    """
    points: list[FrontierPoint] = []
    for kind, total in _budgets(problem, float(plan.sum())):
        starts = [points[-1].spend, plan] if points else [plan]
        points.append(FrontierPoint(kind, total, plan if kind == "plan" else _best(problem, total, starts)))
    return tuple(points)


def _budgets(problem: Problem, own: float) -> list[tuple[str, float]]:
    """Kind and size of every budget, in order of size."""
    least, most = float(problem.lower.sum()), float(problem.upper.sum())
    wanted = [("plan" if multiplier == 1.0 else "frontier", multiplier * own) for multiplier in MULTIPLIERS]
    reference = float(problem.reference.sum())
    if abs(reference - own) > _SAME * own:
        wanted.append(("reference_budget", reference))
    kept = [(kind, total) for kind, total in wanted if least < total < most or kind == "plan"]
    ends = [("smallest", least, min), ("largest", most, max)]
    kept += [
        (kind, end)
        for kind, end, outermost in ends
        if outermost(total for _, total in wanted) != outermost(total for _, total in kept) and end != own
    ]
    return sorted(kept, key=lambda budget: budget[1])


def _best(problem: Problem, total: float, starts: Sequence[FloatArray]) -> FloatArray:
    if total <= float(problem.lower.sum()):
        return problem.lower
    return best_near(at_budget(problem, total), starts)


def frontier_tables(problem: Problem, points: Sequence[FrontierPoint]) -> Mapping[str, pd.DataFrame]:
    """`budget_efficient_frontier`, one row per budget, and `budget_frontier_spend`, one row per budget and channel."""
    own = next(point.total for point in points if point.kind == "plan")
    rows = [{**_place(point, own), **budget_outcome(problem, point.spend)} for point in points]
    blocks = [_spends(problem, point, own) for point in points]
    return {
        "budget_efficient_frontier": budget_table(
            "budget_efficient_frontier", {key: [row[key] for row in rows] for key in rows[0]}
        ),
        "budget_frontier_spend": budget_table(
            "budget_frontier_spend", {key: [value for block in blocks for value in block[key]] for key in blocks[0]}
        ),
    }


def _place(point: FrontierPoint, own: float) -> dict[str, Any]:
    return {"point": point.kind, "multiplier": point.total / own, "budget": point.total}


def budget_outcome(problem: Problem, spend: FloatArray) -> dict[str, Any]:
    """What a plan brings: score, KPI, profit, ROI or CPA, and what its last unit of budget brings; one row."""
    objective = Objective(problem)
    outcome, response = objective.outcome(spend), joint_response(problem, spend)[:, None]
    money = np.array([float(problem.money_rates @ spend)])
    low, high = metric_interval(problem, response, money, (LOWER, UPPER))
    valued = problem.value_per_kpi is not None and not problem.relative
    profit = problem.value_per_kpi * float(outcome.kpi.mean()) - outcome.spend if valued else np.nan  # type: ignore[operator]
    metric, unit = metric_words(problem)
    return {
        "objective_unit": problem.objective_unit,
        "response_unit": problem.response_unit,
        "metric": metric,
        "metric_unit": unit,
        "budget_currency": float(money[0]),
        "score": objective.score(spend),
        **first_row(estimate(outcome.kpi[:, None], "delta_kpi")),
        **first_row(estimate(response, "response")),
        "delta_profit": profit,
        **first_row(
            {
                "metric_value": metric_value(problem, response.mean(axis=0), money),
                "metric_lower": low,
                "metric_upper": high,
            }
        ),
        **_last_unit(problem, objective, spend),
        "n_extrapolated": sum(bool(far) for far in beyond(spend, problem.observed_max)),
    }


def _last_unit(problem: Problem, objective: Objective, spend: FloatArray) -> dict[str, float]:
    """What the last unit of budget brings, which is in the channel that gives one up at the least loss of score."""
    givers = spend > problem.lower + BOUND_TOLERANCE * float(spend.sum())
    if not givers.any():
        return {"marginal_response": np.nan, "marginal_metric": np.nan}
    slopes = np.where(givers, objective.gradient(spend), np.inf)
    least = int(np.argmin(slopes))
    response = joint_marginal(problem, spend)[least : least + 1]
    money = problem.money_rates[least : least + 1]
    return {
        "marginal_response": float(response[0]),
        "marginal_metric": float(metric_value(problem, response, money)[0]),
    }


def _spends(problem: Problem, point: FrontierPoint, own: float) -> dict[str, Any]:
    spend, money = point.spend, problem.money_rates * point.spend
    count, total = len(spend), float(money.sum())
    return {
        **{key: [value] * count for key, value in _place(point, own).items()},
        "channel": list(problem.names),
        "spend": spend,
        "spend_currency": money,
        "share": money / total if total > 0.0 else np.full(count, np.nan),
        "extrapolated": beyond(spend, problem.observed_max),
    }
