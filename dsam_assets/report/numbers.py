"""Numbers as people read them in labels, tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

_UNITS = ((1e9, 1e9, "bn"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
ABSENT = "not computed"


def compact(value: float | None, *, signed: bool = False) -> str:
    """Three figures: `9,014`, `90.1k`, `1.2M`, `0.0123`; `signed` shows a plus."""
    if value is None:
        return ABSENT
    sign, size = "+" if signed else "", abs(value)
    for limit, unit, name in _UNITS:
        if size >= limit:
            return f"{value / unit:{sign},.3g}{name}"
    return f"{value:{sign},.0f}" if size >= 100 else f"{value:{sign}.3g}"


def percent(value: float | None) -> str:
    """A share with one decimal."""
    return ABSENT if value is None else f"{value:z.1%}"


def plain(value: float | None) -> str:
    """Three figures without a unit."""
    return ABSENT if value is None else f"{value:.3g}"


def signed(value: float | None) -> str:
    """Three figures with their sign."""
    return compact(value, signed=True)


def between(row: Mapping[str, Any], name: str, form: Callable[[float | None], str]) -> str:
    """`low to high` of a fact's interval; empty for a point estimate.

    Args:
        row: facts with `<name>_lower` and `<name>_upper`, or `lower` and `upper` without a name.
        name: whose interval.
        form: writes a number.
    """
    prefix = f"{name}_" if name else ""
    low, high = row[f"{prefix}lower"], row[f"{prefix}upper"]
    return "" if low is None or high is None else f"{form(low)} to {form(high)}"


def number(value: Any) -> float | None:
    """A finite number, or null."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
