"""Predictions for groups without training rows against the moments of the population of groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from panels import panel, panel_design

from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.predictor import predictor
from dsam_assets.scales import FloatArray
from dsam_assets.selection.new_groups import holdout_draws

TIMES = 40_000
CASES = {
    "correlated_columns": "kpi ~ x + w + (1 + x + w | market)",
    "two_terms": "kpi ~ x + w + (0 + x | market) + (1 | market)",
    "slope_alone": "kpi ~ x + w + (0 + x | market)",
    "permuted_keys": "kpi ~ x + w + (1 | market:brand) + (0 + x | brand:market)",
}


def repeated_draw(design: HierarchicalDesign) -> Draws:
    """One draw of the population, many times, so that only the deviations differ."""
    rng = np.random.default_rng(2)
    coef = np.tile(rng.normal(size=len(design.matrix.terms)), (1, TIMES, 1))
    sd = {name: np.full((1, TIMES), rng.uniform(0.5, 2)) for name in design.sd_names}
    return Draws(design.matrix.terms, coef, np.ones((1, TIMES)), {}, 10, {}, group_sd=sd)


def later_rows(design: HierarchicalDesign) -> ModelMatrix:
    """Three rows of a group that is new in every group term, then two of known groups, with large predictors."""
    groups = tuple(_later(group) for group in design.groups)
    values = design.matrix.values[:5].copy()
    values[:, 1:] = np.linspace(-2, 9, 10).reshape(5, 2)
    terms = design.matrix.terms
    groups = tuple(
        replace(group, values=np.column_stack([values[:, terms.index(term)] for term in group.terms]))
        for group in groups
    )
    return replace(design.matrix, values=values, response=np.zeros(5), offset=np.zeros(5), groups=groups)


def _later(group: GroupTerm) -> GroupTerm:
    """Two new groups, so that their order could be confused; labels as the term writes its key."""
    new = ("m8:b8", "m9:b9") if group.group == ("market", "brand") else ("b9:m9", "b8:m8")
    new = new if len(group.group) > 1 else ("m8", "m9")
    known, count = group.levels, len(group.levels)
    first, second = (count, count + 1) if new[0][1] == "8" else (count + 1, count)
    return replace(group, levels=(*known, *new), codes=np.array([first, first, second, *group.codes[3:5]]))


def new_group_variance(design: HierarchicalDesign, draws: Draws, row: FloatArray, other: FloatArray) -> float:
    """Covariance of two rows of a new group: τ² of the level, and τ² of a slope times distances from where lines
    meet."""
    total = 0.0
    for group, scaling in zip(design.groups, design.group_scalings, strict=True):
        for j, name in enumerate(group.sd_names):
            at = design.matrix.terms.index(group.terms[j])
            distance = (row[at] - scaling.center[j]) * (other[at] - scaling.center[j])
            total += draws.group_sd[name][0, 0] ** 2 * distance
    return total


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_new_group_is_drawn_from_the_population(name: str, scale: bool) -> None:
    design = panel_design(CASES[name], panel(weeks=8), scale=scale)
    draws = with_group_effects(repeated_draw(design), design, seed=3)
    matrix = later_rows(design)
    joint = holdout_draws(draws, design, matrix, seed=(1, 2))
    found = predictor(joint, matrix, slice(None))
    population = matrix.values @ draws.coef[0, 0]
    rows = matrix.values
    truth = np.array([[new_group_variance(design, draws, rows[i], rows[j]) for j in range(3)] for i in range(3)])
    truth[2, :2] = truth[:2, 2] = 0.0  # the third row's group is another one
    error = np.sqrt(np.diag(truth) / TIMES)
    assert (np.abs(found[:3].mean(axis=1) - population[:3]) < 5 * error).all()
    sizes = np.sqrt(np.outer(np.diag(truth), np.diag(truth)))
    np.testing.assert_allclose(np.cov(found[:3]) / sizes, truth / sizes, atol=0.04)


def test_known_groups_keep_their_deviations() -> None:
    design = panel_design(CASES["correlated_columns"], panel(weeks=8))
    draws = with_group_effects(repeated_draw(design), design, seed=3)
    matrix = later_rows(design)
    joint = holdout_draws(draws, design, matrix, seed=(1, 2))
    deviations = draws.deviations[0].values[0]
    for row in (3, 4):
        coef = draws.coef[0] + deviations[:, matrix.groups[0].codes[row]]
        np.testing.assert_allclose(predictor(joint, matrix, np.array([row]))[0], coef @ matrix.values[row])


def test_the_seed_decides() -> None:
    design = panel_design(CASES["slope_alone"], panel(weeks=8))
    draws = with_group_effects(repeated_draw(design), design, seed=3)
    one, same, other = (
        holdout_draws(draws, design, later_rows(design), seed=seed).deviations[0] for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one[-2:], other[-2:])
