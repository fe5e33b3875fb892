"""The elasticity of a response against differences of logarithms, and its limit at zero spend."""

from __future__ import annotations

import numpy as np
import pytest

from dsam_assets.design.response import Response

CURVES = [Response(), Response("atan", 300.0), Response("log1p", 50.0), Response("hill", 200.0, 0.9),
          Response("hill", 200.0, 2.5)]  # fmt: skip


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_elasticity_is_the_slope_on_logarithmic_axes(curve: Response) -> None:
    spend, step = np.array([1.0, 40.0, 250.0, 5_000.0]), 1e-6
    up, down = np.log(curve.value(spend * np.exp(step))), np.log(curve.value(spend * np.exp(-step)))
    np.testing.assert_allclose(curve.elasticity(spend), (up - down) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize(("curve", "limit"), [*zip(CURVES, [1.0, 1.0, 1.0, 0.9, 2.5], strict=True)])
def test_without_spend_elasticity_is_the_power_of_the_first_unit(curve: Response, limit: float) -> None:
    np.testing.assert_allclose(curve.elasticity(np.zeros(2)), limit, rtol=1e-6)


def test_a_response_says_what_it_is() -> None:
    assert [str(curve) for curve in CURVES] == [
        "identity", "atan(scale=300)", "log1p(scale=50)", "hill(k=200, n=0.9)", "hill(k=200, n=2.5)",
    ]  # fmt: skip
