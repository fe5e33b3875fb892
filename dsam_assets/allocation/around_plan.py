"""What is published beside a budget plan: response curves, and what other budgets or deviations would bring.

Both rebuild the budget problem and take the spend from the plan as it is stored, so that they always agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsam_assets.allocation.frontier import efficient_frontier, frontier_tables
from dsam_assets.allocation.plan import budget_problem
from dsam_assets.allocation.response_curves import response_curve_tables
from dsam_assets.allocation.sensitivity import sensitivity_table
from dsam_assets.diagnostics.stamped import StampedTables

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.fit.draws import Draws
    from dsam_assets.scales import FloatArray


@dataclass(frozen=True)
class ResponseCurves(StampedTables):
    """Response curve tables with their reliability; without tables when the config asks for no allocation."""

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        if not self.tables:
            return super().facts()
        points = self.tables["budget_response_points"]
        planned = points[points["point"] == "optimised"]
        return {
            **super().facts(),
            "channels": int(points["channel"].nunique()),
            "channels_extrapolated": int(planned["extrapolated"].fillna(False).sum()),
        }


@dataclass(frozen=True)
class EfficientFrontier(StampedTables):
    """Frontier and sensitivity tables with their reliability; without tables when there is no allocation."""

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        if not self.tables:
            return super().facts()
        rows = self.tables["budget_efficient_frontier"]
        plan = rows[rows["point"] == "plan"].iloc[0]
        return {
            **super().facts(),
            "budgets": len(rows),
            "best_multiplier": float(rows["multiplier"].to_numpy()[rows["score"].to_numpy().argmax()]),
            f"marginal_{plan['metric']}": float(plan["marginal_metric"]),
        }


def response_curves(
    draws: Draws, matrix: ModelMatrix, frame: pd.DataFrame, section: Any, report: DiagnosticsReport, plan: StampedTables
) -> ResponseCurves:
    """Every channel's response and marginal return, with the reference and the plan's spend marked.

    Args:
        draws, matrix, frame, section, report: as for `plan.plan_budget`.
        plan: its result.
    """
    tables = {}
    if section.allocation.enabled:
        problem = budget_problem(draws, matrix, frame, section, _held(plan))
        tables = dict(response_curve_tables(problem, _planned(plan)))
    return ResponseCurves(tables, report.reliability, report.overall, report.reasons)


def frontier(
    draws: Draws, matrix: ModelMatrix, frame: pd.DataFrame, section: Any, report: DiagnosticsReport, plan: StampedTables
) -> EfficientFrontier:
    """The best plan at every budget, and what it costs to miss this one.

    Args:
        draws, matrix, frame, section, report: as for `plan.plan_budget`.
        plan: its result.
    """
    tables = {}
    if section.allocation.enabled:
        problem, spend = budget_problem(draws, matrix, frame, section, _held(plan)), _planned(plan)
        tables = dict(frontier_tables(problem, efficient_frontier(problem, spend)))
        tables["budget_sensitivity"] = sensitivity_table(problem, spend)
    return EfficientFrontier(tables, report.reliability, report.overall, report.reasons)


def _planned(plan: StampedTables) -> FloatArray:
    """Recommended spend per channel, shape (C,)."""
    return plan.tables["budget_allocation"]["spend_optimised"].to_numpy()


def _held(plan: StampedTables) -> dict[str, str]:
    """Why the plan keeps some channels at their reference, by model term."""
    rows = plan.tables["budget_allocation"]
    return dict(rows.loc[rows["held"], ["term", "evidence_why"]].itertuples(index=False, name=None))
