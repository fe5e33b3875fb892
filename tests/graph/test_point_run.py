"""A market fitted by MAP, through the graph: which files there are, what they leave out, and what is reused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dsam_assets.verdict import CHECKS

SCENARIOS = """\
transforms:
  sensitivity:
    enabled: true
    scenarios:
      - {name: root, formula: kpi ~ trend + sqrt(spend_tv) + m_search}
      - {name: logged, formula: log(kpi) ~ trend + m_tv + m_search}
"""
SENSITIVITY = {"transform_sensitivity_summary.csv", "transform_sensitivity_parameters.csv"}
OF_DRAWS = {"posterior_summary.csv", "chain_diagnostics.txt", "posterior.nc", "loo_pointwise.csv"}


def optimise(project: Any, settings: str = "n_runs: 3, seed: 5") -> None:
    project.edit("fit:\n", f"fit:\n  method: optimise\n  optimise: {{{settings}}}\n")


def add(project: Any, text: str) -> None:
    project.config.write_text(project.config.read_text() + text)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(next(folder.rglob(name)), float_precision="round_trip")


def stored_plan(project: Any) -> Any:
    return json.loads((project.store_root / "uk/60_optimisation/budget_optimisation.json").read_text())


@pytest.fixture
def point_run(project: Any) -> Any:
    optimise(project)
    add(project, "outputs: {save_posterior: true}\n")
    run = project.run()
    assert run.result.success
    return run


def test_a_point_has_its_own_files_and_none_of_draws(first_run: Any, point_run: Any) -> None:
    made = names(point_run.folder)
    assert {"optimisation_runs.csv", "optimisation_best.csv", "fitted.csv", "budget_allocation.csv", "model.nc"} <= made
    assert not made & OF_DRAWS
    assert {"posterior_summary.csv", "chain_diagnostics.txt", "loo_pointwise.csv"} <= names(first_run.folder)
    assert not names(first_run.folder) & {"optimisation_runs.csv", "optimisation_best.csv"}


def test_no_file_of_a_point_has_an_interval_or_a_probability(point_run: Any, project: Any) -> None:
    folder = point_run.folder
    assert table(folder, "fitted.csv")[["sd", "q05", "q95"]].isna().all().all()
    metrics = table(folder, "fit_metrics_by_group.csv")
    assert metrics[["q05", "q95"]].isna().all().all()
    assert metrics[["mean", "q50"]].notna().all().all()
    summary = table(folder, "budget_summary.csv").iloc[0]
    assert (summary["estimate"], summary["level"], summary["reliability"]) == ("point", "model", "provisional")
    assert summary[["delta_kpi_lower", "delta_kpi_upper", "probability_beats_reference"]].isna().all()
    assert summary["delta_kpi_mean"] == summary["delta_kpi_p50"]
    document = stored_plan(project)
    assert document["budget_summary"][0]["probability_beats_split"] is None
    assert document["reasons"][-1] == "Point estimate (MAP), no uncertainty: nothing says how sure its numbers are."
    (loo,) = table(folder, "loo_summary.csv").to_dict("records")
    assert loo["status"] == "skipped"


def test_the_plan_of_draws_says_that_it_is_one(first_run: Any) -> None:
    summary = table(first_run.folder, "budget_summary.csv").iloc[0]
    assert (summary["estimate"], summary["level"]) == ("posterior", "model")
    assert summary["delta_kpi_lower"] < summary["delta_kpi_mean"] < summary["delta_kpi_upper"]


def test_the_verdict_of_a_point_rests_on_its_optimiser(point_run: Any, project: Any) -> None:
    checks = {check.check_name: check for check in point_run.result.get_asset_check_evaluations()}
    assert set(checks) == set(CHECKS)
    assert checks["optimiser_converged"].metadata["status"].value == "pass"
    assert checks["sampler_rhat_max"].metadata["status"].value == "skipped"
    convergence = json.loads(next(point_run.folder.rglob("convergence_report.json")).read_text())
    assert (convergence["converged"], convergence["computed"]) == (None, False)
    assert "point estimate" in convergence["reason"]
    pareto = json.loads(next(point_run.folder.rglob("pareto_k_summary.json")).read_text())
    assert (pareto["ok"], pareto["computed"]) == (None, False)
    stored = project.store_root / "uk/40_diagnostics/chain_diagnostics.txt"
    assert "do not apply" in stored.read_text()


def test_an_optimiser_that_did_not_converge_is_stamped_and_a_strict_gate_halts(project: Any) -> None:
    optimise(project)
    run = project.run(converges=False)
    assert run.result.success
    shown = project.record("diagnostics_report").metadata["shown"]
    assert (shown["overall"], shown["reliability"]) == ("fail", "provisional")
    document = stored_plan(project)
    assert document["reasons"][0].startswith("optimiser_converged (fail)")
    project.edit("gating: warn", "gating: strict")
    strict = project.run(converges=False)
    assert (
        "the optimiser has not been shown to converge" in strict.failure("decomposition").user_failure_data.description
    )


def test_sensitivity_is_computed_and_written_when_it_is_on(project: Any) -> None:
    optimise(project)
    add(project, SCENARIOS)
    run = project.run()
    assert run.result.success
    for name in SENSITIVITY:
        assert (run.folder / "10_pre_run" / name).is_file()
    summary = table(run.folder, "transform_sensitivity_summary.csv")
    assert list(summary["scenario"]) == ["base", "root", "logged"]
    assert set(summary["status"]) == {"ok"}
    parameters = table(run.folder, "transform_sensitivity_parameters.csv")
    base = parameters[parameters["scenario"] == "base"].set_index("parameter")["estimate"]
    best = table(run.folder, "optimisation_best.csv").set_index("parameter")["estimate"]
    pd.testing.assert_series_equal(base, best, check_exact=True)
    metrics = table(run.folder, "fit_metrics_by_group.csv").set_index("metric")["mean"]
    assert summary.loc[0, ["r2", "rmse", "smape"]].to_dict() == metrics[["r2", "rmse", "smape"]].to_dict()


@pytest.mark.parametrize("switch", ["summary", "parameters"])
def test_each_sensitivity_file_has_its_switch(project: Any, switch: str) -> None:
    optimise(project)
    add(project, f"{SCENARIOS}outputs: {{save_transform_sensitivity_{switch}_csv: false}}\n")
    run = project.run()
    assert SENSITIVITY & names(run.folder) == SENSITIVITY - {f"transform_sensitivity_{switch}.csv"}


def test_without_sensitivity_no_file_of_it_is_written(first_run: Any, point_run: Any) -> None:
    assert not SENSITIVITY & (names(first_run.folder) | names(point_run.folder))


def test_an_edited_scenario_is_fitted_again_and_the_posterior_is_reused(project: Any) -> None:
    optimise(project)
    add(project, SCENARIOS)
    project.run()
    kept = ("design_matrix", "posterior", "fitted", "diagnostics_report", "allocation")
    before = {name: project.record(name).data_version for name in (*kept, "transform_sensitivity")}
    project.edit("sqrt(spend_tv)", "log(1 + spend_tv)")
    run = project.run()
    assert run.result.success
    assert "transform_sensitivity" in run.assets("computed")
    for name in ("posterior", "prior_table", "fitted", "loo", "fit_checks", "allocation"):
        assert run.events[name] == "reused", name
    after = {name: project.record(name).data_version for name in before}
    assert {name for name in before if after[name] != before[name]} == {"transform_sensitivity"}


def test_a_sampled_fit_takes_no_notice_of_scenarios_that_are_off(project: Any) -> None:
    add(project, SCENARIOS.replace("enabled: true", "enabled: false"))
    run = project.run()
    assert run.result.success
    assert run.events["posterior"] == "reused"
    stored = {Path(name).stem for name in project.record("transform_sensitivity").files}
    assert stored == {"transform_sensitivity_status"}
