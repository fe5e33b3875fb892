"""Local search from many starts, for objectives that water-filling cannot solve in one go.

Each start is climbed by SLSQP with the analytic gradient and then polished: by repeated water-filling on the
objective's linearisation in the responses, and by Newton steps. For a log response and the mean, exp is convex, so the
linearisation lies below the objective and touches it: every water-filling is an ascent (minorise–maximise; Hunter &
Lange 2004), and its fixed points satisfy the KKT conditions to rounding error. A penalty on the spread of the draws
bends the other way: there water-filling soon stops rising and the Newton steps do the rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dsam_assets.allocation.budget import nearest_feasible
from dsam_assets.allocation.newton import newton_polish
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.water_filling import water_fill
from dsam_assets.scales import FloatArray

_SLSQP_STEPS = 200
_POLISH_STEPS = 100
# SLSQP's work per step grows with the cube of the channels, polishing's in proportion to them.
WIDE = 25
_WIDE_CLIMBS = 2
# SLSQP must not start where a hill with n < 1 has an infinite slope; polishing moves on from there exactly.
_INSIDE = 1e-9


@dataclass(frozen=True, eq=False)
class Climb:
    """One start and where it led.

    Attributes:
        name: how the start was chosen.
        start_score: score at the start.
        spend: the local optimum, feasible, shape (C,).
        score: score there.
        iterations: SLSQP iterations plus polishing steps.
    """

    name: str
    start_score: float
    spend: FloatArray
    score: float
    iterations: int


def climb_all(objective: Objective, starts: Mapping[str, FloatArray], unit: float) -> tuple[Climb, ...]:
    """Climb from every start; `unit` is a typical difference of scores, used to scale the problem.

    With many channels every start is polished, and SLSQP climbs on from the best few only.
    """
    if len(objective.problem.channels) <= WIDE:
        return tuple(climb_from(objective, name, start, unit) for name, start in starts.items())
    polished = [_polished(objective, name, start) for name, start in starts.items()]
    ranking = sorted(range(len(polished)), key=lambda i: -polished[i].score)
    return tuple(
        _climb_on(objective, climb, unit) if i in ranking[:_WIDE_CLIMBS] else climb for i, climb in enumerate(polished)
    )


def _polished(objective: Objective, name: str, start: FloatArray) -> Climb:
    spend, score, steps = polish(objective, start)
    return Climb(name, objective.score(start), spend, score, steps)


def _climb_on(objective: Objective, climb: Climb, unit: float) -> Climb:
    further = climb_from(objective, climb.name, climb.spend, unit)
    return replace(further, start_score=climb.start_score, iterations=climb.iterations + further.iterations)


def climb_from(objective: Objective, name: str, start: FloatArray, unit: float) -> Climb:
    """SLSQP and polishing from one start."""
    start_score = objective.score(start)
    reached, steps = _slsqp(objective, start, unit)
    first = reached if objective.score(reached) > start_score else start
    spend, _, polishing = polish(objective, first)
    spend, score, newton = newton_polish(objective, spend)
    return Climb(name, start_score, spend, score, steps + polishing + newton)


def _slsqp(objective: Objective, start: FloatArray, unit: float) -> tuple[FloatArray, int]:
    """SLSQP in shares of the free budget, so that neither money nor KPI units matter."""
    from scipy.optimize import Bounds, LinearConstraint, minimize

    problem = objective.problem
    lower, upper = problem.lower, problem.reach
    free = problem.total - float(lower.sum())
    if free <= 0.0:
        return start, 0
    margin = np.where(np.isfinite(objective.gradient(lower)), 0.0, np.minimum(_INSIDE, 0.5 * (upper - lower) / free))

    def plan(share: FloatArray) -> FloatArray:
        return np.clip(lower + free * share, lower + free * margin, upper)

    def loss(share: FloatArray) -> float:
        return -objective.score(plan(share)) / unit

    def slope(share: FloatArray) -> FloatArray:
        return -objective.gradient(plan(share)) * free / unit

    budget = LinearConstraint(np.ones((1, len(start))), 1.0, 1.0)
    with warnings.catch_warnings():
        # SLSQP says so when a step leaves the box by a rounding error; `plan` clips it.
        warnings.filterwarnings("ignore", message="Values in x were outside bounds", category=RuntimeWarning)
        result = minimize(
            loss,
            np.clip((start - lower) / free, margin, (upper - lower) / free),
            jac=slope,
            method="SLSQP",
            bounds=Bounds(margin, (upper - lower) / free),
            constraints=budget,
            options={"maxiter": _SLSQP_STEPS, "ftol": 1e-14},
        )
    share = result.x if np.isfinite(result.x).all() else (start - lower) / free
    return nearest_feasible(lower + free * share, lower, upper, problem.total), int(result.nit)


def polish(objective: Objective, start: FloatArray) -> tuple[FloatArray, float, int]:
    """Water-fill on the linearisation, each channel within its concave piece, while the score rises."""
    spend, score = start, objective.score(start)
    for step in range(_POLISH_STEPS):
        lower, upper = _concave_piece(objective, spend)
        proposal = water_fill(objective.linearised(spend, lower, upper)).spend
        proposed = objective.score(proposal)
        if not proposed > score:
            return spend, score, step
        spend, score = proposal, proposed
    return spend, score, _POLISH_STEPS


def _concave_piece(objective: Objective, spend: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds around each channel's spend within which its contribution is concave; the spend itself where it is not."""
    problem = objective.problem
    weights, turn = objective.response_weights(spend), problem.bank.inflection
    shaped = np.isfinite(turn)
    straight = problem.bank.linear | (weights == 0.0)
    above = (weights > 0.0) & (~shaped | (spend >= turn))
    below = (weights < 0.0) & shaped & (spend <= turn)
    lower = np.where(above & shaped, np.maximum(problem.lower, turn), problem.lower)
    upper = np.where(below, np.minimum(problem.reach, turn), problem.reach)
    stuck = ~(straight | above | below)
    lower = np.where(straight, problem.lower, np.where(stuck, spend, lower))
    upper = np.where(straight, problem.reach, np.where(stuck, spend, upper))
    return np.minimum(lower, spend), np.maximum(upper, spend)
