"""Fits with exact posteriors, and the rules of the post-fit checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray


def matrix_of(values: FloatArray, response: FloatArray, terms: tuple[str, ...] | None = None) -> ModelMatrix:
    names = terms or ("(Intercept)", *(f"x{j}" for j in range(1, values.shape[1])))
    n = len(response)
    return ModelMatrix(names, values, response, np.zeros(n), "kpi", "identity", np.arange(n), {})


def draws_of(
    terms: tuple[str, ...], coef: FloatArray, noise_sd: FloatArray, group_sd: Mapping[str, FloatArray] | None = None
) -> Draws:
    """Draws (S, K) and (S,) as two chains; a single draw is a point estimate."""
    point = len(coef) == 1
    shape = (1, 1) if point else (2, len(coef) // 2)
    sds = {name: values.reshape(shape) for name, values in (group_sd or {}).items()}
    attributes = {"method": "optimise" if point else "mcmc"}
    return Draws(terms, coef.reshape(*shape, -1), noise_sd.reshape(shape), {}, 10, attributes, sds)


def exact_posterior(matrix: ModelMatrix, size: int = 400, seed: int = 1) -> Draws:
    """Independent draws of the posterior under flat priors on the coefficients and on log noise_sd."""
    rng = np.random.default_rng(seed)
    X, y = matrix.values, matrix.response
    estimate = np.linalg.lstsq(X, y, rcond=None)[0]
    rest = y - X @ estimate
    sigma = np.sqrt(rest @ rest / rng.chisquare(len(y) - X.shape[1], size))
    root = np.linalg.inv(np.linalg.qr(X, mode="r"))
    coef = estimate + sigma[:, np.newaxis] * (rng.normal(size=(size, X.shape[1])) @ root.T)
    return draws_of(matrix.terms, coef, sigma)


def weeks(n: int, units: int = 1, start: str = "2022-01-03") -> pd.DataFrame:
    """Row labels of a weekly panel, unit by unit."""
    dates = np.tile(pd.date_range(start, periods=n, freq="7D").to_numpy(), units)
    labels = pd.DataFrame({"row": np.arange(n * units), "date": dates})
    return labels if units == 1 else labels.assign(group=np.repeat([f"u{u:02d}" for u in range(units)], n))


@pytest.fixture
def make_matrix() -> Callable[..., ModelMatrix]:
    return matrix_of


@pytest.fixture
def make_posterior() -> Callable[..., Draws]:
    return exact_posterior


@pytest.fixture
def as_draws() -> Callable[..., Draws]:
    return draws_of


@pytest.fixture
def make_weeks() -> Callable[..., pd.DataFrame]:
    return weeks
