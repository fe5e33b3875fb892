"""Priors: defaults on Stan's scale, overrides exact in data units."""

from __future__ import annotations

import math

import numpy as np
import pytest
from overrides import Bound as Boundary
from overrides import Prior
from scipy import stats

from dsam_assets.design.priors import (
    Parameter,
    build_parameters,
    lognormal_location_spread,
    prior_table,
    speaks_of_intercept,
)
from dsam_assets.design.scaling import Scaling, identity_scaling, standardise
from dsam_assets.errors import DesignError

TERMS = ("(Intercept)", "m_tv", "price")


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    values = np.column_stack([np.ones(40), rng.exponential(30, 40), rng.normal(10, 2, 40)])
    return values, rng.normal(5e5, 4e4, 40)


@pytest.fixture
def scaling(data: tuple[np.ndarray, np.ndarray]) -> Scaling:
    return standardise(TERMS, *data, centre=True)


def by_name(rows: tuple[Parameter, ...]) -> dict[str, Parameter]:
    return {row.name: row for row in rows}


def test_defaults_are_standard_on_the_scale_that_stan_sees(
    scaling: Scaling, data: tuple[np.ndarray, np.ndarray]
) -> None:
    rows = by_name(build_parameters(TERMS, scaling))
    assert list(rows) == [*TERMS, "noise_sd"]
    assert all((row.scaled_mean, row.scaled_sd) == (0.0, 5.0) for row in rows.values())
    sy, sx = data[1].std(ddof=1), data[0][:, 1].std(ddof=1)
    assert rows["m_tv"].sd == pytest.approx(5 * sy / sx)
    assert rows["(Intercept)"].mean == pytest.approx(data[1].mean())
    assert rows["(Intercept)"].sd == pytest.approx(5 * sy)
    assert rows["noise_sd"].scaled_lower == 0.0


def test_without_scaling_the_defaults_apply_as_written() -> None:
    rows = by_name(build_parameters(TERMS, identity_scaling(TERMS)))
    assert (rows["m_tv"].mean, rows["m_tv"].sd) == (0.0, 5.0)


def test_override_density_is_the_same_on_both_scales(scaling: Scaling) -> None:
    prior = Prior("m_tv", 1200.0, 300.0)
    row = by_name(build_parameters(TERMS, scaling, [prior]))["m_tv"]
    factor = row.scaled_mean / row.mean
    for value in (400.0, 1200.0, 1900.0):
        scaled = stats.norm(row.scaled_mean, row.scaled_sd).pdf(value * factor) * factor
        assert scaled == pytest.approx(stats.norm(1200, 300).pdf(value))
    assert not row.prior_is_default


def test_bounds_are_converted_with_the_slope_factor(scaling: Scaling, data: tuple[np.ndarray, np.ndarray]) -> None:
    rows = by_name(build_parameters(TERMS, scaling, [], [Boundary("m_tv", 0.0, 800.0), Boundary("price", upper=-5.0)]))
    factor = data[0][:, 1].std(ddof=1) / data[1].std(ddof=1)
    assert rows["m_tv"].scaled_lower == 0.0
    assert rows["m_tv"].scaled_upper == pytest.approx(800 * factor)
    assert rows["price"].scaled_lower == -math.inf
    assert rows["price"].scaled_upper < 0


def test_lognormal_parameters_reproduce_mean_and_sd() -> None:
    location, spread = lognormal_location_spread(3.0, 1.5)
    distribution = stats.lognorm(s=spread, scale=math.exp(location))
    assert distribution.mean() == pytest.approx(3.0)
    assert distribution.std() == pytest.approx(1.5)


def test_lognormal_is_refused_for_a_slope(scaling: Scaling) -> None:
    with pytest.raises(DesignError, match="positive parameters only"):
        build_parameters(TERMS, scaling, [Prior("m_tv", 1.0, 1.0, "lognormal_ms")])


def test_unknown_parameter_lists_names_and_the_nearest(scaling: Scaling) -> None:
    with pytest.raises(DesignError) as caught:
        build_parameters(TERMS, scaling, [Prior("m_tvv", 1.0, 1.0)])
    assert "Did you mean m_tv?" in str(caught.value)
    assert "noise_sd" in str(caught.value)


def test_repeated_parameter_is_refused(scaling: Scaling) -> None:
    with pytest.raises(DesignError, match="twice"):
        build_parameters(TERMS, scaling, [], [Boundary("price", 0.0), Boundary("price", 1.0)])


def test_noise_sd_must_be_able_to_be_positive(scaling: Scaling) -> None:
    with pytest.raises(DesignError, match="noise_sd must be allowed"):
        build_parameters(TERMS, scaling, [], [Boundary("noise_sd", -2.0, 0.0)])


def test_an_override_of_the_intercept_is_noticed() -> None:
    assert speaks_of_intercept([Prior("(Intercept)", 0, 1)], [])
    assert speaks_of_intercept([], [Boundary("(Intercept)", 0)])
    assert not speaks_of_intercept([Prior("m_tv", 0, 1)], [])


def test_table_shows_both_scales(scaling: Scaling) -> None:
    table = prior_table(build_parameters(TERMS, scaling), scaling)
    assert list(table["parameter"]) == [*TERMS, "noise_sd"]
    assert table.loc[0, "description"] == "intercept at the predictors' means"
    assert {"scaled_sd", "sd", "is_default", "boundary_is_default"} <= set(table.columns)
