"""Chain table and residual table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsam_assets.diagnostics.chain_table import chain_diagnostics_text, chain_table
from dsam_assets.diagnostics.convergence import convergence
from dsam_assets.diagnostics.residual_table import residual_table
from dsam_assets.errors import DataError
from dsam_assets.fit.draws import Draws

Make = Callable[..., Draws]


def matrix() -> Any:
    rng = np.random.default_rng(2)
    return SimpleNamespace(
        values=rng.normal(size=(5, 2)),
        response=rng.normal(size=5),
        offset=np.array([0.0, 1.0, 2.0, 0.0, 0.0]),
        rows=np.array([0, 1, 3, 4, 7]),
        groups=(),
    )


def test_chain_table(make_draws: Make, overwrite: Make) -> None:
    draws = overwrite(make_draws(), 1, slice(None), 2.0)
    table = chain_table(convergence(draws))
    assert list(table.columns) == ["parameter", "mean", "sd", "mcse_mean", "ess_bulk", "ess_tail", "rhat", "note"]
    assert list(table["parameter"]) == ["(Intercept)", "m_tv", "noise_sd"]
    assert table.loc[0, "mean"] == pytest.approx(draws.coef[..., 0].mean())
    assert table.loc[0, "sd"] == pytest.approx(draws.coef[..., 0].std(ddof=1))
    assert table.loc[1, "note"] == "every draw is the same"


def test_chain_text_counts_per_chain(make_draws: Make, tamper: Make) -> None:
    draws = tamper(tamper(make_draws(), "diverging", 1, slice(0, 17), True), "tree_depth", 2, slice(0, 23), 10)
    lines = chain_diagnostics_text(draws).splitlines()
    assert lines[0] == "4 chains, 1000 draws each, maximum tree depth 10"
    assert lines[2].split() == ["chain", "divergences", "max_treedepth_hits", "ebfmi", "step_size"]
    assert [line.split()[:3] for line in lines[3:7]] == [
        ["1", "0", "0"],
        ["2", "17", "0"],
        ["3", "0", "23"],
        ["4", "0", "0"],
    ]
    assert any(line.split()[:1] == ["noise_sd"] for line in lines)


def test_a_point_estimate_has_no_chain_diagnostics(make_draws: Make) -> None:
    point = replace(make_draws(size=1), attributes={"method": "optimise"}, sampler={})
    text = chain_diagnostics_text(point)
    assert "do not apply" in text
    assert "noise_sd" not in text


def test_residuals_are_against_the_mean_over_draws(make_draws: Make) -> None:
    draws, design = make_draws(size=50), matrix()
    labels = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=5, freq="7D")}, index=[9, 8, 7, 6, 5])
    table = residual_table(draws, design, labels)
    per_draw = draws.coef_flat @ design.values.T + design.offset
    assert list(table.columns) == ["row", "date", "observed", "fitted", "residual"]
    np.testing.assert_allclose(table["fitted"], per_draw.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(table["residual"], design.response - per_draw.mean(axis=0), atol=1e-12)
    assert list(table["row"]) == [0, 1, 3, 4, 7]
    assert list(table["date"]) == list(labels["date"])
    assert list(residual_table(draws, design).columns) == ["row", "observed", "fitted", "residual"]


def test_labels_of_another_length(make_draws: Make) -> None:
    with pytest.raises(DataError, match="do not match"):
        residual_table(make_draws(size=4), matrix(), pd.DataFrame({"date": [1, 2]}))
