"""Points without bounds: where draws may be moved and stretched without leaving the model.

Each coordinate with one bound becomes the logarithm of its distance to it, one with two bounds the log odds between
them; the others stay. Densities there carry the logarithm of the Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dsam_assets.design.priors import Parameter
from dsam_assets.scales import FloatArray

# A draw that rounding has put on its bound is this far inside.
_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Bounds:
    """Lower and upper bounds of the coordinates, shape (P,), infinite where there is none."""

    lower: FloatArray
    upper: FloatArray

    def free(self, points: FloatArray) -> FloatArray:
        """Points (S, P) within the bounds as points on the whole space."""
        above = np.log(np.maximum(points - self._low, _SMALLEST))
        below = np.log(np.maximum(self._high - points, _SMALLEST))
        return np.select(self._cases, [above - below, above, -below], points)

    def bounded(self, free: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points (S, P) within the bounds, and log |d points / d free| (S,)."""
        low, width = self._low, self._high - self._low
        with np.errstate(over="ignore"):
            growth, decay = np.exp(free), np.exp(-free)
            between = low + width / (1 + decay)
        points = np.select(self._cases, [between, low + growth, self._high - decay], free)
        odds = np.log(np.where(self._cases[0], width, 1.0)) - np.logaddexp(0, free) - np.logaddexp(0, -free)
        return points, np.select(self._cases, [odds, free, -free], 0.0).sum(axis=1)

    @property
    def _cases(self) -> list[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
        low, high = np.isfinite(self.lower), np.isfinite(self.upper)
        return [low & high, low, high]

    @property
    def _low(self) -> FloatArray:
        return np.where(np.isfinite(self.lower), self.lower, 0.0)

    @property
    def _high(self) -> FloatArray:
        return np.where(np.isfinite(self.upper), self.upper, 0.0)


def bounds_of(parameters: Sequence[Parameter]) -> Bounds:
    """The bounds of a design's parameters on Stan's scale."""
    lower, upper = ([getattr(row, name) for row in parameters] for name in ("scaled_lower", "scaled_upper"))
    return Bounds(np.array(lower, dtype=float), np.array(upper, dtype=float))
