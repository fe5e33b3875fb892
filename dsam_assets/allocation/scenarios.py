"""Budget scenarios: other budgets, each split in the best way and compared with the recommended plan, draw by draw.

The config names them, or they are the plan's own budget less and more a tenth and a fifth. Every scenario spends its
whole budget, whatever `allocation.scenario` asks of the plan itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.allocation.certificate import BOUND_TOLERANCE
from dsam_assets.allocation.feasibility import SUM_TOLERANCE
from dsam_assets.allocation.frontier import budget_outcome
from dsam_assets.allocation.nearby import at_budget, best_near
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.rows import beyond, budget_table, estimate, first_row
from dsam_assets.allocation.solve import solve
from dsam_assets.config.rules_allocation import PLAN
from dsam_assets.errors import AllocationError
from dsam_assets.fit.spread import has_spread, probability
from dsam_assets.scales import FloatArray

CHANGES = (-0.2, -0.1, 0.1, 0.2)
# The audit vouches for the plan; a scenario needs candidates only as starts.
_CANDIDATES = 200


@dataclass(frozen=True, eq=False)
class BudgetScenario:
    """One budget and its best plan.

    Attributes:
        name: as the config names it, `plan`, or a change such as `10% less`.
        kind: `plan`, `named` or `change`.
        total: the budget per period, spend units.
        spend: the best plan, shape (C,); None where the bounds allow none.
        reason: why there is none; empty otherwise.
    """

    name: str
    kind: str
    total: float
    spend: FloatArray | None
    reason: str = ""


def named_budgets(section: Any) -> tuple[tuple[str, float], ...]:
    """Names and totals of `allocation.scenarios`."""
    return tuple((str(scenario.name), float(scenario.total)) for scenario in section.scenarios)


def require_budgets(problem: Problem, budgets: Sequence[tuple[str, float]]) -> None:
    """Every named budget must fit between the channels' minima and maxima.

    Raises:
        AllocationError: the first that does not, with the sums that stand in its way.
    """
    for position, (name, total) in enumerate(budgets):
        if reason := _misfit(problem, total):
            raise AllocationError(
                f"The budget of scenario `{name}` cannot be spent within the bounds.",
                where=f"allocation.scenarios[{position}].total",
                got=reason,
                wanted=f"a total from {problem.lower.sum():,.12g} to {problem.upper.sum():,.12g}",
                fix="Change the scenario's total, or the bounds of some channels.",
            )


def _misfit(problem: Problem, total: float) -> str:
    least, most = float(problem.lower.sum()), float(problem.upper.sum())
    slack = SUM_TOLERANCE * total
    if total < least - slack:
        return f"{total:,.12g}, but minima sum to {least:,.12g}: {least - total:,.12g} too much"
    if total > most + slack:
        return f"{total:,.12g}, but maxima sum to {most:,.12g}: {total - most:,.12g} is left over"
    return ""


def budget_scenarios(
    problem: Problem, plan: FloatArray, budgets: Sequence[tuple[str, float]] = ()
) -> tuple[BudgetScenario, ...]:
    """The plan and the best plans of other budgets, by size of the budget.

    Args:
        problem: what was asked; its own budget does not matter.
        plan: its solution, shape (C,).
        budgets: names and totals; without any, the plan's budget changed by `CHANGES`.
    """
    own = float(plan.sum())
    asked = [(name, "named", total) for name, total in budgets]
    asked = asked or [(_words(change), "change", (1.0 + change) * own) for change in CHANGES]
    found = [BudgetScenario(PLAN, "plan", own, plan)]
    for name, kind, total in asked:
        reason = _misfit(problem, total)
        spend = None if reason else _best(at_budget(problem, total), plan)
        found.append(BudgetScenario(name, kind, total, spend, reason))
    return tuple(sorted(found, key=lambda scenario: scenario.total))


def _words(change: float) -> str:
    return f"{abs(change):.0%} {'less' if change < 0.0 else 'more'}"


def _best(problem: Problem, plan: FloatArray) -> FloatArray:
    """The better of a search that knows the plan and one that does not; a quantile is only searched near the plan."""
    if abs(float(plan.sum()) - problem.total) <= BOUND_TOLERANCE * problem.total:
        return plan
    objective, near = Objective(problem), best_near(problem, [plan])
    if not objective.risk.smooth:
        return near
    free = solve(replace(problem, n_candidates=min(problem.n_candidates, _CANDIDATES))).spend
    return max((near, free), key=objective.score)


def scenario_tables(
    problem: Problem, plan: FloatArray, scenarios: Sequence[BudgetScenario]
) -> Mapping[str, pd.DataFrame]:
    """`budget_scenarios`, one row per budget, and `budget_scenario_spend`, one row per budget and channel."""
    rows = [_row(problem, plan, scenario) for scenario in scenarios]
    known = [scenario for scenario in scenarios if scenario.spend is not None]
    blocks = [_spends(problem, plan, scenario, np.asarray(scenario.spend)) for scenario in known]
    return {
        "budget_scenarios": budget_table(
            "budget_scenarios", {key: [row[key] for row in rows] for key in max(rows, key=len)}
        ),
        "budget_scenario_spend": budget_table(
            "budget_scenario_spend", {key: [value for block in blocks for value in block[key]] for key in blocks[0]}
        ),
    }


def _row(problem: Problem, plan: FloatArray, scenario: BudgetScenario) -> dict[str, Any]:
    own = float(plan.sum())
    place = {
        "scenario": scenario.name,
        "kind": scenario.kind,
        "status": "ok" if scenario.spend is not None else "infeasible",
        "reason": scenario.reason,
        "budget": scenario.total,
        "budget_change": scenario.total / own - 1.0 if own > 0.0 else np.nan,
    }
    outcome = budget_outcome(problem, plan if scenario.spend is None else scenario.spend)
    compared = _against_plan(problem, plan, plan if scenario.spend is None else scenario.spend)
    numbers = {**outcome, **compared}
    if scenario.spend is None:
        # What cannot be spent has no outcome; its units are still known.
        numbers = {key: value if isinstance(value, str) else np.nan for key, value in numbers.items()}
        numbers["n_extrapolated"] = 0
    return {**place, **numbers}


def _against_plan(problem: Problem, plan: FloatArray, spend: FloatArray) -> dict[str, Any]:
    objective = Objective(problem)
    here, there = objective.outcome(spend), objective.outcome(plan)
    return {
        **first_row(estimate((here.kpi - there.kpi)[:, None], "kpi_above_plan")),
        "score_above_plan": objective.score(spend) - objective.score(plan),
        "probability_beats_reference": _chance(here.objective, problem.reference, spend),
        "probability_beats_plan": _chance(here.objective - there.objective, plan, spend),
    }


def _chance(difference: FloatArray, rival: FloatArray, spend: FloatArray) -> float:
    """Share of draws above zero; missing for a single draw and for a plan compared with itself."""
    same = np.allclose(spend, rival, rtol=0.0, atol=BOUND_TOLERANCE * max(float(spend.sum()), 1e-300))
    return float("nan") if same or not has_spread(len(difference)) else probability(difference > 0.0)


def _spends(problem: Problem, plan: FloatArray, scenario: BudgetScenario, spend: FloatArray) -> dict[str, Any]:
    count, money = len(spend), problem.money_rates * spend
    slack, total = BOUND_TOLERANCE * max(scenario.total, 1e-300), float(money.sum())
    return {
        "scenario": [scenario.name] * count,
        "kind": [scenario.kind] * count,
        "budget": [scenario.total] * count,
        "channel": list(problem.names),
        "spend": spend,
        "spend_currency": money,
        "share": money / total if total > 0.0 else np.full(count, np.nan),
        "spend_above_plan": spend - plan,
        "spend_above_reference": spend - problem.reference,
        "at_lower": spend <= problem.lower + slack,
        "at_upper": spend >= problem.upper - slack,
        "extrapolated": beyond(spend, problem.observed_max),
    }
