"""Random feasible plans: start points for the search, and an audit that knows nothing of how the plan was found."""

from __future__ import annotations

import numpy as np

from dsam_assets.allocation.budget import settle_rows
from dsam_assets.allocation.problem import Problem
from dsam_assets.scales import FloatArray


def random_candidates(problem: Problem, count: int, rng: np.random.Generator) -> FloatArray:
    """Feasible plans at random, shape (count, C), spend units; each row sums to the budget.

    Every channel starts at its minimum; what is left of the budget is shared out by exponential random weights, and
    what overflows a full channel is shared out again among the rest.
    """
    lower, upper = problem.lower, problem.reach
    weights = rng.standard_exponential((count, len(lower)))
    plans = np.tile(lower, (count, 1))
    for _ in range(len(lower) + 1):
        rest = problem.total - plans.sum(axis=1, keepdims=True)
        open_weights = np.where(plans < upper, weights, 0.0)
        among = open_weights.sum(axis=1, keepdims=True)
        if rest.max() <= 1e-15 * problem.total or not np.any(among > 0.0):
            break
        share = np.divide(open_weights, among, out=np.zeros_like(open_weights), where=among > 0.0)
        plans = np.minimum(plans + np.maximum(rest, 0.0) * share, upper)
    return settle_rows(plans, lower, upper, problem.total)
