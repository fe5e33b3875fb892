"""Every demo config, run as a user runs it: real Stan, the whole graph, a run folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from run_contract import SAMPLED, held, promised

import dsam_assets
from dsam_assets.running import run_from_yaml
from resources.codecs import csv_bytes

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PANEL = {"panel", "log_response", "holidays", "identifiability"}
# What is true of each demo, and the layout that it is written in.
DEMOS = {
    "blm_demo": (SAMPLED | {"identifiability", "forecast", "forecast_plan"}, "staged"),
    "hierarchical_demo": (SAMPLED | PANEL, "flat"),
    "cre_demo": (SAMPLED - {"sampled_bounds"} | PANEL, "stage_gated"),
    "pooled_demo": (SAMPLED - {"sampled_media", "sampled_bounds"} | {"dropped_groups", "holidays"}, "staged"),
}


@pytest.mark.stan
@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_runs_from_data_to_plan(name: str, tmp_path: Path) -> None:
    shutil.copytree(CONFIGS / "data", tmp_path / "data")
    config = Path(shutil.copy(CONFIGS / f"{name}.yaml", tmp_path))
    conditions, layout = DEMOS[name]
    config.write_text(f"{config.read_text()}\noutputs: {{layout: {layout}, save_posterior: true}}\n")
    result = run_from_yaml(config, run_dir=str(tmp_path / "run"))
    assert result.status == "complete"
    assert result.report.converged
    assert held(result.path) == promised(conditions, layout=layout, save_posterior=True)
    assert len(result.plan) > 1
    spent, total = result.plan["spend_optimised"].sum(), result.tables["budget_summary"]["budget_total"].item()
    assert spent == pytest.approx(total, rel=1e-6)
    tables = {path.name: path for path in result.path.rglob("*.csv")}
    if "panel" in conditions:
        table = pd.read_csv(tables["group_coefficients.csv"])
        assert table["group"].nunique() == 8
        assert {"group"} <= set(pd.read_csv(tables["fitted_kpi.csv"], nrows=1).columns)
        metrics = pd.read_csv(tables["fit_metrics_by_group.csv"])
        assert set(metrics["group"]) == {"all", *table["group"]}
    reloads(shutil.copytree(result.path, tmp_path / "elsewhere"), tmp_path)


def reloads(copy: Path, project: Path) -> None:
    """The run folder alone gives the run's numbers back, byte for byte."""
    for gone in ("data", ".dsam", "run"):
        shutil.rmtree(project / gone)
    run = dsam_assets.load_run(copy)
    files = {path.name: path for path in copy.rglob("*.csv")}
    found = {"posterior_summary": run.summary(), "fitted": run.fitted(), "observed": run.observed()}
    found |= {"diagnostics_report": run.diagnostics().to_frame(), **run.decomposition()}
    if "group_coefficients.csv" in files:
        found["group_coefficients"] = run.group_summary()
    for name, table in found.items():
        assert csv_bytes(table) == files[f"{name}.csv"].read_bytes(), name
