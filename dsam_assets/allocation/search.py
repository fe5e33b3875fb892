"""The search for the best plan where water-filling gives no proof: from many starts, and out of the valleys they end in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dsam_assets.allocation.exchange import exchange
from dsam_assets.allocation.general import Climb, climb_all, climb_from
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.quantile_search import climb_kinks
from dsam_assets.scales import FloatArray

# Rounds of moving spend between two channels and climbing again.
_ROUNDS = 4
# A quantile is first climbed smoothed over this share of the way to the nearer end of the draws, then ever less.
_SMOOTHINGS = (0.9, 0.3, 0.1)
_LEADERS = 3


def search(
    objective: Objective, starts: Mapping[str, FloatArray], unit: float, crowd: FloatArray
) -> tuple[Climb, ...]:
    """Climb from every start and go on from the best.

    Args:
        objective: the score.
        starts: feasible plans by name.
        unit: a typical difference of scores.
        crowd: further feasible plans, shape (N, C).
    """
    if not objective.risk.smooth:
        return _climb_quantile(objective, starts, unit, crowd)
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
    objective: Objective, starts: Mapping[str, FloatArray], unit: float, crowd: FloatArray
) -> tuple[Climb, ...]:
    """From smooth to sharp: the smoothed quantile has few local optima, the quantile itself many close together."""
    level = objective.problem.risk_quantile
    widths = [share * min(level, 1.0 - level) for share in _SMOOTHINGS]
    broad = climb_all(Objective(objective.problem, widths[0]), starts, unit)
    climbs = [replace(c, start_score=objective.score(starts[c.name]), score=objective.score(c.spend)) for c in broad]
    leaders = _distinct(sorted(climbs, key=lambda climb: -climb.score))[:_LEADERS]
    for leader in leaders:
        spend = leader.spend
        for width in widths[1:]:
            spend = climb_from(Objective(objective.problem, width), leader.name, spend, unit).spend
        spend, score, steps = climb_kinks(objective, spend, crowd)
        place = climbs.index(leader)
        climbs[place] = replace(leader, spend=spend, score=score, iterations=leader.iterations + steps)
    return tuple(climbs)


def _distinct(climbs: list[Climb]) -> list[Climb]:
    """Climbs that ended in different places, the first of each."""
    kept: list[Climb] = []
    for climb in climbs:
        near = 1e-4 * float(climb.spend.sum())
        if all(np.abs(climb.spend - other.spend).max() > near for other in kept):
            kept.append(climb)
    return kept
