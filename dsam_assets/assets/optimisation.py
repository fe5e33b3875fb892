"""Stage 60: the budget plan and what lies around it, stamped with the state of the evidence under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.assets.types import table_columns, tables_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.slices import AllocationSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.diagnostics.stamped import StampedTables
    from dsam_assets.fit.draws import Draws


@market_asset(
    codec="allocation",
    code=["allocation", "diagnostics", "fit/spread"],
    columns=table_columns("budget_allocation"),
    dagster_type=tables_type("allocation", "budget tables with their reliability", lambda plan: plan.tables),
)
def allocation(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    diagnostics_report: DiagnosticsReport,
    decomposition: Mapping[str, pd.DataFrame],
    config_allocation: AllocationSlice,
) -> Published:
    """The budget split that maximises the objective, with its certificate; refused when a gate blocks decisions."""
    from dsam_assets.allocation.plan import plan_budget
    from dsam_assets.diagnostics.report import enforce

    enforce(diagnostics_report)
    evidence = decomposition.get("channel_evidence")
    plan = plan_budget(posterior, design_matrix, model_frame, config_allocation, diagnostics_report, evidence)
    return Published(plan, plan.facts())


@market_asset(
    codec="response_curves",
    code=["allocation", "diagnostics", "fit/spread"],
    columns=table_columns("budget_response_curves"),
    dagster_type=tables_type("response_curves", "response curves with their reliability", lambda curves: curves.tables),
)
def response_curves(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    diagnostics_report: DiagnosticsReport,
    config_allocation: AllocationSlice,
    allocation: StampedTables,
) -> Published:
    """Each channel's response and marginal return at any spend, with bands; refused when a gate blocks decisions."""
    from dsam_assets.allocation import around_plan
    from dsam_assets.diagnostics.report import enforce

    enforce(diagnostics_report)
    curves = around_plan.response_curves(
        posterior, design_matrix, model_frame, config_allocation, diagnostics_report, allocation
    )
    return Published(curves, curves.facts())


@market_asset(
    codec="efficient_frontier",
    code=["allocation", "diagnostics", "fit/spread"],
    columns=table_columns("budget_efficient_frontier"),
    dagster_type=tables_type(
        "efficient_frontier", "other budgets and deviations with their reliability", lambda frontier: frontier.tables
    ),
)
def efficient_frontier(
    context: dg.AssetExecutionContext,
    posterior: Draws,
    design_matrix: ModelMatrix,
    model_frame: pd.DataFrame,
    diagnostics_report: DiagnosticsReport,
    config_allocation: AllocationSlice,
    allocation: StampedTables,
) -> Published:
    """The best plan at every budget, and what it costs to miss the plan; refused when a gate blocks decisions."""
    from dsam_assets.allocation import around_plan
    from dsam_assets.diagnostics.report import enforce

    enforce(diagnostics_report)
    frontier = around_plan.frontier(
        posterior, design_matrix, model_frame, config_allocation, diagnostics_report, allocation
    )
    return Published(frontier, frontier.facts())
