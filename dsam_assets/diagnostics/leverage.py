"""Rows that a coefficient of their own explains: leverage next to 1.

The leverage of row i is x_i' (X'X)⁻¹ x_i. At 1, a combination of columns is zero in every other row (a dummy of one
week), so that the fit goes through the row whatever its response is. Without the row, nothing but the prior says
anything about that coefficient, and leave-one-out scores of the row (PSIS-LOO) say nothing about the model.

X here is the population's design without priors; group effects, whose deviations are shrunk, are left out.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dsam_assets.design.checks import dependent_columns, row_blocks, unit_r_factor
from dsam_assets.design.labels import labelled
from dsam_assets.diagnostics.rows import judged, listed
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix

CHECK = "loo_leverage_one"
ONE = 0.99
# Share of the largest coefficient, on columns of unit length, from which a column belongs to the combination.
_BELONGS = 0.3


def high_leverage(matrix: ModelMatrix, labels: pd.DataFrame | None = None) -> pd.DataFrame:
    """Rows with a leverage above 0.99, and the columns that are there for them alone.

    Args:
        matrix: the rows and columns that are fitted (of a pooled model, those of `design.pooled_checks`).
        labels: columns that identify its rows (date, group), in its order.

    Returns:
        `row` (position in the data frame), the columns of `labels`, `leverage`, `columns` (separated by `; `).

    Raises:
        DesignError: a column has values that are not finite.
    """
    values, table = matrix.values, labelled(matrix.rows, labels)
    kept, length, r = _factor(values)
    inverse = np.linalg.inv(r)  # columns have unit length and are independent to 1e-7
    leverage, names = np.empty(len(values)), np.array(matrix.terms, dtype=object)[kept]
    found: dict[int, str] = {}
    for block in row_blocks(*values.shape):
        Q = (values[block][:, kept] / length) @ inverse
        leverage[block] = np.einsum("ij,ij->i", Q, Q)
        for position in np.flatnonzero(leverage[block] > ONE):
            share = np.abs(inverse @ Q[position])
            found[block.start + int(position)] = "; ".join(names[share >= _BELONGS * share.max()])
    at = list(found)
    return table.iloc[at].reset_index(drop=True).assign(leverage=leverage[at], columns=list(found.values()))


def _factor(values: FloatArray) -> tuple[list[int], FloatArray, FloatArray]:
    """Independent columns, their lengths, and the R factor of these columns scaled to unit length."""
    r = unit_r_factor(values)
    if not np.isfinite(r).all():
        raise DesignError("The design matrix has values that are not finite, so its rows have no leverage.")
    dependent = set(dependent_columns(r))
    kept = [j for j in range(values.shape[1]) if j not in dependent]
    length = np.sqrt(np.einsum("ij,ij->j", values, values))[kept]
    return kept, length, np.linalg.qr(r[:, kept], mode="r")


def leverage_gate(table: pd.DataFrame, mode: PolicyMode) -> GateResult:
    """g6: number of rows with a leverage above 0.99.

    Args:
        table: as `high_leverage` makes it.
        mode: the policy that chooses the thresholds.
    """
    if table.empty:
        return judged(CHECK, 0, mode, "model", f"No row has a leverage above {ONE:g}.")
    columns = list(dict.fromkeys(name for text in table["columns"] for name in str(text).split("; ")))
    where = [_place(record) for record in table.to_dict("records")]
    verb = "row has" if len(table) == 1 else "rows have"
    message = f"{len(table):,} {verb} a leverage above {ONE:g}, so their LOO says nothing: {listed(where)}."
    return judged(CHECK, len(table), mode, listed(columns), message)


def _place(record: Mapping[Hashable, Any]) -> str:
    date, group = record.get("date"), record.get("group")
    when = f"{pd.Timestamp(date):%Y-%m-%d}" if date is not None else f"row {record['row']}"
    return f"{when}{'' if group is None else f' {group}'} ({record['columns']})"
