"""Contributions against the predictor that they are parts of, and against draws of each part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from panels import CASES, case

from dsam_assets.decomposition.contributions import OFFSET, decomposition
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.labels import row_labels
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics.residual_table import fitted_mean
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects


def some_draws(design: HierarchicalDesign) -> Draws:
    rng = np.random.default_rng(7)
    shape = (2, 30)
    made = Draws(
        design.matrix.terms,
        rng.normal(size=(*shape, len(design.matrix.terms))),
        rng.uniform(0.5, 1.5, size=shape),
        {},
        10,
        {},
        group_sd={name: rng.gamma(2.0, 0.4, size=shape) for name in design.sd_names},
    )
    return with_group_effects(made, design, seed=1)


def labels_of(matrix: ModelMatrix) -> pd.DataFrame:
    return row_labels(pd.DataFrame({"any": np.arange(int(matrix.rows.max()) + 1)}), None, matrix)


@pytest.mark.parametrize("name", CASES)
def test_parts_add_up_to_the_fitted_value(name: str) -> None:
    design = case(name)
    draws = some_draws(design)
    table = decomposition(draws, design.matrix, labels_of(design.matrix))
    total = table.groupby("row")["contribution"].sum().to_numpy()
    np.testing.assert_allclose(total, fitted_mean(draws, design.matrix), rtol=1e-9, atol=1e-9)
    assert (table["q05"] <= table["q95"]).all()
    assert not table.isna().any().any()


def test_intervals_are_those_of_the_parts_draws() -> None:
    """A row of one market, by hand, with a negative value of its column."""
    design = case("nested")
    row = 17
    x = design.matrix.terms.index("x")
    values = design.matrix.values.copy()
    values[row, x] = -2.5
    matrix = replace(design.matrix, values=values)
    draws = some_draws(design)
    own = draws.coef[..., x].ravel()
    for group, each in zip(matrix.groups, draws.deviations, strict=True):
        own = own + each.values[:, :, group.codes[row], group.terms.index("x")].ravel()
    table = decomposition(draws, matrix, labels_of(matrix)).query("term == 'x'").iloc[row]
    np.testing.assert_allclose(table[["q05", "q95"]].to_numpy(float), np.quantile(-2.5 * own, [0.05, 0.95]))
    assert table["contribution"] == pytest.approx(-2.5 * own.mean())


def test_an_offset_is_a_part_of_its_own() -> None:
    design = case("balanced")
    matrix = replace(design.matrix, groups=(), offset=np.linspace(1, 2, len(design.matrix.response)))
    draws = replace(some_draws(design), group_sd={}, deviations=())
    table = decomposition(draws, matrix, labels_of(matrix))
    assert set(table["term"]) == {*matrix.terms, OFFSET}
    offset = table.query("term == @OFFSET")
    np.testing.assert_array_equal(offset["contribution"], matrix.offset)
    np.testing.assert_array_equal(offset["q05"], matrix.offset)
    np.testing.assert_allclose(table.groupby("row")["contribution"].sum(), fitted_mean(draws, matrix), rtol=1e-12)
