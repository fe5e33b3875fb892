"""How much predictors vary within the groups of a panel: Var(x − mean_g(x)) / Var(x).

A coefficient whose predictor hardly varies within groups is estimated from differences between groups, and those may
have any other reason. Group means (correlated random effects) do not vary within groups by construction and are left
out; so is what is constant everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.design.checks import CONSTANT_TOLERANCE
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.diagnostics.rows import row, worst_row
from dsam_assets.diagnostics.thresholds import THRESHOLDS, judge
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.design.groups import IntArray
    from dsam_assets.design.matrix import ModelMatrix

CHECK = "within_var_ratio"
COLUMNS = ("term", "grouping", "groups", "within_var", "total_var", "ratio", "status", "note")


def within_variation(matrix: ModelMatrix, mode: PolicyMode) -> pd.DataFrame:
    """The share of each predictor's variance that lies within groups.

    Args:
        matrix: the model's rows.
        mode: the policy that chooses the thresholds of `status`.

    Returns:
        One row per predictor (population or varying) and grouping key: `term`, `grouping`, `groups` (how many),
        `within_var` and `total_var` (squared data units, divisor N − 1), `ratio` (NaN for a constant), `status`
        (`skipped` for a constant), `note`. No rows for a model without group terms.
    """
    codes = {group.key: group for group in reversed(matrix.groups)}
    rows = []
    for key, group in reversed(codes.items()):
        for term, values in _predictors(matrix):
            within, total = _variances(values, group.codes, len(group.levels))
            constant = not total > 0
            ratio = np.nan if constant else within / total
            status = "skipped" if constant else judge(ratio, THRESHOLDS[mode][CHECK])
            rows.append((term, key, len(group.levels), within, total, ratio, status, "constant" if constant else ""))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"groups": "int64", "within_var": "float64", "total_var": "float64", "ratio": "float64"})


def _predictors(matrix: ModelMatrix) -> Iterator[tuple[str, FloatArray]]:
    """Population terms, then terms that only vary by group; neither the intercept nor group means."""
    left_out = {INTERCEPT, *matrix.group_means}
    for j, term in enumerate(matrix.terms):
        if term not in left_out:
            yield term, matrix.values[:, j]
    left_out |= set(matrix.terms)
    for group in matrix.groups:
        for j, term in enumerate(group.terms):
            if term not in left_out:
                left_out.add(term)
                yield term, group.values[:, j]


def _variances(values: FloatArray, codes: IntArray, n_groups: int) -> tuple[float, float]:
    """Variance within groups and in all of a column (N,), both with divisor N − 1; a constant has exactly 0 of both."""
    divisor = max(len(values) - 1, 1)
    mean = values.mean()
    centred = values - mean
    if not np.abs(centred).max() > CONSTANT_TOLERANCE * abs(mean):
        return 0.0, 0.0
    counts = np.bincount(codes, minlength=n_groups)
    means = np.bincount(codes, weights=centred, minlength=n_groups) / np.maximum(counts, 1)
    deviations = centred - means[codes]
    return float(deviations @ deviations) / divisor, float(centred @ centred) / divisor


def within_variation_gate(table: pd.DataFrame, mode: PolicyMode) -> GateResult:
    """p1: smallest share of a predictor's variance that lies within groups; `skipped` without groups or predictors.

    Args:
        table: as `within_variation` makes it.
        mode: the policy that chooses the thresholds.
    """
    varying = table[table["status"] != "skipped"]
    if varying.empty:
        message = "Does not apply: the model has no group terms, or no predictors that vary."
        return row(CHECK, "skipped", None, "does not apply", "model", message)
    names = [f"{term} in {key}" for term, key in zip(varying["term"], varying["grouping"], strict=True)]
    ratios = varying["ratio"].to_numpy(dtype=np.float64)
    label = "Smallest share of a predictor's variance within groups"
    return worst_row(CHECK, label, ratios, names, [""] * len(names), mode)
