"""The KPI scale's autocorrelation against statsmodels, and what gaps do."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import acf

from dsam_assets.diagnostics.kpi_autocorrelation import kpi_autocorrelation


def tables(rows: int, groups: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(3)
    dates = np.tile(pd.date_range("2023-01-02", periods=rows, freq="7D"), groups)
    noise = rng.normal(size=rows * groups).cumsum()
    labels = pd.DataFrame({"row": np.arange(rows * groups), "date": dates})
    if groups > 1:
        labels["group"] = np.repeat([f"g{i}" for i in range(groups)], rows)
    return labels.assign(observed=50 + noise), labels.assign(fitted=50.0)


def test_one_series_is_the_textbook_s() -> None:
    observed, fitted = tables(80)
    table = kpi_autocorrelation(observed, fitted)
    expected = acf(observed["observed"] - 50, nlags=26, fft=False)[1:]
    np.testing.assert_allclose(table["acf"], expected, rtol=1e-10)
    np.testing.assert_allclose(table["band"], 1.96 / np.sqrt(80))


def test_each_panel_unit_has_its_own_and_rows_may_come_in_any_order() -> None:
    observed, fitted = tables(60, 2)
    order = np.random.default_rng(0).permutation(len(observed))
    table = kpi_autocorrelation(observed.iloc[order].reset_index(drop=True), fitted.iloc[order].reset_index(drop=True))
    for name in ("g0", "g1"):
        part = observed[observed["group"] == name]
        expected = acf(part["observed"] - 50, nlags=26, fft=False)[1:]
        np.testing.assert_allclose(table.query("group == @name")["acf"], expected, rtol=1e-10)


def test_a_short_series_has_none() -> None:
    assert kpi_autocorrelation(*tables(5)).empty
