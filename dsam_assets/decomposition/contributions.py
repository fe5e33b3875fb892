"""What each term adds to the fitted value of each row, on the model scale.

A contribution is coefficient × column, with the coefficient of the row's own panel unit (population plus all deviations
that reach it). Contributions of all terms and the offset add up to the linear predictor, draw by draw.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dsam_assets.design.groups import Grouping, panel_units
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictor import joint_draws
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import FloatArray

OFFSET = "offset()"
QUANTILES = {"q05": 0.05, "q95": 0.95}


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
    units = panel_units(matrix.groups) if matrix.groups else Grouping(np.zeros(len(matrix.response), dtype=np.intp), ())
    terms, values = unit_coefficients(draws, matrix, units)
    shares = list(QUANTILES.values())
    mean, low, high = values.mean(axis=-1), *quantiles(values, shares, axis=-1)
    columns = term_columns(matrix, terms)
    parts = [
        _part(labels, term, columns[:, t], mean[units.codes, t], low[units.codes, t], high[units.codes, t])
        for t, term in enumerate(terms)
    ]
    if matrix.offset.any():
        fixed = np.ones((len(labels), values.shape[-1]))
        parts.append(_part(labels, OFFSET, matrix.offset, fixed[:, 0], *quantiles(fixed, shares, axis=-1)))
    return pd.concat(parts, ignore_index=True)


def _part(
    labels: pd.DataFrame, term: str, column: FloatArray, mean: FloatArray, low: FloatArray, high: FloatArray
) -> pd.DataFrame:
    ends = np.sort(np.stack([column * low, column * high]), axis=0)
    return labels.assign(term=term, contribution=column * mean, q05=ends[0], q95=ends[1])


def unit_coefficients(draws: Draws, matrix: ModelMatrix, units: Grouping) -> tuple[tuple[str, ...], FloatArray]:
    """Terms (the population's, then those that only vary) and coefficients of each panel unit, shape (U, T, S)."""
    joint, terms = joint_draws(draws), draws.all_terms
    count = max(1, len(units.levels))
    values = np.zeros((count, len(terms), joint.noise_sd.size))
    values[:, : len(draws.terms)] = joint.coef.T
    _, first = np.unique(units.codes, return_index=True)
    for group, deviations in zip(matrix.groups, joint.deviations, strict=True):
        values[:, [terms.index(term) for term in group.terms]] += deviations[group.codes[first]]
    return terms, values


def term_columns(matrix: ModelMatrix, terms: tuple[str, ...]) -> FloatArray:
    """The column of each term, shape (N, T): of the population part, or of the group term in which it varies alone."""
    known = {term: matrix.values[:, position] for position, term in enumerate(matrix.terms)}
    for group in matrix.groups:
        known |= {term: group.values[:, j] for j, term in enumerate(group.terms) if term not in known}
    return np.column_stack([known[term] for term in terms])
