"""How spend turns into the value that enters the linear predictor.

Four shapes, each with its value, slope and inverse slope. A channel's inverse slope answers the allocator's question
"how much would this channel spend at a given marginal response?" exactly, so no grid of spends is needed.

Spend is in the units of the channel's spend column, per period, and never negative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dsam_assets.errors import AllocationError
from dsam_assets.scales import FloatArray

Kind = Literal["identity", "atan", "log1p", "hill"]
Curvature = Literal["linear", "concave", "convex", "mixed"]
Branch = Literal["concave", "convex"]

# The inverse slope of `hill` is a Newton iteration that converges quadratically, except at the inflection, where it
# halves the error: 60 halvings reach the rounding error of a double.
_NEWTON_STEPS = 60
_NEAR_ZERO = 1e-9  # of the scale: there every elasticity has its limit at zero to nine digits


@dataclass(frozen=True)
class _Kernel:
    """A shape's functions of (spend or slope, scale, n), elementwise with broadcasting."""

    value: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    slope: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    slope_inverse: Callable[[FloatArray, FloatArray, FloatArray, Branch], FloatArray]


def _identity_inverse(slope: FloatArray, scale: FloatArray, n: FloatArray, branch: Branch) -> FloatArray:
    return np.where(slope < 1.0, np.inf, 0.0)


def _atan_inverse(slope: FloatArray, scale: FloatArray, n: FloatArray, branch: Branch) -> FloatArray:
    with np.errstate(divide="ignore"):
        return scale * np.sqrt(np.maximum(1.0 / (scale * np.maximum(slope, 0.0)) - 1.0, 0.0))


def _log1p_inverse(slope: FloatArray, scale: FloatArray, n: FloatArray, branch: Branch) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.maximum(1.0 / np.maximum(slope, 0.0) - scale, 0.0)


def _softplus(x: FloatArray) -> FloatArray:
    return np.logaddexp(0.0, x)


def _log_ratio(spend: FloatArray, k: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(spend / k)


def _hill_value(spend: FloatArray, k: FloatArray, n: FloatArray) -> FloatArray:
    return np.exp(-_softplus(-n * _log_ratio(spend, k)))


def _hill_log_slope(x: FloatArray, n: FloatArray) -> FloatArray:
    """log(f'·k/n) at x = log(spend/k); concave in x, with its peak at the inflection of f."""
    return (n - 1.0) * x - 2.0 * _softplus(n * x)


def _hill_slope(spend: FloatArray, k: FloatArray, n: FloatArray) -> FloatArray:
    x = _log_ratio(spend, k)
    at_zero = np.where(n == 1.0, 0.0, np.where(n < 1.0, np.inf, -np.inf))
    log_slope = np.where(spend > 0.0, _hill_log_slope(np.where(spend > 0.0, x, 0.0), n), at_zero)
    with np.errstate(over="ignore"):
        return (n / k) * np.exp(log_slope)


def _hill_newton(level: FloatArray, n: FloatArray, start: FloatArray) -> FloatArray:
    """Solve `_hill_log_slope(x) = level`. Started beyond the root on a concave function, Newton cannot overshoot."""
    x = start
    for _ in range(_NEWTON_STEPS):
        tilt = (n - 1.0) - 2.0 * n * np.exp(-_softplus(-n * x))
        step = (_hill_log_slope(x, n) - level) / np.where(tilt == 0.0, np.inf, tilt)
        x = x - step
        if np.all(np.abs(step) <= 1e-15 * np.maximum(1.0, np.abs(x))):
            break
    return x


def _hill_inverse(slope: FloatArray, k: FloatArray, n: FloatArray, branch: Branch) -> FloatArray:
    slope, k, n = (np.array(a, dtype=np.float64) for a in np.broadcast_arrays(slope, k, n))
    peak = np.where(n > 1.0, _hill_inflection(k, np.maximum(n, 1.0)), 0.0)
    top = _hill_slope(peak, k, n)
    spend = np.where(slope > 0.0, peak, np.inf if branch == "concave" else 0.0)
    inside = (slope > 0.0) & (slope < top) & ((n > 1.0) | (branch == "concave"))
    if not inside.any():
        return spend
    level, n_in = np.log(slope[inside]) - np.log(n[inside] / k[inside]), n[inside]
    # softplus(y) ≥ max(y, 0) bounds the root by the two asymptotes of the log slope.
    right = -level / (n_in + 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = level / (n_in - 1.0)
    start = left if branch == "convex" else np.where(n_in < 1.0, np.fmin(left, right), right)
    with np.errstate(over="ignore"):
        curved = k[inside] * np.exp(_hill_newton(level, n_in, start))
        # n = 1 has a closed form, needed because log(spend) runs to -inf as the slope nears its value at zero.
        spend[inside] = np.where(n_in == 1.0, k[inside] * np.expm1(-level / 2.0), curved)
    return spend


def _hill_inflection(k: FloatArray, n: FloatArray) -> FloatArray:
    """Spend where f'' = 0 for n > 1: k·((n−1)/(n+1))^(1/n); zero at n = 1."""
    return np.asarray(k * ((n - 1.0) / (n + 1.0)) ** (1.0 / n))


_KERNELS: Mapping[str, _Kernel] = {
    "identity": _Kernel(lambda s, scale, n: s + 0.0, lambda s, scale, n: np.ones_like(s), _identity_inverse),
    "atan": _Kernel(
        lambda s, scale, n: np.arctan(s / scale),
        lambda s, scale, n: 1.0 / (scale * (1.0 + (s / scale) ** 2)),
        _atan_inverse,
    ),
    "log1p": _Kernel(lambda s, scale, n: np.log1p(s / scale), lambda s, scale, n: 1.0 / (scale + s), _log1p_inverse),
    "hill": _Kernel(_hill_value, _hill_slope, _hill_inverse),
}


@dataclass(frozen=True)
class Response:
    """One channel's response shape f, increasing from f(0) = 0.

    identity: s · atan: atan(s/scale) · log1p: log(1 + s/scale) · hill: sⁿ/(sⁿ + kⁿ) with k held in `scale`.

    Attributes:
        kind: the shape.
        scale: `scale` of atan and log1p, half-saturation `k` of hill, in spend units; unused by identity.
        n: shape of hill; unused by the others.
    """

    kind: Kind = "identity"
    scale: float = 1.0
    n: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in _KERNELS:
            raise AllocationError(
                "A channel's response type is not known.",
                where="allocation.channels[].response.type",
                got=self.kind,
                wanted=" or ".join(_KERNELS),
                fix="Choose one of these types.",
            )
        for name, number in (("k" if self.kind == "hill" else "scale", self.scale), ("n", self.n)):
            if not (np.isfinite(number) and number > 0.0):
                raise AllocationError(
                    f"A {self.kind} response needs a positive `{name}`.",
                    where=f"allocation.channels[].response.{name}",
                    got=number,
                    wanted="a finite number > 0",
                    fix=f"Set `{name}` to a positive number.",
                )

    def value(self, spend: FloatArray) -> FloatArray:
        """f(spend), elementwise."""
        return _KERNELS[self.kind].value(np.asarray(spend, dtype=np.float64), *self._parameters)

    def derivative(self, spend: FloatArray) -> FloatArray:
        """f'(spend), elementwise; +inf for hill with n < 1 at zero spend."""
        return _KERNELS[self.kind].slope(np.asarray(spend, dtype=np.float64), *self._parameters)

    def elasticity(self, spend: FloatArray) -> FloatArray:
        """s·f'(s)/f(s): per cent of response per per cent of spend, elementwise; at zero spend its limit there."""
        near = np.maximum(np.asarray(spend, dtype=np.float64), _NEAR_ZERO * self.scale)
        return np.asarray(near * self.derivative(near) / self.value(near))

    def derivative_inverse(self, slope: FloatArray, branch: Branch = "concave") -> FloatArray:
        """Spend on the named branch where f' equals `slope`.

        A slope above the branch's steepest gives the branch's steepest point (0, or the inflection); a slope ≤ 0 gives
        +inf on the concave branch. For hill other than n = 1 the equation has no closed form and Newton solves it.
        """
        return _KERNELS[self.kind].slope_inverse(np.asarray(slope, dtype=np.float64), *self._parameters, branch)

    @property
    def inflection(self) -> float | None:
        """Spend where an S-shaped response turns from convex to concave; None without such a point."""
        if self.kind != "hill" or self.n <= 1.0:
            return None
        return float(_hill_inflection(*self._parameters))

    def curvature(self, low: float, high: float) -> Curvature:
        """Sign of f'' on [low, high]."""
        if self.kind == "identity":
            return "linear"
        turn = self.inflection
        if turn is None or low >= turn:
            return "concave"
        return "convex" if high <= turn else "mixed"

    def __str__(self) -> str:
        named = {"identity": "", "hill": f"k={self.scale:g}, n={self.n:g}"}.get(self.kind, f"scale={self.scale:g}")
        return f"{self.kind}({named})" if named else self.kind

    @property
    def _parameters(self) -> tuple[FloatArray, FloatArray]:
        return np.float64(self.scale), np.float64(self.n)  # type: ignore[return-value]


def response_from(section: Any) -> Response:
    """The response of a config's `allocation.channels[].response`; without one, the response is proportional.

    Raises:
        AllocationError: a parameter that the type needs is missing or cannot be used.
    """
    if section is None or section.type == "identity":
        return Response()
    if section.type == "hill":
        return Response("hill", scale=_parameter(section, "k"), n=_parameter(section, "n"))
    return Response(section.type, scale=_parameter(section, "scale"))


def _parameter(section: Any, key: str) -> float:
    number = getattr(section, key, None)
    # A missing parameter is refused by `Response` as not positive.
    return float("nan") if number is None else float(number)


@dataclass(frozen=True)
class _Group:
    kernel: _Kernel
    index: NDArray[np.intp]
    scale: FloatArray
    n: FloatArray


@dataclass(frozen=True)
class ResponseBank:
    """The responses of C channels, evaluated together on arrays whose last axis is the channel."""

    responses: Sequence[Response]

    @cached_property
    def _groups(self) -> tuple[_Group, ...]:
        kinds = sorted({response.kind for response in self.responses})
        return tuple(self._group(kind) for kind in kinds)

    def _group(self, kind: Kind) -> _Group:
        index = np.array([i for i, response in enumerate(self.responses) if response.kind == kind], dtype=np.intp)
        scale = np.array([self.responses[i].scale for i in index])
        return _Group(_KERNELS[kind], index, scale, np.array([self.responses[i].n for i in index]))

    def value(self, spend: FloatArray) -> FloatArray:
        """f_c(spend_c), shape (…, C) → (…, C)."""
        out = np.empty_like(spend, dtype=np.float64)
        for group in self._groups:
            out[..., group.index] = group.kernel.value(spend[..., group.index], group.scale, group.n)
        return out

    def derivative(self, spend: FloatArray) -> FloatArray:
        """f_c'(spend_c), shape (…, C) → (…, C)."""
        out = np.empty_like(spend, dtype=np.float64)
        for group in self._groups:
            out[..., group.index] = group.kernel.slope(spend[..., group.index], group.scale, group.n)
        return out

    def derivative_inverse(self, slope: FloatArray, branch: Branch = "concave") -> FloatArray:
        """Spend where f_c' equals slope_c on the branch, shape (C,) → (C,)."""
        out = np.empty_like(slope, dtype=np.float64)
        for group in self._groups:
            out[group.index] = group.kernel.slope_inverse(slope[group.index], group.scale, group.n, branch)
        return out

    @cached_property
    def linear(self) -> NDArray[np.bool_]:
        """Which channels respond in proportion to spend, shape (C,)."""
        return np.array([response.kind == "identity" for response in self.responses])

    @cached_property
    def inflection(self) -> FloatArray:
        """Inflection per channel, NaN where there is none, shape (C,)."""
        return np.array([np.nan if r.inflection is None else r.inflection for r in self.responses])
