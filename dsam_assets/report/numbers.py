"""Numbers as people read them in labels, tables and sentences."""

from __future__ import annotations

import math
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


def number(value: Any) -> float | None:
    """A finite number, or null."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
