"""Scaling must not change the model: densities and draws agree with the unscaled ones."""

from __future__ import annotations

import numpy as np
import pytest

from dsam_assets.design.scaling import identity_scaling, standardise
from dsam_assets.design.sufficient import sufficient_statistics
from dsam_assets.errors import DesignError

TERMS = ("(Intercept)", "a", "b")


def example(rows: int = 60, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = np.column_stack([np.ones(rows), rng.normal(50, 9, rows), rng.exponential(2000, rows)])
    return values, values @ [1e5, 300.0, 4.0] + rng.normal(0, 800, rows)


@pytest.mark.parametrize("centre", [True, False])
def test_converted_coefficients_give_the_same_fitted_values(centre: bool) -> None:
    values, response = example()
    scaling = standardise(TERMS, values, response, centre=centre)
    scaled = np.random.default_rng(1).normal(size=(5, 4, 3))
    seen_by_stan = ((values - scaling.x_center) / scaling.x_spread) @ scaled[2, 1]
    original = scaling.coefficients_to_data_units(scaled)[2, 1]
    np.testing.assert_allclose(values @ original, scaling.y_center + scaling.y_spread * seen_by_stan, rtol=1e-10)


def test_centred_columns_have_mean_zero_and_sd_one() -> None:
    values, response = example()
    scaling = standardise(TERMS, values, response, centre=True)
    x = (values - scaling.x_center) / scaling.x_spread
    np.testing.assert_allclose(x[:, 1:].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x[:, 1:].std(axis=0, ddof=1), 1)
    np.testing.assert_array_equal(x[:, 0], 1)


def test_nothing_is_subtracted_without_an_intercept() -> None:
    values, response = example()
    scaling = standardise(TERMS[1:], values[:, 1:], response, centre=True)
    assert not scaling.centred
    assert scaling.y_center == 0
    np.testing.assert_array_equal(scaling.x_center, 0)


def test_constant_column_is_named() -> None:
    values, response = example()
    values[:, 2] = 7.0
    with pytest.raises(DesignError, match="zero variance") as caught:
        standardise(TERMS, values, response, centre=True)
    assert "constant: b" in str(caught.value)


def test_constant_response_is_refused() -> None:
    values, _ = example()
    with pytest.raises(DesignError, match="response does not vary"):
        standardise(TERMS, values, np.full(60, 3.0), centre=True)


def test_noise_is_converted_by_the_response_spread() -> None:
    values, response = example()
    scaling = standardise(TERMS, values, response, centre=True)
    assert scaling.noise_to_data_units(np.array([2.0])) == pytest.approx(2.0 * response.std(ddof=1))


@pytest.mark.parametrize("block", [7, 1000])
def test_sufficient_statistics_give_the_row_wise_sum_of_squares(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsam_assets.design.sufficient.BLOCK_ROWS", block)
    values, response = example()
    for scaling in (identity_scaling(TERMS), standardise(TERMS, values, response, centre=True)):
        statistics = sufficient_statistics(values, response, scaling)
        coef = np.random.default_rng(2).normal(size=3)
        x = (values - scaling.x_center) / scaling.x_spread
        y = (response - scaling.y_center) / scaling.y_spread
        direct = ((y - x @ coef) ** 2).sum()
        reduced = ((statistics.z - statistics.R @ coef) ** 2).sum() + statistics.rss
        assert reduced == pytest.approx(direct, rel=1e-10)
        assert statistics.rows == 60
        np.testing.assert_allclose(np.tril(statistics.R, -1), 0)


def test_sufficient_statistics_of_fewer_rows_than_columns() -> None:
    values, response = example(rows=2)
    statistics = sufficient_statistics(values, response, identity_scaling(TERMS))
    coef = np.array([1.0, 2.0, 3.0])
    direct = ((response - values @ coef) ** 2).sum()
    assert ((statistics.z - statistics.R @ coef) ** 2).sum() + statistics.rss == pytest.approx(direct, rel=1e-9)
