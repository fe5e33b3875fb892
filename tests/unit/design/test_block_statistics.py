"""Block statistics against the dense normal distribution of all rows."""

from __future__ import annotations

import numpy as np
import pytest
from panels import CASES, case, dense_log_density, panel, panel_design
from scipy import stats

from dsam_assets.design import blocks
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.scales import FloatArray


def log_density(design: HierarchicalDesign, coef: FloatArray, group_sd: FloatArray, noise_sd: float) -> float:
    """The formula of stan/functions/blocks.stanfunctions in NumPy."""
    statistics = design.statistics
    first = np.cumsum([0, *(len(group.terms) for group in design.groups)])
    reached = sum(len(block.y) for block in statistics.blocks)
    left = statistics.z - statistics.R @ coef
    total = -0.5 * (left @ left + statistics.rss) / noise_sd**2
    total -= (statistics.rows - reached) * (np.log(noise_sd) + 0.5 * np.log(2 * np.pi))
    for block in statistics.blocks:
        spread = block.F * group_sd[first[block.deviations.term] + block.deviations.effect]
        covariance = noise_sd**2 * np.eye(len(block.y)) + spread @ spread.T
        total += stats.multivariate_normal(block.X @ coef, covariance).logpdf(block.y)
    return float(total)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_marginal_likelihood_is_the_dense_one(name: str, scale: bool) -> None:
    design = case(name, scale=scale)
    rng = np.random.default_rng(7)
    for size in (0.05, 0.5, 30.0):
        coef = rng.normal(size=len(design.matrix.terms))
        group_sd = size * rng.gamma(2.0, size=len(design.sd_names))
        noise_sd = float(rng.uniform(0.3, 2.0))
        expected = dense_log_density(design, coef, group_sd, noise_sd)
        assert log_density(design, coef, group_sd, noise_sd) == pytest.approx(expected, rel=1e-9, abs=1e-8)


def test_density_without_deviations_is_that_of_independent_rows() -> None:
    design = case("nested", scale=False)
    coef, matrix = np.array([18.0, 1.0, -1.0]), design.matrix
    expected = stats.norm.logpdf(matrix.response, matrix.values @ coef, 0.8).sum()
    assert log_density(design, coef, np.zeros(4), 0.8) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("name", "count", "columns"),
    [("balanced", 4, 2), ("nested", 4, 8), ("crossed", 1, 4 * 2 + 6), ("composite", 12, 3)],
)
def test_one_block_per_connected_component(name: str, count: int, columns: int) -> None:
    found = case(name).statistics.blocks
    assert len(found) == count
    assert {block.F.shape[1] for block in found} == {columns}
    assert all(block.F.shape[0] <= block.F.shape[1] for block in found)


def test_every_deviation_is_in_one_block() -> None:
    design = case("nested")
    places = [place for b in design.statistics.blocks for place in zip(b.deviations.term, b.deviations.level,
                                                                     b.deviations.effect, strict=True)]  # fmt: skip
    expected = {(0, g, j) for g in range(4) for j in range(2)} | {(1, g, j) for g in range(12) for j in range(2)}
    assert len(places) == len(set(places))
    assert set(places) == expected


def test_rows_in_pieces_give_the_same_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal in the density only: which turned rows are kept is arbitrary where Z is not of full rank."""
    design, pieces = case("nested"), case("nested")
    assert design.statistics.rows == 72
    monkeypatch.setattr(blocks, "BLOCK_CELLS", 1)
    rng = np.random.default_rng(3)
    coef, group_sd = rng.normal(size=3), rng.gamma(2.0, size=4)
    assert log_density(pieces, coef, group_sd, 0.7) == pytest.approx(
        log_density(design, coef, group_sd, 0.7), rel=1e-12
    )


def test_statistics_do_not_grow_with_rows() -> None:
    short, long = (panel_design("kpi ~ x + w + (1 + x | market)", panel(weeks=weeks)) for weeks in (6, 600))
    shapes = [[(b.F.shape, b.X.shape) for b in d.statistics.blocks] for d in (short, long)]
    assert shapes[0] == shapes[1]
    assert (short.statistics.rows, long.statistics.rows) == (72, 7200)


def test_large_deviations_cancel_nothing() -> None:
    """Group levels 1e6 times the noise: a difference of squares would leave no digit of the residual sum."""
    frame = panel(brands=1)
    frame["kpi"] += 1e6 * frame["market"].str[1:].astype(int)
    design = panel_design("kpi ~ x + (1 | market)", frame, scale=False)
    demeaned = frame[["x", "kpi"]] - frame.groupby("market")[["x", "kpi"]].transform("mean")
    slope = float((demeaned["x"] * demeaned["kpi"]).sum() / (demeaned["x"] ** 2).sum())
    residual = float(((demeaned["kpi"] - slope * demeaned["x"]) ** 2).sum())
    statistics = design.statistics
    left = statistics.z - statistics.R @ np.array([0.0, slope])
    assert left @ left + statistics.rss == pytest.approx(residual, rel=1e-6)
