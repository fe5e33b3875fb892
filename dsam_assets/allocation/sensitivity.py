"""What it costs to miss the plan: one channel's spend moved by up to a fifth, under three rules for the rest.

held         the others stay as planned, and the total changes by what the channel's spend changes
scaled       the others give or take it in proportion to their planned spend, as far as their bounds allow
reoptimised  the others give or take it in the best way
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.allocation.budget import split_like
from dsam_assets.allocation.nearby import at_budget, best_near
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.rows import beyond, budget_table, estimate, first_row
from dsam_assets.scales import FloatArray

# Changes of a channel's planned spend, as shares of it.
ENDS = (-0.2, 0.2)
STEPS = tuple(step / 25 for step in range(-5, 6))
# A spend this far outside a bound, as a share of the budget, is outside.
_SLACK = 1e-9


def sensitivity_table(problem: Problem, plan: FloatArray) -> pd.DataFrame:
    """`budget_sensitivity`: every channel under every rule; `held` in eleven steps, the others at both ends.

    Args:
        problem: what was asked; its own budget does not matter.
        plan: its solution, shape (C,).
    """
    planned = at_budget(problem, float(plan.sum()))
    objective = Objective(planned)
    rows = [_row(objective, plan, *case) for case in _cases(planned, plan)]
    return budget_table("budget_sensitivity", {key: [row[key] for row in rows] for key in rows[0]})


def _cases(problem: Problem, plan: FloatArray) -> Iterator[tuple[int, float, str, FloatArray | None]]:
    """Channel, change, rule and the plan under it; None when the others cannot give or take the difference."""
    for channel in range(len(plan)):
        for rule, changes in (("held", STEPS), ("scaled", ENDS), ("reoptimised", ENDS)):
            for change in changes:
                yield channel, change, rule, _RULES[rule](problem, plan, channel, (1.0 + change) * plan[channel])


def _held(problem: Problem, plan: FloatArray, channel: int, spend: float) -> FloatArray:
    moved = plan.copy()
    moved[channel] = spend
    return moved


def _scaled(problem: Problem, plan: FloatArray, channel: int, spend: float) -> FloatArray | None:
    fixed = _fixed(problem, channel, spend)
    if fixed is None:
        return None
    return split_like(_held(problem, plan, channel, spend), fixed.lower, fixed.reach, fixed.total)


def _reoptimised(problem: Problem, plan: FloatArray, channel: int, spend: float) -> FloatArray | None:
    fixed = _fixed(problem, channel, spend)
    return None if fixed is None else best_near(fixed, [_held(problem, plan, channel, spend)])


_RULES: Mapping[str, Callable[[Problem, FloatArray, int, float], FloatArray | None]] = {
    "held": _held,
    "scaled": _scaled,
    "reoptimised": _reoptimised,
}


def _fixed(problem: Problem, channel: int, spend: float) -> Problem | None:
    """The problem with one channel's spend given, whatever its bounds say; None when the rest cannot make it up."""
    channels = list(problem.channels)
    channels[channel] = replace(channels[channel], lower=spend, upper=spend)
    least = sum(c.lower for c in channels)
    most = sum(c.upper for c in channels)
    slack = 1e-12 * problem.total
    if least > problem.total + slack or most < problem.total - slack:
        return None
    return replace(problem, channels=tuple(channels))


def _row(
    objective: Objective, plan: FloatArray, channel: int, change: float, rule: str, moved: FloatArray | None
) -> dict[str, Any]:
    problem = objective.problem
    spend = (1.0 + change) * float(plan[channel])
    slack = _SLACK * problem.total
    row = {
        "channel": problem.names[channel],
        "change": change,
        "rest": rule,
        "status": "ok" if moved is not None else "others_cannot_absorb",
        "spend": spend,
        "within_bounds": bool(problem.lower[channel] - slack <= spend <= problem.upper[channel] + slack),
        "extrapolated": beyond(np.array([spend]), problem.observed_max[channel])[0],
        "objective_unit": problem.objective_unit,
        "response_unit": problem.response_unit,
    }
    return {**row, **_effect(objective, plan, moved)}


def _effect(objective: Objective, plan: FloatArray, moved: FloatArray | None) -> dict[str, Any]:
    names = ("spend_total", "score", "delta_score", "delta_kpi_mean", "delta_kpi_lower", "delta_kpi_upper")
    if moved is None:
        return dict.fromkeys(names, np.nan)
    score = objective.score(moved)
    difference = objective.outcome(moved).kpi - objective.outcome(plan).kpi
    numbers = (float(moved.sum()), score, score - objective.score(plan))
    return {
        **dict(zip(names, numbers, strict=False)),
        **first_row(estimate(difference[:, None], "delta_kpi")),
    }
