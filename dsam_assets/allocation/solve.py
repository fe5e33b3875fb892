"""Chooses the method, runs it, and keeps everything the certificate needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dsam_assets.allocation.budget import split_like
from dsam_assets.allocation.candidates import random_candidates
from dsam_assets.allocation.general import Climb
from dsam_assets.allocation.grid import grid_plan
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.search import search
from dsam_assets.allocation.water_filling import water_fill
from dsam_assets.scales import FloatArray

Method = Literal["water_filling", "multistart_slsqp", "reference"]

# Starts taken from the random candidates: the best ones, and some regardless of score for variety.
_BEST_CANDIDATES = 4
_ANY_CANDIDATES = 4
_CANDIDATE_STREAM = 1


@dataclass(frozen=True, eq=False)
class Solution:
    """The best plan found and how.

    Attributes:
        spend: the plan, shape (C,).
        score: its score.
        method: `water_filling` (exact), `multistart_slsqp`, or `reference` when nothing beats a feasible reference.
        concave: whether the responses are concave where the plan's score is concave in them, so that the bound is
            reached and a KKT point is the global optimum.
        bound: an upper bound on any feasible plan's score; None when the score is not concave in the responses.
        climbs: the starts of the general search; empty for water-filling.
        candidate_scores: scores of the random audit, shape (n_candidates,).
    """

    spend: FloatArray
    score: float
    method: Method
    concave: bool
    bound: float | None
    climbs: tuple[Climb, ...]
    candidate_scores: FloatArray


def solve(problem: Problem) -> Solution:
    """The best feasible plan; channels are handled in order of their names, so the config's order is irrelevant."""
    order = np.argsort(np.array(problem.names), kind="stable")
    found = _solve(problem.reordered(order))
    back = np.argsort(order)
    climbs = tuple(Climb(c.name, c.start_score, c.spend[back], c.score, c.iterations) for c in found.climbs)
    return Solution(
        found.spend[back], found.score, found.method, found.concave, found.bound, climbs, found.candidate_scores
    )


def _solve(problem: Problem) -> Solution:
    objective = Objective(problem)
    rng = np.random.default_rng([problem.seed, _CANDIDATE_STREAM])
    candidates = random_candidates(problem, problem.n_candidates, rng)
    scores = objective.scores(candidates)
    # For a score that is not separable, the linearisation at the reference still gives good starts.
    separable = objective.separable_form()
    filled = water_fill(separable)
    climbs: tuple[Climb, ...] = ()
    plans: dict[Method, FloatArray] = {"water_filling": filled.spend}
    if not (objective.separable and separable.concave):
        starts = {"water_filling": filled.spend, "grid": grid_plan(separable), **_starts(problem, candidates, scores)}
        climbs = search(objective, starts, _unit(scores), rng)
        plans = {"multistart_slsqp": max(climbs, key=lambda climb: climb.score).spend}
    if problem.reference_feasible:
        plans = {"reference": split_like(problem.reference, problem.lower, problem.reach, problem.total), **plans}
    method = max(plans, key=lambda name: objective.score(plans[name]))
    bound, concave = objective.bound(plans[method]) or (None, False)
    return Solution(plans[method], objective.score(plans[method]), method, concave, bound, climbs, scores)


def _starts(problem: Problem, candidates: FloatArray, scores: FloatArray) -> Mapping[str, FloatArray]:
    reference = split_like(problem.reference, problem.lower, problem.reach, problem.total)
    even = split_like(np.zeros_like(reference), problem.lower, problem.reach, problem.total)
    best = np.argsort(-scores, kind="stable")[:_BEST_CANDIDATES]
    return {
        "reference_split": reference,
        "even_split": even,
        **{f"best_candidate_{rank + 1}": candidates[i] for rank, i in enumerate(best)},
        **{f"candidate_{i + 1}": candidates[i] for i in range(min(_ANY_CANDIDATES, len(candidates)))},
    }


def _unit(scores: FloatArray) -> float:
    """A typical difference between plans; 1 when all plans are alike."""
    spread = float(scores.max() - scores.min()) if len(scores) else 0.0
    return spread if spread > 0.0 else 1.0
