"""Intervals beside points and bars, as plotly draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.scales import FloatArray

    type Numbers = pd.Series | pd.DataFrame | FloatArray


POINT = "point estimate (MAP), no interval"


def spread_words(low: Numbers, words: str) -> str:
    """What a subtitle says of the intervals that a figure shows; where there are none, that it shows none.

    Args:
        low: lower ends, by row; all missing for a point estimate.
        words: how the intervals are called; a capital begins a sentence, here and there.
    """
    if not np.isnan(np.asarray(low, dtype=np.float64)).all():
        return words
    return POINT[0].upper() + POINT[1:] if words[0].isupper() else POINT


def error_bars(middle: Numbers, low: Numbers, high: Numbers, colour: str, **form: float) -> dict[str, Any] | None:
    """Error bars from `low` to `high`; None where no row has an interval, as of a point estimate.

    Args:
        middle, low, high: by row, on the axis' scale.
        colour: of the bars.
        form: `width` of the ends and `thickness`, in pixels.
    """
    up = np.asarray(high, dtype=np.float64) - np.asarray(middle, dtype=np.float64)
    down = np.asarray(middle, dtype=np.float64) - np.asarray(low, dtype=np.float64)
    unknown = np.isnan(up) & np.isnan(down)
    if unknown.all():
        return None
    # Plotly draws a bar only where it knows both ends; the cost of what may have no effect has no upper one.
    up, down = (np.where(unknown, np.nan, np.nan_to_num(part)) for part in (up, down))
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, **form}
