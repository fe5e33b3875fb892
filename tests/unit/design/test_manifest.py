"""The manifest of the design and the specification in one row, against NumPy, pandas and the prior table."""

from __future__ import annotations

import numpy as np
import pytest
from panels import case
from pooled_markets import EACH, NESTED, ONE, TWO, market

from dsam_assets.design.formula import parse_formula
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.manifest import design_matrix_manifest, parameter_count, spec_summary
from dsam_assets.design.model_design import ModelDesign, design_prior_table
from dsam_assets.design.pooled import build_pooled_design
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate


def designs() -> dict[str, ModelDesign]:
    pooled = {name: build_pooled_design(market(), labels, scale=True) for name, labels in MAPS.items()}
    return {"linear": build_linear_design(market(), scale=True), "panel": case("unbalanced"), **pooled}


MAPS = {"one": ONE, "two": TWO, "nested": NESTED, "each": EACH}


@pytest.mark.parametrize("name", ["linear", "panel", *MAPS])
def test_parameters_are_those_that_have_priors(name: str) -> None:
    design = designs()[name]
    matrix = design.matrix
    assert parameter_count(matrix) == len(design_prior_table(design))
    summary = spec_summary("m", "blm", parse_formula("kpi ~ a +\n   b"), matrix, len(matrix.response) + 3)
    validate(TABLES["spec_summary"], summary)
    row = summary.iloc[0]
    assert row["formula"] == "kpi ~ a + b"
    assert row["terms"] == matrix.values.shape[1]
    assert row["rows_dropped"] == 3
    assert row["rows_per_parameter"] == pytest.approx(len(matrix.response) / len(design_prior_table(design)))


def test_the_manifest_describes_every_column() -> None:
    matrix = market()
    table = design_matrix_manifest(matrix)
    validate(TABLES["design_matrix_manifest"], table)
    assert table["term"].tolist() == list(matrix.terms)
    assert table["role"].tolist() == ["intercept", *["predictor"] * (len(matrix.terms) - 1)]
    assert table["unique"].tolist() == [len(set(column)) for column in matrix.values.T.tolist()]
    np.testing.assert_allclose(table["sd"], np.std(matrix.values, axis=0, ddof=1))
    assert table["unique"][0] == 1
