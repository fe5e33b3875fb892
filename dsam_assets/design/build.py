"""From formula and data to the model's rows: population part, group terms, pooling labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from dsam_assets.config.schema_data import DataSection
from dsam_assets.config.slices import FormulaSlice
from dsam_assets.data.findings import Finding
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.additions import ModelInputs, shift_groups
from dsam_assets.design.groups import build_group_terms, varying_only
from dsam_assets.design.matrix import ModelMatrix, build_model_matrix
from dsam_assets.design.pooled_checks import pooling_findings
from dsam_assets.design.pooled_groups import keep_groups


@dataclass(frozen=True)
class BuiltMatrix:
    """A model matrix, and tables of what was left out of it (`dropped_groups`), if anything."""

    matrix: ModelMatrix
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def build_matrix(
    inputs: ModelInputs,
    *,
    date_var: str | None = None,
    na_action: Literal["omit", "error"] = "omit",
    pooling: PoolingMap | None = None,
    min_waves: int | None = None,
) -> BuiltMatrix:
    """The model matrix of any class of model.

    Args:
        inputs: formula and frame, generated terms included.
        date_var: column that orders the rows, needed by `lag` and `lead` only, which shift within panel units.
        na_action: as for `build_model_matrix`.
        pooling: the labels of a pooled model.
        min_waves: pooled groups with fewer active rows are left out.

    Raises:
        DsamError: as `build_model_matrix`, `build_group_terms` and `keep_groups`.
    """
    formula, frame, groups = inputs.formula, inputs.frame, shift_groups(inputs.formula)
    matrix = build_model_matrix(formula, frame, date_var=date_var, groups=groups, na_action=na_action)
    matrix = replace(matrix, group_means=inputs.group_means, findings=inputs.findings)
    if pooling is not None:
        return _pooled(matrix, pooling, min_waves)
    if not formula.bar_terms:
        return BuiltMatrix(matrix)
    terms = build_group_terms(formula, frame, matrix, date_var=date_var, groups=groups)
    alone = tuple(_varying_alone(name) for name in varying_only(matrix, terms))
    return BuiltMatrix(replace(matrix, groups=terms, findings=(*inputs.findings, *alone)))


def matrix_from_slices(
    inputs: ModelInputs, formula: FormulaSlice, data: DataSection, pooling: PoolingMap | None
) -> BuiltMatrix:
    """The model matrix as a config's formula and data sections say; raises `DsamError` as `build_matrix` does."""
    return build_matrix(
        inputs,
        date_var=data.date_var,
        na_action=data.na_action,
        pooling=pooling,
        min_waves=formula.pooling.min_waves,
    )


def _pooled(matrix: ModelMatrix, pooling: PoolingMap, min_waves: int | None) -> BuiltMatrix:
    kept = keep_groups(matrix, pooling, min_waves)
    found = pooling_findings(kept.matrix, kept.pooling_map)
    tables = {"dropped_groups": kept.dropped} if len(kept.dropped) else {}
    return BuiltMatrix(replace(kept.matrix, findings=(*matrix.findings, *found)), tables)


def _varying_alone(term: str) -> Finding:
    text = f"{term} varies by group and has no population coefficient: its effects are shrunk towards zero."
    return Finding("varying_term_without_population", term, 1.0, 0.0, text)
