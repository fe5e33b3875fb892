"""Ascent on a quantile of the draws, which has a kink wherever two draws change places.

The k-th smallest of S draws is the largest minimum of any S − k + 1 of them (k counted from 1). So with the draws that
lie at or above the quantile now held fixed, their minimum is nowhere above the quantile and meets it at the plan:
raising that minimum raises the quantile (minorise–maximise). Each step maximises the linearised minimum within a trust
region, a small linear programme in the spends and the minimum (epigraph form).
"""

from __future__ import annotations

import numpy as np

from dsam_assets.allocation.budget import back_on_budget, nearest_feasible
from dsam_assets.allocation.exchange import exchange
from dsam_assets.allocation.general import WIDE
from dsam_assets.allocation.objective import Objective
from dsam_assets.scales import FloatArray

_WIDEST, _NARROWEST = 0.1, 1e-7
# Linear programmes per ascent, for few channels and for many: their cost grows with the square of the channels.
_FEW, _MANY = 80, 25
# A generation of the evolution, and the widths of its steps as shares of the budget: from, to, and by what factor they
# grow with success and shrink with failure.
_OFFSPRING = 100
_FROM, _TO, _GROW, _SHRINK = 0.1, 1e-4, 1.1, 0.8
_GENERATIONS = 100
# Draws above the quantile that a programme watches: so many, and so many per channel. A step is taken only if it raises
# the quantile of all draws.
_WATCHED, _WATCHED_PER_CHANNEL = 60, 1
# Mixtures of the plan with random feasible plans, from far to near.
_MIXTURES = (0.3, 0.1, 0.03, 0.01)
_INSIDE = 1e-9


def climb_kinks(objective: Objective, start: FloatArray) -> tuple[FloatArray, float, int]:
    """A plan near the start whose quantile neither a move between two channels nor a linear programme raises."""
    most = _FEW if len(start) <= WIDE else _MANY
    spend, _ = exchange(objective, start)
    return ascend(objective, spend, most)


def evolve(objective: Objective, start: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The best plan after generations of random steps, ever shorter unless they succeed."""
    problem = objective.problem
    spend, score, width = start, objective.score(start), _FROM
    for _ in range(_GENERATIONS):
        if width < _TO:
            break
        step = rng.standard_normal((_OFFSPRING, len(start))) * (rng.random((_OFFSPRING, len(start))) < 0.5)
        step *= width * problem.total / np.sqrt(len(start))
        plans = back_on_budget(spend + step, problem.lower, problem.reach, problem.total)
        scores = objective.scores(plans)
        best = int(np.argmax(scores))
        if scores[best] > score:
            spend, score, width = plans[best], float(scores[best]), width * _GROW
        else:
            width *= _SHRINK
    return spend


def ascend(objective: Objective, start: FloatArray, most: int) -> tuple[FloatArray, float, int]:
    """Linear programmes in a trust region that grows with success and shrinks with failure."""
    problem = objective.problem
    free = problem.total - float(problem.lower.sum())
    widest = _WIDEST / np.sqrt(len(start))
    spend, score, radius, step = start, objective.score(start), widest, 0
    while radius > _NARROWEST and step < most and free > 0.0:
        move = _best_move(objective, spend, radius * free)
        proposal = nearest_feasible(spend + move, problem.lower, problem.reach, problem.total)
        proposed = objective.score(proposal)
        if proposed > score:
            spend, score, radius = proposal, proposed, min(2.0 * radius, widest)
        else:
            radius *= 0.25
        step += 1
    return spend, score, step


def _best_move(objective: Objective, spend: FloatArray, radius: float) -> FloatArray:
    """The change of spend within the radius that raises the linearised quantile most, shape (C,)."""
    from scipy.optimize import linprog

    problem = objective.problem
    draws = objective.outcome(spend).objective
    inside = np.maximum(spend, problem.lower + _INSIDE * radius)
    slopes = objective.draw_slopes(np.minimum(inside, np.maximum(problem.reach, inside)))
    position = problem.risk_quantile * (len(draws) - 1)
    rank, share = int(position), position - int(position)
    order = np.argsort(draws, kind="stable")
    count = len(spend)
    # A level that falls on one draw has no second neighbour.
    neighbours = [(count, order[rank:]), *([(count + 1, order[rank + 1 :])] if share else [])]
    scale = max(float(np.abs(slopes).max()), 1e-300)
    # Unknowns: the moves in radii, then the two order statistics next to the quantile, as rises in slope × radius.
    blocks = []
    for column, members in neighbours:
        near = members[_reachable(draws, slopes, members, radius)]
        matrix = np.zeros((len(near), count + 2))
        matrix[:, :count] = -slopes[near] / scale
        matrix[:, column] = 1.0
        blocks.append((matrix, (draws[near] - draws[order[rank]]) / (scale * radius)))
    goal = np.zeros(count + 2)
    goal[count], goal[count + 1] = -(1.0 - share), -share
    down = np.maximum((problem.lower - spend) / radius, -1.0)
    up = np.minimum((problem.reach - spend) / radius, 1.0)
    answer = linprog(
        goal,
        A_ub=np.concatenate([matrix for matrix, _ in blocks]),
        b_ub=np.concatenate([limit for _, limit in blocks]),
        A_eq=np.append(np.ones(count), [0.0, 0.0])[None, :],
        b_eq=[0.0],
        bounds=[*zip(np.minimum(down, 0.0), np.maximum(up, 0.0), strict=True), (None, None), (None, None)],
        method="highs",
    )
    return np.zeros(count) if answer.x is None else radius * answer.x[:count]


def _reachable(draws: FloatArray, slopes: FloatArray, members: np.ndarray, radius: float) -> np.ndarray:
    """Which draws can become the smallest of the members within the radius; the smallest always can."""
    spread = np.abs(slopes[members] - slopes[members].mean(axis=1, keepdims=True)).sum(axis=1) * radius
    above = draws[members] - draws[members[0]]
    watched = _WATCHED + _WATCHED_PER_CHANNEL * slopes.shape[1]
    return np.flatnonzero(above <= spread + spread.max())[:watched]
