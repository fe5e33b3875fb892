"""Rows must not matter: what Stan is given has the same size for 150 and for 15,000 rows per group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from panels import panel_design

from dsam_assets.design.linear import build_linear_design
from dsam_assets.fit.stan_input import hierarchical_input, linear_input


def frame(rows: int, groups: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    size = rows * groups
    made = pd.DataFrame({"market": np.repeat([f"m{g}" for g in range(groups)], rows), "x": rng.normal(size=size)})
    made["brand"] = np.where(rng.uniform(size=size) < 0.5, "own", "other")
    made["w"] = rng.gamma(2.0, size=size)
    return made.assign(kpi=3 + made["x"] - made["w"] + rng.normal(size=size))


def sizes(data: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(value) for name, value in data.items()}


@pytest.mark.parametrize("groups", ["(1 + x | market)", "(1 + x | market) + (1 | brand)"])
def test_hierarchical_data_do_not_grow(groups: str) -> None:
    few, many = (hierarchical_input(panel_design(f"kpi ~ x + w + {groups}", frame(rows))) for rows in (150, 15_000))
    assert (few["N"], many["N"]) == (750, 75_000)
    assert sizes(few) == sizes(many)
    assert few["cells"] == many["cells"] < 200


def test_linear_data_do_not_grow() -> None:
    designs = [panel_design("kpi ~ x + w + (1 | market)", frame(rows)).matrix for rows in (150, 15_000)]
    few, many = (linear_input(build_linear_design(matrix, scale=True)) for matrix in designs)
    assert (few["N"], many["N"]) == (750, 75_000)
    assert sizes(few) == sizes(many)
