"""Ascent on a quantile of the draws, which has a kink wherever two draws change places.

The k-th smallest of S draws is the largest minimum of any S − k + 1 of them (k counted from 1). So with the draws that
lie at or above the quantile now held fixed, their minimum is nowhere above the quantile and meets it at the plan:
raising that minimum raises the quantile (minorise–maximise). Each step maximises the linearised minimum within a trust
region, a small linear programme in the spends and the minimum (epigraph form).
"""

from __future__ import annotations

import numpy as np

from dsam_assets.allocation.budget import nearest_feasible
from dsam_assets.allocation.exchange import exchange
from dsam_assets.allocation.objective import Objective
from dsam_assets.scales import FloatArray

_STEPS = 80
_WIDEST, _NARROWEST = 0.1, 1e-7
_ROUNDS = 4
# Mixtures of the plan with random feasible plans, from far to near.
_MIXTURES = (0.3, 0.1, 0.03, 0.01)
_INSIDE = 1e-9


def climb_kinks(objective: Objective, start: FloatArray, crowd: FloatArray) -> tuple[FloatArray, float, int]:
    """A plan whose quantile neither a linear programme, nor a move between two channels, nor a mixture raises.

    Args:
        objective: with a quantile as its risk.
        start: a feasible plan, shape (C,).
        crowd: feasible plans to mix it with, shape (N, C).
    """
    spend, score, steps = ascend(objective, start)
    for _ in range(_ROUNDS):
        moved, reached = exchange(objective, _mixed(objective, spend, score, crowd))
        if not reached > score:
            break
        spend, score, more = ascend(objective, moved)
        steps += more
    return spend, score, steps


def _mixed(objective: Objective, spend: FloatArray, score: float, crowd: FloatArray) -> FloatArray:
    """The best mixture of the plan with one of the crowd, or the plan itself."""
    plans = np.concatenate([(1.0 - share) * spend + share * crowd for share in _MIXTURES])
    scores = objective.scores(plans)
    best = int(np.argmax(scores))
    return plans[best] if scores[best] > score else spend


def ascend(objective: Objective, start: FloatArray) -> tuple[FloatArray, float, int]:
    """Linear programmes in a trust region that grows with success and shrinks with failure."""
    problem = objective.problem
    free = problem.total - float(problem.lower.sum())
    spend, score, radius, step = start, objective.score(start), _WIDEST, 0
    while radius > _NARROWEST and step < _STEPS and free > 0.0:
        move = _best_move(objective, spend, radius * free)
        proposal = nearest_feasible(spend + move, problem.lower, problem.reach, problem.total)
        proposed = objective.score(proposal)
        if proposed > score:
            spend, score, radius = proposal, proposed, min(2.0 * radius, _WIDEST)
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
    return radius * answer.x[:count] if answer.status == 0 else np.zeros(count)


def _reachable(draws: FloatArray, slopes: FloatArray, members: np.ndarray, radius: float) -> np.ndarray:
    """Which draws can become the smallest of the members within the radius; the smallest always can."""
    spread = np.abs(slopes[members] - slopes[members].mean(axis=1, keepdims=True)).sum(axis=1) * radius
    above = draws[members] - draws[members[0]]
    return np.asarray(above <= spread + spread.max())
