"""Time folds of the demo market, fitted by Stan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from dsam_assets.config.load import load_config
from dsam_assets.config.slices import formula_slice, priors_slice
from dsam_assets.data.load import load_dataset
from dsam_assets.selection.time_series import TimeSeriesInputs, time_series_tables
from resources.stan_runner import CmdStanRunner

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.stan
def test_the_demo_predicts_its_last_year() -> None:
    """Held-out errors are those of the noise that the data were made with, and 90 % intervals hold about 90 %."""
    config = load_config(CONFIGS / "blm_demo.yaml").config
    section = config.diagnostics.time_series_selection.model_copy(update={"enabled": True, "save_pointwise": True})
    diagnostics = config.diagnostics.model_copy(update={"time_series_selection": section})
    inputs = TimeSeriesInputs(
        load_dataset(config.data).frame,
        formula_slice(config),
        config.data,
        priors_slice(config),
        config.fit,
        diagnostics=diagnostics,
    )
    tables = time_series_tables(inputs, CmdStanRunner())
    folds, summary = tables["tscv_folds"], tables["tscv_summary"].iloc[0]
    assert folds["status"].tolist() == ["ok"] * 4
    assert folds["train_rows"].tolist() == [104, 117, 130, 143]
    noise = json.loads((CONFIGS / "data" / "blm_demo.true_parameters.json").read_text())["noise_sd"]
    assert 0.8 * noise < summary["rmse"] < 1.5 * noise
    assert 0.8 <= summary["coverage_90"] <= 1.0
    alone = time_series_tables(inputs, CmdStanRunner(), processes=1)
    assert_frame_equal(tables["tscv_pointwise"], alone["tscv_pointwise"])
