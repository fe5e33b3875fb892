"""The design of a hierarchical model: everything that the fit stage needs.

With `model.scale: true` a varying column is divided by the same spread as the population's column of that name. Means
are subtracted only where the population's are *and* the intercept varies over the same groups; group intercepts then
deviate at the predictors' means, not at zero predictors, and `sd_<idx>[(Intercept)]` is the spread of the groups'
levels there. Without a varying intercept, `(0 + x | g)`, nothing is subtracted: lines that deviate in slope alone meet
at x = 0, and centring would move that point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dsam_assets.design.blocks import BlockStatistics, block_statistics
from dsam_assets.design.group_priors import build_group_parameters, default_group_sd
from dsam_assets.design.groups import GroupTerm, has_own_intercept
from dsam_assets.design.linear import PriorsLike
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.priors import BoundaryOverride, Parameter, PriorOverride, speaks_of_intercept
from dsam_assets.design.scaling import INTERCEPT, Scaling, identity_scaling, standardise
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray


@dataclass(frozen=True)
class GroupScaling:
    """How the varying columns of one group term are standardised.

    Attributes:
        center: subtracted from each column, shape (J,).
        spread: divides each column, shape (J,).
        sd_factor: (deviation that Stan sees) / (deviation in data units), shape (J,); for the intercept, of the
            deviation at the predictors' means.
        intercept_term: position of the group term whose intercept takes up the centring, where there is any.
    """

    center: FloatArray
    spread: FloatArray
    sd_factor: FloatArray
    intercept_term: int | None


@dataclass(frozen=True)
class HierarchicalDesign:
    """Population design, group terms, scaling and parameters of one hierarchical model.

    `parameters` holds the coefficients, `noise_sd`, then `sd_<idx>[<term>]` in the formula's order.
    """

    matrix: ModelMatrix
    groups: tuple[GroupTerm, ...]
    scaling: Scaling
    group_scalings: tuple[GroupScaling, ...]
    parameters: tuple[Parameter, ...]

    @property
    def sd_names(self) -> tuple[str, ...]:
        """Names of the group standard deviations, length T."""
        return tuple(name for group in self.groups for name in group.sd_names)

    @property
    def sd_factor(self) -> FloatArray:
        """(group sd that Stan sees) / (group sd in data units), shape (T,)."""
        return np.concatenate([scaling.sd_factor for scaling in self.group_scalings])

    @cached_property
    def statistics(self) -> BlockStatistics:
        """Sufficient statistics on the scale that Stan sees."""
        response = self.matrix.response - self.matrix.offset
        X = (self.matrix.values - self.scaling.x_center) / self.scaling.x_spread
        scaled = [
            replace(group, values=(group.values - scaling.center) / scaling.spread)
            for group, scaling in zip(self.groups, self.group_scalings, strict=True)
        ]
        return block_statistics(X, (response - self.scaling.y_center) / self.scaling.y_spread, scaled)


def build_hierarchical_design(
    matrix: ModelMatrix,
    groups: Sequence[GroupTerm],
    *,
    scale: bool,
    priors: Sequence[PriorOverride] = (),
    boundaries: Sequence[BoundaryOverride] = (),
) -> HierarchicalDesign:
    """Scale population and group columns and lay out priors and boundaries.

    Args:
        matrix: population design in data units.
        groups: group terms on the same rows, as `build_group_terms` gives them.
        scale: `model.scale`.
        priors, boundaries: overrides in data units.

    Raises:
        DesignError: a column cannot be scaled, or an override does not fit the model.
    """
    response = matrix.response - matrix.offset
    centre = not speaks_of_intercept(priors, boundaries)
    scaling = (
        standardise(matrix.terms, matrix.values, response, centre=centre) if scale else identity_scaling(matrix.terms)
    )
    scalings = tuple(_group_scaling(group, groups, scaling, scale) for group in groups)
    scaled_response = (response - scaling.y_center) / scaling.y_spread
    parameters = build_group_parameters(
        matrix.terms,
        scaling,
        groups,
        [group_scaling.sd_factor for group_scaling in scalings],
        [default_group_sd(scaled_response, group) for group in groups],
        priors,
        boundaries,
    )
    return HierarchicalDesign(matrix, tuple(groups), scaling, scalings, parameters)


def hierarchical_from_slice(
    matrix: ModelMatrix, groups: Sequence[GroupTerm], section: PriorsLike
) -> HierarchicalDesign:
    """The design that a config's `model.scale`, `priors` and `boundaries` describe."""
    return build_hierarchical_design(
        matrix,
        groups,
        scale=section.scale,
        priors=section.priors.overrides,
        boundaries=section.boundaries.overrides,
    )


def _group_scaling(group: GroupTerm, groups: Sequence[GroupTerm], scaling: Scaling, scale: bool) -> GroupScaling:
    host = has_own_intercept(group, groups) if scaling.centred else None
    known = {term: position for position, term in enumerate(scaling.terms)}
    center, spread = np.zeros(len(group.terms)), np.ones(len(group.terms))
    for j, term in enumerate(group.terms):
        if not scale or term == INTERCEPT:
            continue
        own = group.values[:, j]
        spread[j] = scaling.x_spread[known[term]] if term in known else own.std(ddof=1)
        center[j] = 0.0 if host is None else scaling.x_center[known[term]] if term in known else own.mean()
    _require_variation(group, spread)
    return GroupScaling(center, spread, spread / scaling.y_spread, None if host is None else host.index - 1)


def _require_variation(group: GroupTerm, spread: FloatArray) -> None:
    constant = [term for term, value in zip(group.terms, spread, strict=True) if not value > 0]
    if constant:
        raise DesignError(
            "Cannot scale model data with zero variance.",
            where=f"model.formula, group term of {group.key}",
            got="constant: " + ", ".join(constant),
            fix="Remove these terms from the group term, or set model.scale: false.",
        )
