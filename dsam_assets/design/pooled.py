"""The design of a pooled model: media coefficients are sums of the coefficients of their labels.

With M the indicator of variables and labels, β_media = M γ, so y = X_base b + (X_media M) γ + ε is a linear model in
base terms and labels. The columns of X_media M are made in data units and standardised afterwards like any others, so
that `model.scale` stays a reparameterisation. With several grouping variables every variable has a label in each, and
the label columns of one add up to those of another: the data tell sums of γ apart, the priors their parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.linear import LinearDesign, PriorsLike, build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled_groups import require_terms
from dsam_assets.design.priors import BoundaryOverride, Parameter, PriorOverride, prior_table
from dsam_assets.design.scaling import Scaling
from dsam_assets.design.sufficient import SufficientStatistics
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray


@dataclass(frozen=True)
class PooledDesign:
    """Original terms, labels, and the linear model of base terms and labels that Stan fits.

    Attributes:
        matrix: the original terms in data units, K columns; its `pooling` is the map.
        pooling_map: labels of the media terms.
        compressed: the linear design of B base terms, then L labels; rows as in `matrix`.
    """

    matrix: ModelMatrix
    pooling_map: PoolingMap
    compressed: LinearDesign

    @property
    def pooled_matrix(self) -> ModelMatrix:
        """[X_base, X_media M] in data units, B + L columns."""
        return self.compressed.matrix

    @property
    def scaling(self) -> Scaling:
        """How base terms, labels and response are standardised."""
        return self.compressed.scaling

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Base coefficients, label coefficients, `noise_sd`."""
        return self.compressed.parameters

    @property
    def statistics(self) -> SufficientStatistics:
        """Sufficient statistics of base terms and labels on the scale that Stan sees."""
        return self.compressed.statistics

    @cached_property
    def expansion(self) -> FloatArray:
        """E of shape (K, B + L) with (coefficients of the original terms) = E · (those of base terms and labels)."""
        position = {term: j for j, term in enumerate(self.pooled_matrix.terms)}
        expansion = np.zeros((len(self.matrix.terms), len(position)))
        for k, term in enumerate(self.matrix.terms):
            parts = self.pooling_map.labels_of(term) if term in self.pooling_map.variables else (term,)
            expansion[k, [position[part] for part in parts]] = 1.0
        return expansion


def build_pooled_design(
    matrix: ModelMatrix,
    pooling_map: PoolingMap,
    *,
    scale: bool,
    priors: Sequence[PriorOverride] = (),
    boundaries: Sequence[BoundaryOverride] = (),
) -> PooledDesign:
    """Pool the media columns in data units, scale the result and lay out its priors and boundaries.

    Args:
        matrix: rows in data units.
        pooling_map: labels of its media terms; terms that it leaves out are base terms.
        scale: `model.scale`.
        priors, boundaries: overrides in data units of base terms, labels (`channel[tv]`) and `noise_sd`.

    Raises:
        DesignError: the map does not fit the formula, a column cannot be scaled, or an override does not fit the model.
    """
    require_terms(pooling_map, matrix.terms)
    _require_new_names(pooling_map, matrix)
    _refuse_pooled(priors, pooling_map, "priors.overrides")
    _refuse_pooled(boundaries, pooling_map, "boundaries.overrides")
    pooled = pool_columns(matrix, pooling_map)
    if scale:
        _require_varying_labels(pooled, pooling_map)
    compressed = build_linear_design(pooled, scale=scale, priors=priors, boundaries=boundaries)
    return PooledDesign(replace(matrix, pooling=pooling_map), pooling_map, compressed)


def pooled_from_slice(matrix: ModelMatrix, pooling_map: PoolingMap, section: PriorsLike) -> PooledDesign:
    """The design that a config's `model.scale`, `priors` and `boundaries` describe."""
    return build_pooled_design(
        matrix,
        pooling_map,
        scale=section.scale,
        priors=section.priors.overrides,
        boundaries=section.boundaries.overrides,
    )


def pool_columns(matrix: ModelMatrix, pooling_map: PoolingMap) -> ModelMatrix:
    """[X_base, X_media M] in data units: base terms in their order, then one column per label, a sum of variables."""
    media = [matrix.terms.index(variable) for variable in pooling_map.variables]
    base = [position for position in range(len(matrix.terms)) if position not in media]
    values = np.column_stack([matrix.values[:, base], matrix.values[:, media] @ pooling_map.indicator])
    terms = (*(matrix.terms[position] for position in base), *pooling_map.label_names)
    return replace(matrix, terms=terms, values=values, pooling=None)


def pooled_prior_table(design: PooledDesign) -> pd.DataFrame:
    """The prior table with words for labels: whose coefficients each one is a part of."""
    table = prior_table(design.parameters, design.scaling)
    described = {
        name: f"part of the change of the response per unit of {', '.join(design.pooling_map.variables_of(name))}"
        for name in design.pooling_map.label_names
    }
    return table.assign(description=table["parameter"].map(described).fillna(table["description"]))


def _require_new_names(pooling_map: PoolingMap, matrix: ModelMatrix) -> None:
    taken = [name for name in pooling_map.label_names if name in matrix.terms]
    if taken:
        raise DesignError(
            "A label of the pooling map has the name of a term of the formula.",
            where="pooling.map_path",
            got=", ".join(taken),
            fix="Rename the label or the grouping variable.",
        )


def _refuse_pooled(
    overrides: Sequence[PriorOverride] | Sequence[BoundaryOverride], pooling_map: PoolingMap, where: str
) -> None:
    for row in overrides:
        if row.parameter in pooling_map.variables:
            labels = pooling_map.labels_of(row.parameter)
            raise DesignError(
                f"{where} names a pooled variable: {row.parameter}.",
                where=where,
                got=f"{row.parameter}, whose coefficient is {' + '.join(labels)}",
                wanted="base terms, labels or noise_sd",
                fix=f"Name {' or '.join(labels)} instead.",
            )


def _require_varying_labels(pooled: ModelMatrix, pooling_map: PoolingMap) -> None:
    position = {term: j for j, term in enumerate(pooled.terms)}
    flat = [name for name in pooling_map.label_names if not np.ptp(pooled.values[:, position[name]]) > 0]
    if flat:
        raise DesignError(
            "Cannot scale labels whose variables add up to a constant.",
            where="pooling.map_path",
            got="; ".join(f"{name}: {', '.join(pooling_map.variables_of(name))}" for name in flat),
            fix="Take them out of the formula and the map, use pooling.min_waves, or set model.scale: false.",
        )
