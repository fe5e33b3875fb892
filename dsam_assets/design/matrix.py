"""Formula and frame to a numeric design with R's column names.

Columns are products of NumPy arrays (formulaic only plans the coding of factors), so memory is the result plus one
array per variable, whatever the formula.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.design.coding import Column, Variable, column_names, plan_columns
from dsam_assets.design.columns import (
    Basis,
    Factor,
    column,
    column_kind,
    factor_values,
    numeric_values,
    rows_text,
    values_text,
)
from dsam_assets.design.formula import Formula, Term
from dsam_assets.design.python_text import python_variable
from dsam_assets.design.syntax import Name, Node, Python, deparse, names_in
from dsam_assets.design.tokens import formula_error
from dsam_assets.design.transforms import RowOrder, evaluate, looks_elsewhere
from dsam_assets.errors import DataError, DesignError
from dsam_assets.scales import FloatArray, ResponseScale

if TYPE_CHECKING:
    from dsam_assets.data.findings import Finding
    from dsam_assets.data.pooling_map import PoolingMap
    from dsam_assets.design.groups import GroupTerm

type Rows = slice | NDArray[np.intp]


@dataclass(frozen=True)
class ModelMatrix:
    """A model's rows: its population part and, where it has them, its group terms or pooling labels.

    Attributes:
        terms: R's column names, `(Intercept)` first when present.
        values: design, shape (N, K), float64.
        response: response on the model scale (logged for a log response), offset not subtracted, shape (N,).
        offset: sum of the offsets on the model scale, shape (N,), zeros when there is none.
        response_name: the KPI's column.
        response_scale: `log` when the formula logs the response.
        rows: positions in the frame of the rows kept, ascending, shape (N,).
        dropped: for each column (or lagged call) with missing values, how many rows lack it.
        groups: group terms on the same rows; empty unless the model is hierarchical.
        group_means: terms that are group means of other columns (correlated random effects).
        pooling: labels by which media terms share coefficients; `None` unless the model is pooled.
        findings: what was noticed on the way here that weakens the model's identification.
    """

    terms: tuple[str, ...]
    values: FloatArray
    response: FloatArray
    offset: FloatArray
    response_name: str
    response_scale: ResponseScale
    rows: NDArray[np.intp]
    dropped: Mapping[str, int]
    groups: tuple[GroupTerm, ...] = ()
    group_means: tuple[str, ...] = ()
    pooling: PoolingMap | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def model_class(self) -> Literal["blm", "re", "cre", "pooled"]:
        """The class of model, as `model.type` names it."""
        if self.pooling is not None:
            return "pooled"
        return "blm" if not self.groups else "cre" if self.group_means else "re"


def build_model_matrix(
    formula: Formula,
    frame: pd.DataFrame,
    *,
    date_var: str | None = None,
    groups: tuple[str, ...] = (),
    na_action: Literal["omit", "error"] = "omit",
) -> ModelMatrix:
    """Build the design of a formula's population part.

    Group terms `(… | g)` add no columns here; rows that lack one of their columns are dropped like any other, so that
    the population part and the group part of a model have the same rows. Calls are evaluated before rows are dropped,
    as in R. Factors get treatment contrasts against their first level.

    Args:
        formula: a parsed formula.
        frame: the data, one row per observation; not changed.
        date_var: column that orders the rows, needed by `lag` and `lead` only.
        groups: columns within which `lag` and `lead` shift.
        na_action: `omit` drops rows with a missing value in any used column, `error` refuses them.

    Raises:
        FormulaError: for a column that the frame does not have.
        DataError: for infinite values, text in numeric columns, missing values under `error`, or no rows left.
        DesignError: for a call without a finite value, a log response with values ≤ 0, or a formula without columns.
    """
    _require_columns(formula, frame)
    order = RowOrder(date_var, groups)
    response = _response_values(formula, frame)
    variables = {node: _variable(node, frame, order) for node in _factors(formula.terms)}
    offsets = [evaluate(node, frame, order) for node in formula.offsets]
    missing = missing_values(formula, frame, order, variables)
    rows = _kept_rows(missing, len(frame), na_action)
    take: Rows = slice(None) if rows.size == len(frame) else rows
    kept = {node: _take(variable, take, deparse(node)) for node, variable in variables.items()}
    columns = plan_columns(formula, kept)
    return ModelMatrix(
        terms=column_names(columns, kept),
        values=_fill(columns, kept, rows.size),
        response=_to_model_scale(formula, response[take], rows),
        offset=np.sum([offset[take] for offset in offsets], axis=0) if offsets else np.zeros(rows.size),
        response_name=formula.response_column,
        response_scale=formula.response_scale,
        rows=rows,
        dropped={name: int(mask.sum()) for name, mask in missing.items()},
    )


def _require_columns(formula: Formula, frame: pd.DataFrame) -> None:
    for name in formula.names:
        if name.name not in frame.columns:
            near = difflib.get_close_matches(name.name, [str(known) for known in frame.columns], n=1, cutoff=0.5)
            raise formula_error(
                formula.text,
                name.pos,
                f"The data has no column `{name.name}`",
                fix=f"did you mean {near[0]}?" if near else "check the name, or add the column to the data",
            )


def _factors(terms: Iterable[Term]) -> tuple[Node, ...]:
    """Distinct factors of the terms, in order of appearance."""
    return tuple(dict.fromkeys(factor for term in terms for factor in term.factors))


def _response_values(formula: Formula, frame: pd.DataFrame) -> FloatArray:
    name = formula.response_column
    if pd.api.types.infer_dtype(column(frame, name), skipna=True) == "boolean":
        raise DataError(f"The response {name} is not numeric", where=f"column {name}", got="booleans", wanted="numbers")
    return numeric_values(frame, name)


def _to_model_scale(formula: Formula, response: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    if formula.response_scale == "identity":
        return response.copy()
    bad = response <= 0
    if bad.any():
        frame_rows = np.zeros(int(rows[-1]) + 1, dtype=bool)
        frame_rows[rows[bad]] = True
        count, lowest = int(bad.sum()), f"{response[bad].min():.6g}"
        raise DesignError(
            f"{deparse(formula.response)} needs values above 0",
            where=f"column {formula.response_column}",
            got=f"{count:,} value{'s' if count > 1 else ''} of 0 or less (lowest {lowest}) in {rows_text(frame_rows)}",
            wanted="a response above 0 in every row",
            fix="correct the data, or model the response without log",
        )
    return np.log(response)


def _variable(node: Node, frame: pd.DataFrame, order: RowOrder) -> Variable:
    if isinstance(node, Python):
        return python_variable(node, frame)
    if isinstance(node, Name) and column_kind(frame, node.name) == "factor":
        return factor_values(frame, node.name)
    return evaluate(node, frame, order)


def missing_values(
    formula: Formula, frame: pd.DataFrame, order: RowOrder, computed: Mapping[Node, Variable] | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Masks of missing rows by column; a call that shifts rows stands for itself, as in R's model frame, and so does
    Python, which may fill gaps or leave some.
    """
    bar_terms = [term for bar in formula.bar_terms for term in bar.terms]
    group_names = [Name(name) for bar in formula.bar_terms for name in bar.group]
    masks: dict[str, NDArray[np.bool_]] = {}
    for node in (formula.response, *_factors(formula.terms), *formula.offsets, *_factors(bar_terms), *group_names):
        if looks_elsewhere(node):
            known = (computed or {}).get(node)
            masks[deparse(node)] = _without_value(_variable(node, frame, order) if known is None else known)
            continue
        for name in names_in(node):
            if name.name not in masks:
                masks[name.name] = column(frame, name.name).isna().to_numpy(dtype=bool)
    return {name: mask for name, mask in masks.items() if mask.any()}


def _without_value(variable: Variable) -> NDArray[np.bool_]:
    if isinstance(variable, Factor):
        return variable.codes < 0
    return np.isnan(variable.values).any(axis=1) if isinstance(variable, Basis) else np.isnan(variable)


def _kept_rows(
    missing: Mapping[str, NDArray[np.bool_]], total: int, na_action: Literal["omit", "error"]
) -> NDArray[np.intp]:
    counts = {name: f"{name}: {int(mask.sum()):,} missing" for name, mask in missing.items()}
    if missing and na_action == "error":
        raise DataError(
            "Columns of the formula have missing values",
            where="data",
            got="; ".join(f"{counts[name]}, {rows_text(mask)}" for name, mask in missing.items()),
            wanted="no missing values, because data.na_action is error",
            fix="fill in the values, or set data.na_action: omit to drop these rows",
        )
    keep = np.ones(total, dtype=bool)
    for mask in missing.values():
        keep &= ~mask
    if not keep.any():
        raise DataError(
            "No rows are left to model",
            where="data",
            got=f"{total:,} rows; {'; '.join(counts.values()) or 'nothing missing'}",
            wanted="rows that have every column of the formula",
            fix="remove columns that are mostly missing from the formula",
        )
    return np.flatnonzero(keep)


def _take(variable: Variable, take: Rows, label: str) -> Variable:
    """The kept rows; a factor loses the levels that none of them has, as in R's `lm`."""
    if isinstance(variable, Basis):
        return Basis(variable.values[take], variable.names)
    if not isinstance(variable, Factor):
        return variable[take]
    codes = variable.codes[take]
    used = np.flatnonzero(np.bincount(codes, minlength=len(variable.levels)))
    if used.size < 2:
        raise DataError(
            f"The factor {label} has only one value",
            where=f"column {label}",
            got=variable.levels[used[0]],
            wanted="at least 2 different values in the rows that are modelled",
            fix="remove it from the formula",
        )
    rank = np.zeros(len(variable.levels), dtype=np.intp)
    rank[used] = np.arange(used.size)
    return Factor(rank[codes], tuple(variable.levels[i] for i in used))


def _values(variable: Variable, level: int | None) -> FloatArray | NDArray[np.bool_]:
    if isinstance(variable, Basis):
        return variable.values[:, level or 0]
    return variable.codes == level if isinstance(variable, Factor) else variable


def _fill(columns: tuple[Column, ...], variables: Mapping[Node, Variable], rows: int) -> FloatArray:
    values = np.ones((rows, len(columns)))
    for target, column_plan in zip(values.T, columns, strict=True):
        for node, level in column_plan.parts:
            variable = variables[node]
            with np.errstate(over="ignore"):
                target *= _values(variable, level)
        bad = ~np.isfinite(target)
        if bad.any():
            label = ":".join(deparse(node) for node, _ in column_plan.parts)
            raise DesignError(
                f"The interaction {label} is too large to represent",
                where=f"formula term {label}",
                got=values_text(target, bad),
                fix="rescale its columns",
            )
    return values
