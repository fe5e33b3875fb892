"""Sums of parts against fitted values of every class, whatever the blocks, and against sums written row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from log_models import CLASSES, integrated_parts, media_of, model, row_terms

from dsam_assets.decomposition import blocks
from dsam_assets.decomposition.attribution import attribution
from dsam_assets.decomposition.blocks import Slopes, part_blocks, units_of
from dsam_assets.decomposition.contributions import decomposition, kpi_decomposition
from dsam_assets.design.labels import row_labels
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.fitted import fitted_kpi_table, fitted_table
from dsam_assets.fit.predictor import joint_draws


def labels_of(matrix: ModelMatrix) -> pd.DataFrame:
    return row_labels(pd.DataFrame({"any": np.arange(int(matrix.rows.max()) + 1)}), None, matrix)


@pytest.mark.parametrize("log", [True, False], ids=["log", "identity"])
@pytest.mark.parametrize("name", CLASSES)
def test_rows_add_up_to_the_fitted_kpi(name: str, log: bool) -> None:
    draws, matrix = model(name, log=log)
    labels = labels_of(matrix)
    table = kpi_decomposition(draws, matrix, labels, media_of(name))
    total = table.groupby("row", sort=False)["contribution"].sum().reindex(labels["row"])
    np.testing.assert_allclose(total, fitted_kpi_table(draws, matrix, labels)["fitted"], rtol=1e-9, atol=1e-9)
    model_scale = decomposition(draws, matrix, labels).groupby("row", sort=False)["contribution"].sum()
    fitted = fitted_table(draws, matrix, labels)["fitted"]
    np.testing.assert_allclose(model_scale.reindex(labels["row"]), fitted, rtol=1e-9, atol=1e-9)


def test_intervals_of_a_log_response_are_those_of_the_integrals() -> None:
    draws, matrix = model("nested")
    table = kpi_decomposition(draws, matrix, labels_of(matrix), ("x",))
    parts = integrated_parts(draws, matrix, 11, ("x",))
    for term, own in parts.items():
        row = table[(table["term"] == term) & (table["row"] == matrix.rows[11])].iloc[0]
        expected = [own.mean(), *np.quantile(own, [0.05, 0.95])]
        np.testing.assert_allclose(row[["contribution", "q05", "q95"]].to_numpy(float), expected, rtol=1e-8)


@pytest.mark.parametrize("log", [True, False], ids=["log", "identity"])
def test_a_point_has_parts_and_no_intervals(log: bool) -> None:
    draws, matrix = model("blm", log=log, point=True)
    labels = labels_of(matrix)
    table = kpi_decomposition(draws, matrix, labels, media_of("blm"))
    total = table.groupby("row")["contribution"].sum()
    np.testing.assert_allclose(total, fitted_kpi_table(draws, matrix, labels)["fitted"], rtol=1e-9)
    assert table[["q05", "q95"]].isna().all().all()


@pytest.mark.parametrize("log", [True, False], ids=["log", "identity"])
@pytest.mark.parametrize("limit", [1, 300, 10_000_000])
def test_blocks_of_any_size_give_the_same_sums(monkeypatch: pytest.MonkeyPatch, log: bool, limit: int) -> None:
    """Periods of several rows in random order; sums against loops over rows."""
    monkeypatch.setattr(blocks, "BLOCK_CELLS", limit)
    monkeypatch.setattr(blocks, "MOST_PARTS", limit)
    draws, matrix = model("composite", log=log)
    units, media = units_of(matrix), ("x",)
    periods = np.random.default_rng(2).integers(0, 3, size=len(matrix.response))
    split = attribution(draws.all_terms, media, multiplicative=log)
    found: dict[tuple[int, int], np.ndarray] = {}
    sizes = []
    for block in part_blocks(joint_draws(draws), matrix, split, units, periods):
        sizes.append(block.parts.size)
        for period, parts in zip(block.periods, block.parts, strict=True):
            assert (block.unit, int(period)) not in found
            found[block.unit, int(period)] = parts
    expected: dict[tuple[int, int], np.ndarray] = {}
    for row, key in enumerate(zip(units.codes.tolist(), periods.tolist(), strict=True)):
        own = integrated_parts(draws, matrix, row, media) if log else row_terms(draws, matrix, row)
        expected[key] = expected.get(key, 0.0) + np.stack([own[part] for part in split.parts])
    assert set(found) == set(expected)
    for key, parts in expected.items():
        np.testing.assert_allclose(found[key], parts, rtol=1e-8, atol=1e-9)
    if limit == 1:
        assert max(sizes) == len(split.parts) * draws.noise_flat.size


@pytest.mark.parametrize("log", [True, False], ids=["log", "identity"])
def test_marginals_are_the_change_of_the_fitted_total(monkeypatch: pytest.MonkeyPatch, log: bool) -> None:
    """Against differences: the columns of x and w grow by a small share of given amounts; a row at a time."""
    monkeypatch.setattr(blocks, "BLOCK_CELLS", 1)
    draws, matrix = model("nested", log=log)
    rng = np.random.default_rng(4)
    amounts = rng.uniform(0, 1, size=(len(matrix.response), 2))
    slopes = Slopes(amounts, [matrix.terms.index("w"), matrix.terms.index("x")])
    split = attribution(draws.all_terms, ("x", "w"), multiplicative=log)
    periods = np.zeros(len(matrix.response), dtype=np.intp)
    joint = joint_draws(draws)
    found = sum(block.marginals for block in part_blocks(joint, matrix, split, units_of(matrix), periods, slopes))

    def total(term: str, change: np.ndarray) -> np.ndarray:
        """Fitted total under each draw with one column changed wherever it occurs."""
        values = matrix.values.copy()
        values[:, matrix.terms.index(term)] += change
        groups = tuple(
            replace(g, values=g.values + change[:, None] * (np.array(g.terms) == term)) for g in matrix.groups
        )
        changed = replace(matrix, values=values, groups=groups)
        return sum(
            sum(block.parts.sum(axis=0)) for block in part_blocks(joint, changed, split, units_of(matrix), periods)
        )

    for position, term in enumerate(("w", "x")):
        step = 1e-5 * amounts[:, position]
        expected = (total(term, step) - total(term, -step)) / 2e-5
        np.testing.assert_allclose(found[position], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["blm", "nested", "varying_only"])
@pytest.mark.parametrize("log", [True, False], ids=["log", "identity"])
def test_the_model_scale_adds_up_to_the_predictor(name: str, log: bool) -> None:
    draws, matrix = model(name, log=log)
    matrix = replace(matrix, offset=np.linspace(-0.1, 0.3, len(matrix.response)))
    split = attribution(draws.all_terms, media_of(name), multiplicative=log, has_offset=True)
    periods = np.zeros(len(matrix.response), dtype=np.intp)
    made = part_blocks(joint_draws(draws), matrix, split, units_of(matrix), periods)
    total = sum(block.model_scale for block in made)
    fitted = fitted_table(draws, matrix, labels_of(matrix))["fitted"].sum()
    assert total.sum() == pytest.approx(fitted, rel=1e-10)
    assert len(total) == len(split.parts)
