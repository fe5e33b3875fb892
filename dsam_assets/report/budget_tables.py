"""The schemas of the budget tables."""

from __future__ import annotations

from dsam_assets.allocation.columns import COLUMNS
from dsam_assets.report.columns import text
from dsam_assets.tables import Column, Table

BUDGET_ROWS = {
    "budget_summary": "the plan",
    "budget_allocation": "one channel",
    "budget_diagnostics": "one piece of evidence about the plan",
    "budget_response_curves": "one channel at one spend",
    "budget_response_points": "one channel at the reference or at the plan",
    "budget_roi_cpa": "one channel, or all together",
    "budget_impact": "one channel's part of the change",
    "budget_marginal_roi": "one channel at one spend",
    "budget_kpi_waterfall": "one step from the reference's KPI to the plan's",
    "budget_confidence_comparison": "one comparison of the plan with a rival",
    "budget_spend_share": "one channel, or all together",
    "budget_efficient_frontier": "one budget",
    "budget_frontier_spend": "one channel at one budget",
    "budget_scenarios": "one budget",
    "budget_scenario_spend": "one channel at one budget",
    "budget_sensitivity": "one channel's spend moved by one step under one rule",
}


STAMP = (
    Column("reliability", "text", "text", "state of the evidence", one_of=("final", "provisional", "blocked")),
    Column("diagnostics_overall", "text", "text", "overall status of the checks", one_of=("pass", "warn", "fail")),
    Column(
        "estimate",
        "text",
        "text",
        "posterior: draws; point: their mode, without uncertainty",
        one_of=("posterior", "point"),
    ),
    Column(
        "level",
        "text",
        "text",
        "model: one set of effects; population: the average group's; unit: one group's; group: every group's",
        one_of=("model", "population", "unit", "group"),
    ),
    text("waived", "failed checks that somebody answers for: who, and until when; empty without waivers"),
    text("groups", "the group, or grouping keys and how many groups each has; empty for one set of effects"),
)


def _budget_table(name: str) -> Table:
    return Table(name, BUDGET_ROWS[name], (*COLUMNS[name], *(STAMP if name == "budget_summary" else ())))


BUDGET_TABLES = {name: _budget_table(name) for name in COLUMNS}
