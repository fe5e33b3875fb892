"""Checks of a pooled design: what the data can tell apart, and whether one coefficient can serve all that share it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dsam_assets.data.findings import Finding
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.checks import dependent_columns, unit_r_factor
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled import pool_columns

UNLIKE_SIZES = 100.0
UNLIKE_UNITS = "pooling_unlike_units"


def checkable_matrix(matrix: ModelMatrix, pooling_map: PoolingMap) -> ModelMatrix:
    """The pooled columns without the labels that repeat others by construction; give this to `design_checks`.

    The columns of M that depend on others do so in X_media M whatever the data are; they are left out here. What is
    left spans the same columns, and is rank deficient only where the data make it so.

    Args:
        matrix: the original terms in data units.
        pooling_map: labels of its media terms.
    """
    pooled = pool_columns(matrix, pooling_map)
    redundant = redundant_labels(pooling_map)
    kept = [position for position, term in enumerate(pooled.terms) if term not in redundant]
    return replace(pooled, terms=tuple(pooled.terms[position] for position in kept), values=pooled.values[:, kept])


def redundant_labels(pooling_map: PoolingMap) -> tuple[str, ...]:
    """Labels whose columns of M are linear combinations of other labels'; L − rank(M) of them.

    Labels of few variables are kept before labels of many, so that in nested labels the coarse ones are left out: they
    are sums of the fine ones, and a sum next to its largest part would look ill-conditioned.
    """
    M = pooling_map.indicator
    order = np.argsort(M.sum(axis=0), kind="stable")
    dependent = {int(order[position]) for position in dependent_columns(unit_r_factor(M[:, order]))}
    return tuple(name for position, name in enumerate(pooling_map.label_names) if position in dependent)


def pooling_findings(matrix: ModelMatrix, pooling_map: PoolingMap) -> tuple[Finding, ...]:
    """Labels whose variables differ in size so much that one coefficient per unit can hardly serve them all.

    A variable's size is the median of its magnitudes other than zero; variables without any are left out.

    Args:
        matrix: the original terms in data units.
        pooling_map: labels of its media terms.
    """
    return tuple(_unlike_units(_sizes(matrix, pooling_map), pooling_map))


def _sizes(matrix: ModelMatrix, pooling_map: PoolingMap) -> dict[str, float]:
    columns = {variable: matrix.values[:, matrix.terms.index(variable)] for variable in pooling_map.variables}
    return {name: float(np.median(np.abs(values[values != 0]))) for name, values in columns.items() if values.any()}


def _unlike_units(sizes: dict[str, float], pooling_map: PoolingMap) -> Iterator[Finding]:
    for label in pooling_map.label_names:
        shared = {name: sizes[name] for name in pooling_map.variables_of(label) if name in sizes}
        if not shared:
            continue
        least, most = min(shared, key=shared.__getitem__), max(shared, key=shared.__getitem__)
        ratio = shared[most] / shared[least]
        if ratio > UNLIKE_SIZES:
            text = (
                f"{most} is typically {ratio:,.0f} times as large as {least}, and both share the coefficient of {label}"
                " per unit: give them the same unit, or different labels."
            )
            yield Finding(UNLIKE_UNITS, label, ratio, UNLIKE_SIZES, text)
