"""What each term adds to the fitted value of each row, on the model scale or on the KPI scale.

A contribution on the model scale is coefficient × column, with the coefficient of the row's own panel unit (population
plus all deviations that reach it); on the KPI scale it is as `attribution` says. Contributions of a row add up to its
fitted value on the same scale, draw by draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from dsam_assets.decomposition.attribution import attribution
from dsam_assets.decomposition.blocks import coefficients_at, columns_at, part_blocks, units_of
from dsam_assets.decomposition.term_groups import OFFSET
from dsam_assets.design.groups import Grouping
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictor import draws_for, joint_draws
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import ConversionMethod, FloatArray

QUANTILES = {"q05": 0.05, "q95": 0.95}
Scale = Literal["model", "kpi"]


def decomposition(draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame) -> pd.DataFrame:
    """One row per modelled row and term: posterior mean and 90 % interval of its contribution, model scale.

    The quantiles are exact: a row's contribution is one number times a coefficient, so they are the coefficient's, in
    reverse order where that number is negative. A point estimate has none.

    Args:
        draws: the posterior.
        matrix: the model.
        labels: columns that identify the rows of `matrix`, in its order.

    Returns:
        The labels, `term`, `contribution`, `q05`, `q95`; an offset is a term of its own, `offset()`.
    """
    units = units_of(matrix)
    terms, values = unit_coefficients(draws, matrix, units)
    shares = list(QUANTILES.values())
    mean, low, high = values.mean(axis=-1), *quantiles(values, shares, axis=-1)
    columns = columns_at(matrix, terms, np.arange(len(labels)))
    parts = [
        _part(labels, term, columns[:, t], mean[units.codes, t], low[units.codes, t], high[units.codes, t])
        for t, term in enumerate(terms)
    ]
    if matrix.offset.any():
        fixed = np.ones((len(labels), values.shape[-1]))
        parts.append(_part(labels, OFFSET, matrix.offset, fixed[:, 0], *quantiles(fixed, shares, axis=-1)))
    return pd.concat(parts, ignore_index=True)


def kpi_decomposition(
    draws: Draws,
    matrix: ModelMatrix,
    labels: pd.DataFrame,
    media: Sequence[str],
    method: ConversionMethod = "conditional_mean",
) -> pd.DataFrame:
    """The same on the KPI scale; for an identity response the two are one.

    Args:
        draws, matrix, labels: as for `decomposition`.
        media: media terms, as `term_groups` finds them.
        method: how draws of a log response reach the KPI scale; exp(μ) for a point.

    Returns:
        As `decomposition` does; under a log response the offset belongs to the intercept's part.
    """
    if matrix.response_scale == "identity":
        return decomposition(draws, matrix, labels)
    used: ConversionMethod = "point_exp" if draws.is_point else method
    split = attribution(draws.all_terms, media, multiplicative=True, method=used)
    rows = np.arange(len(labels))
    found = np.empty((1 + len(QUANTILES), len(split.parts), len(rows)))
    for block in part_blocks(draws_for(draws, len(rows)), matrix, split, units_of(matrix), rows):
        found[0][:, block.periods] = block.parts.mean(axis=-1).T
        found[1:, :, block.periods] = np.moveaxis(quantiles(block.parts, list(QUANTILES.values()), axis=-1), -1, 1)
    named = dict(zip(("contribution", *QUANTILES), found, strict=True))
    tables = [labels.assign(term=part, **{n: v[p] for n, v in named.items()}) for p, part in enumerate(split.parts)]
    return pd.concat(tables, ignore_index=True)


def _part(
    labels: pd.DataFrame, term: str, column: FloatArray, mean: FloatArray, low: FloatArray, high: FloatArray
) -> pd.DataFrame:
    ends = np.sort(np.stack([column * low, column * high]), axis=0)
    return labels.assign(term=term, contribution=column * mean, q05=ends[0], q95=ends[1])


def unit_coefficients(draws: Draws, matrix: ModelMatrix, units: Grouping) -> tuple[tuple[str, ...], FloatArray]:
    """Terms (the population's, then those that only vary) and coefficients of each panel unit, shape (U, T, S)."""
    joint, terms = joint_draws(draws), draws.all_terms
    _, first = np.unique(units.codes, return_index=True)
    return terms, np.stack([coefficients_at(joint, matrix, terms, int(row)) for row in first])
