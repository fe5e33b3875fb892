"""Dynamic programming over a grid of spends: blind to curvature, so S-shaped responses cannot trap it."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dsam_assets.allocation.budget import settle, split_like
from dsam_assets.allocation.water_filling import Separable
from dsam_assets.scales import FloatArray

Steps = NDArray[np.intp]

GRID_STEPS = 1000


def grid_plan(problem: Separable, steps: int = GRID_STEPS) -> FloatArray:
    """The best plan whose spends above the minima are multiples of (budget − minima)/steps, shape (C,).

    A channel's last step ends at its maximum, so the raw plan may spend less than the budget; the remainder is then
    shared out. The result is within one step per channel of the global optimum: a start for an exact method, not an
    answer. Cost: C·steps² additions.
    """
    step = (problem.total - float(problem.lower.sum())) / steps
    if step <= 0.0:
        return settle(problem.lower, problem.lower, problem.upper, problem.total)
    _, choices = _programme(problem, step, steps)
    plan = problem.lower + step * _trace(choices, steps)
    return _spend_all(problem, np.minimum(plan, problem.upper))


def grid_values(problem: Separable, steps: int = GRID_STEPS) -> tuple[FloatArray, FloatArray]:
    """Totals from the sum of the minima to the budget, and the value of the best plan of each, shape (steps + 1,)."""
    least = float(problem.lower.sum())
    step = (problem.total - least) / steps
    totals = np.asarray(least + step * np.arange(steps + 1))
    if step <= 0.0:
        return totals, np.full(steps + 1, problem.value(problem.lower))
    return totals, _programme(problem, step, steps)[0]


def _programme(problem: Separable, step: float, steps: int) -> tuple[FloatArray, list[Steps]]:
    """The best value of every number of steps spent, and each channel's steps in it."""
    gains = problem.values(np.minimum(problem.lower + step * np.arange(steps + 1)[:, None], problem.upper))
    caps = np.minimum(np.ceil((problem.upper - problem.lower) / step - 1e-9), steps).astype(int)
    value, choices = np.zeros(steps + 1), []
    value[1:] = -np.inf
    for channel, cap in enumerate(caps):
        value, chosen = _add_channel(value, gains[: cap + 1, channel])
        choices.append(chosen)
    return value, choices


def _add_channel(value: FloatArray, gain: FloatArray) -> tuple[FloatArray, Steps]:
    """max over j of value[b − j] + gain[j] for every budget b, and the j that attains it."""
    cap = len(gain) - 1
    padded = np.concatenate([np.full(cap, -np.inf), value])
    # Row b holds value[b − cap … b]; reversed gains line up with it.
    totals = sliding_window_view(padded, cap + 1) + gain[::-1]
    best = np.argmax(totals, axis=1)
    return totals[np.arange(len(value)), best], cap - best


def _trace(choices: list[Steps], steps: int) -> FloatArray:
    left, taken = steps, []
    for chosen in reversed(choices):
        taken.append(int(chosen[left]))
        left -= taken[-1]
    return np.array(taken[::-1], dtype=np.float64)


def _spend_all(problem: Separable, plan: FloatArray) -> FloatArray:
    """Share out what capped last steps left over, in proportion to the plan."""
    return split_like(plan, np.minimum(plan, problem.upper), problem.upper, problem.total)
