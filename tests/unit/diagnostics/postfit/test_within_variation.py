"""Variance within groups against pandas, group by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from panels import FORMULAS, panel

from dsam_assets.design.additions import ModelInputs
from dsam_assets.design.build import build_matrix
from dsam_assets.design.formula import parse_formula
from dsam_assets.diagnostics.within_variation import within_variation, within_variation_gate
from dsam_assets.verdict import PolicyMode

MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")


def matrix(formula: str, frame: pd.DataFrame, means: tuple[str, ...] = ()) -> Any:
    return build_matrix(ModelInputs(parse_formula(formula), frame, means)).matrix


@pytest.mark.parametrize("name", ["balanced", "nested", "crossed", "composite", "varying_only"])
@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_ratios_are_pandas_ratios(name: str, keep: float) -> None:
    frame = panel(keep=keep).assign(brand_of=lambda rows: rows["market"] + ":" + rows["brand"])
    table = within_variation(matrix(FORMULAS[name], frame), "publish")
    keys = {"market": ["market"], "week": ["week"], "market:brand": ["market", "brand"]}
    assert len(table)
    for row in table.to_dict("records"):
        values = frame[row["term"]]
        groups = frame.groupby(keys[row["grouping"]])[row["term"]]
        assert row["within_var"] == pytest.approx((values - groups.transform("mean")).var(), rel=1e-10)
        assert row["total_var"] == pytest.approx(values.var(), rel=1e-10)
        assert row["ratio"] == pytest.approx(row["within_var"] / row["total_var"], rel=1e-12)
        assert row["groups"] == groups.ngroups
    pairs = {(row["term"], row["grouping"]) for row in table.to_dict("records")}
    assert len(pairs) == len(table)
    if name == "crossed":
        assert pairs == {("x", "market"), ("x", "week")}
    if name == "varying_only":
        assert pairs == {("x", "market"), ("w", "market")}


def frame_with(ratio: float) -> pd.DataFrame:
    """Two groups of two rows: x is ± its group's level, and `ratio` of its variance is within."""
    within, between = np.sqrt(ratio), np.sqrt(1 - ratio)
    x = np.array([between + within, between - within, -between + within, -between - within])
    return pd.DataFrame({"g": ["a", "a", "b", "b"], "x": x + 1e4, "c": 2.0, "kpi": [1.0, 2, 4, 3]})


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.5, ["pass"] * 3), (0.101, ["pass"] * 3), (0.099, ["warn"] * 3), (0.051, ["warn"] * 3),
     (0.049, ["warn", "fail", "fail"]), (0.0, ["warn", "fail", "fail"])],
)  # fmt: skip
def test_policies(ratio: float, expected: list[str]) -> None:
    model = matrix("kpi ~ x + (1 | g)", frame_with(ratio))
    rows = []
    for mode in MODES:
        table = within_variation(model, mode)
        rows.append(within_variation_gate(table, mode))
        assert table["status"].tolist() == [rows[-1].status]
    assert [row.status for row in rows] == expected
    assert rows[0].value == pytest.approx(ratio, abs=1e-9)
    assert rows[0].subject == "x in g"


def test_group_means_and_constants_are_left_out() -> None:
    frame = frame_with(0.5)
    frame["cre_mean_x"] = frame.groupby("g")["x"].transform("mean")
    model = matrix("kpi ~ x + c + cre_mean_x + (1 | g)", frame, means=("cre_mean_x",))
    table = within_variation(model, "publish")
    assert list(table["term"]) == ["x", "c"]
    assert list(table["status"]) == ["pass", "skipped"]
    assert np.isnan(table["ratio"][1])
    assert within_variation_gate(table, "publish").subject == "x in g"


@pytest.mark.parametrize("formula", ["kpi ~ x", "kpi ~ 1 + (1 | g)", "kpi ~ c + (1 | g)"])
def test_without_groups_or_varying_predictors_it_does_not_apply(formula: str) -> None:
    row = within_variation_gate(within_variation(matrix(formula, frame_with(0.5)), "strict"), "strict")
    assert (row.status, row.value) == ("skipped", None)
