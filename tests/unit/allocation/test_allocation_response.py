"""Response shapes against the documented formulas, finite differences and each other."""

from __future__ import annotations

import numpy as np
import pytest

from dsam_assets.design.response import Response, ResponseBank
from dsam_assets.errors import AllocationError

SPEND = np.array([0.01, 1.0, 7.5, 40.0, 300.0, 9000.0])
SHAPES = [
    (Response(), lambda s: s),
    (Response("atan", scale=30.0), lambda s: np.arctan(s / 30.0)),
    (Response("log1p", scale=12.0), lambda s: np.log(1.0 + s / 12.0)),
    (Response("hill", scale=50.0, n=1.0), lambda s: s / (s + 50.0)),
    (Response("hill", scale=50.0, n=0.6), lambda s: s**0.6 / (s**0.6 + 50.0**0.6)),
    (Response("hill", scale=50.0, n=2.7), lambda s: s**2.7 / (s**2.7 + 50.0**2.7)),
]
CURVED = [shape for shape, _ in SHAPES[1:]]


@pytest.mark.parametrize(("response", "formula"), SHAPES)
def test_value_is_the_documented_formula(response, formula):
    np.testing.assert_allclose(response.value(SPEND), formula(SPEND), rtol=1e-12)
    assert response.value(np.array([0.0]))[0] == 0.0


@pytest.mark.parametrize(("response", "formula"), SHAPES)
def test_derivative_is_the_slope_of_the_formula(response, formula):
    step = 1e-5 * SPEND
    slope = (formula(SPEND + step) - formula(SPEND - step)) / (2 * step)
    np.testing.assert_allclose(response.derivative(SPEND), slope, rtol=2e-6)


@pytest.mark.parametrize(("n", "slope"), [(0.5, np.inf), (1.0, 1 / 50.0), (2.0, 0.0)])
def test_hill_slope_at_zero(n, slope):
    assert Response("hill", scale=50.0, n=n).derivative(np.array([0.0]))[0] == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("response", CURVED)
def test_derivative_inverse_undoes_the_derivative_on_the_concave_branch(response):
    spend = SPEND + (response.inflection or 0.0)
    np.testing.assert_allclose(response.derivative_inverse(response.derivative(spend)), spend, rtol=1e-7)


def test_derivative_inverse_undoes_the_derivative_on_the_convex_branch():
    response = Response("hill", scale=50.0, n=3.0)
    spend = response.inflection * np.array([1e-6, 0.01, 0.5, 0.99])
    np.testing.assert_allclose(response.derivative_inverse(response.derivative(spend), "convex"), spend, rtol=1e-7)


@pytest.mark.parametrize("response", CURVED)
def test_derivative_inverse_beyond_the_attainable_slopes(response):
    steepest = response.derivative_inverse(np.array([1e12]))[0]
    assert steepest == pytest.approx(response.inflection or 0.0, abs=1e-6)
    assert response.derivative_inverse(np.array([0.0]))[0] == np.inf
    assert response.derivative_inverse(np.array([-1.0]))[0] == np.inf


def test_inflection_is_where_the_slope_peaks():
    response = Response("hill", scale=80.0, n=2.2)
    spend = np.linspace(1.0, 200.0, 200_001)
    assert response.inflection == pytest.approx(spend[np.argmax(response.derivative(spend))], abs=2e-3)
    assert Response("hill", scale=80.0, n=1.0).inflection is None


@pytest.mark.parametrize(
    ("response", "low", "high", "expected"),
    [
        (Response(), 0, 9, "linear"),
        (Response("atan", scale=2.0), 0, 9, "concave"),
        (Response("hill", scale=50.0, n=0.9), 0, 9, "concave"),
        (Response("hill", scale=50.0, n=3.0), 0, 30, "convex"),
        (Response("hill", scale=50.0, n=3.0), 45, 90, "concave"),
        (Response("hill", scale=50.0, n=3.0), 0, 90, "mixed"),
    ],
)
def test_curvature_on_an_interval(response, low, high, expected):
    assert response.curvature(low, high) == expected


def test_bank_agrees_with_its_channels():
    responses = [shape for shape, _ in SHAPES]
    bank = ResponseBank(tuple(responses))
    plans = np.random.default_rng(3).uniform(1.0, 90.0, size=(7, len(responses)))
    slopes = np.full(len(responses), 0.003)
    np.testing.assert_array_equal(
        bank.value(plans), np.column_stack([r.value(c) for r, c in zip(responses, plans.T, strict=False)])
    )
    np.testing.assert_array_equal(
        bank.derivative(plans), np.column_stack([r.derivative(c) for r, c in zip(responses, plans.T, strict=False)])
    )
    np.testing.assert_array_equal(
        bank.derivative_inverse(slopes), [r.derivative_inverse(np.array(0.003)) for r in responses]
    )


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"kind": "log1p", "scale": 0.0}, "scale"),
        ({"kind": "hill", "scale": -1.0}, "k"),
        ({"kind": "hill", "n": np.nan}, "n"),
        ({"kind": "logistic"}, "type"),
    ],
)
def test_unusable_shapes_are_refused_by_key(arguments, key):
    with pytest.raises(AllocationError) as caught:
        Response(**arguments)
    assert caught.value.where.endswith(f"response.{key}")
