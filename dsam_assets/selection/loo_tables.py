"""The tables of a LOO result: `loo_summary.csv` and `loo_pointwise.csv`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.design.labels import labelled
from dsam_assets.selection.loo import LooResult, k_band

_TEXT = ("status", "reason", "method", "scale", "response_scale")
_SUMS = ("elpd_loo", "se_elpd_loo", "se_subsampling", "p_loo", "looic", "kpi_elpd_loo", "se_kpi_elpd_loo")
_COUNTS = ("n_k_above_warn", "n_k_le_0_5", "n_k_0_5_to_0_7", "n_k_gt_0_7", "n_k_gt_1", "n_k_not_computed")
SUMMARY_DTYPES: dict[str, str] = {
    **dict.fromkeys(_TEXT, "object"),
    **dict.fromkeys(_SUMS, "float64"),
    **dict.fromkeys(("n_rows", "n_scored", "n_draws"), "Int64"),
    **dict.fromkeys(("r_eff", "max_pareto_k", "pareto_k_warn"), "float64"),
    **dict.fromkeys(_COUNTS, "Int64"),
    "warnings": "object",
}


def loo_summary_frame(result: LooResult) -> pd.DataFrame:
    """One row for `loo_summary.csv`; sums on the model scale, `kpi_*` on the KPI scale."""
    counts = result.k_counts
    k = result.pareto_k[~np.isnan(result.pareto_k)]
    row: dict[str, Any] = {
        "status": "ok",
        "reason": "",
        "method": "psis_loo",
        "scale": result.scale,
        "response_scale": result.response_scale,
        "elpd_loo": result.elpd_loo,
        "se_elpd_loo": result.se_elpd_loo,
        "se_subsampling": result.se_subsampling,
        "p_loo": result.p_loo,
        "looic": result.looic,
        "kpi_elpd_loo": result.kpi_elpd_loo,
        "se_kpi_elpd_loo": result.se_kpi_elpd_loo,
        "n_rows": result.n_rows,
        "n_scored": result.n_scored,
        "n_draws": result.n_draws,
        "r_eff": result.r_eff,
        "max_pareto_k": float(k.max()) if k.size else np.nan,
        "pareto_k_warn": result.pareto_k_warn,
        "n_k_above_warn": counts["above_warn"],
        "n_k_le_0_5": counts["good"],
        "n_k_0_5_to_0_7": counts["ok"],
        "n_k_gt_0_7": counts["bad"] + counts["very_bad"],
        "n_k_gt_1": counts["very_bad"],
        "n_k_not_computed": counts["not_computed"],
        "warnings": " ".join(result.warnings),
    }
    return pd.DataFrame([row])[list(SUMMARY_DTYPES)].astype(SUMMARY_DTYPES)


def skipped_summary(reason: str) -> pd.DataFrame:
    """The stub row of `loo_summary.csv` when LOO does not apply: same columns, no numbers, the reason."""
    row = {"status": "skipped", "reason": reason, "method": "psis_loo", "scale": "model", "warnings": ""}
    return pd.DataFrame([row], columns=list(SUMMARY_DTYPES)).astype(SUMMARY_DTYPES)


def loo_pointwise_frame(result: LooResult, *, top_n: int, labels: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per scored row for `loo_pointwise.csv`, in the order of the model matrix.

    Args:
        result: the LOO result.
        top_n: how many of the rows with the largest Pareto k to flag.
        labels: columns that identify the rows of the model matrix (date, group), one row per row of it.

    Returns:
        Columns row (position in the data frame), those of `labels`, elpd_loo and p_loo (model scale), pareto_k, k_band,
        influential (k above the warning threshold, or not computed), top_n; and where rows were scored again, method:
        psis, moment_match or exact.
    """
    k = result.pareto_k
    table = labelled(result.all_rows, labels).iloc[result.scored].reset_index(drop=True)
    worst = np.argsort(-np.nan_to_num(k, nan=np.inf, posinf=np.inf), kind="stable")[:top_n]
    method = {"method": result.method} if result.notes else {}
    return table.assign(
        elpd_loo=result.elpd_pointwise,
        p_loo=result.p_loo_pointwise,
        pareto_k=k,
        k_band=k_band(k),
        influential=(k > result.pareto_k_warn) | np.isnan(k),
        top_n=np.isin(np.arange(len(k)), worst),
        **method,
    )
