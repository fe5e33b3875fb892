"""What the checks add up to, and what the policy lets happen."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dsam_assets.diagnostics.gate_table import COLUMNS, WAIVER_COLUMNS
from dsam_assets.diagnostics.gates import optimiser_gate, pareto_k_gate, sampler_gates, skipped_gates
from dsam_assets.diagnostics.report import (
    DiagnosticsReport,
    build_report,
    convergence_json,
    enforce,
    pareto_k_json,
    report_from_frame,
    summary_text,
)
from dsam_assets.diagnostics.thresholds import DRAWS_CHECKS, POINT_CHECKS, SAMPLER_CHECKS
from dsam_assets.errors import GateError, StoreError
from dsam_assets.fit.draws import Draws
from dsam_assets.verdict import GateResult, Gating, PolicyMode, Status

Make = Callable[..., Draws]


def rows_with(draws: Draws, status: dict[str, Status]) -> tuple[GateResult, ...]:
    """Healthy rows with some statuses overwritten."""
    rows = (*sampler_gates(draws, "publish"), pareto_k_gate(np.array([0.2]), warn=0.7, fail=np.inf))
    return tuple(
        replace(row, status=status[row.check_id], value=None if status[row.check_id] == "not_computed" else 1.0)
        if row.check_id in status
        else row
        for row in rows
    )


@pytest.fixture
def report_with(make_draws: Make) -> Callable[..., DiagnosticsReport]:
    def build(
        mode: PolicyMode = "publish", gating: Gating = "warn", publish_gate: bool = False, **status: Status
    ) -> DiagnosticsReport:
        return build_report(rows_with(make_draws(), status), mode, gating, publish_gate)

    return build


Build = Callable[..., DiagnosticsReport]


def halts(report: DiagnosticsReport) -> bool:
    try:
        enforce(report)
    except GateError:
        return True
    return False


def test_all_pass_is_final(report_with: Build) -> None:
    report = report_with(gating="strict", publish_gate=True)
    assert (report.overall, report.converged, report.reliability, report.reasons) == ("pass", True, "final", ())
    assert not halts(report)


@pytest.mark.parametrize("check_id", ["sampler_rhat_max", "sampler_ess_tail_min", "sampler_divergences"])
@pytest.mark.parametrize(
    ("gating", "publish_gate", "reliability"),
    [
        ("off", False, "provisional"),
        ("warn", False, "provisional"),
        ("strict", False, "blocked"),
        ("warn", True, "blocked"),
        ("off", True, "blocked"),
    ],
)
def test_failed_convergence(
    report_with: Build, check_id: str, gating: Gating, publish_gate: bool, reliability: str
) -> None:
    report = report_with(gating=gating, publish_gate=publish_gate, **{check_id: "fail"})
    assert (report.overall, report.converged, report.reliability) == ("fail", False, reliability)
    assert halts(report) == (reliability == "blocked")
    assert report.reasons[0].startswith(f"{check_id} (fail): ")


def test_warning_is_converged_but_provisional(report_with: Build) -> None:
    report = report_with(gating="strict", publish_gate=True, sampler_rhat_max="warn")
    assert (report.overall, report.converged, report.reliability) == ("warn", True, "provisional")
    assert not halts(report)


@pytest.mark.parametrize("check_id", ["sampler_treedepth_frac", "loo_pareto_k"])
def test_other_failures_do_not_decide_convergence(report_with: Build, check_id: str) -> None:
    report = report_with(gating="strict", **{check_id: "fail"})
    assert (report.overall, report.converged, report.reliability) == ("fail", True, "provisional")
    assert not halts(report)
    assert halts(report_with(publish_gate=True, **{check_id: "fail"}))


@pytest.mark.parametrize(("mode", "overall"), [("explore", "warn"), ("publish", "fail"), ("strict", "fail")])
def test_not_computed_is_never_converged(report_with: Build, mode: PolicyMode, overall: str) -> None:
    report = report_with(mode=mode, gating="strict", sampler_ebfmi_min="not_computed")
    assert (report.overall, report.converged, report.reliability) == (overall, False, "blocked")
    assert halts(report)


def test_absent_checks_are_not_converged() -> None:
    report = build_report([pareto_k_gate(np.array([0.2]), warn=0.7, fail=1)], "publish", "strict", False)
    assert report.converged is False
    assert halts(report)
    assert "sampler_rhat_max" in report.reasons[-1]


def point_report(point: Draws, mode: PolicyMode = "publish", gating: Gating = "strict") -> DiagnosticsReport:
    rows = (optimiser_gate(point, mode), *skipped_gates(DRAWS_CHECKS, "a point has no draws"))
    return build_report(rows, mode, gating, False)


def test_point_estimate_is_never_final_and_does_not_halt(make_point: Make) -> None:
    report = point_report(make_point())
    assert (report.overall, report.converged, report.reliability) == ("pass", None, "provisional")
    assert report.is_point
    assert report.reasons == ("Point estimate (MAP), no uncertainty: nothing says how sure its numbers are.",)
    assert not halts(report)
    assert "reliability: provisional (point estimate (MAP), no uncertainty)\n" in summary_text(report)


def test_point_estimate_that_did_not_converge_is_seen_and_halts_a_strict_gate(make_point: Make) -> None:
    report = point_report(make_point(0), gating="warn")
    assert (report.overall, report.converged, report.reliability) == ("fail", None, "provisional")
    assert report.reasons[0].startswith("optimiser_converged (fail): ")
    assert report.reasons[1].startswith("Point estimate")
    assert not halts(report)
    strict = point_report(make_point(0))
    assert strict.reliability == "blocked"
    with pytest.raises(GateError, match="optimiser has not been shown to converge") as caught:
        enforce(strict)
    assert "fit.optimise.iter" in str(caught.value.fix)
    assert halts(point_report(make_point(None), "explore")), "unknown is not shown"
    alone = build_report(skipped_gates(DRAWS_CHECKS, "a point"), "explore", "strict", False)
    assert halts(alone), "a check that is absent shows nothing"


def test_a_sampled_fit_is_not_judged_by_an_optimiser(report_with: Build) -> None:
    rows = (*report_with().results, *skipped_gates(POINT_CHECKS, "sampled"))
    report = build_report(rows, "publish", "strict", True)
    assert (report.overall, report.converged, report.reliability) == ("pass", True, "final")
    assert not report.is_point
    checks = [check["check_id"] for check in convergence_json(report)["checks"]]
    assert checks == list(SAMPLER_CHECKS)


def test_json_of_a_point_estimate_says_why_nothing_was_computed(make_point: Make) -> None:
    content = convergence_json(point_report(make_point()))
    assert (content["converged"], content["computed"]) == (None, False)
    assert content["reason"] == "Does not apply: a point has no draws."
    assert [check["check_id"] for check in content["checks"]] == [*SAMPLER_CHECKS, "optimiser_converged"]
    assert [check["status"] for check in content["checks"]] == ["skipped"] * 6 + ["pass"]
    pareto = pareto_k_json(point_report(make_point()))
    assert (pareto["ok"], pareto["computed"], pareto["counts"]) == (None, False, None)
    assert pareto["reason"] == "Does not apply: a point has no draws."


def test_empty_report_is_not_a_pass() -> None:
    report = build_report([], "explore", "warn", False)
    assert (report.overall, report.converged, report.reliability) == ("fail", False, "provisional")


def test_gate_error_says_what_failed_and_what_to_do(report_with: Build) -> None:
    report = report_with(gating="strict", sampler_divergences="fail", sampler_rhat_max="warn")
    with pytest.raises(GateError, match="has not been shown to converge") as caught:
        enforce(report)
    assert caught.value.exit_status == 3
    assert "sampler_divergences (fail)" in str(caught.value.got)
    assert "sampler_rhat_max" not in str(caught.value.got)


def test_convergence_json_is_strict_json(report_with: Build, make_draws: Make, overwrite: Make) -> None:
    content = convergence_json(report_with(sampler_rhat_max="not_computed"))
    assert (content["converged"], content["computed"]) == (False, False)
    assert content["reason"] == next(row.message for row in report_with().results if row.check_id == "sampler_rhat_max")
    rhat = content["checks"][0]
    assert (rhat["check_id"], rhat["computed"], rhat["value"]) == ("sampler_rhat_max", False, None)
    assert [check["gate"] for check in content["checks"]] == ["g2", "g3", "g3", "g4", "g4", "g7"]
    stuck = build_report(sampler_gates(overwrite(make_draws(), 1, 0, 5.0), "publish"), "publish", "warn", False)
    assert convergence_json(stuck)["computed"] is True
    assert convergence_json(stuck)["reason"] is None
    assert json.loads(json.dumps(convergence_json(stuck), allow_nan=False))["checks"][0]["value"] == "inf"


@pytest.mark.parametrize(
    ("status", "ok", "computed"),
    [("pass", True, True), ("warn", False, True), ("fail", False, True), ("not_computed", None, False)],
)
def test_pareto_k_json(report_with: Build, status: Status, ok: bool | None, computed: bool) -> None:
    content = pareto_k_json(report_with(loo_pareto_k=status))
    assert (content["ok"], content["computed"], content["counts"]) == (ok, computed, None)


def test_pareto_k_json_without_the_check(make_draws: Make) -> None:
    content = pareto_k_json(build_report(sampler_gates(make_draws(), "publish"), "publish", "warn", False))
    assert (content["ok"], content["computed"], content["check"]) == (None, False, None)
    assert content["reason"] == "loo_pareto_k is absent."


def test_summary_text(report_with: Build) -> None:
    text = summary_text(report_with(sampler_divergences="fail", sampler_rhat_max="warn", loo_pareto_k="not_computed"))
    lines = text.splitlines()
    assert lines[0] == "overall_status: fail"
    assert {"pass: 4", "warn: 1", "fail: 1", "skipped: 0", "not_computed: 1", "converged: false"} <= set(lines)
    assert text.index("[fail] g4 sampler_divergences") < text.index("[not_computed] g6") < text.index("[warn] g2")


def test_table_round_trip(report_with: Build) -> None:
    report = report_with(sampler_divergences="fail", loo_pareto_k="not_computed")
    frame = report.to_frame()
    assert tuple(frame.columns) == (*COLUMNS, *WAIVER_COLUMNS)
    assert list(frame["original_status"]) == list(frame["status"])
    assert frame["value"].dtype == np.float64
    assert np.isnan(frame.loc[frame["check_id"] == "loo_pareto_k", "value"]).all()
    text = frame.to_csv(index=False)
    for stored in (frame, pd.read_csv(io.StringIO(text), float_precision="round_trip")):
        assert report_from_frame(stored, "publish", "warn", False) == report
    assert report_from_frame(frame, "publish", "strict", False).reliability == "blocked"


def test_empty_table() -> None:
    frame = build_report([], "publish", "warn", False).to_frame()
    assert tuple(frame.columns) == (*COLUMNS, *WAIVER_COLUMNS)
    assert report_from_frame(frame, "publish", "warn", False).results == ()


def test_damaged_table(report_with: Build) -> None:
    frame = report_with().to_frame()
    with pytest.raises(StoreError, match="damaged") as caught:
        report_from_frame(frame.drop(columns="status"), "publish", "warn", False)
    assert "status" in str(caught.value.got)
    with pytest.raises(StoreError, match="damaged"):
        report_from_frame(frame.assign(status="passed"), "publish", "warn", False)
