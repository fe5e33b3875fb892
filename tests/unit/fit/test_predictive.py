"""Posterior predictive quantiles against the normal and lognormal distributions that they must be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.fitted import metric_table
from dsam_assets.fit.predictive import PREDICTED, coverage_rows, predictive_table

S, N = 40_000, 6
LABELS = pd.DataFrame({"row": np.arange(N)})


def certain(scale: str) -> tuple[Draws, ModelMatrix]:
    """Every draw the same: the predictive distribution is normal(μ, σ)."""
    values = np.column_stack([np.ones(N), np.linspace(-1, 1, N)])
    matrix = ModelMatrix(("a", "b"), values, np.zeros(N), np.full(N, 0.5), "kpi", scale, np.arange(N), {})
    coef = np.broadcast_to(np.array([2.0, -0.7]), (2, S // 2, 2))
    return Draws(("a", "b"), coef, np.full((2, S // 2), 0.3), {}, 10, {}), matrix


@pytest.mark.parametrize(("scale", "back"), [("identity", np.asarray), ("log", np.log)])
def test_quantiles_are_the_normal_distribution_s(scale: str, back: object) -> None:
    draws, matrix = certain(scale)
    table = predictive_table(draws, matrix, LABELS)
    mean = 0.5 + matrix.values @ [2.0, -0.7]
    for name, share in PREDICTED.items():
        # The error of a sample quantile: √(p(1−p)/S) / density, five of them.
        allowed = 5 * 0.3 * np.sqrt(share * (1 - share) / S) / norm.pdf(norm.ppf(share))
        np.testing.assert_allclose(back(table[name].to_numpy()), mean + 0.3 * norm.ppf(share), atol=allowed)  # type: ignore[operator]
    pd.testing.assert_frame_equal(table, predictive_table(draws, matrix, LABELS))


def test_uncertain_coefficients_widen_the_interval() -> None:
    draws, matrix = certain("identity")
    coef = np.array(draws.coef) + np.random.default_rng(1).normal(0, 0.4, (2, S // 2, 1)) * [1.0, 0.0]
    wide = predictive_table(Draws(("a", "b"), coef, draws.noise_sd, {}, 10, {}), matrix, LABELS)
    np.testing.assert_allclose(wide["q95"] - wide["q05"], 2 * 1.6449 * 0.5, rtol=0.02)


def test_coverage_counts_the_rows_inside() -> None:
    table = pd.DataFrame(
        {"group": ["a", "a", "b", "b"], "observed": [0.0, 5.0, 1.0, -2.0], "q025": [-1.0] * 4, "q975": [1.0] * 4}
    )
    rows = coverage_rows(table).set_index("group")
    assert rows["mean"].to_dict() == {"all": 0.5, "a": 0.5, "b": 0.5}
    assert rows["rows"].to_dict() == {"all": 4, "a": 2, "b": 2}


def test_a_point_predicts_no_interval() -> None:
    _, matrix = certain("identity")
    point = Draws(("a", "b"), np.array([[[2.0, -0.7]]]), np.array([[0.3]]), {}, 10, {"method": "optimise"})
    table = predictive_table(point, matrix, LABELS)
    np.testing.assert_allclose(table["q50"], 0.5 + matrix.values @ [2.0, -0.7])
    assert table[["q025", "q05", "q25", "q75", "q95", "q975"]].isna().all().all()
    assert "coverage_95" not in set(metric_table(point, matrix, table)["metric"])
