"""What the model needs to know of the weeks ahead: every column in every row, with values that the fit can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.design.columns import Factor, column_kind, factor_values
from dsam_assets.design.formula import Formula
from dsam_assets.design.python_text import python_variable
from dsam_assets.design.syntax import Name, Node, Python, deparse, names_in
from dsam_assets.design.transforms import evaluate, looks_elsewhere
from dsam_assets.errors import DataError

IntArray = NDArray[np.intp]
_CELLS_SHOWN = 12


def factors(formula: Formula) -> tuple[Node, ...]:
    """Distinct factors of population terms, varying terms and offsets."""
    varying = [term for bar in formula.bar_terms for term in bar.terms]
    nodes = [factor for term in (*formula.terms, *varying) for factor in term.factors]
    return tuple(dict.fromkeys([*nodes, *formula.offsets]))


def absent_columns(needed: Sequence[str], frame: pd.DataFrame) -> tuple[str, ...]:
    """Columns that the future data lack."""
    return tuple(name for name in dict.fromkeys(needed) if name not in frame.columns)


def require_complete(
    absent: Sequence[str], missing: Mapping[str, NDArray[np.bool_]], labels: Sequence[str], response: str
) -> None:
    """Refuse future rows that the model cannot be evaluated in, everything that is missing in one message.

    Args:
        absent: columns that are not there.
        missing: column or shifted call → which of the rows lack it, shape (rows,).
        labels: date (and unit) of each row.
        response: the KPI, whose lags cannot reach into the future.

    Raises:
        DataError: naming every column and its cells.
    """
    cells = {name: np.flatnonzero(mask) for name, mask in missing.items() if name not in absent and mask.any()}
    if not absent and not cells:
        return
    parts = [f"no column {name}" for name in absent]
    parts += [f"{name} is missing in {_places(rows, labels)}" for name, rows in cells.items()]
    lagged = [name for name in cells if f"({response}" in name]
    fix = "Fill in the columns and cells."
    if lagged:
        fix += f" {', '.join(lagged)} needs the KPI of the weeks ahead: shorten forecast.horizon to its lag."
    elif any("(" in name for name in cells):
        fix += " lead() needs as many further rows behind the horizon as it looks ahead."
    raise DataError(
        "The future data lack values that the model needs.",
        got="; ".join(parts),
        wanted="a value of every predictor, offset and group in every row that is forecast",
        fix=fix,
    )


def _places(rows: IntArray, labels: Sequence[str]) -> str:
    shown = ", ".join(labels[row] for row in rows[:_CELLS_SHOWN])
    more = f" and {rows.size - _CELLS_SHOWN:,} more" if rows.size > _CELLS_SHOWN else ""
    return f"{rows.size:,} row{'' if rows.size == 1 else 's'}: {shown}{more}"


def require_values(formula: Formula, frame: pd.DataFrame) -> None:
    """Evaluate every call that stays within its row, so that errors count the future file's own rows.

    Raises:
        DataError, DesignError: values that are no numbers, not finite, or without a finite result.
    """
    for node in factors(formula):
        known = all(name.name in frame.columns for name in names_in(node))
        if known and not looks_elsewhere(node) and not _is_factor(node, frame):
            evaluate(node, frame)


def _is_factor(node: Node, frame: pd.DataFrame) -> bool:
    return isinstance(node, Name) and node.name in frame.columns and column_kind(frame, node.name) == "factor"


def _factor(node: Node, frame: pd.DataFrame) -> Factor | None:
    if isinstance(node, Python):
        found = python_variable(node, frame)
        return found if isinstance(found, Factor) else None
    return factor_values(frame, node.name) if isinstance(node, Name) and _is_factor(node, frame) else None


def require_levels(formula: Formula, joined: pd.DataFrame, past: IntArray, ahead: IntArray) -> None:
    """Refuse values of factors that the fit has no coefficient for.

    Args:
        formula: the model.
        joined: data and future data, one after the other.
        past: rows that were modelled.
        ahead: rows that are forecast.

    Raises:
        DataError: naming column and values.
    """
    unknown = {}
    for node in factors(formula):
        factor = _factor(node, joined)
        if factor is not None:
            codes = np.setdiff1d(factor.codes[ahead], factor.codes[past])
            unknown[deparse(node)] = [factor.levels[code] for code in codes if code >= 0]
    found = {name: levels for name, levels in unknown.items() if levels}
    if found:
        raise DataError(
            "The future data have values of a factor that the model has never seen.",
            where="column " + ", ".join(found),
            got="; ".join(f"{name}: {', '.join(levels)}" for name, levels in found.items()),
            wanted="values that the modelled rows have",
            fix="Correct the values, or leave these rows out.",
        )
