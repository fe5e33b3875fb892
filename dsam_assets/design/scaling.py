"""Standardisation as an internal reparameterisation that leaves the model as it is.

With y* = (y − m_y) / s_y and x* = (x − m_x) / s_x, a slope is b* = b · s_x / s_y, and the intercept is
a* = (a + Σ b·m_x − m_y) / s_y. Means are subtracted only where the intercept takes them up *and* nobody has said
anything about the intercept at x = 0: an overridden prior or a bound on the intercept holds for the uncentred
intercept, so then only the spreads are divided out and the conversion stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray

INTERCEPT = "(Intercept)"
NOISE_SD = "noise_sd"


@dataclass(frozen=True)
class Scaling:
    """How predictors and response are standardised.

    Attributes:
        terms: coefficient names, length K.
        x_center: subtracted from each column, shape (K,); 0 where nothing is subtracted.
        x_spread: divides each column, shape (K,); 1 where nothing is divided.
        y_center, y_spread: the same for the response (after the offset).
        centred: whether the intercept is the one at the predictors' means.
    """

    terms: tuple[str, ...]
    x_center: FloatArray
    x_spread: FloatArray
    y_center: float
    y_spread: float
    centred: bool

    def coefficient_factor(self) -> FloatArray:
        """Factor f with (coefficient that Stan sees) = f · (coefficient in data units), shape (K,)."""
        return self.x_spread / self.y_spread

    def coefficients_to_data_units(self, coef: FloatArray) -> FloatArray:
        """Convert coefficient draws, shape (…, K), from Stan's scale to data units."""
        original = coef / self.coefficient_factor()
        if self.centred:
            position = self.terms.index(INTERCEPT)
            slopes_at_mean = original @ self.x_center
            original[..., position] += self.y_center - slopes_at_mean
        return original

    def noise_to_data_units(self, noise_sd: FloatArray) -> FloatArray:
        """Convert residual standard deviations from Stan's scale to data units."""
        return noise_sd * self.y_spread


def identity_scaling(terms: tuple[str, ...]) -> Scaling:
    """Scaling that changes nothing (`model.scale: false`)."""
    size = len(terms)
    return Scaling(terms, np.zeros(size), np.ones(size), 0.0, 1.0, centred=False)


def standardise(terms: tuple[str, ...], values: FloatArray, response: FloatArray, *, centre: bool) -> Scaling:
    """Scaling by sample means and standard deviations.

    Args:
        terms: coefficient names.
        values: design matrix, shape (N, K).
        response: model-scale response minus offset, shape (N,).
        centre: whether means may be subtracted; ignored without an intercept.

    Raises:
        DesignError: the response or a predictor does not vary.
    """
    is_intercept = np.array([term == INTERCEPT for term in terms], dtype=bool)
    centred = centre and bool(is_intercept.any())
    spread = np.where(is_intercept, 1.0, values.std(axis=0, ddof=1))
    y_spread = float(response.std(ddof=1))
    _require_variation(terms, spread, y_spread)
    x_center = np.where(is_intercept | (not centred), 0.0, values.mean(axis=0))
    return Scaling(terms, x_center, spread, float(response.mean()) if centred else 0.0, y_spread, centred)


def _require_variation(terms: tuple[str, ...], spread: FloatArray, y_spread: float) -> None:
    constant = [term for term, value in zip(terms, spread, strict=True) if not value > 0]
    if not y_spread > 0:
        raise DesignError("The response does not vary.", wanted="a response with a positive standard deviation")
    if constant:
        raise DesignError(
            "Cannot scale model data with zero variance.",
            where="model.formula",
            got="constant: " + ", ".join(constant),
            fix="Remove these terms from the formula, or set model.scale: false.",
        )
