"""A small posterior and a small design."""

from __future__ import annotations

import numpy as np
import pytest

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import SAMPLER_STATISTICS, Draws

TERMS = ("(Intercept)", "m_tv", "price")


@pytest.fixture
def draws() -> Draws:
    rng = np.random.default_rng(4)
    shape = (3, 40)
    sampler = {name: rng.random(shape) for name in SAMPLER_STATISTICS}
    return Draws(
        terms=TERMS,
        coef=rng.normal([2.0, 0.5, -0.3], 0.1, size=(*shape, 3)),
        noise_sd=0.3 + 0.1 * rng.random(shape),
        sampler={**sampler, "diverging": sampler["diverging"] > 0.9},
        max_treedepth=11,
        attributes={"seed": 3, "stan_version": "2.39.0", "share": 0.25},
    )


def make_matrix(scale: str) -> ModelMatrix:
    rng = np.random.default_rng(5)
    values = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    response = values @ [2.0, 0.5, -0.3] + rng.normal(0, 0.3, 30)
    return ModelMatrix(TERMS, values, response, rng.normal(0, 0.1, 30), "kpi", scale, np.arange(30), {})


@pytest.fixture
def log_matrix() -> ModelMatrix:
    return make_matrix("log")


@pytest.fixture
def identity_matrix() -> ModelMatrix:
    return make_matrix("identity")
