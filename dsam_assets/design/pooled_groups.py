"""The groups of a pooled model: the terms that they are made of, their waves, and which have too few to be kept.

A group is a combination of labels with the variables that have it. Its waves are the rows of the model (weeks, in a
single market) in which at least one of its variables is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.errors import DesignError

Labels = tuple[str, ...]


@dataclass(frozen=True)
class KeptGroups:
    """What `pooling.min_waves` leaves of a model.

    Attributes:
        matrix: without the dropped variables; its `pooling` is `pooling_map`.
        pooling_map: labels of the variables that are kept.
        dropped: one row per dropped group: its label in each grouping variable, `variables` (joined by comma), `waves`
            and `min_waves`; no rows when nothing was dropped.
    """

    matrix: ModelMatrix
    pooling_map: PoolingMap
    dropped: pd.DataFrame


def keep_groups(matrix: ModelMatrix, pooling_map: PoolingMap, min_waves: int | None) -> KeptGroups:
    """Leave groups with fewer than `min_waves` waves out of a model; `None` keeps all.

    Args:
        matrix: the model's rows; a dropped variable's own term leaves it, interactions with others are terms of their
            own and stay.
        pooling_map: labels of its media terms.
        min_waves: the fewest waves of a group that is kept.

    Raises:
        DesignError: the map names something that is not a term of the model, or no group has enough waves.
    """
    require_terms(pooling_map, matrix.terms)
    waves = group_waves(matrix, pooling_map)
    sparse = [labels for labels, count in waves.items() if min_waves is not None and count < min_waves]
    dropped = _dropped_table(pooling_map, {labels: waves[labels] for labels in sparse}, min_waves)
    if len(sparse) == len(waves):
        raise _all_sparse(waves, min_waves)
    gone = [variable for labels in sparse for variable in _members(pooling_map, labels)]
    kept = pooling_map.without(gone)
    return KeptGroups(_without(matrix, gone, kept), kept, dropped)


def require_terms(pooling_map: PoolingMap, terms: Sequence[str]) -> None:
    """Refuse a map with variables that are not terms of the model (or are its intercept).

    Args:
        pooling_map: the labels.
        terms: the model matrix's columns, by R's names.

    Raises:
        DesignError: naming them, with the nearest terms.
    """
    known = [term for term in terms if term != INTERCEPT]
    unknown = [variable for variable in pooling_map.variables if variable not in known]
    if not unknown:
        return
    near = {variable: get_close_matches(variable, known, n=1) for variable in unknown}
    hints = [f"{name} (did you mean {match[0]}?)" if match else name for name, match in near.items()]
    raise DesignError(
        "The pooling map names variables that are not terms of the formula.",
        where="pooling.map_path",
        got=", ".join(hints),
        wanted="one of " + ", ".join(known),
        fix="Correct the map, or add the terms to model.formula.",
    )


def group_waves(matrix: ModelMatrix, pooling_map: PoolingMap) -> dict[Labels, int]:
    """Waves of each group, in the map's order."""
    active: dict[Labels, NDArray[np.bool_]] = {}
    for variable, labels in zip(pooling_map.variables, pooling_map.labels, strict=True):
        present = matrix.values[:, matrix.terms.index(variable)] != 0
        active[labels] = active[labels] | present if labels in active else present
    return {labels: int(np.count_nonzero(rows)) for labels, rows in active.items()}


def _members(pooling_map: PoolingMap, wanted: Labels) -> list[str]:
    rows = zip(pooling_map.variables, pooling_map.labels, strict=True)
    return [variable for variable, labels in rows if labels == wanted]


def _without(matrix: ModelMatrix, gone: Sequence[str], kept: PoolingMap) -> ModelMatrix:
    if not gone:
        return replace(matrix, pooling=kept)
    columns = [position for position, term in enumerate(matrix.terms) if term not in gone]
    terms = tuple(matrix.terms[position] for position in columns)
    # Picked columns lie column by column; sums round as those of any other matrix when rows lie together.
    values = np.ascontiguousarray(matrix.values[:, columns])
    return replace(matrix, terms=terms, values=values, pooling=kept)


def _dropped_table(pooling_map: PoolingMap, waves: Mapping[Labels, int], min_waves: int | None) -> pd.DataFrame:
    rows = [(*labels, ", ".join(_members(pooling_map, labels)), count, min_waves) for labels, count in waves.items()]
    table = pd.DataFrame(rows, columns=[*pooling_map.grouping_vars, "variables", "waves", "min_waves"], dtype=object)
    return table.astype({"waves": "int64", "min_waves": "int64"})


def _all_sparse(waves: Mapping[Labels, int], min_waves: int | None) -> DesignError:
    return DesignError(
        "Every group of the pooling map has fewer waves than pooling.min_waves.",
        where="pooling.min_waves",
        got="; ".join(f"{', '.join(labels)}: {count} waves" for labels, count in waves.items()),
        wanted=f"at least one group with {min_waves} rows in which one of its variables is not zero",
        fix="Lower pooling.min_waves, or give more data.",
    )
