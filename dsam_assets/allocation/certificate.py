"""Evidence that a plan is feasible and cannot be improved, each number computable without knowing how it was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsam_assets.allocation.budget import split_like
from dsam_assets.allocation.exchange import moves
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.solve import Solution
from dsam_assets.fit.spread import has_spread, probability
from dsam_assets.scales import FloatArray

Flags = NDArray[np.bool_]

# A spend this close to a bound, as a share of the budget, counts as at the bound.
BOUND_TOLERANCE = 1e-9
# Two starts agree when their scores differ by less than this share; of the climbs on a quantile only the best are
# followed to the last kink.
AGREEMENT_TOLERANCE = 1e-6
AGREEMENT_WITH_KINKS = 1e-2
# At a kink marginals say little: the plan is compared with moves of this share of what two channels can exchange.
KINK_MOVE = 1e-3
# Spend above the largest observed one by more than this share is extrapolated.
EXTRAPOLATION_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Certificate:
    """Numbers that vouch for a plan; shares are without unit.

    Attributes:
        method: how the plan was found.
        concave: whether score and responses are concave; then a KKT gap of zero proves the global optimum.
        budget_residual: |Σ spend − budget| / budget.
        bound_residual: largest violation of a bound / budget.
        marginals: ∂score/∂spend_c at the plan, shape (C,), objective units per unit of spend.
        shadow_price: what another unit of budget would add to the score.
        kkt_gap: gain per unit of the best small reallocation between two channels that the bounds allow; 0 when
            marginals are equalised.
        kkt_gap_share: kkt_gap relative to the largest finite marginal.
        optimality_gap: how far the score can at most be below the global optimum; None when no bound is known.
        optimality_gap_share: optimality_gap / |score|; None when no bound is known.
        start_agreement: share of the starts that reached the best score; None when there was no search.
        candidate_best: best score of the random audit.
        candidate_regret: score − candidate_best, objective units.
        candidate_regret_share: candidate_regret / |score|.
        at_lower, at_upper: which channels are at a bound, shape (C,).
        extrapolated: per channel, spend above the largest observed one; None when that is not known.
        has_probabilities: whether there are several draws to count; a point estimate is one.
        probability_beats_reference: share of draws whose objective beats the reference; None for the reference itself
            and without probabilities.
        probability_beats_split: the same against the reference's split of this budget; None when the plan equals it and
            without probabilities.
        gain_over_split: score − score of the reference's split of this budget, objective units.
    """

    method: str
    concave: bool
    budget_residual: float
    bound_residual: float
    marginals: FloatArray
    shadow_price: float
    kkt_gap: float
    kkt_gap_share: float
    optimality_gap: float | None
    optimality_gap_share: float | None
    start_agreement: float | None
    candidate_best: float
    candidate_regret: float
    candidate_regret_share: float
    at_lower: tuple[bool, ...]
    at_upper: tuple[bool, ...]
    extrapolated: tuple[bool | None, ...]
    has_probabilities: bool
    probability_beats_reference: float | None
    probability_beats_split: float | None
    gain_over_split: float


def certify(problem: Problem, solution: Solution, judged: Problem | None = None) -> Certificate:
    """Compute the evidence for a solution.

    Args:
        problem: what the plan is compared with its rivals by.
        solution: the plan.
        judged: the problem that it solves, where that is another one.
    """
    spend, objective, comparison = solution.spend, Objective(judged or problem), Objective(problem)
    slack = BOUND_TOLERANCE * problem.total
    at_lower, at_upper = spend <= problem.lower + slack, spend >= problem.upper - slack
    marginals = objective.gradient(spend)
    price, gap = _equalisation(marginals, at_lower, at_upper)
    if _at_kink(objective, spend):
        gap = _best_exchange(objective, spend)
    size = objective.magnitude(spend)
    finite = np.abs(marginals[np.isfinite(marginals)])
    split = split_like(problem.reference, problem.lower, problem.reach, problem.total)
    best_candidate = float(solution.candidate_scores.max())
    optimality_gap = None if solution.bound is None else max(0.0, solution.bound - solution.score)
    outside = np.maximum(problem.lower - spend, spend - problem.upper)
    return Certificate(
        method=solution.method,
        concave=solution.concave,
        budget_residual=abs(float(spend.sum()) - problem.total) / problem.total,
        bound_residual=max(0.0, float(outside.max())) / problem.total,
        marginals=marginals,
        shadow_price=price,
        kkt_gap=gap,
        kkt_gap_share=_share(gap, float(finite.max(initial=0.0))),
        optimality_gap=optimality_gap,
        optimality_gap_share=None if optimality_gap is None else _share(optimality_gap, size),
        start_agreement=_agreement(solution, size, objective.risk.smooth),
        candidate_best=best_candidate,
        candidate_regret=solution.score - best_candidate,
        candidate_regret_share=_share(solution.score - best_candidate, size),
        at_lower=tuple(bool(flag) for flag in at_lower),
        at_upper=tuple(bool(flag) for flag in at_upper),
        extrapolated=_extrapolated(problem, spend),
        has_probabilities=has_spread(len(problem.coefficients)),
        probability_beats_reference=_win_rate(comparison, spend, problem.reference),
        probability_beats_split=_win_rate(comparison, spend, split),
        gain_over_split=comparison.score(spend) - comparison.score(split),
    )


def _share(part: float, whole: float) -> float:
    """part / |whole|; 0 when both are nothing."""
    if part == 0.0:
        return 0.0
    return part / abs(whole) if whole != 0.0 else float(np.copysign(np.inf, part))


def _equalisation(marginals: FloatArray, at_lower: Flags, at_upper: Flags) -> tuple[float, float]:
    """Shadow price and KKT gap.

    Moving spend from channel i to j helps when j's marginal exceeds i's, i can give and j can take. So the plan is a
    KKT point exactly when no taker's marginal exceeds a giver's: interior marginals are equal to the price, those at a
    minimum at most the price, those at a maximum at least the price.
    """
    takers, givers = marginals[~at_upper], marginals[~at_lower]
    if not takers.size or not givers.size:
        edge = givers.min() if givers.size else takers.max() if takers.size else np.nan
        return float(edge), 0.0
    highest, lowest = float(takers.max()), float(givers.min())
    if np.isinf(highest):
        return lowest, np.inf
    return 0.5 * (highest + lowest), max(0.0, highest - lowest)


def _at_kink(objective: Objective, spend: FloatArray) -> bool:
    """Whether the score has no gradient here: a quantile anywhere, a spread of draws where they are all equal."""
    risk = objective.risk
    return not risk.linear and (not risk.smooth or float(np.ptp(objective.outcome(spend).objective)) == 0.0)


def _best_exchange(objective: Objective, spend: FloatArray) -> float:
    """Gain per unit of the best small move of spend from one channel to another, ≥ 0."""
    plans = moves(objective, spend, np.array([KINK_MOVE]))
    if not len(plans):
        return 0.0
    moved = 0.5 * np.abs(plans - spend).sum(axis=1)
    gains = (objective.scores(plans) - objective.score(spend)) / moved
    return max(0.0, float(gains.max()))


def _agreement(solution: Solution, size: float, smooth: bool) -> float | None:
    if not solution.climbs:
        return None
    close = (AGREEMENT_TOLERANCE if smooth else AGREEMENT_WITH_KINKS) * size
    return float(np.mean([solution.score - climb.score <= close for climb in solution.climbs]))


def _extrapolated(problem: Problem, spend: FloatArray) -> tuple[bool | None, ...]:
    known = np.isfinite(problem.observed_max)
    beyond = spend > problem.observed_max * (1.0 + EXTRAPOLATION_TOLERANCE)
    return tuple(bool(far) if seen else None for far, seen in zip(beyond, known, strict=True))


def _win_rate(objective: Objective, spend: FloatArray, rival: FloatArray) -> float | None:
    """Share of draws in which the plan beats the rival, paired by draw; None for the same plan or a single draw."""
    problem = objective.problem
    same = np.allclose(spend, rival, rtol=0.0, atol=BOUND_TOLERANCE * problem.total)
    if same or not has_spread(len(problem.coefficients)):
        return None
    return probability(objective.outcome(spend).objective > objective.outcome(rival).objective)
