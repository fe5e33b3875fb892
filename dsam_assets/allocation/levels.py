"""Whose spend is decided: the average group of a panel, one of its groups, or all of them at once.

`allocation.level` is `population` (the population's effects on the average row), one group by its grouping key and
name, such as `market=north`, or `group` (every panel unit and channel under one budget). Spends are per period and
unit: per modelled row of the rows that a decision reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dsam_assets.config.suggestions import nearest
from dsam_assets.decomposition.contributions import unit_coefficients
from dsam_assets.design.groups import GroupTerm, panel_units
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import AllocationError
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws

POPULATION, EVERY_GROUP = "population", "group"
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class DecisionUnit:
    """Rows that one set of spend decisions reaches.

    Attributes:
        name: the group's label; empty for the population.
        rows: positions among the modelled rows, shape (n,).
    """

    name: str
    rows: NDArray[np.intp]


def decision_units(level: str, matrix: ModelMatrix) -> tuple[DecisionUnit, ...]:
    """The units that a level decides on; one unless it is `group`.

    Raises:
        AllocationError: a level that this model does not have.
    """
    if level == POPULATION:
        return (DecisionUnit("", np.arange(len(matrix.response))),)
    if not matrix.groups:
        raise AllocationError(
            "This model has no groups to allocate to.",
            where="allocation.level",
            got=level,
            wanted=POPULATION,
            fix="Use level: population, or a formula with a group term such as (1 + m_tv | market).",
        )
    if level != EVERY_GROUP:
        key, name = _named_group(level, matrix.groups)
        return (DecisionUnit(name, np.flatnonzero(key.codes == key.levels.index(name))),)
    units = panel_units(matrix.groups)
    return tuple(DecisionUnit(name, np.flatnonzero(units.codes == code)) for code, name in enumerate(units.levels))


def _named_group(level: str, groups: Sequence[GroupTerm]) -> tuple[GroupTerm, str]:
    key, separator, name = (part.strip() for part in level.partition("="))
    keys = {group.key: group for group in groups}
    if not separator or key not in keys:
        close = nearest(key, keys) or next(iter(keys))
        raise AllocationError(
            "This level is not known.",
            where="allocation.level",
            got=level,
            wanted=f"{POPULATION}, {EVERY_GROUP}, or a group such as {close}={keys[close].levels[0]}",
            fix="Did you mean " + (f"{close}={name}?" if separator else f"{POPULATION} or {EVERY_GROUP}?"),
        )
    levels = keys[key].levels
    if name not in levels:
        similar = nearest(name, levels)
        more = f", and {len(levels) - _SHOWN} more" if len(levels) > _SHOWN else ""
        raise AllocationError(
            f"There is no group `{name}` in {key}.",
            where="allocation.level",
            got=level,
            wanted=f"one of {', '.join(levels[:_SHOWN])}{more}",
            fix=f"Did you mean {key}={similar}?" if similar else f"Write {key}= and one of these names.",
        )
    return keys[key], name


def level_terms(level: str, matrix: ModelMatrix) -> tuple[str, ...]:
    """Terms that have a coefficient at this level: the population's, and below it those that only vary, too."""
    varying = () if level == POPULATION else tuple(term for group in matrix.groups for term in group.terms)
    return tuple(dict.fromkeys([*matrix.terms, *varying]))


def unit_effects(
    level: str, units: Sequence[DecisionUnit], draws: Draws, matrix: ModelMatrix
) -> tuple[tuple[str, ...], tuple[FloatArray, ...]]:
    """Terms (K) and each unit's draws of their coefficients, shape (S, K), data units.

    A group's coefficient is the population's plus all deviations that reach its rows; where those differ between the
    rows of a group, because another grouping crosses it, their mean over its rows.
    """
    if level == POPULATION:
        return matrix.terms, (draws.coef_flat,)
    panel = panel_units(matrix.groups)
    terms, values = unit_coefficients(draws, matrix, panel)
    effects = []
    for unit in units:
        counts = np.bincount(panel.codes[unit.rows], minlength=len(panel.levels))
        effects.append(np.tensordot(counts / counts.sum(), values, axes=1).T)
    return terms, tuple(effects)
