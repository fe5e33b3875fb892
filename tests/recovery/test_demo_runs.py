"""Every demo config, run as a user runs it: real Stan, the whole graph, a run folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from dsam_assets.running import run_from_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
OWN_FILES = {
    "blm_demo": {"70_forecast/forecast.csv", "70_forecast/forecast_plan.csv", "70_forecast/forecast.json"},
    "hierarchical_demo": {"30_post_run/group_coefficients.csv", "10_pre_run/holiday_feature_manifest.csv"},
    "cre_demo": {"30_post_run/group_coefficients.csv", "10_pre_run/holiday_feature_manifest.csv"},
    "pooled_demo": {"10_pre_run/dropped_groups.csv", "10_pre_run/holiday_feature_manifest.csv"},
}
EVERY_RUN = {
    "run_manifest.json", "20_model_fit/model.nc", "30_post_run/posterior_summary.csv",
    "30_post_run/decomp_channels.csv",
    "40_diagnostics/diagnostics_report.csv", "50_model_selection/loo_summary.csv", "60_optimisation/budget_summary.csv",
}  # fmt: skip


@pytest.mark.stan
@pytest.mark.parametrize("name", OWN_FILES)
def test_a_demo_runs_from_data_to_plan(name: str, tmp_path: Path) -> None:
    shutil.copytree(CONFIGS / "data", tmp_path / "data")
    config = Path(shutil.copy(CONFIGS / f"{name}.yaml", tmp_path))
    result = run_from_yaml(config, run_dir=str(tmp_path / "run"))
    assert result.status == "complete"
    assert result.report.converged
    files = {str(path.relative_to(result.path)) for path in result.path.rglob("*") if path.is_file()}
    assert EVERY_RUN | OWN_FILES[name] <= files
    assert (files & set().union(*OWN_FILES.values())) == OWN_FILES[name]
    assert len(result.plan) > 1
    spent, total = result.plan["spend_optimised"].sum(), result.tables["budget_summary"]["budget_total"].item()
    assert spent == pytest.approx(total, rel=1e-6)
    if name in ("hierarchical_demo", "cre_demo"):
        assert result.report.overall != "fail"
        table = pd.read_csv(result.path / "30_post_run/group_coefficients.csv")
        assert table["group"].nunique() == 8
        assert {"group"} <= set(pd.read_csv(result.path / "30_post_run/fitted_kpi.csv", nrows=1).columns)
        metrics = pd.read_csv(result.path / "20_model_fit/fit_metrics_by_group.csv")
        assert set(metrics["group"]) == {"all", *table["group"]}
