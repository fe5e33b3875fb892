"""Intervals beside points and bars, as plotly draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.scales import FloatArray

    type Numbers = pd.Series | FloatArray


POINT = "point estimate (MAP), no interval"


def spread_words(low: Numbers, words: str) -> str:
    """What a subtitle says of the intervals that a figure shows; where there are none, that it shows none.

    Args:
        low: lower ends, by row; all missing for a point estimate.
        words: how the intervals are called; a capital begins a sentence, here and there.
    """
    import pandas as pd

    if not pd.isna(low).all():
        return words
    return POINT[0].upper() + POINT[1:] if words[0].isupper() else POINT


def error_bars(middle: Numbers, low: Numbers, high: Numbers, colour: str, **form: float) -> dict[str, Any] | None:
    """Error bars from `low` to `high`; None where no row has an interval, as of a point estimate.

    Args:
        middle, low, high: by row, on the axis' scale.
        colour: of the bars.
        form: `width` of the ends and `thickness`, in pixels.
    """
    import pandas as pd

    if pd.isna(low).all() or pd.isna(high).all():
        return None
    return {
        "type": "data", "symmetric": False, "array": high - middle, "arrayminus": middle - low, "color": colour, **form,
    }  # fmt: skip
