"""What bad draws do to a run: checks, stamps, and what a strict gate stops."""

from __future__ import annotations

import json

import dagster as dg
import pandas as pd
import pytest

from dsam_assets.assets.outcomes import check_document, check_result, restore_check
from dsam_assets.verdict import CHECKS, GateResult

EVIDENCE = {"posterior", "chain_diagnostics", "loo", "diagnostics_report", "residuals", "fitted", "posterior_summary"}


def strict(project) -> None:
    project.edit("gating: warn", "gating: strict")


@pytest.fixture
def halted(project):
    """A run under a strict gate whose first chain never moves."""
    strict(project)
    project.edit("seed: 7", "seed: 8")
    return project.run(stuck=True)


def test_a_strict_gate_halts_the_plan_and_keeps_the_evidence(project, halted) -> None:
    assert not halted.result.success
    failure = halted.failure("decomposition").user_failure_data  # the first decision; the others wait for it
    assert "A quality gate halts this run" in failure.description
    assert "sampler_rhat_max" in failure.description
    assert failure.metadata["exit_status"].value == 3
    assert failure.metadata["dsam_error"].value == "GateError"
    assert halted.succeeded_steps() >= EVIDENCE
    assert "run_bundle" not in halted.succeeded_steps()
    assert not halted.folder.exists()
    assert project.record("diagnostics_report").metadata["shown"]["reliability"] == "blocked"

    # A check stops only its own run; the verdict is an input, so the plan alone fails as well.
    for decision in ("allocation", "response_curves", "efficient_frontier"):
        alone = project.run(selection=[decision], stuck=True)
        assert alone.failure(decision).user_failure_data.metadata["exit_status"].value == 3

    # Nor can the last good plan be bundled with the new evidence.
    bundle = project.run(selection=["run_bundle"], stuck=True)
    assert bundle.failure("run_bundle").user_failure_data.metadata["exit_status"].value == 3
    assert not bundle.folder.exists()


def test_a_warning_gate_stamps_the_plan_provisional(project) -> None:
    project.edit("seed: 7", "seed: 8")
    run = project.run(stuck=True)
    assert run.result.success
    for name in ("budget_optimisation", "budget_response_curves", "budget_efficient_frontier"):
        stamped = json.loads((project.store_root / f"uk/60_optimisation/{name}.json").read_text())
        assert stamped["reliability"] == "provisional"
        assert stamped["diagnostics_overall"] == "fail"
        assert any("sampler_rhat_max" in reason for reason in stamped["reasons"])
    for name in ("allocation", "response_curves", "efficient_frontier"):
        assert project.record(name).metadata["shown"]["reliability"] == "provisional"
    manifest = json.loads((run.folder / "run_manifest.json").read_text())
    verdict = {"overall": "fail", "reliability": "provisional", "converged": False, "waivers": []}
    assert manifest["verdict"] == verdict
    shown = {check.check_name: check for check in run.result.get_asset_check_evaluations()}
    assert not shown["sampler_rhat_max"].passed
    assert shown["sampler_rhat_max"].severity == dg.AssetCheckSeverity.ERROR
    assert shown["sampler_divergences"].passed


def test_a_plan_older_than_its_inputs_is_not_bundled(project) -> None:
    project.edit("total: 250", "total: 260")
    everything_but_the_plan = ["resolved_config", "config/allocation", "transfer_entropy_report", "run_bundle"]
    run = project.run(selection=everything_but_the_plan)
    text = run.failure("run_bundle").user_failure_data.description
    assert "allocation is missing, or older than what it is made from" in text
    assert not run.folder.exists()


def test_a_healthy_run_is_final_or_says_why_not(first_run, project) -> None:
    manifest = json.loads((first_run.folder / "run_manifest.json").read_text())
    assert manifest["verdict"]["converged"] is True
    checks = {check.check_name: check for check in first_run.result.get_asset_check_evaluations()}
    assert set(checks) == set(CHECKS)
    assert checks["optimiser_converged"].metadata["status"].value == "skipped"
    assert checks["sampler_rhat_max"].passed
    assert checks["prior_predictive_plausibility"].asset_key == dg.AssetKey("prior_predictive")
    verdict = {"overall": "pass", "reliability": "final", "converged": True, "waivers": []}
    assert manifest["verdict"] == verdict
    report = pd.read_csv(next(first_run.folder.rglob("diagnostics_report.csv"))).set_index("check_id")
    told = {name: check.metadata["status"].value for name, check in checks.items() if CHECKS[name].phase != "P2"}
    assert report["status"].to_dict() == told  # what changed since another fit is no part of this one's verdict


def test_priors_that_rule_out_the_data_reach_the_verdict(project) -> None:
    project.edit("mean: 0, sd: 50", "mean: 900000, sd: 1")
    run = project.run()
    assert run.result.success
    checks = {check.check_name: check for check in run.result.get_asset_check_evaluations()}
    judged = checks["prior_predictive_plausibility"]
    assert (judged.passed, judged.metadata["status"].value) == (False, "warn")  # explore cannot fail it
    manifest = json.loads((run.folder / "run_manifest.json").read_text())
    assert manifest["verdict"]["overall"] == "warn"
    summary = pd.read_csv(next(run.folder.rglob("prior_predictive_summary.csv"))).set_index("metric")
    assert summary["value"]["share_inside"] == pytest.approx(judged.metadata["value"].value)
    assert not summary["reaches_limit"]["share_inside"]


def row(status: str) -> GateResult:
    return GateResult(
        gate="g2", check_id="sampler_rhat_max", phase="P1", severity="important", metric="max_rhat", value=1.2,
        threshold="warn > 1.01", status=status, subject="model", message="R-hat is 1.2.", advice="Run longer.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "mode", "passed", "severity"),
    [
        ("pass", "publish", True, "WARN"),
        ("skipped", "publish", True, "WARN"),
        ("warn", "publish", False, "WARN"),
        ("fail", "explore", False, "ERROR"),
        ("not_computed", "explore", False, "WARN"),
        ("not_computed", "publish", False, "ERROR"),
    ],
)
def test_checks_mirror_the_rows(status: str, mode: str, passed: bool, severity: str) -> None:
    check = check_result(row(status), mode)
    assert (check.passed, check.severity) == (passed, dg.AssetCheckSeverity[severity])
    assert check.metadata["status"].value == status
    assert check.metadata["advice"].value == "Run longer."


def test_a_stored_check_is_the_same_check() -> None:
    check = check_result(row("warn"), "publish")
    assert restore_check(json.loads(json.dumps(check_document(check)))) == check
