"""The best plan of a problem that differs a little from one that has been solved: its plan is the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dsam_assets.allocation.budget import nearest_feasible, split_like
from dsam_assets.allocation.general import climb_all, polish
from dsam_assets.allocation.grid import grid_plan
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.quantile_search import ascend
from dsam_assets.allocation.search import normal_score
from dsam_assets.allocation.water_filling import water_fill
from dsam_assets.scales import FloatArray

# A coarse grid finds the right hump of an S-shaped response; the climb does the rest.
_GRID_STEPS = 200
_FOLLOWED = 2
# Linear programmes that climb a quantile.
_PROGRAMMES = 12


def at_budget(problem: Problem, total: float) -> Problem:
    """The same question with exactly so much to spend, > 0."""
    return replace(problem, scenario="max_response", total=total)


def best_near(problem: Problem, starts: Sequence[FloatArray]) -> FloatArray:
    """The best plan found from some starts, which need not be feasible; exact when the score is separable and concave.

    A coarse grid joins the starts where a response is S-shaped. Only the best starts are followed, so the result is
    never worse than the nearest feasible plan to any of them.
    """
    objective = Objective(problem)
    form = objective.separable_form()
    filled = water_fill(form).spend
    if objective.separable and form.concave:
        return filled
    bounds = (problem.lower, problem.reach, problem.total)
    plans = [filled] if form.concave else [filled, grid_plan(form, _GRID_STEPS)]
    plans += [fit(start, *bounds) for start in starts for fit in (nearest_feasible, split_like)]
    scores = objective.scores(np.stack(plans))
    followed = [plans[i] for i in np.argsort(-scores, kind="stable")[:_FOLLOWED]]
    return _best_end(objective, followed, _unit(objective, filled))


def _best_end(objective: Objective, starts: Sequence[FloatArray], unit: float) -> FloatArray:
    """Polishing alone ends at a KKT point when the risk is linear in the draws; otherwise SLSQP goes first."""
    if objective.risk.linear:
        ends = [polish(objective, start)[:2] for start in starts]
        return max(ends, key=lambda end: end[1])[0]
    named = {f"start_{i + 1}": start for i, start in enumerate(starts)}
    if objective.risk.smooth:
        return max(climb_all(objective, named, unit), key=lambda climb: climb.score).spend
    broad = climb_all(Objective(normal_score(objective.problem)), named, unit)
    ends = [ascend(objective, start, _PROGRAMMES)[:2] for start in (*starts, *(climb.spend for climb in broad))]
    return max(ends, key=lambda end: end[1])[0]


def _unit(objective: Objective, plan: FloatArray) -> float:
    """A typical difference of scores: what the budget would bring at the plan's steepest finite slope."""
    slope = np.abs(objective.gradient(plan))
    largest = float(slope[np.isfinite(slope)].max(initial=0.0)) * objective.problem.total
    return largest if largest > 0.0 else 1.0
