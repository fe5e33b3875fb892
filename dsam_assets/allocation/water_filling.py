"""Exact allocation of a sum of concave responses: equalise marginal response, like water finding its level.

For max Σ_c g_c(s_c) with Σ s_c = B and l ≤ s ≤ u, g_c(s) = w_c·f_c(s) − cost_c·s, every channel answers a price λ with
its best spend argmax_s g_c(s) − λ·s, and the price is raised or lowered until the answers add up to B. When every g_c
is concave this is the global optimum (the KKT conditions; Luss & Gupta 1975, "Allocation of effort resources among
competing activities"). Without concavity the answers jump, but B·λ + Σ_c max_s (g_c(s) − λ·s) remains an upper bound on
the optimum by weak duality, and the plan a good start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dsam_assets.allocation.budget import fill_to_budget, settle
from dsam_assets.design.response import ResponseBank
from dsam_assets.scales import FloatArray

Flags = NDArray[np.bool_]

# Marginals of proportional channels closer than this share count as equal, so that rounding does not decide a plan.
TIE_TOLERANCE = 1e-12
_LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class Separable:
    """max Σ_c w_c·f_c(s_c) − cost_c·s_c subject to the budget and finite bounds; arrays of shape (C,)."""

    bank: ResponseBank
    weights: FloatArray
    costs: FloatArray
    lower: FloatArray
    upper: FloatArray
    total: float
    reference: FloatArray

    def values(self, spend: FloatArray) -> FloatArray:
        """g_c(s_c), shape (…, C)."""
        return self.weights * self.bank.value(spend) - self.costs * spend

    def value(self, spend: FloatArray) -> float:
        return float(self.values(spend).sum())

    @cached_property
    def linear(self) -> Flags:
        """Channels worth the same per unit at any spend."""
        return np.asarray(self.bank.linear | (self.weights == 0.0))

    @cached_property
    def single_branch(self) -> Flags:
        """Channels whose g_c is concave between their bounds."""
        boxes = zip(self.bank.responses, self.lower, self.upper, strict=True)
        shapes = [response.curvature(low, high) for response, low, high in boxes]
        wanted = np.where(self.weights > 0.0, "concave", "convex")
        fitting: Flags = np.array(shapes) == wanted
        return np.asarray(self.linear | fitting | (self.lower == self.upper))

    @property
    def concave(self) -> bool:
        return bool(self.single_branch.all())


@dataclass(frozen=True, eq=False)
class Filled:
    """A water-filling answer.

    Attributes:
        spend: the plan, shape (C,); optimal when the problem is concave.
        price: marginal value of budget λ, objective units per unit of spend.
        bound: no feasible plan has a larger Σ_c g_c.
    """

    spend: FloatArray
    price: float
    bound: float


def water_fill(problem: Separable) -> Filled:
    """Solve a concave separable problem; for any other, give the dual bound and a feasible plan near it."""
    problem, shift = _normalised(problem)
    crumb = TIE_TOLERANCE * problem.total
    for edge in (problem.lower, problem.upper):
        if abs(float(edge.sum()) - problem.total) <= crumb:
            # The bounds leave one plan only.
            spend = settle(edge, problem.lower, problem.upper, problem.total)
            return Filled(spend, float("nan"), problem.value(spend) - shift * problem.total)
    low, high = _price_bracket(problem)
    spend = _between(problem, demand(problem, high), demand(problem, low))
    bound = min(_dual(problem, low), _dual(problem, high))
    return Filled(spend, 0.5 * (low + high) - shift, bound - shift * problem.total)


def demand(problem: Separable, price: float) -> FloatArray:
    """Each channel's best spend at a price per unit, the smaller one when two are equally good; shape (C,)."""
    proportional = np.where(_level_slopes(problem) > price, problem.upper, problem.lower)
    spend = np.where(problem.linear, proportional, _stationary(problem, price))
    jumps = ~problem.single_branch
    if jumps.any():
        options = np.stack([problem.lower, np.clip(spend, problem.lower, problem.upper), problem.upper])
        best = np.argmax(problem.values(options) - price * options, axis=0)
        spend = np.where(jumps, options[best, np.arange(len(best))], spend)
    return np.clip(spend, problem.lower, problem.upper)


def _stationary(problem: Separable, price: float) -> FloatArray:
    """Where g_c'(s) = price on the branch on which g_c is concave; a bound where there is no such branch."""
    up, down = problem.weights > 0.0, problem.weights < 0.0
    safe = np.where(problem.weights == 0.0, 1.0, problem.weights)
    slope = (price + problem.costs) / safe
    spend = np.where(up, problem.bank.derivative_inverse(slope, "concave"), problem.lower)
    turning = down & np.isfinite(problem.bank.inflection)
    if turning.any():
        spend = np.where(turning, problem.bank.derivative_inverse(slope, "convex"), spend)
    return spend


def _level_slopes(problem: Separable) -> FloatArray:
    """Marginal value of the proportional channels, with near-equal ones made equal; shape (C,)."""
    slopes = np.where(problem.bank.linear, problem.weights, 0.0) - problem.costs
    order = np.argsort(slopes)
    ranked = slopes[order]
    width = TIE_TOLERANCE * float(np.abs(np.concatenate([problem.weights, problem.costs])).max(initial=0.0))
    group = np.concatenate([[0], np.cumsum(np.diff(ranked) > width)])
    first = np.searchsorted(group, group)
    level = np.empty_like(slopes)
    level[order] = ranked[first]
    return level


def _normalised(problem: Separable) -> tuple[Separable, float]:
    """Take the smallest cost off every channel: with the budget fixed it decides nothing, and costs precision."""
    shift = float(problem.costs.min())
    return replace(problem, costs=problem.costs - shift), shift


def _price_bracket(problem: Separable) -> tuple[float, float]:
    """Prices low ≤ high, as close as doubles allow, with Σ demand(low) ≥ total ≥ Σ demand(high)."""
    from scipy.optimize import brentq

    def excess(price: float) -> float:
        return float(demand(problem, price).sum()) - problem.total

    span = _typical_slope(problem)
    low = _expand(excess, -span, -1.0)
    high = _expand(excess, span, 1.0)
    price = float(brentq(excess, low, high, xtol=_LEAST, rtol=1e-15, maxiter=2000))
    return _narrow(excess, price, span)


def _typical_slope(problem: Separable) -> float:
    width = problem.upper - problem.lower
    gain = problem.values(problem.upper) - problem.values(problem.lower)
    chords = np.divide(np.abs(gain), width, out=np.zeros_like(gain), where=width > 0.0)
    return max(float(chords.max()), float(np.abs(problem.costs).max()), _LEAST)


def _expand(excess: Callable[[float], float], price: float, sign: float) -> float:
    """Move a price outwards until demand is on the wanted side of the budget."""
    while sign * excess(price) > 0.0:
        price *= 4.0
    return price


def _narrow(excess: Callable[[float], float], price: float, span: float) -> tuple[float, float]:
    """The smallest bracket around a root, or around the jump that hides it."""
    step = max(abs(price) * 1e-15, span * 1e-30)
    low = high = price
    while excess(low) < 0.0:
        low, step = low - step, 2.0 * step
    step = max(abs(price) * 1e-15, span * 1e-30)
    while excess(high) > 0.0:
        high, step = high + step, 2.0 * step
    return low, high


def _between(problem: Separable, least: FloatArray, most: FloatArray) -> FloatArray:
    """The plan between two demands at (almost) the same price that spends the budget.

    Proportional channels whose demand jumps are tied: any split among them is optimal, and the reference's is kept.
    """
    tied = problem.linear & (most > least)
    rest = problem.total - float(least[~tied].sum())
    if tied.any() and float(least[tied].sum()) <= rest <= float(most[tied].sum()):
        spend = least.copy()
        start = np.zeros(int(tied.sum()))
        spend[tied] = fill_to_budget(start, problem.reference[tied], least[tied], most[tied], rest)
    else:
        gap = float((most - least).sum())
        share = (problem.total - float(least.sum())) / gap if gap > 0.0 else 0.0
        spend = least + share * (most - least)
    return settle(spend, problem.lower, problem.upper, problem.total)


def _dual(problem: Separable, price: float) -> float:
    answer = demand(problem, price)
    return price * problem.total + float((problem.values(answer) - price * answer).sum())
