"""Feasible plans: vectors of spend that respect their bounds and add up to the budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsam_assets.scales import FloatArray

# A direction this small beside the largest counts as none.
_NEGLIGIBLE = 1e-12


def fill_to_budget(
    base: FloatArray, direction: FloatArray, lower: FloatArray, upper: FloatArray, total: float
) -> FloatArray:
    """The plan clip(base + μ·direction, lower, upper) whose sum is `total`.

    The sum is piecewise linear in μ, so μ is found exactly from its breakpoints. Channels with direction 0 move only
    when the others cannot take the whole budget.

    Args:
        base: starting plan, shape (C,), spend units.
        direction: how strongly each channel moves, ≥ 0, shape (C,).
        lower, upper: finite bounds with Σ lower ≤ total ≤ Σ upper, shape (C,).
        total: the budget, spend units.
    """
    largest = float(direction.max())
    if largest <= 0.0:
        return fill_to_budget(base, np.ones_like(base), lower, upper, total)
    direction = direction / largest
    moving = direction > _NEGLIGIBLE
    direction = np.where(moving, direction, 0.0)
    rate = direction[moving]
    breaks = np.concatenate([(lower[moving] - base[moving]) / rate, (upper[moving] - base[moving]) / rate])
    breaks = np.unique(breaks)
    plans = np.clip(base + breaks[:, None] * direction, lower, upper)
    # Beyond the outermost breakpoints every moving channel is at a bound; say so, free of rounding.
    plans = np.vstack([np.where(moving, lower, plans[0]), plans, np.where(moving, upper, plans[-1])])
    sums = np.maximum.accumulate(plans.sum(axis=1))
    if total <= sums[0] or total >= sums[-1]:
        edge = plans[0] if total <= sums[0] else plans[-1]
        return edge if moving.all() else _spread_rest(edge, moving, lower, upper, total)
    right = int(np.searchsorted(sums, total, side="right"))
    share = (total - sums[right - 1]) / (sums[right] - sums[right - 1])
    return settle(plans[right - 1] + share * (plans[right] - plans[right - 1]), lower, upper, total)


def _spread_rest(
    plan: FloatArray, settled: NDArray[np.bool_], lower: FloatArray, upper: FloatArray, total: float
) -> FloatArray:
    still = ~settled
    rest = total - float(plan[settled].sum())
    out = plan.copy()
    out[still] = fill_to_budget(plan[still], np.ones(int(still.sum())), lower[still], upper[still], rest)
    return settle(out, lower, upper, total)


def settle(plan: FloatArray, lower: FloatArray, upper: FloatArray, total: float) -> FloatArray:
    """Remove rounding errors: clip to the bounds and give the last crumbs to the channel with the most room."""
    out = np.clip(plan, lower, upper)
    rest = total - float(out.sum())
    room = upper - out if rest > 0.0 else out - lower
    place = int(np.argmax(room))
    out[place] = np.clip(out[place] + rest, lower[place], upper[place])
    return out


def nearest_feasible(plan: FloatArray, lower: FloatArray, upper: FloatArray, total: float) -> FloatArray:
    """Euclidean projection of a plan on the bounds and the budget."""
    return fill_to_budget(plan, np.ones_like(plan), lower, upper, total)


def back_on_budget(plans: FloatArray, lower: FloatArray, upper: FloatArray, total: float) -> FloatArray:
    """Plans (N, C) clipped to their bounds, then moved in proportion to the room that is left, so that each spends the
    budget."""
    plans = np.clip(plans, lower, upper)
    rest = total - plans.sum(axis=1, keepdims=True)
    room = np.where(rest > 0.0, upper - plans, plans - lower)
    whole = room.sum(axis=1, keepdims=True)
    share = np.divide(rest, whole, out=np.zeros_like(rest), where=whole > 0.0)
    return settle_rows(np.clip(plans + share * room, lower, upper), lower, upper, total)


def settle_rows(plans: FloatArray, lower: FloatArray, upper: FloatArray, total: float) -> FloatArray:
    """Give each row's rounding error to its channel with the most room; changes `plans`."""
    rest = total - plans.sum(axis=1)
    room = np.where(rest[:, None] > 0.0, upper - plans, plans - lower)
    place = np.argmax(room, axis=1)
    rows = np.arange(len(plans))
    plans[rows, place] = np.clip(plans[rows, place] + rest, lower[place], upper[place])
    return plans


def split_like(reference: FloatArray, lower: FloatArray, upper: FloatArray, total: float) -> FloatArray:
    """The plan with the reference's proportions as far as the bounds allow; an equal split without a reference."""
    return fill_to_budget(np.zeros_like(reference), np.maximum(reference, 0.0), lower, upper, total)
