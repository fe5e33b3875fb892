"""The design of any class of model, chosen by what its matrix holds."""

from __future__ import annotations

import re

import pandas as pd

from dsam_assets.design.checks import DesignChecks, design_checks
from dsam_assets.design.hierarchical import HierarchicalDesign, hierarchical_from_slice
from dsam_assets.design.linear import LinearDesign, PriorsLike, design_from_slice
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled import PooledDesign, pooled_from_slice, pooled_prior_table
from dsam_assets.design.pooled_checks import checkable_matrix
from dsam_assets.design.priors import prior_table

# A group standard deviation's name: the position of its group term, and the term that varies.
GROUP_SD = re.compile(r"sd_(\d+)\[(.+)\]")

type ModelDesign = LinearDesign | HierarchicalDesign | PooledDesign


def model_design(matrix: ModelMatrix, section: PriorsLike) -> ModelDesign:
    """Scaling, priors and boundaries for a model matrix, as a config's `model.scale`, `priors` and `boundaries` say.

    Raises:
        DesignError: a column cannot be scaled, or an override does not fit the model.
    """
    if matrix.pooling is not None:
        return pooled_from_slice(matrix, matrix.pooling, section)
    if matrix.groups:
        return hierarchical_from_slice(matrix, matrix.groups, section)
    return design_from_slice(matrix, section)


def model_checks(matrix: ModelMatrix) -> DesignChecks:
    """P0 numbers of the columns that are fitted; those of a pooled model are its labels'."""
    return design_checks(matrix if matrix.pooling is None else checkable_matrix(matrix, matrix.pooling))


def design_prior_table(design: ModelDesign) -> pd.DataFrame:
    """Prior and boundary of every parameter of any class of model, on both scales."""
    if isinstance(design, PooledDesign):
        return pooled_prior_table(design)
    table = prior_table(design.parameters, design.scaling)
    if isinstance(design, HierarchicalDesign):
        keys = {name: group.key for group in design.groups for name in group.sd_names}
        described = table["parameter"].map(lambda name: _describe(name, keys))
        return table.assign(description=described.where(described != "", table["description"]))
    return table


def _describe(name: str, keys: dict[str, str]) -> str:
    found = GROUP_SD.fullmatch(name) if name in keys else None
    return "" if found is None else f"standard deviation of {found.group(2)} between groups of {keys[name]}"
