"""The model-selection evidence of one fit, as the tables that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dsam_assets.selection.loo import psis_loo
from dsam_assets.selection.loo_tables import loo_pointwise_frame, loo_summary_frame, skipped_summary

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

ROW_SAMPLE_SEED = 1


def loo_tables(draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame, section: Any) -> dict[str, pd.DataFrame]:
    """`loo_summary` and `loo_pointwise`, or a summary stub that says why there is nothing.

    Args:
        draws: the posterior.
        matrix: the model matrix.
        labels: date of each modelled row.
        section: the config's `diagnostics` section.
    """
    selection = section.model_selection
    if not (section.enabled and selection.enabled):
        key = "diagnostics.enabled" if not section.enabled else "diagnostics.model_selection.enabled"
        return {"loo_summary": skipped_summary(f"{key} is false")}
    if draws.is_point:
        return {"loo_summary": skipped_summary("a point estimate (fit.method: optimise) has no posterior to weigh")}
    result = psis_loo(
        draws, matrix, max_draws=selection.max_draws, seed=ROW_SAMPLE_SEED, pareto_k_warn=selection.pareto_k_warn
    )
    return {
        "loo_summary": loo_summary_frame(result),
        "loo_pointwise": loo_pointwise_frame(result, top_n=selection.top_n, labels=labels),
    }
