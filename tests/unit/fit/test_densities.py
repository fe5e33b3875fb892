"""Densities against the laws that they estimate, and their mass against one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import halfnorm, norm

from dsam_assets.fit.densities import density_table, prior_density
from dsam_assets.fit.draws import Draws

S = 4_000


def posterior(values: np.ndarray) -> Draws:
    return Draws(("m_tv",), values.reshape(2, -1, 1), np.ones((2, len(values) // 2)), {}, 10, {})


def priors(**row: object) -> pd.DataFrame:
    base = {"parameter": "m_tv", "family": "normal", "mean": 0.0, "sd": 1.0, "lower": -np.inf, "upper": np.inf}
    return pd.DataFrame([base | row])


def test_a_normal_posterior_beside_its_prior() -> None:
    values = norm(2.0, 0.5).ppf((np.random.default_rng(0).permutation(S) + 0.5) / S)
    table = density_table(posterior(values), priors(), ["m_tv", "unknown"])
    assert set(table["term"]) == {"m_tv"}
    np.testing.assert_allclose(table["posterior"], norm(2.0, 0.52).pdf(table["value"]), atol=0.06)
    np.testing.assert_allclose(table["prior"], norm.pdf(table["value"]), rtol=1e-12)


def test_mass_at_a_bound_stays_inside() -> None:
    values = halfnorm.ppf((np.random.default_rng(0).permutation(S) + 0.5) / S)
    table = density_table(posterior(values), priors(lower=0.0), ["m_tv"])
    assert table["value"].min() == 0.0
    assert np.trapezoid(table["posterior"], table["value"]) == pytest.approx(1.0, abs=0.01)
    # Without folding, a kernel loses half of its height at the bound.
    assert table["posterior"].iloc[0] == pytest.approx(halfnorm.pdf(0.0), rel=0.1)


@pytest.mark.parametrize(("family", "mean", "sd", "lower", "upper"), [
    ("normal", 1.0, 2.0, 0.0, 5.0), ("lognormal_ms", 2.0, 0.7, 0.0, np.inf), ("normal", -1.0, 0.5, -np.inf, np.inf),
])  # fmt: skip
def test_priors_integrate_to_one(family: str, mean: float, sd: float, lower: float, upper: float) -> None:
    grid = np.linspace(max(lower, -12), min(upper, 12), 20_001)
    density = prior_density(grid, family, mean, sd, lower, upper)
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-3)
    if family == "lognormal_ms":
        assert np.trapezoid(grid * density, grid) == pytest.approx(mean, rel=1e-3)
        assert np.trapezoid((grid - mean) ** 2 * density, grid) ** 0.5 == pytest.approx(sd, rel=1e-2)


def test_a_point_has_no_density() -> None:
    point = Draws(("m_tv",), np.ones((1, 1, 1)), np.ones((1, 1)), {}, 10, {"method": "optimise"})
    assert density_table(point, priors(), ["m_tv"]).empty
