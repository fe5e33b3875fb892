"""Summaries of draws against NumPy's, and of a single draw, about whose spread nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from dsam_assets.fit.spread import deviation, has_spread, probability, quantiles

SHARES = [0.025, 0.05, 0.5, 0.95, 0.975]


@pytest.mark.parametrize("size", [2, 3, 40, 41])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_several_draws_are_summarised_as_numpy_does(size: int, axis: int) -> None:
    shape = [4, 5, 6]
    shape[axis] = size
    values = np.random.default_rng(size).normal(size=shape)
    np.testing.assert_allclose(quantiles(values, SHARES, axis), np.quantile(values, SHARES, axis=axis), rtol=1e-12)
    np.testing.assert_allclose(deviation(values, axis), np.std(values, axis=axis, ddof=1), rtol=1e-12)


def test_one_draw_has_a_middle_and_no_spread() -> None:
    values = np.array([[3.0, -1.0]])
    found = quantiles(values, SHARES)
    np.testing.assert_array_equal(found[2], [3.0, -1.0])
    assert np.isnan(found[[0, 1, 3, 4]]).all()
    assert np.isnan(deviation(values)).all()
    assert deviation(values).shape == (2,)
    assert np.isnan(quantiles(values.T, [0.05], axis=-1)).all()


def test_probabilities_need_draws_to_count() -> None:
    assert probability(np.array([True, True, False, True])) == 0.75
    assert np.isnan(probability(np.array([True])))
    assert [has_spread(count) for count in (1, 2)] == [False, True]
