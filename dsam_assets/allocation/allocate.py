"""The allocator's front door: a problem in, a certified plan and its tables out."""

from __future__ import annotations

from dataclasses import dataclass

from dsam_assets.allocation.certificate import Certificate, certify
from dsam_assets.allocation.checks import Check, judge
from dsam_assets.allocation.efficiency_target import at_total, with_largest_total
from dsam_assets.allocation.general import Climb
from dsam_assets.allocation.objective import Objective, Outcome
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.solve import Method, solve
from dsam_assets.scales import FloatArray


@dataclass(frozen=True, eq=False)
class Allocation:
    """A plan, what it changes, and why to believe it.

    Attributes:
        problem: what was asked; for `target_efficiency` with the largest total that meets the target as the budget.
        judged: the problem that the plan solves and its certificate is about; for `target_efficiency` the margin over
            the target at that total, else `problem` itself.
        best_spend: spend per channel and period, shape (C,), in the order of `problem.channels`.
        score: the objective's score against the reference, whatever the scenario; 0 at the reference.
        method: how the plan was found.
        outcome: draws of the change against the reference.
        certificate: the evidence.
        checks: the evidence, judged.
        climbs: starts of the general search; empty for water-filling.
        candidate_scores: scores of the random audit, shape (n_candidates,).
    """

    problem: Problem
    judged: Problem
    best_spend: FloatArray
    score: float
    method: Method
    outcome: Outcome
    certificate: Certificate
    checks: tuple[Check, ...]
    climbs: tuple[Climb, ...]
    candidate_scores: FloatArray


def allocate(problem: Problem) -> Allocation:
    """Find the feasible plan with the best score. The same problem and seed always give the same plan.

    A separable concave score is solved exactly by water-filling; any other by local search from many starts. A feasible
    reference is kept when nothing beats it. For `target_efficiency` the largest total that meets the target is found
    first, then the plan of that total with the largest margin over it.

    Raises:
        AllocationError: feasible plans have no finite outcome, or no plan meets the target efficiency.
    """
    judged = problem
    if problem.scenario == "target_efficiency":
        problem = with_largest_total(problem)
        judged = at_total(problem, problem.total)
    solution = solve(judged)
    certificate = certify(problem, solution, judged)
    objective = Objective(problem)
    return Allocation(
        problem=problem,
        judged=judged,
        best_spend=solution.spend,
        score=objective.score(solution.spend),
        method=solution.method,
        outcome=objective.outcome(solution.spend),
        certificate=certificate,
        checks=judge(certificate),
        climbs=solution.climbs,
        candidate_scores=solution.candidate_scores,
    )
