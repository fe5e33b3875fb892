"""Stage 60: the budget plan, stamped with the state of the evidence under it."""

from dsam_assets.assets.market_asset import Published, market_asset


@market_asset(codec="allocation", code=["allocation"])
def allocation(context, posterior, design_matrix, model_frame, diagnostics_report, config_allocation) -> Published:
    """The budget split that maximises the objective, with its certificate; refused when a gate blocks decisions."""
    from dsam_assets.allocation.plan import plan_budget
    from dsam_assets.diagnostics.report import enforce

    enforce(diagnostics_report)
    plan = plan_budget(posterior, design_matrix, model_frame, config_allocation, diagnostics_report)
    return Published(plan, plan.facts())
