"""Stage 50: how well the model predicts data it has not seen."""

from dsam_assets.assets.market_asset import Published, market_asset


@market_asset(codec="tables", code=["selection", "diagnostics/residual_table"])
def loo(context, posterior, design_matrix, model_frame, config_data, config_diagnostics) -> Published:
    """PSIS-LOO: expected log predictive density with Pareto k, in total (`loo_summary`) and by row (`loo_pointwise`)."""
    from dsam_assets.design.labels import date_labels
    from dsam_assets.selection.evidence import loo_tables

    labels = date_labels(model_frame, config_data.date_var, design_matrix)
    tables = loo_tables(posterior, design_matrix, labels, config_diagnostics)
    summary = tables["loo_summary"].iloc[0]
    return Published(tables, {key: summary[key] for key in ("status", "elpd_loo", "p_loo", "max_pareto_k") if summary.notna()[key]})
