"""The largest spend plan that is still as efficient as the target asks.

A plan of total T is efficient enough exactly when its margin, value · response − target · money, is not negative (for a
cost per KPI unit: response − money / target). So with G(T) the largest margin of any plan that spends T, the answer is
the largest T with G(T) ≥ 0, and the plan is the one with that margin. G is concave where the responses are; with
S-shaped ones it can cross zero several times, so a scan over totals finds the last crossing before it is refined.

Response and money count from zero spend. A risk measure applies to the margin's draws: with a quantile of 0.1 the plan
meets the target in nine draws of ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from dsam_assets.allocation.grid import grid_values
from dsam_assets.allocation.nearby import best_near
from dsam_assets.allocation.objective import MARGIN, Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.search import normal_score
from dsam_assets.allocation.solve import solve
from dsam_assets.errors import AllocationError
from dsam_assets.scales import FloatArray

# Totals tried by dynamic programming, all at once, and by solving one problem each.
_FINE, _COARSE = 1000, 16
# Below the first of them, totals that halve: with concave responses the first money is the best spent.
_HALVINGS = 12
_CANDIDATES = 10
_PRECISE, _WITH_KINKS = 1e-13, 1e-5
# What a search near a known plan may miss of a quantile, as a share of the money.
_SHORT_OF_KINKS = 1e-4
# A margin this small beside its two sides is none: what a plan that lies on the target has.
_ROUNDING = 1e-12


def at_total(problem: Problem, total: float) -> Problem:
    """The question which plan of this total has the largest margin over the target."""
    return replace(problem, scenario="max_response", target=MARGIN, total=total)


def with_largest_total(problem: Problem) -> Problem:
    """The problem with the largest total at which some plan meets the target.

    Raises:
        AllocationError: no plan meets it; says which efficiencies can be reached.
    """
    thorough = Margins(problem, thorough=True)
    if thorough.meets(problem.most):
        return replace(problem, total=problem.most)
    margins = thorough if thorough.exact else Margins(problem)
    totals = _totals(problem)
    quick = _screen(margins, totals)
    inside = _some_total(margins, totals, quick)
    if inside is None:
        raise _unreachable(margins, totals, quick)
    inside, outside = _bracket(margins, inside, totals)
    total = _crossing(margins, inside, outside)
    if margins is not thorough and thorough.exceeds(total):
        # Every start finds a better plan than the ones nearby, so there is room for more.
        total = _crossing(thorough, *_bracket(thorough, total, totals))
    return replace(problem, total=total)


def _bracket(margins: Margins, inside: float, totals: FloatArray) -> tuple[float, float]:
    """The last of the totals from `inside` on that meets the target, and the next, which does not."""
    beyond = [float(total) for total in totals if total > inside]
    while margins.meets(beyond[0]):
        inside, *beyond = beyond
    return inside, beyond[0]


def require_reachable(problem: Problem, largest: Mapping[str, float]) -> None:
    """Refuse a target that no coefficient within the boundaries could reach, before any is known.

    Under an identity response the efficiency rises with every coefficient, so the largest ones decide. Otherwise, for
    single groups (a deviation knows no boundary), and without an upper boundary on every channel, nothing is known yet.

    Args:
        problem: the question; its draws do not matter.
        largest: the upper boundary of each channel's coefficient by model term, data units.

    Raises:
        AllocationError: the target is out of reach.
    """
    ends = np.array([[largest[channel.term] for channel in problem.channels]])
    if problem.response_scale == "log" or problem.units != ("",) or not np.isfinite(ends).all():
        return
    best = replace(problem, coefficients=ends, risk="mean")
    try:
        with_largest_total(best)
    except AllocationError as error:
        error.what = "No coefficients within the boundaries let a plan reach the target efficiency."
        raise


@dataclass(frozen=True)
class Margins:
    """G(T), each total solved once.

    Attributes:
        problem: the question, with its target.
        thorough: search from every start; otherwise from the best plans of the nearest totals.
        known: margin and plan by total.
    """

    problem: Problem
    thorough: bool = False
    known: dict[float, tuple[float, FloatArray]] = field(default_factory=dict)

    def at(self, total: float) -> float:
        """The largest margin of a plan of this total, rounding errors taken as zero."""
        return self._solved(total)[0]

    def meets(self, total: float) -> bool:
        """Whether some plan of this total meets the target."""
        return self.at(total) >= 0.0

    def exceeds(self, total: float) -> bool:
        """Whether some plan of this total does clearly better than the target."""
        share = _PRECISE if self._objective.risk.smooth else _SHORT_OF_KINKS
        return self.at(total) > 10.0 * share * self._objective.target.spend * self._money(total)

    def efficiency(self, total: float) -> float:
        """Value of the response per money of that plan; its inverse is a cost per KPI unit."""
        money = self._money(total)
        return self.at(total) / money + self._objective.target.spend if money > 0.0 else float("nan")

    @property
    def exact(self) -> bool:
        """Whether a single start finds the best plan."""
        return self._objective.separable

    @cached_property
    def _objective(self) -> Objective:
        return Objective(at_total(self.problem, self.problem.most))

    def _money(self, total: float) -> float:
        return float(self._solved(total)[1] @ self.problem.money_rates)

    def _solved(self, total: float) -> tuple[float, FloatArray]:
        if total not in self.known:
            question = replace(at_total(self.problem, total), n_candidates=_CANDIDATES)
            objective = Objective(question)
            spend = solve(question).spend if self.thorough else best_near(question, self._nearest(total))
            score = objective.score(spend)
            self.known[total] = 0.0 if abs(score) <= _ROUNDING * objective.magnitude(spend) else score, spend
        return self.known[total]

    def _nearest(self, total: float) -> list[FloatArray]:
        near = sorted(self.known, key=lambda known: abs(known - total))[:2]
        return [self.known[known][1] for known in near] or [self.problem.reference]


def _totals(problem: Problem) -> FloatArray:
    """Totals to look at, rising, the smallest above zero, the last the most that may be spent."""
    least, most = float(problem.lower.sum()), problem.most
    steps = _FINE if Objective(at_total(problem, most)).separable else _COARSE
    totals = np.linspace(least, most, steps + 1)
    halves = least + (totals[1] - least) * 0.5 ** np.arange(_HALVINGS, 0, -1)
    return np.unique(np.concatenate([totals[totals > 0.0], halves]))


def _screen(margins: Margins, totals: FloatArray) -> FloatArray:
    """Quick values of G: by one dynamic programme, or by solving each total; of a quantile, its normal equivalent."""
    problem = margins.problem
    objective = Objective(at_total(problem, problem.most))
    if objective.separable:
        return np.interp(totals, *grid_values(objective.separable_form(), _FINE))
    quick = margins if objective.risk.smooth else Margins(normal_score(problem))
    # From the largest total down: a large plan leads to a smaller one, not the other way round.
    return np.array([quick.at(float(total)) for total in totals[::-1]])[::-1]


def _some_total(margins: Margins, totals: FloatArray, quick: FloatArray) -> float | None:
    """A large total that meets the target: the last that does, or one between those tried; None where none does."""
    from scipy.optimize import minimize_scalar

    last = next((float(total) for total in totals[quick >= 0.0][::-1] if margins.meets(float(total))), None)
    if last is not None:
        return last
    near = _around(totals, int(np.argmax(quick)))
    peak = minimize_scalar(lambda total: -margins.at(float(total)), bounds=near, method="bounded").x
    return float(peak) if margins.meets(float(peak)) else None


def _around(totals: FloatArray, place: int) -> tuple[float, float]:
    return float(totals[max(place - 1, 0)]), float(totals[min(place + 1, len(totals) - 1)])


def _crossing(margins: Margins, inside: float, outside: float) -> float:
    """The total between one that meets the target and one that misses it where that changes, on the meeting side."""
    from scipy.optimize import brentq

    smooth = Objective(at_total(margins.problem, inside)).risk.smooth
    near = (_PRECISE if smooth else _WITH_KINKS) * outside
    total = inside
    if margins.at(inside) > 0.0:
        total = float(brentq(lambda t: margins.at(float(t)), inside, outside, xtol=near, rtol=4 * np.finfo(float).eps))
    while total > inside and not margins.meets(total):
        total, near = max(inside, total - near), 2.0 * near
    return total


def _unreachable(margins: Margins, totals: FloatArray, quick: FloatArray) -> AllocationError:
    from scipy.optimize import minimize_scalar

    problem, cost = margins.problem, margins.problem.kpi_type == "subscriptions"
    near = _around(totals, int(np.argmax(quick / totals)))
    refined = minimize_scalar(lambda total: -margins.efficiency(float(total)), bounds=near, method="bounded").x
    spent = max((*near, float(refined)), key=margins.efficiency)
    best, last = (
        1.0 / ratio if cost and ratio > 0.0 else float("inf") if cost else ratio
        for ratio in (margins.efficiency(spent), margins.efficiency(problem.most))
    )
    name, sign = ("cost per KPI unit", "≤") if cost else ("ROI", "≥")
    return AllocationError(
        f"No plan within the bounds reaches the target {name}.",
        where="allocation.target_value",
        got=f"{name} {sign} {problem.target_value:g} wanted; within reach are {best:.4g} (spending {spent:,.6g}) to "
        f"{last:.4g} (spending {problem.most:,.6g}), by the score `{Objective(problem).risk.words}`",
        wanted=f"a target of at {'least' if cost else 'most'} {best:.4g}",
        fix="Relax target_value, lower the channels' minima, or ask for the best plan of a budget: max_response.",
    )
