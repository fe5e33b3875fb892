"""Arithmetic and calls of a formula, evaluated over the syntax tree with NumPy."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.design.columns import Factor, column, numeric_values, rows_text, values_text
from dsam_assets.design.parser import SHIFTS
from dsam_assets.design.python_text import python_variable
from dsam_assets.design.syntax import Call, Chain, Name, Node, Number, Paren, Power, Python, Sign, deparse, walk
from dsam_assets.errors import DataError, DesignError, FormulaError
from dsam_assets.scales import FloatArray

_UNARY: dict[str, Callable[[FloatArray], FloatArray]] = {
    "log": np.log,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "atan": np.arctan,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "abs": np.abs,
    "I": np.positive,
}
_NARY: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {"pmax": np.maximum, "pmin": np.minimum}
_ARITHMETIC: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_ADVICE = {
    "log": ("values above 0", "write log(x + 1) or pmax(x, …), or correct the data"),
    "sqrt": ("values of 0 or more", "write sqrt(pmax(x, 0)), or correct the data"),
    "/": ("a divisor that is never 0", "correct the data, or add a constant to the divisor"),
}

_DAY = 24 * 3600 * 10**9  # nanoseconds
_WEEK = 7 * _DAY
_SHOWN_GAPS = 3
# Steps that differ by less than this share are the same: calendar months (28 to 31 days) and changes to summer time are
# regular, a date that is one day off in a weekly series is not.
_STEP_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class RowOrder:
    """What `lag` and `lead` go by: equally spaced rows in date order within each combination of the group columns."""

    date_var: str | None = None
    groups: tuple[str, ...] = ()


def looks_elsewhere(node: Node) -> bool:
    """Whether what a node gives in a row can depend on other rows."""
    return any(isinstance(part, Python) or (isinstance(part, Call) and part.function in SHIFTS) for part in walk(node))


def evaluate(node: Node, frame: pd.DataFrame, order: RowOrder = RowOrder()) -> FloatArray:
    """Evaluate a node to one float64 value per row, shape (N,), NaN where an input is missing.

    Raises:
        DesignError: where finite inputs give no finite result, e.g. `log(0)`; nothing becomes missing in silence.
        DataError: for columns that hold no numbers; under `lag`/`lead`, for rows that are not in date order or whose
            dates are not equally spaced within their group.
        FormulaError: for `lag`/`lead` without a date column.
    """
    with np.errstate(all="ignore"):
        return np.broadcast_to(_Evaluation(frame, order).value(node), (len(frame),))


class _Evaluation:
    def __init__(self, frame: pd.DataFrame, order: RowOrder) -> None:
        self.frame = frame
        self.order = order

    def value(self, node: Node) -> FloatArray:
        match node:
            case Name(name=name):
                return numeric_values(self.frame, name)
            case Number(value=value):
                return np.asarray(value, dtype=np.float64)
            case Paren(inner=inner):
                return self.value(inner)
            case Sign(op=op, operand=operand):
                return -self.value(operand) if op == "-" else self.value(operand)
            case Chain():
                return self._chain(node)
            case Power(base=base, exponent=exponent):
                inputs = self.value(base), self.value(exponent)
                return self._finite(node, "^", np.power(*inputs), *inputs)
            case Call():
                return self._call(node)
            case Python():
                return self._python(node)
        raise FormulaError(f"{deparse(node)} cannot be computed", where="model formula")

    def _python(self, node: Python) -> FloatArray:
        found = python_variable(node, self.frame)
        if isinstance(found, np.ndarray):
            return found
        raise DesignError(
            f"{node.shown} gives {'levels' if isinstance(found, Factor) else 'several columns'}",
            where=f"formula term {node.shown}",
            wanted="one number per row",
        )

    def _chain(self, chain: Chain) -> FloatArray:
        result = self.value(chain.first)
        for step in chain.steps:
            right = self.value(step.operand)
            result = self._finite(chain, step.op, _ARITHMETIC[step.op](result, right), result, right)
        return result

    def _call(self, call: Call) -> FloatArray:
        if call.function in SHIFTS:
            return self._shift(call)
        inputs = [self.value(arg) for arg in call.args]
        if call.function in _NARY:
            return reduce(_NARY[call.function], inputs)
        return self._finite(call, call.function, _UNARY[call.function](inputs[0]), *inputs)

    def _finite(self, node: Node, operation: str, result: FloatArray, *inputs: FloatArray) -> FloatArray:
        """`result`, unless a row with present inputs has no finite value."""
        bad = ~np.isfinite(result)
        if bad.any():
            for values in inputs:
                bad = bad & np.isfinite(values)
        if bad.any():
            raise self._no_result(node, operation, np.broadcast_to(bad, (len(self.frame),)), inputs)
        return result

    def _no_result(
        self, node: Node, operation: str, bad: NDArray[np.bool_], inputs: tuple[FloatArray, ...]
    ) -> DesignError:
        wanted, fix = _ADVICE.get(
            operation, ("a finite result in every row", "rescale the column, or correct the data")
        )
        culprit = np.broadcast_to(inputs[-1 if operation == "/" else 0], bad.shape)
        source = (
            deparse(node.args[0]) if isinstance(node, Call) else "the divisor" if operation == "/" else "the left side"
        )
        return DesignError(
            f"{deparse(node)} has no finite value in {int(bad.sum()):,} of {bad.size:,} rows",
            where=f"formula term {deparse(node)}",
            got=f"{source} is {values_text(culprit, bad)}",
            wanted=wanted,
            fix=fix,
        )

    def _shift(self, call: Call) -> FloatArray:
        values = np.broadcast_to(self.value(call.args[0]), (len(self.frame),))
        steps = int(call.args[1].value) if len(call.args) > 1 and isinstance(call.args[1], Number) else 1
        positions, group = _date_order(self.frame, self.order, deparse(call))
        sources = np.arange(positions.size) + (steps if call.function == "lead" else -steps)
        inside = (sources >= 0) & (sources < positions.size)
        inside[inside] = group[positions[sources[inside]]] == group[positions[inside]]
        result = np.full(values.shape, np.nan)
        result[positions[inside]] = values[positions[sources[inside]]]
        return result


def _date_order(frame: pd.DataFrame, order: RowOrder, label: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row positions sorted by group, dates ascending within it, and each row's group number."""
    if order.date_var is None:
        raise FormulaError(
            f"{label} needs to know the order of the rows",
            where="data.date_var",
            got="no date column",
            fix="set data.date_var",
        )
    for name in (order.date_var, *order.groups):
        if name not in frame.columns:
            raise DataError(
                f"The column {name} is missing", where=f"column {name}", wanted=f"the order of rows for {label}"
            )
        missing = column(frame, name).isna().to_numpy()
        if missing.any():
            raise DataError(
                f"{label} needs the order of the rows, but the column {name} has missing values",
                where=f"column {name}",
                got=f"missing in {rows_text(missing)}",
                fix="fill in or remove these rows",
            )
    group = _group_numbers(frame, order.groups)
    positions = np.argsort(group, kind="stable")
    dates = comparable_dates(column(frame, order.date_var), order.date_var)
    _require_ascending(frame, order, label, group, positions, dates)
    _require_regular(frame, order, label, group, positions, dates)
    return positions, group


def _group_numbers(frame: pd.DataFrame, groups: tuple[str, ...]) -> NDArray[np.intp]:
    if not groups:
        return np.zeros(len(frame), dtype=np.intp)
    return frame.groupby(list(groups), sort=False, observed=True).ngroup().to_numpy().astype(np.intp)


def _require_ascending(
    frame: pd.DataFrame,
    order: RowOrder,
    label: str,
    group: NDArray[np.intp],
    positions: NDArray[np.intp],
    values: NDArray[np.int64] | FloatArray,
) -> None:
    dates = values[positions]
    same_group = group[positions][1:] == group[positions][:-1]
    wrong = same_group & (dates[1:] <= dates[:-1])
    if not wrong.any():
        return
    at = positions[1:][wrong].min()
    again = np.any((dates == dates[positions == at][0]) & (group[positions] == group[at]) & (positions != at))
    fault = "occurs twice" if again else "is out of order"
    raise DataError(
        f"{label} needs rows with ascending dates{' within each group' if order.groups else ''}",
        where=f"column {order.date_var}",
        got=f"date {_date_text(frame, order, int(at)).rstrip(',')}, row {at} (counted from 0), {fault}",
        fix="remove duplicate dates, or name the group columns" if again else "sort the data by date",
    )


def _require_regular(
    frame: pd.DataFrame,
    order: RowOrder,
    label: str,
    group: NDArray[np.intp],
    positions: NDArray[np.intp],
    values: NDArray[np.int64] | FloatArray,
) -> None:
    """Neighbouring rows must be one step apart, or a lag would reach back by another time from row to row.

    The step is the most common one over all groups.
    """
    same_group = group[positions][1:] == group[positions][:-1]
    steps = np.diff(values[positions])
    if not same_group.any():
        return
    sizes, counts = np.unique(steps[same_group], return_counts=True)
    usual = sizes[counts.argmax()]
    odd = np.flatnonzero(same_group & (np.abs(steps - usual) > _STEP_TOLERANCE * np.maximum(steps, usual)))
    if not odd.size:
        return
    is_time = values.dtype.kind == "i"
    shown = [
        f"{_date_text(frame, order, int(positions[at]))} is followed by "
        f"{_date_text(frame, order, int(positions[at + 1]), groups=False)} ({_step_text(steps[at], is_time)} later)"
        for at in odd[:_SHOWN_GAPS]
    ]
    more = f"; and {odd.size - _SHOWN_GAPS:,} more" if odd.size > _SHOWN_GAPS else ""
    weekly = " (weekly)" if is_time and usual == _WEEK else ""
    raise DataError(
        f"{label} needs equally spaced rows, but the series is not regularly spaced (weekly)",
        where=f"column {order.date_var}",
        got="; ".join(shown) + more,
        wanted=f"{_step_text(usual, is_time)} from row to row{weekly}, the most common step",
        fix="add the missing rows (with empty cells where nothing is known), or correct the dates",
    )


def _date_text(frame: pd.DataFrame, order: RowOrder, row: int, *, groups: bool = True) -> str:
    value = frame[order.date_var].iloc[row]
    if isinstance(value, pd.Timestamp):
        value = value.date() if value == value.normalize() else value
    return f"{value}" + "".join(f", {name} {frame[name].iloc[row]}," for name in order.groups if groups)


def _step_text(step: float, is_time: bool) -> str:
    if not is_time:
        return f"{step:g}"
    days = step / _DAY
    return f"{days:g} day{'' if days == 1 else 's'}"


def comparable_dates(series: pd.Series, name: str) -> NDArray[np.int64] | FloatArray:
    """Dates as nanoseconds, and numbers as they are, shape (N,).

    Raises:
        DataError: for text that is no date.
    """
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64)
    try:
        parsed = pd.to_datetime(series, format="ISO8601", utc=True)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"The column {name} holds values that are no dates",
            where=f"column {name}",
            got=str(series.iloc[0]),
            wanted="dates, or text such as 2024-01-31",
            fix="set data.date_format",
        ) from error
    return parsed.to_numpy(dtype="datetime64[ns]").astype(np.int64)
