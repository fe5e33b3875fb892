"""The search where water-filling gives no proof: from many starts, and out of the valleys that they end in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from dsam_assets.allocation.exchange import exchange
from dsam_assets.allocation.general import WIDE, Climb, climb_all, climb_from
from dsam_assets.allocation.newton import newton_polish
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.quantile_search import climb_kinks, evolve
from dsam_assets.scales import FloatArray

# Rounds of moving spend between two channels and climbing again.
_ROUNDS = 4
# A quantile is first climbed smoothed over this share of the way to the nearer end of the draws, then ever less.
_SMOOTHINGS = (0.9, 0.3, 0.1)
_LEADERS, _EVOLVED = 3, 6
# Plans closer than this share of the budget are the same place.
_NEAR = 1e-3


def search(
    objective: Objective, starts: Mapping[str, FloatArray], unit: float, rng: np.random.Generator
) -> tuple[Climb, ...]:
    """Climb from every start and go on from the best.

    Args:
        objective: the score.
        starts: feasible plans by name.
        unit: a typical difference of scores.
        rng: source of chance, for quantiles.
    """
    if not objective.risk.smooth:
        return _climb_quantile(objective, starts, unit, rng)
    climbs = climb_all(objective, starts, unit)
    if objective.separable:
        # The grid start has already seen every valley.
        return climbs
    best = max(climbs, key=lambda climb: climb.score)
    return (*climbs, *_escapes(objective, best, unit))


def _escapes(objective: Objective, best: Climb, unit: float) -> tuple[Climb, ...]:
    """The climb from where moves between two channels lead, if they lead anywhere."""
    found = best
    for _ in range(_ROUNDS):
        moved, score = exchange(objective, found.spend)
        if not score > found.score + 1e-12 * objective.magnitude(found.spend):
            break
        found = climb_from(objective, "exchange", moved, unit)
    return () if found is best else (found,)


def _climb_quantile(
    objective: Objective, starts: Mapping[str, FloatArray], unit: float, rng: np.random.Generator
) -> tuple[Climb, ...]:
    """From smooth to sharp: the smoothed quantile has few local optima, the quantile itself many close together.

    With few channels, evolution from every start looks further around than the smooth climbs do.
    """
    level = objective.problem.risk_quantile
    widths = [share * min(level, 1.0 - level) for share in _SMOOTHINGS]
    wide = len(objective.problem.channels) > WIDE
    first = Objective(normal_score(objective.problem)) if wide else Objective(objective.problem, widths[0])
    climbs = [
        replace(climb, start_score=objective.score(starts[climb.name]), score=objective.score(climb.spend))
        for climb in climb_all(first, starts, unit)
    ]
    if not wide:
        climbs += [_evolved(objective, name, start, rng) for name, start in starts.items()]
        climbs += [_evolved(objective, climb.name, climb.spend, rng) for climb in _distinct(climbs)[:_EVOLVED]]
    leaders = _distinct(climbs)[: 1 if wide else _LEADERS]
    return (*climbs, *(_sharpened(objective, leader, widths[1:] if wide else []) for leader in leaders))


def _evolved(objective: Objective, name: str, start: FloatArray, rng: np.random.Generator) -> Climb:
    spend = evolve(objective, start, rng)
    return Climb(f"evolution from {name}", objective.score(start), spend, objective.score(spend), 0)


def _sharpened(objective: Objective, leader: Climb, widths: list[float]) -> Climb:
    """The climb from a leader on ever less smoothed quantiles, then on the quantile itself."""
    spend = leader.spend
    for width in widths:
        spend = newton_polish(Objective(objective.problem, width), spend)[0]
    spend, score, steps = climb_kinks(objective, spend)
    return Climb(f"{leader.name}, sharpened", leader.score, spend, score, steps)


def normal_score(problem: Problem) -> Problem:
    """The problem with the quantile that normal draws would have: mean minus so many standard deviations."""
    distance = max(0.0, -NormalDist().inv_cdf(problem.risk_quantile))
    return replace(problem, risk="mean_minus_sd", risk_lambda=distance)


def _distinct(climbs: list[Climb]) -> list[Climb]:
    """Climbs that ended in different places, the best first."""
    kept: list[Climb] = []
    for climb in sorted(climbs, key=lambda climb: -climb.score):
        near = _NEAR * float(climb.spend.sum())
        if all(np.abs(climb.spend - other.spend).max() > near for other in kept):
            kept.append(climb)
    return kept
