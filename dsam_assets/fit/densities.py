"""Prior and posterior densities of coefficients on one grid, so that what the data taught can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray

POINTS = 161
# The grid reaches this many posterior sds to each side, so that a much wider prior still shows its slope.
REACH = 6.0
# More draws than this make the curve no smoother.
MOST_DRAWS = 2_000


def density_table(draws: Draws, priors: pd.DataFrame, terms: Sequence[str]) -> pd.DataFrame:
    """Densities of the terms' coefficients, in data units.

    Args:
        draws: the posterior; of a point estimate there is no density, and the table is empty.
        priors: the prior table: parameter, family, mean, sd, lower, upper, on the data's scale.
        terms: the coefficients wanted; those without a row in `priors` or draws are left out.

    Returns:
        term, value, prior, posterior (densities per data unit).
    """
    known = priors.set_index("parameter")
    wanted = [term for term in terms if term in known.index and term in draws.terms and not draws.is_point]
    parts = [_term_density(term, draws.coef_flat[:, draws.terms.index(term)], dict(known.loc[term])) for term in wanted]
    columns = ["term", "value", "prior", "posterior"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _term_density(term: str, values: FloatArray, prior: Mapping[str, Any]) -> pd.DataFrame:
    lower, upper = float(prior["lower"]), float(prior["upper"])
    middle, spread = float(values.mean()), float(values.std())
    grid = np.linspace(max(middle - REACH * spread, lower), min(middle + REACH * spread, upper), POINTS)
    return pd.DataFrame(
        {
            "term": term,
            "value": grid,
            "prior": prior_density(grid, str(prior["family"]), float(prior["mean"]), float(prior["sd"]), lower, upper),
            "posterior": _smoothed(grid, values, lower, upper),
        }
    )


def prior_density(grid: FloatArray, family: str, mean: float, sd: float, lower: float, upper: float) -> FloatArray:
    """Density of a normal or mean-sd lognormal prior cut to its bounds and renormalised."""
    from scipy.stats import lognorm, norm

    if family == "normal":
        law = norm(mean, sd)
    else:
        variance = np.log1p((sd / mean) ** 2)
        law = lognorm(s=np.sqrt(variance), scale=np.exp(np.log(mean) - variance / 2))
    inside = (grid >= lower) & (grid <= upper)
    return np.where(inside, law.pdf(grid) / (law.cdf(upper) - law.cdf(lower)), 0.0)


def _smoothed(grid: FloatArray, values: FloatArray, lower: float, upper: float) -> FloatArray:
    """Kernel density with the mass beyond a bound folded back, so that a pile-up at the bound is not smeared away."""
    from scipy.stats import gaussian_kde

    step = max(1, len(values) // MOST_DRAWS)
    kernel = gaussian_kde(values[::step])
    found = kernel(grid)
    for bound in (lower, upper):
        if np.isfinite(bound):
            found = found + kernel(2 * bound - grid)
    return np.asarray(found)
