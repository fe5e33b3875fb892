"""Small panels for the tests of hierarchical models, and the dense normal distribution that is their truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from dsam_assets.design.additions import ModelInputs
from dsam_assets.design.build import build_matrix
from dsam_assets.design.formula import parse_formula
from dsam_assets.design.hierarchical import HierarchicalDesign, build_hierarchical_design
from dsam_assets.scales import FloatArray

BALANCED = "kpi ~ x + w + (1 + x | market)"
FORMULAS = {
    "balanced": BALANCED,
    "slope_alone": "kpi ~ x + w + (0 + x | market)",
    "two_terms_one_factor": "kpi ~ x + w + (1 | market) + (0 + x | market)",
    "varying_only": "kpi ~ x + (1 + w | market)",
    "nested": "kpi ~ x + w + (1 + x | market/brand)",
    "crossed": "kpi ~ x + (1 + x | market) + (1 | week)",
    "composite": "kpi ~ x + w + (1 + x + w | market:brand)",
}


def panel(seed: int = 1, *, markets: int = 4, weeks: int = 6, brands: int = 3, keep: float = 1.0) -> pd.DataFrame:
    """Markets × brands × weeks in random order; `keep` below 1 leaves rows out, most of all of the first market."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [[f"m{i}" for i in range(markets)], [f"b{i}" for i in range(brands)], range(weeks)],
        names=["market", "brand", "week"],
    )
    frame = index.to_frame(index=False)
    size = len(frame)
    level = rng.normal(size=markets)[frame["market"].str[1:].astype(int)]
    frame["x"] = 3.0 + level + rng.normal(size=size)
    frame["w"] = rng.gamma(2.0, size=size)
    slope = 0.8 + 0.5 * rng.normal(size=markets)[frame["market"].str[1:].astype(int)]
    frame["kpi"] = 20 + 3 * level + slope * frame["x"] - frame["w"] + 0.7 * rng.normal(size=size)
    if keep < 1:
        chance = np.where(frame["market"] == "m0", keep / 4, keep)
        chosen = rng.uniform(size=size) < chance
        chosen[frame.groupby(["market", "brand"]).head(1).index] = True
        frame = frame[chosen]
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


def panel_design(formula: str, frame: pd.DataFrame, *, scale: bool = True, **overrides: Any) -> HierarchicalDesign:
    parsed = parse_formula(formula)
    matrix = build_matrix(ModelInputs(parsed, frame)).matrix
    return build_hierarchical_design(matrix, matrix.groups, scale=scale, **overrides)


def case(name: str, *, scale: bool = True, **overrides: Any) -> HierarchicalDesign:
    """One of FORMULAS on its panel; `unbalanced` is the balanced formula on a panel with few rows in one market."""
    keep = {"unbalanced": 0.6, "crossed": 0.7, "composite": 0.4}.get(name, 1.0)
    return panel_design(FORMULAS.get(name, BALANCED), panel(keep=keep), scale=scale, **overrides)


CASES = (*FORMULAS, "unbalanced")


def stacked(named: Mapping[str, FloatArray]) -> FloatArray:
    """Parameters by name as one array, the last axis theirs."""
    return np.stack(list(named.values()), axis=-1)


def dense_design(design: HierarchicalDesign) -> tuple[FloatArray, list[tuple[int, int, int]]]:
    """Z on Stan's scale, written row by row from the definition, and (term, level, effect) of its columns."""
    names = [
        (i, level, effect)
        for i, group in enumerate(design.groups)
        for level in range(len(group.levels))
        for effect in range(len(group.terms))
    ]
    Z = np.zeros((len(design.matrix.response), len(names)))
    for column, (i, level, effect) in enumerate(names):
        group, scaling = design.groups[i], design.group_scalings[i]
        x = (group.values[:, effect] - scaling.center[effect]) / scaling.spread[effect]
        Z[:, column] = np.where(group.codes == level, x, 0.0)
    return Z, names


def stan_rows(design: HierarchicalDesign) -> tuple[FloatArray, FloatArray]:
    """X and y on Stan's scale."""
    scaling = design.scaling
    X = (design.matrix.values - scaling.x_center) / scaling.x_spread
    return X, (design.matrix.response - design.matrix.offset - scaling.y_center) / scaling.y_spread


def column_sd(design: HierarchicalDesign, names: list[tuple[int, int, int]], group_sd: FloatArray) -> FloatArray:
    """The standard deviation of each column of the dense Z."""
    first = np.cumsum([0, *(len(group.terms) for group in design.groups)])
    return np.array([group_sd[first[i] + effect] for i, _, effect in names])


def dense_log_density(design: HierarchicalDesign, coef: FloatArray, group_sd: FloatArray, noise_sd: float) -> float:
    """log N(y; X b, σ² I + Z diag(τ²) Z') of all rows at once."""
    X, y = stan_rows(design)
    Z, names = dense_design(design)
    spread = Z * column_sd(design, names, group_sd)
    covariance = noise_sd**2 * np.eye(len(y)) + spread @ spread.T
    return float(stats.multivariate_normal(X @ coef, covariance).logpdf(y))


def dense_conditional(
    design: HierarchicalDesign, coef: FloatArray, group_sd: FloatArray, noise_sd: float
) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of u given y, from the joint normal of (u, y): C V⁻¹ (y − X b) and T − C V⁻¹ C'."""
    X, y = stan_rows(design)
    Z, names = dense_design(design)
    T = np.diag(column_sd(design, names, group_sd) ** 2)
    C = T @ Z.T
    V = noise_sd**2 * np.eye(len(y)) + Z @ T @ Z.T
    return C @ np.linalg.solve(V, y - X @ coef), T - C @ np.linalg.solve(V, C.T)
