"""Posterior summary: one row per parameter."""

from __future__ import annotations

import pandas as pd

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import group_coefficients
from dsam_assets.fit.spread import deviation, probability, quantiles
from dsam_assets.scales import FloatArray

QUANTILES = {"q025": 0.025, "q05": 0.05, "q50": 0.5, "q95": 0.95, "q975": 0.975}


def posterior_summary(draws: Draws) -> pd.DataFrame:
    """Mean, sd and quantiles of every parameter, in data units on the model scale; a point estimate has no spread."""
    return pd.DataFrame([{"parameter": name, **_row(values)} for name, values in draws.parameters.items()])


def group_summary(draws: Draws, matrix: ModelMatrix) -> pd.DataFrame:
    """Coefficients of every group of every grouping key: population plus deviations, data units, model scale."""
    rows = []
    for key in dict.fromkeys(group.key for group in matrix.groups):
        groups, terms, values = group_coefficients(draws, matrix, key)
        rows += [
            {"grouping": key, "group": group, "term": term, **_row(values[..., g, t])}
            for g, group in enumerate(groups)
            for t, term in enumerate(terms)
        ]
    return pd.DataFrame(rows)


def summary_tables(draws: Draws, matrix: ModelMatrix) -> dict[str, pd.DataFrame]:
    """`posterior_summary` and, for a hierarchical model, `group_coefficients`."""
    tables = {"posterior_summary": posterior_summary(draws)}
    return tables | {"group_coefficients": group_summary(draws, matrix)} if matrix.groups else tables


def _row(values: FloatArray) -> dict[str, object]:
    draws = values.ravel()
    return {
        "mean": draws.mean(),
        "sd": float(deviation(draws)),
        **dict(zip(QUANTILES, quantiles(draws, list(QUANTILES.values())), strict=True)),
        "share_positive": probability(draws > 0),
    }
