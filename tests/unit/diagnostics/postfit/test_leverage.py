"""Leverages against the hat matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design import checks
from dsam_assets.diagnostics import leverage
from dsam_assets.diagnostics.leverage import high_leverage, leverage_gate
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray

Make = Callable[..., Any]


def design(n: int = 60, seed: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.column_stack([np.ones(n), 1e6 * rng.normal(size=n) + 4e6, 1e-3 * rng.gamma(2, size=n)])


def test_leverages_are_the_diagonal_of_the_hat_matrix(make_matrix: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leverage, "ONE", 0.0)
    monkeypatch.setattr(checks, "_BLOCK_BYTES", 8 * 3 * 7)
    X = design()
    table = high_leverage(make_matrix(X, np.zeros(60)))
    scaled = X / np.abs(X).max(axis=0)
    hat = scaled @ np.linalg.inv(scaled.T @ scaled) @ scaled.T
    np.testing.assert_allclose(table["leverage"], np.diag(hat), rtol=1e-9)
    assert table["leverage"].sum() == pytest.approx(3)


@pytest.mark.parametrize("size", [1.0, 1e-4, 2e7])
def test_a_dummy_of_one_week_is_named_with_its_date(size: float, make_matrix: Make, make_weeks: Make) -> None:
    spike, twice = np.zeros(60), np.zeros(60)
    spike[17], twice[[30, 31]] = size, 1.0
    X = np.column_stack([design(), spike, twice])
    matrix = make_matrix(X, np.zeros(60), ("(Intercept)", "a", "b", "event", "twice"))
    table = high_leverage(matrix, make_weeks(60))
    assert table["row"].tolist() == [17]
    assert table["columns"].tolist() == ["event"]
    assert table["leverage"][0] == pytest.approx(1.0, abs=1e-9)
    for mode in ("explore", "publish", "strict"):
        row = leverage_gate(table, mode)
        assert (row.gate, row.status, row.value, row.subject) == ("g6", "warn", 1, "event")
        assert "1 row has a leverage above 0.99" in row.message
        assert "2022-05-02 (event)" in row.message


def test_combinations_name_all_their_columns(make_matrix: Make, make_weeks: Make) -> None:
    """Neither column is a dummy; their difference is zero but for one row."""
    wave = np.sin(np.arange(60.0))
    other = wave.copy()
    other[40] += 1.0
    matrix = make_matrix(np.column_stack([np.ones(60), wave, other]), np.zeros(60))
    table = high_leverage(matrix, make_weeks(30, units=2))
    assert table["row"].tolist() == [40]
    assert table["columns"].tolist() == ["x1; x2"]
    row = leverage_gate(table, "publish")
    assert row.subject == "x1, x2"
    assert "u01 (x1; x2)" in row.message


def test_dependent_columns_change_nothing(make_matrix: Make) -> None:
    spike = np.zeros(60)
    spike[5] = 1.0
    X = np.column_stack([design(), spike])
    for extra in (X[:, 1] + X[:, 2], np.zeros(60), spike * 3):
        table = high_leverage(make_matrix(np.column_stack([X, extra]), np.zeros(60)))
        assert table["row"].tolist() == [5]
        assert table["columns"].tolist() == ["x3"]


def test_as_many_columns_as_rows_leave_nothing(make_matrix: Make) -> None:
    X = np.random.default_rng(2).normal(size=(6, 6))
    assert len(high_leverage(make_matrix(X, np.zeros(6)))) == 6


def test_nothing_to_report(make_matrix: Make) -> None:
    table = high_leverage(make_matrix(design(), np.zeros(60)), pd.DataFrame({"date": pd.NaT}, index=range(60)))
    assert (len(table), list(table.columns)) == (0, ["row", "date", "leverage", "columns"])
    row = leverage_gate(table, "strict")
    assert (row.status, row.value, row.subject) == ("pass", 0, "model")


def test_values_that_are_not_finite_are_refused(make_matrix: Make) -> None:
    X = design()
    X[3, 1] = np.nan
    with pytest.raises(DesignError, match="not finite"):
        high_leverage(make_matrix(X, np.zeros(60)))
