"""The shape of the posterior around a point: bounds that hold it, what is still to gain, and standard deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dsam_assets.design.priors import Parameter
from dsam_assets.design.scaling import NOISE_SD
from dsam_assets.fit.log_posterior import Expansion, LogPosterior
from dsam_assets.scales import FloatArray

AtBound = Literal["none", "lower", "upper"]

NEAR = 0.02  # standard deviations: Stan approaches a bound and never reaches it


@dataclass(frozen=True)
class PointShape:
    """What the log posterior looks like around a point.

    Attributes:
        at_bound: per parameter, the bound that the mode lies on.
        gap: log posterior that a Newton step of the parameters off their bounds would gain; about zero at a mode, NaN
            where the log posterior does not curve downwards.
        covariance: inverse negative Hessian (P, P) on the scale that Stan sees, of the parameters off their bounds
            given those on theirs, whose rows and columns are zero. None where it does not curve downwards.
    """

    at_bound: tuple[AtBound, ...]
    gap: float
    covariance: FloatArray | None


def point_shape(posterior: LogPosterior, point: FloatArray) -> PointShape:
    """The shape at a point (P,) on the scale that Stan sees."""
    here = posterior.expand(point)
    at_bound = tuple(_at_bound(posterior, point, here, position) for position in range(len(point)))
    free = np.flatnonzero([bound == "none" for bound in at_bound])
    curvature = -here.hessian[np.ix_(free, free)]
    try:
        np.linalg.cholesky(curvature)
    except np.linalg.LinAlgError:
        return PointShape(at_bound, np.nan, None)
    covariance = np.zeros_like(here.hessian)
    covariance[np.ix_(free, free)] = np.linalg.inv(curvature)
    return PointShape(at_bound, 0.5 * float(here.gradient @ covariance @ here.gradient), covariance)


def _at_bound(posterior: LogPosterior, point: FloatArray, here: Expansion, position: int) -> AtBound:
    """The bound that a parameter lies on: it is close, and the log posterior does not rise from there inwards."""
    row = posterior.parameters[position]
    bend = float(here.hessian[position, position])
    spread = (-bend) ** -0.5 if bend < 0 else row.scaled_sd
    sides: tuple[tuple[AtBound, float, int], ...] = (("lower", row.scaled_lower, 1), ("upper", row.scaled_upper, -1))
    for side, bound, inwards in sides:
        if abs(point[position] - bound) > NEAR * spread or _repels(row, bound):
            continue
        moved = point.copy()
        moved[position] = bound
        if inwards * posterior.expand(moved).gradient[position] <= 0:
            return side
    return "none"


def _repels(row: Parameter, bound: float) -> bool:
    """Whether the density falls to zero at the bound, so that no mode lies there."""
    return bound == 0 and (row.name == NOISE_SD or row.family == "lognormal_ms")


def standard_deviations(shape: PointShape, slopes: Mapping[str, FloatArray]) -> dict[str, float]:
    """Approximate standard deviation of each parameter in data units, to first order from its slopes (P,).

    NaN where the log posterior does not curve downwards, and for what depends on parameters on a bound alone.
    """
    if shape.covariance is None:
        return dict.fromkeys(slopes, np.nan)
    squares = {name: float(slope @ shape.covariance @ slope) for name, slope in slopes.items()}
    return {name: float(np.sqrt(square)) if square > 0 else np.nan for name, square in squares.items()}
