"""Summaries of fitted values, computed by blocks, against the whole draws × rows array."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit import fitted
from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray, ResponseScale

ROWS, TERMS = 37, 3
LABELS = pd.DataFrame({"row": np.arange(ROWS)})


def case(scale: ResponseScale, draws: int) -> tuple[Draws, ModelMatrix]:
    rng = np.random.default_rng(draws)
    names = tuple(f"x{position}" for position in range(TERMS))
    values, response, offset = rng.normal(size=(ROWS, TERMS)), rng.normal(size=ROWS), rng.normal(size=ROWS)
    matrix = ModelMatrix(names, values, response, offset, "y", scale, np.arange(ROWS), {})
    noise = 0.5 + rng.random(size=(2, draws))
    return Draws(names, rng.normal(size=(2, draws, TERMS)), noise, {}, 10, {}), matrix


def predictor(draws: Draws, matrix: ModelMatrix) -> FloatArray:
    return np.einsum("sk,nk->sn", draws.coef_flat, matrix.values) + matrix.offset


def assert_summarises(table: pd.DataFrame, values: FloatArray) -> None:
    np.testing.assert_allclose(table["fitted"], values.mean(axis=0), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(table["sd"], values.std(axis=0, ddof=1), rtol=1e-12)
    for name, share in {"q05": 0.05, "q50": 0.50, "q95": 0.95}.items():
        np.testing.assert_allclose(table[name], np.quantile(values, share, axis=0), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("draws", [1, 2, 10, 11, 50])
@pytest.mark.parametrize("cells", [1, 40, 10**6])
def test_any_block_size_gives_the_summary_of_all_draws(monkeypatch: pytest.MonkeyPatch, draws: int, cells: int) -> None:
    monkeypatch.setattr(fitted, "BLOCK_CELLS", cells)
    posterior, matrix = case("identity", draws)
    assert_summarises(fitted.fitted_table(posterior, matrix, LABELS), predictor(posterior, matrix))


def test_log_response_is_converted_before_it_is_summarised() -> None:
    posterior, matrix = case("log", 25)
    mean = predictor(posterior, matrix)
    tables = fitted.fitted_tables(posterior, matrix, LABELS)
    assert_summarises(tables["fitted"], mean)
    assert_summarises(tables["fitted_kpi"], np.exp(mean + posterior.noise_flat[:, None] ** 2 / 2))
    assert_summarises(fitted.fitted_tables(posterior, matrix, LABELS, "median")["fitted_kpi"], np.exp(mean))


def test_identity_response_has_one_scale() -> None:
    posterior, matrix = case("identity", 25)
    tables = fitted.fitted_tables(posterior, matrix, LABELS)
    assert list(tables) == ["fitted", "predictive"]
    pd.testing.assert_frame_equal(tables["fitted"], fitted.fitted_kpi_table(posterior, matrix, LABELS))


@pytest.mark.parametrize("cells", [1, 10**6])
def test_metrics_are_those_of_every_draw(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(fitted, "BLOCK_CELLS", cells)
    posterior, matrix = case("identity", 20)
    mean, y = predictor(posterior, matrix), matrix.response
    squared = ((y - mean) ** 2).sum(axis=1)
    expected = {
        "r2": 1 - squared / ((y - y.mean()) ** 2).sum(),
        "rmse": np.sqrt(squared / ROWS),
        "mae": np.abs(y - mean).mean(axis=1),
        "me": (y - mean).mean(axis=1),
        "smape": (2 * np.abs(y - mean) / (np.abs(y) + np.abs(mean))).mean(axis=1),
    }
    for row in fitted.fit_metrics(posterior, matrix).itertuples():
        values = expected[str(row.metric)]
        np.testing.assert_allclose([row.mean, row.q50], [values.mean(), np.median(values)], rtol=1e-12)
