"""A budget plan as it is published: its tables, and the state of the evidence under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.from_config import problem_from_config
from dsam_assets.allocation.scenarios import budget_scenarios, named_budgets, scenario_tables
from dsam_assets.allocation.summary import allocation_tables
from dsam_assets.diagnostics.stamped import StampedTables

if TYPE_CHECKING:
    from dsam_assets.allocation.problem import Problem
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.fit.draws import Draws


@dataclass(frozen=True)
class BudgetPlan(StampedTables):
    """Allocation tables with their reliability; `tables` is empty when the config asks for no allocation."""

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        stamp = super().facts()
        if not self.tables:
            return stamp
        row = self.tables["budget_summary"].iloc[0]
        return {
            **stamp,
            "method": str(row["method"]),
            "estimate": str(row["estimate"]),
            "level": str(row["level"]),
            "score": float(row["score"]),
            "budget": float(row["budget_total"]),
        }


def budget_problem(draws: Draws, matrix: ModelMatrix, frame: pd.DataFrame, section: Any) -> Problem:
    """The budget problem that the config asks of a fitted model.

    Args:
        draws: the posterior.
        matrix: the model matrix; its rows say which rows of the frame were modelled.
        frame: the data file.
        section: the config's `allocation` section with `kpi_type`.
    """
    return problem_from_config(
        section.allocation,
        terms=matrix.terms,
        coefficients=draws.coef_flat,
        frame=frame.iloc[matrix.rows],
        response_scale=matrix.response_scale,
        kpi_type=section.kpi_type,
    )


def plan_budget(
    draws: Draws, matrix: ModelMatrix, frame: pd.DataFrame, section: Any, report: DiagnosticsReport
) -> BudgetPlan:
    """Solve the config's budget problem and stamp the plan with the verdict.

    Args:
        draws: the posterior.
        matrix: the model matrix; its rows say which rows of the frame were modelled.
        frame: the data file.
        section: the config's `allocation` section with `kpi_type`.
        report: the verdict; `diagnostics.report.enforce` has let it through.
    """
    tables: dict[str, pd.DataFrame] = {}
    if section.allocation.enabled:
        problem = budget_problem(draws, matrix, frame, section)
        stamp = {"reliability": report.reliability, "diagnostics_overall": report.overall, **_basis(draws, matrix)}
        found = allocate(problem)
        scenarios = budget_scenarios(found.problem, found.best_spend, named_budgets(section.allocation))
        tables = _stamped(allocation_tables(found), stamp)
        tables |= scenario_tables(found.problem, found.best_spend, scenarios)
    return BudgetPlan(tables, report.reliability, report.overall, report.reasons)


def _basis(draws: Draws, matrix: ModelMatrix) -> dict[str, str]:
    """Whose effects the plan is made from, and whether anything is known about their uncertainty."""
    groups = dict.fromkeys(f"{len(group.levels)} of {group.key}" for group in matrix.groups)
    return {
        "estimate": "point" if draws.is_point else "posterior",
        "level": "population" if groups else "model",
        "groups": ", ".join(groups),
    }


def _stamped(tables: Mapping[str, pd.DataFrame], stamp: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {**tables, "budget_summary": tables["budget_summary"].assign(**stamp)}
