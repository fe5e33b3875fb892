"""Summaries of draws that know when there is nothing to summarise.

A single draw, which is what a point estimate has, is a value without a spread: its mean and its median are the value
itself, and everything that speaks of uncertainty (standard deviations, other quantiles, probabilities) is missing (NaN)
instead of a zero or an interval without width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dsam_assets.scales import FloatArray

MIDDLE = 0.5


def has_spread(count: int) -> bool:
    """Whether so many draws say anything about uncertainty."""
    return count > 1


def quantiles(draws: FloatArray, shares: Sequence[float], axis: int = 0) -> FloatArray:
    """Quantiles over an axis of draws, shape (shares, …): the values of `np.quantile`, at a fifth of its time.

    Of a single draw only the median is known.
    """
    values = np.moveaxis(draws, axis, -1)
    if not has_spread(values.shape[-1]):
        single = values[..., 0]
        return np.stack([single if share == MIDDLE else np.full_like(single, np.nan) for share in shares])
    ordered = np.sort(values, axis=-1)
    return np.stack([_of_sorted(ordered, share) for share in shares])


def _of_sorted(ordered: FloatArray, share: float) -> FloatArray:
    position = share * (ordered.shape[-1] - 1)
    below = int(position)
    weight = position - below
    low, high = ordered[..., below], ordered[..., min(below + 1, ordered.shape[-1] - 1)]
    return np.asarray(high - (high - low) * (1 - weight) if weight >= MIDDLE else low + (high - low) * weight)


def deviation(draws: FloatArray, axis: int = 0) -> FloatArray:
    """Sample standard deviation over an axis of draws."""
    if not has_spread(draws.shape[axis]):
        return np.full_like(np.take(draws, 0, axis=axis), np.nan)
    return np.asarray(draws.std(axis=axis, ddof=1))


def probability(events: NDArray[np.bool_]) -> float:
    """Share of the draws (S,) in which something holds."""
    return float(np.mean(events)) if has_spread(events.size) else float("nan")
