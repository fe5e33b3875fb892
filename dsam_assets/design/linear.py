"""The design of a linear model: everything that the fit stage needs, built from a model matrix and the overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.priors import (
    BoundaryOverride,
    Parameter,
    PriorOverride,
    build_parameters,
    speaks_of_intercept,
)
from dsam_assets.design.scaling import Scaling, identity_scaling, standardise
from dsam_assets.design.sufficient import SufficientStatistics, sufficient_statistics


class PriorsLike(Protocol):
    """What is read of a config: `model.scale` and the two lists of overrides."""

    @property
    def scale(self) -> bool: ...
    @property
    def priors(self) -> Any: ...
    @property
    def boundaries(self) -> Any: ...


@dataclass(frozen=True)
class LinearDesign:
    """Model matrix, scaling and parameters of one linear model."""

    matrix: ModelMatrix
    scaling: Scaling
    parameters: tuple[Parameter, ...]

    @cached_property
    def statistics(self) -> SufficientStatistics:
        """Sufficient statistics on the scale that Stan sees."""
        response = self.matrix.response - self.matrix.offset
        return sufficient_statistics(self.matrix.values, response, self.scaling)


def build_linear_design(
    matrix: ModelMatrix,
    *,
    scale: bool,
    priors: Sequence[PriorOverride] = (),
    boundaries: Sequence[BoundaryOverride] = (),
) -> LinearDesign:
    """Scale the matrix and lay out its priors and boundaries.

    Args:
        matrix: rows in data units.
        scale: `model.scale`.
        priors, boundaries: overrides in data units.

    Raises:
        DesignError: a column cannot be scaled, or an override does not fit the model.
    """
    centre = not speaks_of_intercept(priors, boundaries)
    scaling = (
        standardise(matrix.terms, matrix.values, matrix.response - matrix.offset, centre=centre)
        if scale
        else identity_scaling(matrix.terms)
    )
    return LinearDesign(matrix, scaling, build_parameters(matrix.terms, scaling, priors, boundaries))


def design_from_slice(matrix: ModelMatrix, section: PriorsLike) -> LinearDesign:
    """The design that a config's `model.scale`, `priors` and `boundaries` describe."""
    return build_linear_design(
        matrix, scale=section.scale, priors=section.priors.overrides, boundaries=section.boundaries.overrides
    )
