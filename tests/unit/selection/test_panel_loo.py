"""Leave-one-out of a hierarchical model against its closed form on a grid."""

from __future__ import annotations

import numpy as np
import pytest
from panel_truth import PanelTruth, panel_with_outlier
from test_loo import run

from dsam_assets.selection.left_out import leave_out, posterior_points
from dsam_assets.selection.moment_match import moment_match
from dsam_assets.selection.psis import tail_length
from dsam_assets.selection.refinements import matched


def test_ordinary_rows_with_deviations_integrated_out_or_drawn() -> None:
    """The same predictive density both ways."""
    truth = PanelTruth(panel_with_outlier(0.0))
    draws = truth.draws(1000, seed=1)
    plain = run(draws, truth.design.matrix)
    points = posterior_points(truth.design, draws)
    for row in (0, 8, 20):
        expected = truth.elpd(row)
        assert plain.pareto_k[row] < 0.7
        assert plain.elpd_pointwise[row] == pytest.approx(expected, abs=0.06)
        found = moment_match(leave_out(truth.design, row), points, tail=tail_length(4000), good_k=0.7)
        assert found.elpd == pytest.approx(expected, abs=0.03)
        assert found.pit == pytest.approx(plain.pit[row], abs=0.02)


def test_moment_matching_repairs_an_outlier_with_leverage() -> None:
    truth = PanelTruth(panel_with_outlier(20.0))
    draws = truth.draws(1000, seed=1)
    plain, expected = run(draws, truth.design.matrix), truth.elpd(3)
    assert plain.pareto_k[3] > 0.7
    assert abs(plain.elpd_pointwise[3] - expected) > 1
    better = matched(plain, truth.design, draws, None)
    assert better.method[3] == "moment_match"
    assert better.pareto_k[3] < 0.7
    assert better.elpd_pointwise[3] == pytest.approx(expected, abs=0.1)
    assert np.isfinite(better.elpd_loo)
