"""What a run computes again after an edit, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest

from dsam_assets.assets.market_asset import FORCE_TAG

ALWAYS_LOOKED_AT = {
    "resolved_config",
    "model_frame",
    "holiday_features",
    "pooling_map",
    "data_dictionary",
    "session_info",
    "diagnostics_report",
    "future_frame",
}
SLICES = {
    f"config/{name}"
    for name in (
        "data", "formula", "priors", "fit", "diagnostics", "gating", "allocation", "decomposition", "forecast", "plots",
        "report",
    )
}  # fmt: skip
BELOW_POSTERIOR = {
    "fit_metrics", "posterior_summary", "fitted", "residuals", "fit_checks", "postfit_checks", "chain_diagnostics",
    "loo", "diagnostics_report", "decomposition", "refresh_drift", "allocation", "response_curves",
    "efficient_frontier", "run_bundle", "model_fit_plots", "diagnostics_plots", "model_selection_plots",
    "post_run_plots", "optimisation_plots", "report",
    "forecast", "forecast_plots",
}  # fmt: skip
READS_THE_FRAME = {
    "transform_sensitivity", "tscv", "postfit_checks",
    "model_frame", "holiday_features", "design_matrix", "data_dictionary", "spec_summary", "fitted", "observed",
    "residuals", "loo", "decomposition", "refresh_drift", "allocation", "run_bundle", "pre_run_checks",
    "stationarity_report", "transfer_entropy_report", "prior_predictive", "pre_run_plots", "response_curves",
    "efficient_frontier", "future_frame", "forecast",
}  # fmt: skip


READS_THE_CHANNELS = {"pre_run_checks", "transfer_entropy_report", "allocation"}


def test_the_first_run_computes_everything(first_run, project, specs) -> None:
    assert first_run.result.success
    assert len(first_run.assets("computed")) == len(specs())
    for asset in first_run.events:
        assert project.record(asset).files


def test_the_second_run_reuses_everything(project, specs) -> None:
    records, files = project.stored_files("*.json"), project.stored_files("*")
    run = project.run()
    assert run.result.success
    assert run.assets("unchanged") == ALWAYS_LOOKED_AT
    assert run.assets("computed") == {"run_bundle"}
    assert len(run.assets("reused")) == len(specs()) - len(ALWAYS_LOOKED_AT) - len({"run_bundle"})
    changed = {name for name, stored in project.stored_files("*").items() if stored != files[name]}
    assert changed == {"run_bundle.json"}
    assert len(records) > 30


def test_a_reused_asset_says_so_and_reports_its_checks_again(project) -> None:
    run = project.run(selection=["pre_run_checks"])
    (made,) = run.result.asset_materializations_for_node("pre_run_checks")
    assert made.metadata["reused"].value is True
    checks = run.result.get_asset_check_evaluations()
    assert {check.check_name for check in checks} == {
        "pre_response_finite", "pre_design_constants_duplicates", "pre_design_rank_deficit",
        "pre_design_condition_number", "pre_identification",
        "pre_weeks_per_parameter", "pre_weeks_of_data", "pre_spend_without_exposure", "pre_literal_missing",
        "pre_week_anchor", "pre_week_gaps",
    }  # fmt: skip
    assert all(check.passed for check in checks)


@pytest.fixture
def versions(project) -> Callable[[], set[str]]:
    """Names of the assets whose content has changed since the first run."""
    names = [*ALWAYS_LOOKED_AT, *SLICES, *BELOW_POSTERIOR, *READS_THE_FRAME, "posterior", "prior_table", "vif_report"]
    before = {name: project.record(name).data_version for name in names}
    return lambda: {name for name in before if project.record(name).data_version != before[name]}


def test_a_comment_in_the_config_refits_nothing(project, versions) -> None:
    project.edit("model:\n", "# the best market\nmodel:\n")
    run = project.run()
    assert run.assets("computed") == {"resolved_config", *SLICES, "run_bundle"}
    assert versions() == {"resolved_config", "run_bundle"}


def test_an_edit_of_the_allocation_block_plans_again_and_does_not_refit(project, versions) -> None:
    project.edit("total: 250", "total: 260")
    run = project.run()
    assert run.result.success
    planned = {"allocation", "response_curves", "efficient_frontier"}
    drawn = {"model_fit_plots", "pre_run_plots", "optimisation_plots", "report"}
    remade = {"resolved_config", *SLICES, *READS_THE_CHANNELS, *planned, *drawn, "forecast", "run_bundle"}
    assert run.assets("computed") == remade
    assert run.events["posterior"] == "reused"
    drawn_otherwise = {"optimisation_plots", "report"}
    assert versions() == {"resolved_config", "config/allocation", *planned, *drawn_otherwise, "run_bundle"}


def test_an_edited_prior_refits(project, versions) -> None:
    project.edit("mean: 0, sd: 50", "mean: 0, sd: 0.5")
    run = project.run()
    assert run.result.success
    read = {
        "prior_table", "prior_predictive", "pre_run_plots", "transform_assumptions", "transform_sensitivity", "tscv",
        "posterior",
    }  # fmt: skip
    refitted = {"resolved_config", *SLICES, *read, *BELOW_POSTERIOR}
    assert run.assets("computed") == refitted
    assert versions() >= {"config/priors", "prior_table", "posterior", "fitted", "allocation"}
    assert not versions() & {"config/data", "config/fit", "model_frame", "design_matrix", "observed"}


def edit_data(project, column: str, change: float) -> None:
    frame = pd.read_csv(project.data)
    frame.loc[3, column] += change
    frame.to_csv(project.data, index=False, lineterminator="\n")


def test_a_changed_cell_of_a_modelled_column_refits(project, versions) -> None:
    edit_data(project, "kpi", 25.0)
    run = project.run()
    assert run.result.success
    assert {"model_frame", "design_matrix", "posterior", *BELOW_POSTERIOR} <= run.assets("computed")
    assert {"model_frame", "design_matrix", "posterior", "fitted", "observed"} <= versions()
    assert run.assets("reused") >= SLICES


def test_a_changed_cell_of_an_unused_column_does_not_refit(project, versions) -> None:
    edit_data(project, "note", 1)
    run = project.run()
    assert run.result.success
    assert run.assets("computed") == {*READS_THE_FRAME, "transform_assumptions", "session_info"}
    assert run.events["posterior"] == "reused"
    # The dictionary describes every column, and the session names the data's fingerprint.
    assert versions() == {"model_frame", "data_dictionary", "session_info", "run_bundle"}


def test_a_rewritten_data_file_with_the_same_values_only_updates_its_hash(project) -> None:
    before = project.record("model_frame")
    project.data.write_bytes(project.data.read_bytes().replace(b"\n", b"\r\n"))
    run = project.run(selection=["model_frame", "design_matrix"])
    after = project.record("model_frame")
    assert run.events["design_matrix"] == "reused"
    assert after.data_version == before.data_version
    assert after.metadata["shown"]["sha256"] != before.metadata["shown"]["sha256"]


def test_another_stan_shows_in_the_session_info_and_does_not_refit(project) -> None:
    run = project.run(selection=["session_info", "posterior"], version="9.9.9")
    assert "stan_version: 9.9.9\n" in (project.store_root / "uk/00_run_metadata/session_info.txt").read_text()
    assert run.events["posterior"] == "reused"


def test_the_force_tag_computes_everything_again(project) -> None:
    before = project.record("posterior")
    run = project.run(tags={FORCE_TAG: "true"})
    assert run.result.success
    assert run.assets("reused") == set()
    assert run.events["posterior"] == "unchanged"  # the same seed gives the same draws
    assert project.record("posterior").data_version == before.data_version


def test_a_damaged_file_is_named_and_the_advice_repairs_it(project) -> None:
    path = project.store_root / "uk" / "20_model_fit" / "posterior.nc"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    bad = project.run(selection=["fit_metrics"])
    assert not bad.result.success
    data = bad.failure("fit_metrics")
    text = data.user_failure_data.description
    assert "posterior.nc of posterior does not match its checksum" in text
    assert "dsam/force=true" in text
    assert data.user_failure_data.metadata["exit_status"].value == 2
    good = project.run(selection=["posterior", "fit_metrics"], tags={FORCE_TAG: "true"})
    assert good.result.success
    assert path.read_bytes() == whole


def test_a_missing_file_is_made_again(project) -> None:
    path = project.store_root / "uk" / "20_model_fit" / "fit_metrics.parquet"
    path.unlink()
    run = project.run(selection=["fit_metrics", "posterior"])
    assert run.events == {"fit_metrics": "computed", "posterior": "reused"}
    assert path.exists()


def test_a_damaged_record_is_named(project) -> None:
    path = project.store_root / "uk" / ".records" / "fit_metrics.json"
    path.write_text("{")
    run = project.run(selection=["fit_metrics"])
    text = run.failure("fit_metrics").user_failure_data.description
    assert "The record of fit_metrics is damaged." in text
    assert str(path) in text


def test_an_asset_without_its_upstream_says_what_is_missing(project) -> None:
    (project.store_root / "uk" / ".records" / "posterior.json").unlink()
    run = project.run(selection=["fit_metrics"])
    text = run.failure("fit_metrics").user_failure_data.description
    assert "posterior of market uk has not been materialised yet" in text


def test_the_record_says_which_inputs_made_it(project) -> None:
    record = project.record("posterior")
    assert dict(record.inputs) == {
        "design_matrix": project.record("design_matrix").data_version,
        "config/priors": project.record("config/priors").data_version,
        "config/fit": project.record("config/fit").data_version,
    }
    assert json.loads(json.dumps(record.metadata["shown"]))["seed"] == 7
