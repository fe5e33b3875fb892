"""Tables of a point estimate: the point where there is one number, nothing where a spread is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from panels import case

from dsam_assets.decomposition.contributions import OFFSET, decomposition
from dsam_assets.design.labels import row_labels
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.fitted import fit_metrics, fitted_tables
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.summary import summary_tables
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

LABELS = pd.DataFrame({"row": np.arange(30)})
SPREAD = ["sd", "q025", "q05", "q95", "q975", "share_positive"]


@pytest.fixture
def point(draws: Draws) -> Draws:
    """The first draw as an optimiser would leave it."""
    return replace(
        draws,
        coef=draws.coef[:1, :1],
        noise_sd=draws.noise_sd[:1, :1],
        sampler={},
        attributes={"method": "optimise", "converged": 1},
    )


def assert_no_spread(table: pd.DataFrame) -> None:
    columns = [name for name in SPREAD if name in table.columns]
    assert columns
    assert table[columns].isna().all().all()
    assert table.drop(columns=columns).notna().all().all()


def test_fitted_values_are_the_predictor_at_the_point(point: Draws, log_matrix: ModelMatrix) -> None:
    tables = fitted_tables(point, log_matrix, LABELS)
    mean = log_matrix.values @ point.coef_flat[0] + log_matrix.offset
    for name, values, method in (("fitted", mean, "identity"), ("fitted_kpi", np.exp(mean), "point_exp")):
        table = validate(TABLES[name], tables[name])
        np.testing.assert_allclose(table["fitted"], values, rtol=1e-12)
        np.testing.assert_array_equal(table["q50"], table["fitted"])
        assert set(table["conversion_method"]) == {method}
        assert_no_spread(table)


def test_metrics_of_a_point_are_numbers_without_intervals(point: Draws, identity_matrix: ModelMatrix) -> None:
    table = validate(TABLES["fit_metrics"], fit_metrics(point, identity_matrix)).set_index("metric")
    error = identity_matrix.response - identity_matrix.offset - identity_matrix.values @ point.coef_flat[0]
    assert table.loc["rmse", "mean"] == pytest.approx(np.sqrt(np.mean(error**2)))
    np.testing.assert_array_equal(table["q50"], table["mean"])
    assert_no_spread(table)


def test_a_parameter_of_a_point_has_a_value_and_no_spread(point: Draws, identity_matrix: ModelMatrix) -> None:
    tables = summary_tables(point, identity_matrix)
    table = validate(TABLES["posterior_summary"], tables["posterior_summary"])
    np.testing.assert_array_equal(table["mean"], [*point.coef_flat[0], point.noise_flat[0]])
    np.testing.assert_array_equal(table["q50"], table["mean"])
    assert_no_spread(table)


def panel_point(name: str) -> tuple[Draws, ModelMatrix]:
    design = case(name)
    rng = np.random.default_rng(3)
    terms = design.matrix.terms
    sds = {sd: np.full((1, 1), rng.gamma(2.0, 0.5)) for sd in design.sd_names}
    made = Draws(terms, rng.normal(size=(1, 1, len(terms))), np.ones((1, 1)), {}, 0, {"method": "optimise"}, sds)
    return with_group_effects(made, design, seed=1), design.matrix


@pytest.mark.parametrize("name", ["balanced", "nested"])
def test_groups_of_a_point_are_points(name: str) -> None:
    point, matrix = panel_point(name)
    table = validate(TABLES["group_coefficients"], summary_tables(point, matrix)["group_coefficients"])
    one = table.query("grouping == 'market' and group == 'm1' and term == 'x'").iloc[0]
    (deviations,) = [each for each in point.deviations if each.key == "market"]
    own = deviations.values[0, 0, deviations.levels.index("m1"), deviations.terms.index("x")]
    assert one["mean"] == pytest.approx(point.coef[0, 0, matrix.terms.index("x")] + own)
    assert_no_spread(table)


def test_contributions_of_a_point_have_no_intervals() -> None:
    point, matrix = panel_point("balanced")
    matrix = replace(matrix, offset=np.linspace(1, 2, len(matrix.response)))
    frame = pd.DataFrame({"any": np.arange(int(matrix.rows.max()) + 1)})
    table = decomposition(point, matrix, row_labels(frame, None, matrix))
    np.testing.assert_array_equal(table.loc[table["term"] == OFFSET, "contribution"], matrix.offset)
    assert_no_spread(table)
