"""Stage 60: the budget plan, stamped with the state of the evidence under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.market_asset import Published, market_asset
from dsam_assets.assets.types import table_columns, tables_type

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd

    from dsam_assets.config.slices import AllocationSlice
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
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
    config_allocation: AllocationSlice,
) -> Published:
    """The budget split that maximises the objective, with its certificate; refused when a gate blocks decisions."""
    from dsam_assets.allocation.plan import plan_budget
    from dsam_assets.diagnostics.report import enforce

    enforce(diagnostics_report)
    plan = plan_budget(posterior, design_matrix, model_frame, config_allocation, diagnostics_report)
    return Published(plan, plan.facts())
