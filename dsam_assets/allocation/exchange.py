"""Moves of spend between two channels, small and large: the way out of a valley that no gradient shows."""

from __future__ import annotations

import numpy as np

from dsam_assets.allocation.objective import Objective
from dsam_assets.scales import FloatArray

# Amounts, as shares of what the giver can give and the taker can take.
_AMOUNTS = np.array([1.0, 0.75, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001])
_ROUNDS = 30
# Pairs that one round may try; with more channels, those whose marginals differ most.
_MOST_PAIRS = 900


def exchange(objective: Objective, spend: FloatArray) -> tuple[FloatArray, float]:
    """Make the best single move between two channels until none raises the score."""
    score = objective.score(spend)
    for _ in range(_ROUNDS):
        plans = moves(objective, spend)
        if not len(plans):
            break
        scores = objective.scores(plans)
        best = int(np.argmax(scores))
        if not scores[best] > score:
            break
        spend, score = plans[best], float(scores[best])
    return spend, score


def moves(objective: Objective, spend: FloatArray, amounts: FloatArray = _AMOUNTS) -> FloatArray:
    """Feasible plans that differ from this one in two channels, shape (N, C)."""
    problem = objective.problem
    room, stock = problem.reach - spend, spend - problem.lower
    takers, givers = _pairs(objective, spend, np.flatnonzero(room > 0.0), np.flatnonzero(stock > 0.0))
    if not len(takers):
        return np.empty((0, len(spend)))
    sizes = np.minimum(room[takers], stock[givers])[:, None] * amounts
    plans = np.tile(spend, (sizes.size, 1))
    rows = np.arange(sizes.size)
    taker, giver = np.repeat(takers, len(amounts)), np.repeat(givers, len(amounts))
    plans[rows, taker] = np.minimum(plans[rows, taker] + sizes.ravel(), problem.reach[taker])
    plans[rows, giver] = np.maximum(plans[rows, giver] - sizes.ravel(), problem.lower[giver])
    return plans


def _pairs(
    objective: Objective, spend: FloatArray, takers: np.ndarray, givers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    into, out_of = (grid.ravel() for grid in np.meshgrid(takers, givers, indexing="ij"))
    different = into != out_of
    into, out_of = into[different], out_of[different]
    if len(into) <= _MOST_PAIRS:
        return into, out_of
    marginals = np.nan_to_num(objective.gradient(spend))
    order = np.argsort(marginals[out_of] - marginals[into], kind="stable")[:_MOST_PAIRS]
    return into[order], out_of[order]
