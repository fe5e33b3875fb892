"""Second-order polishing: Newton steps among the channels that the bounds leave free, always on budget.

SLSQP stops when the score stops changing, which near a flat top is long before the marginals are equal. A few Newton
steps on the gradient itself end at equal marginals to rounding error (Nocedal & Wright 2006, ch. 16, active sets).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsam_assets.allocation.budget import settle
from dsam_assets.allocation.objective import Objective
from dsam_assets.scales import FloatArray

Flags = NDArray[np.bool_]

_STEPS = 30
_HALVINGS = 20
# The Hessian is a central difference of the analytic gradient, at this share of the free budget.
_STEP = 1e-6
# A spend this close to a bound, as a share of the free budget, is at the bound.
_AT_BOUND = 1e-12
_FLAT = 1e-13


def newton_polish(objective: Objective, start: FloatArray) -> tuple[FloatArray, float, int]:
    """Newton steps from a plan near a local optimum; the plan, its score and the steps taken."""
    spend, score = start, objective.score(start)
    gradient = objective.gradient(spend)
    for step in range(_STEPS):
        free = _free_channels(objective, spend, gradient)
        if free.sum() < 2 or np.ptp(gradient[free]) <= _FLAT * np.abs(gradient[free]).max():
            return spend, score, step
        better = _line_search(objective, spend, score, gradient, _direction(objective, spend, gradient, free))
        if better is None:
            return spend, score, step
        spend, score = better
        gradient = objective.gradient(spend)
    return spend, score, _STEPS


def _free_channels(objective: Objective, spend: FloatArray, gradient: FloatArray) -> Flags:
    """Channels between their bounds, and those that would rather leave theirs at the price of the others."""
    problem = objective.problem
    slack = _AT_BOUND * problem.total
    at_lower, at_upper = spend <= problem.lower + slack, spend >= problem.reach - slack
    inside = ~(at_lower | at_upper) & np.isfinite(gradient)
    if not inside.any():
        return inside
    price = float(gradient[inside].mean())
    leaves = (at_lower & (gradient > price)) | (at_upper & ~at_lower & (gradient < price))
    return inside | (leaves & np.isfinite(gradient))


def _direction(objective: Objective, spend: FloatArray, gradient: FloatArray, free: Flags) -> FloatArray:
    """The Newton step that sums to zero, or the projected gradient where that is no ascent."""
    places = np.flatnonzero(free)
    hessian = _hessian(objective, spend, places)
    count = len(places)
    system = np.block([[hessian, np.ones((count, 1))], [np.ones((1, count)), np.zeros((1, 1))]])
    slope = gradient[places] - gradient[places].mean()
    direction = np.zeros_like(spend)
    # Beside a hill that starts infinitely steep a difference may reach the steep end: no second order there.
    if np.isfinite(system).all():
        step, *_ = np.linalg.lstsq(system, np.append(-slope, 0.0))
        direction[places] = step[:count] - step[:count].mean()
    if not direction[places] @ gradient[places] > 0.0:
        direction[places] = slope * objective.problem.total / np.abs(slope).max()
    return direction


def _hessian(objective: Objective, spend: FloatArray, places: NDArray[np.intp]) -> FloatArray:
    problem = objective.problem
    room = np.minimum(spend - problem.lower, _STEP * problem.total)
    columns = []
    for place in places:
        ahead, behind = spend.copy(), spend.copy()
        ahead[place] += _STEP * problem.total
        behind[place] -= max(0.0, room[place])
        change = objective.gradient(ahead)[places] - objective.gradient(behind)[places]
        columns.append(change / (ahead[place] - behind[place]))
    matrix = np.array(columns)
    return np.asarray(0.5 * (matrix + matrix.T))


def _line_search(
    objective: Objective, spend: FloatArray, score: float, gradient: FloatArray, direction: FloatArray
) -> tuple[FloatArray, float] | None:
    """The longest of ever shorter steps that raises the score, or that keeps it and evens out the marginals."""
    problem = objective.problem
    room = np.where(direction > 0.0, problem.reach - spend, spend - problem.lower)
    moving = direction != 0.0
    if not moving.any():
        return None
    length = min(1.0, float((room[moving] / np.abs(direction[moving])).min()))
    for _ in range(_HALVINGS):
        proposal = settle(spend + length * direction, problem.lower, problem.reach, problem.total)
        proposed = objective.score(proposal)
        rounding = 1e-14 * objective.magnitude(spend)
        even = proposed >= score - rounding and _unevenness(objective, proposal, direction) < 0.5 * float(
            np.ptp(gradient[moving])
        )
        if proposed > score + rounding or even:
            return proposal, proposed
        length *= 0.5
    return None


def _unevenness(objective: Objective, spend: FloatArray, direction: FloatArray) -> float:
    return float(np.ptp(objective.gradient(spend)[direction != 0.0]))
