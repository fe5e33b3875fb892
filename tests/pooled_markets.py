"""A small market with labelled media, and the exact posterior of its base terms and labels in data units."""

from __future__ import annotations

import numpy as np

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.scales import FloatArray

TERMS = ("(Intercept)", "m_tv_a", "trend", "m_tv_b", "m_search", "price", "m_social")
MEDIA = ("m_tv_a", "m_tv_b", "m_search", "m_social")
# in another order than the formula's, so that positions cannot stand in for names
ONE = PoolingMap(
    ("m_search", "m_tv_a", "m_tv_b", "m_social"), ("channel",), (("search",), ("tv",), ("tv",), ("social",))
)
TWO = PoolingMap(
    ONE.variables, ("channel", "owner"), (("search", "us"), ("tv", "us"), ("tv", "them"), ("social", "them"))
)
EACH = PoolingMap(MEDIA, ("variable_name",), tuple((name,) for name in MEDIA))
NESTED = PoolingMap(
    MEDIA, ("kind", "channel"), (("video", "tv"), ("video", "tv"), ("digital", "search"), ("digital", "social"))
)

# M of TWO by hand: rows as TWO.variables, columns channel[search], channel[tv], channel[social], owner[us], owner[them]
M_TWO = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 1, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 1]], dtype=float)


def market(rows: int = 40, seed: int = 3) -> ModelMatrix:
    """Weeks with four media variables in thousands, a trend, a price far from zero and an offset."""
    rng = np.random.default_rng(seed)
    media = rng.gamma(2.0, 400.0, size=(rows, 4)) * (rng.uniform(size=(rows, 4)) < 0.8)
    trend, price = np.linspace(-1, 1, rows), rng.normal(40, 3, rows)
    values = np.column_stack([np.ones(rows), media[:, 0], trend, media[:, 1], media[:, 2], price, media[:, 3]])
    offset = rng.normal(0, 100, rows)
    response = 9000 + values[:, 1:] @ [0.9, 300, 0.4, 1.5, -60, 0.7] + offset + rng.normal(0, 250, rows)
    return ModelMatrix(TERMS, values, response, offset, "kpi", "identity", np.arange(rows), {})


def pooled_columns_by_hand(matrix: ModelMatrix, pooling_map: PoolingMap) -> dict[str, FloatArray]:
    """Base columns, then for each label the sum of the columns of the variables that have it, written out in loops."""
    columns = {
        term: matrix.values[:, j].copy() for j, term in enumerate(matrix.terms) if term not in pooling_map.variables
    }
    for d, dimension in enumerate(pooling_map.grouping_vars):
        for variable, labels in zip(pooling_map.variables, pooling_map.labels, strict=True):
            column = matrix.values[:, matrix.terms.index(variable)]
            name = f"{dimension}[{labels[d]}]"
            columns[name] = columns.get(name, 0.0) + column
    return columns


def sums_by_hand(matrix: ModelMatrix, pooling_map: PoolingMap, coef: dict[str, FloatArray]) -> FloatArray:
    """Coefficients of the original terms from those of base terms and labels, last axis K."""
    labels = dict(zip(pooling_map.variables, pooling_map.labels, strict=True))
    names = {
        term: [f"{d}[{label}]" for d, label in zip(pooling_map.grouping_vars, labels[term], strict=True)]
        if term in labels
        else [term]
        for term in matrix.terms
    }
    return np.stack([sum(coef[name] for name in names[term]) for term in matrix.terms], axis=-1)


def exact_posterior(
    X: FloatArray, y: FloatArray, sigma: float, mean: FloatArray, sd: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of coefficients with independent normal(mean, sd) priors, given the noise sd, row by row."""
    covariance = np.linalg.inv(X.T @ X / sigma**2 + np.diag(sd**-2.0))
    return covariance @ (X.T @ y / sigma**2 + mean / sd**2), covariance
