"""The model-selection evidence of one fit, as the tables that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dsam_assets.errors import FitError
from dsam_assets.selection.calibration_tables import calibration_tables, missing_summary
from dsam_assets.selection.loo import LooResult, psis_loo
from dsam_assets.selection.loo_tables import loo_pointwise_frame, loo_summary_frame, skipped_summary
from dsam_assets.selection.refinements import matched, refitted

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.design.model_design import ModelDesign
    from dsam_assets.fit.draws import Draws
    from dsam_assets.selection.reloo import Refit

ROW_SAMPLE_SEED = 1


def selection_tables(
    draws: Draws,
    matrix: ModelMatrix,
    labels: pd.DataFrame,
    section: Any,
    *,
    design: ModelDesign | None = None,
    refit: Refit | None = None,
) -> dict[str, pd.DataFrame]:
    """`loo_summary` and `calibration_summary`, and where LOO applies `loo_pointwise` and the tables of calibration.

    Args:
        draws: the posterior.
        matrix: the model matrix.
        labels: date of each modelled row.
        section: the config's `diagnostics` section.
        design: the model; needed for `model_selection.moment_match` and `reloo`.
        refit: what fits the model without a row, see `reloo.refitter`; needed for `reloo`, called for nothing else.

    Raises:
        FitError: the config asks for what has no design or nothing to refit with, or a refit fails.
    """
    reason = _why_not(draws, section)
    if reason:
        return {
            "loo_summary": skipped_summary(reason),
            "calibration_summary": missing_summary(f"no PSIS-LOO: {reason}"),
        }
    result = _refined(_psis(draws, matrix, section), draws, section.model_selection, design, refit)
    return {**_loo_tables(result, labels, section), **calibration_tables(result, labels)}


def loo_tables(draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame, section: Any) -> dict[str, pd.DataFrame]:
    """`loo_summary` and `loo_pointwise` by PSIS alone, or a summary stub that says why there is nothing.

    Args:
        draws: the posterior.
        matrix: the model matrix.
        labels: date of each modelled row.
        section: the config's `diagnostics` section.
    """
    reason = _why_not(draws, section)
    if reason:
        return {"loo_summary": skipped_summary(reason)}
    return _loo_tables(_psis(draws, matrix, section), labels, section)


def _why_not(draws: Draws, section: Any) -> str:
    """Why there is no PSIS-LOO; empty when there is."""
    if not (section.enabled and section.model_selection.enabled):
        key = "diagnostics.enabled" if not section.enabled else "diagnostics.model_selection.enabled"
        return f"{key} is false"
    return "a point estimate (fit.method: optimise) has no posterior to weigh" if draws.is_point else ""


def _psis(draws: Draws, matrix: ModelMatrix, section: Any) -> LooResult:
    selection = section.model_selection
    return psis_loo(
        draws, matrix, max_draws=selection.max_draws, seed=ROW_SAMPLE_SEED, pareto_k_warn=selection.pareto_k_warn
    )


def _refined(
    result: LooResult, draws: Draws, selection: Any, design: ModelDesign | None, refit: Refit | None
) -> LooResult:
    """Influential rows scored again, first by the cheaper of the two ways."""
    if selection.moment_match:
        if design is None:
            raise _missing("moment_match", "design")
        result = matched(result, design, draws, selection.max_draws)
    if selection.reloo:
        if design is None or refit is None:
            raise _missing("reloo", "design, and something that fits it without a row")
        result = refitted(result, design, draws, refit, max_draws=selection.max_draws)
    return result


def _missing(key: str, what: str) -> FitError:
    return FitError(
        f"diagnostics.model_selection.{key} needs the model's {what}.",
        where="model selection",
        got="the posterior and the model matrix alone",
        fix=f"Pass it, or set diagnostics.model_selection.{key}: false.",
    )


def _loo_tables(result: LooResult, labels: pd.DataFrame, section: Any) -> dict[str, pd.DataFrame]:
    return {
        "loo_summary": loo_summary_frame(result),
        "loo_pointwise": loo_pointwise_frame(result, top_n=section.model_selection.top_n, labels=labels),
    }
