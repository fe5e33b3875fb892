"""Fitted values and goodness of fit against one plain matrix product."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit import fitted
from dsam_assets.fit import predictor as predictors
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.fitted import fit_metrics, fitted_kpi_table, fitted_table, observed_kpi_table, observed_table
from dsam_assets.fit.summary import posterior_summary

LABELS = pd.DataFrame({"row": np.arange(30)})


@pytest.fixture(params=["one block", "many blocks"], autouse=True)
def _block_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every result must be the same however the rows are cut; 120 draws make 7 rows per block here."""
    if request.param == "many blocks":
        monkeypatch.setattr(predictors, "BLOCK_CELLS", 120 * 7)
        monkeypatch.setattr(fitted, "BLOCK_CELLS", 120 * 7)


def predictor(draws: Draws, matrix: ModelMatrix) -> np.ndarray:
    return draws.coef_flat @ matrix.values.T + matrix.offset


def assert_summarises(table: pd.DataFrame, values: np.ndarray) -> None:
    np.testing.assert_allclose(table["fitted"], values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(table["sd"], values.std(axis=0, ddof=1), rtol=1e-10)
    for name, share in (("q05", 0.05), ("q50", 0.5), ("q95", 0.95)):
        np.testing.assert_allclose(table[name], np.quantile(values, share, axis=0), rtol=1e-12)


def test_model_scale_values_are_the_linear_predictor(draws: Draws, log_matrix: ModelMatrix) -> None:
    table = fitted_table(draws, log_matrix, LABELS)
    assert_summarises(table, predictor(draws, log_matrix))
    assert set(table["conversion_method"]) == {"identity"}
    assert list(table["row"]) == list(range(30))


def test_kpi_values_are_conditional_means_by_default(draws: Draws, log_matrix: ModelMatrix) -> None:
    table = fitted_kpi_table(draws, log_matrix, LABELS)
    mean = predictor(draws, log_matrix)
    assert_summarises(table, np.exp(mean + draws.noise_flat[:, None] ** 2 / 2))
    assert set(table["conversion_method"]) == {"conditional_mean"}
    # The exponential of the mean predictor is another, smaller number: both Jensen gaps are missing in it.
    assert (table["fitted"] > np.exp(mean.mean(axis=0) + draws.noise_flat.mean() ** 2 / 2)).all()
    assert (table["fitted"] / np.exp(mean.mean(axis=0)) > 1.05).all()


def test_kpi_medians_on_request(draws: Draws, log_matrix: ModelMatrix) -> None:
    table = fitted_kpi_table(draws, log_matrix, LABELS, "median")
    assert_summarises(table, np.exp(predictor(draws, log_matrix)))
    assert set(table["conversion_method"]) == {"median"}


def test_an_identity_response_is_not_converted(draws: Draws, identity_matrix: ModelMatrix) -> None:
    table = fitted_kpi_table(draws, identity_matrix, LABELS)
    assert_summarises(table, predictor(draws, identity_matrix))
    assert set(table["conversion_method"]) == {"identity"}


def test_observed_values_on_both_scales(log_matrix: ModelMatrix, identity_matrix: ModelMatrix) -> None:
    np.testing.assert_array_equal(observed_table(log_matrix, LABELS)["observed"], log_matrix.response)
    kpi = observed_kpi_table(log_matrix, LABELS)
    np.testing.assert_array_equal(kpi["observed"], np.exp(log_matrix.response))
    assert set(kpi["conversion_method"]) == {"point_exp"}
    same = observed_kpi_table(identity_matrix, LABELS)
    np.testing.assert_array_equal(same["observed"], identity_matrix.response)
    assert set(same["conversion_method"]) == {"identity"}


def test_metrics_are_those_of_each_draw(draws: Draws, identity_matrix: ModelMatrix) -> None:
    observed = identity_matrix.response
    expected: dict[str, list[float]] = {"r2": [], "rmse": [], "mae": [], "me": [], "smape": []}
    for values in predictor(draws, identity_matrix):
        error = observed - values
        expected["r2"].append(1 - (error @ error) / ((observed - observed.mean()) ** 2).sum())
        expected["rmse"].append(float(np.sqrt(np.mean(error**2))))
        expected["mae"].append(float(np.mean(abs(error))))
        expected["me"].append(float(np.mean(error)))
        expected["smape"].append(float(np.mean(2 * abs(error) / (abs(observed) + abs(values)))))
    table = fit_metrics(draws, identity_matrix).set_index("metric")
    assert list(table.index) == list(expected)
    assert set(table["group"]) == {"all"}
    assert set(table["rows"]) == {30}
    for name, values in expected.items():
        assert table.loc[name, "mean"] == pytest.approx(np.mean(values), rel=1e-10)
        for column, share in (("q05", 0.05), ("q50", 0.5), ("q95", 0.95)):
            assert table.loc[name, column] == pytest.approx(np.quantile(values, share), rel=1e-10)


def test_a_row_of_zeros_that_is_fitted_as_zero_has_no_smape() -> None:
    matrix = ModelMatrix(
        ("x",), np.array([[0.0], [1.0]]), np.array([0.0, 2.0]), np.zeros(2), "kpi", "identity", np.arange(2), {}
    )
    draws = Draws(("x",), np.full((1, 2, 1), 1.0), np.ones((1, 2)), {}, 10, {})
    table = fit_metrics(draws, matrix).set_index("metric")
    assert table.loc["smape", "mean"] == pytest.approx(2 * 1 / 3 / 2)


def test_very_long_data_use_evenly_spaced_draws(
    draws: Draws, identity_matrix: ModelMatrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictors, "MOST_CELLS", 30)
    joint = predictors.draws_for(draws, 30)
    assert len(joint.coef) == len(joint.noise_sd) == 100  # never fewer than a hundred
    table = fitted_table(draws, identity_matrix, LABELS)
    assert_summarises(table, joint.coef @ identity_matrix.values.T + identity_matrix.offset)


def test_posterior_summary_is_one_row_per_parameter(draws: Draws) -> None:
    table = posterior_summary(draws).set_index("parameter")
    assert list(table.index) == [*draws.terms, "noise_sd"]
    samples = dict(zip(table.index, [*draws.coef_flat.T, draws.noise_flat], strict=True))
    for name, values in samples.items():
        assert table.loc[name, "mean"] == pytest.approx(values.mean())
        assert table.loc[name, "sd"] == pytest.approx(values.std(ddof=1))
        for column, share in (("q025", 0.025), ("q05", 0.05), ("q50", 0.5), ("q95", 0.95), ("q975", 0.975)):
            assert table.loc[name, column] == pytest.approx(np.quantile(values, share))
        assert table.loc[name, "share_positive"] == pytest.approx(np.mean(values > 0))
    assert table.loc["price", "share_positive"] < 0.5 < table.loc["m_tv", "share_positive"]
