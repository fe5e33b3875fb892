"""What follows a failed gate: halted, stamped, let through by a waiver, and halted again after its last day."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import dagster as dg
import pandas as pd
import pytest

import dsam_assets.staleness
from dsam_assets.assets.market_asset import REFRESH_TAG
from dsam_assets.config.slices import SLICES
from dsam_assets.staleness import MarketState, market_state
from resources.catalogue import ConfigCatalogue

LAST_DAY = dt.date(2026, 3, 31)
NEXT_DAY = dt.date(2026, 4, 1)
FAILING = ("sampler_rhat_max", "sampler_ess_bulk_min")  # what a chain that never moves fails under explore
CONFIG = {"resolved_config", *(f"config/{name}" for name in SLICES)}
EVIDENCE = {"posterior", "loo", "tscv", "pre_run_checks", "fit_checks", "postfit_checks"}


def waivers(expires: dt.date = LAST_DAY, checks: tuple[str, ...] = FAILING) -> str:
    rows = [f"    - {{check: {check}, who: A. Lead, why: pilot, expires: {expires}}}\n" for check in checks]
    return "  waivers:\n" + "".join(rows)


def gate(project: Any, text: str) -> None:
    """Another fit, whose first chain never moves, under these keys of `diagnostics`."""
    project.edit("seed: 7", "seed: 8")
    project.edit("  gating: warn\n", text)


def look(project: Any, monkeypatch: pytest.MonkeyPatch, day: dt.date) -> MarketState:
    """What `dsam status` says on a day."""
    monkeypatch.setattr(dsam_assets.staleness, "utc_today", lambda: day)
    return market_state(project.store, ConfigCatalogue(folder=str(project.folder)), "uk")


def halted(run: Any, step: str) -> str:
    """The message of a step that a gate halted."""
    failure = run.failure(step).user_failure_data
    assert failure.metadata["exit_status"].value == 3
    assert failure.metadata["dsam_error"].value == "GateError"
    return str(failure.description)


def read(project: Any, path: str) -> Any:
    return json.loads((project.store_root / "uk" / path).read_text())


def test_a_waiver_lets_a_strict_gate_through_until_its_last_day(project, monkeypatch) -> None:
    gate(project, "  gating: strict\n" + waivers())
    run = project.run(stuck=True, today=LAST_DAY)
    assert run.result.success
    assert_shown_everywhere(project, run)

    again = project.run(stuck=True, today=LAST_DAY)
    assert again.events["diagnostics_report"] == "unchanged"
    assert again.events["allocation"] == "reused"

    assert look(project, monkeypatch, LAST_DAY).condition == "current"
    state = look(project, monkeypatch, NEXT_DAY)
    assert set(state.causes) == {"a waiver ended on 2026-03-31"}
    assert {"diagnostics_report", "allocation"} <= set(state.stale)
    assert not EVIDENCE & set(state.stale)

    # The day after, nothing else has changed: neither the stored plan nor its verdict may be used.
    for step in ("allocation", "run_bundle"):
        alone = project.run(selection=[step], stuck=True, today=NEXT_DAY)
        assert "rests on a waiver that has expired" in halted(alone, step)
        assert alone.events == {}
        assert not alone.folder.exists()

    late = project.run(stuck=True, today=NEXT_DAY, tags={REFRESH_TAG: "true"})  # a refresh looks at the day as well
    assert "A waiver by A. Lead expired on 2026-03-31." in halted(late, "decomposition")
    assert late.assets("reused") >= EVIDENCE
    assert late.events["diagnostics_report"] == "computed"
    assert "run_bundle" not in late.succeeded_steps()
    assert "expired: sampler_rhat_max" in (project.store_root / "uk/40_diagnostics/diagnostics_summary.txt").read_text(
        encoding="utf-8"
    )
    assert "has not been shown to converge" in halted(
        project.run(selection=["allocation"], stuck=True, today=NEXT_DAY), "allocation"
    )

    # A new waiver is a decision, not a fit: only what shows it is made again.
    project.edit(waivers(), waivers(dt.date(2026, 6, 30)))
    renewed = project.run(stuck=True, today=NEXT_DAY)
    assert renewed.result.success
    assert renewed.assets("reused") >= EVIDENCE
    assert {"diagnostics_report", "allocation", "run_bundle"} <= renewed.assets("computed")
    assert "until 2026-06-30" in read(project, "60_optimisation/budget_optimisation.json")["reasons"][0]


def assert_shown_everywhere(project: Any, run: Any) -> None:
    """The waivers, in what an analyst opens and what a script reads; and nothing that reads as converged."""
    verdict = json.loads((run.folder / "run_manifest.json").read_text())["verdict"]
    assert (verdict["overall"], verdict["reliability"], verdict["converged"]) == ("warn", "provisional", False)
    assert [(each["check"], each["expires"], each["state"]) for each in verdict["waivers"]] == [
        (check, "2026-03-31", "applied") for check in FAILING
    ]
    plan = read(project, "60_optimisation/budget_optimisation.json")
    assert (plan["reliability"], plan["diagnostics_overall"]) == ("provisional", "warn")
    assert "Waived by A. Lead until 2026-03-31: pilot." in plan["reasons"][0]
    (summary,) = pd.read_csv(run.folder / "60_optimisation/budget_summary.csv").to_dict("records")
    assert summary["waived"].startswith("sampler_rhat_max waived by A. Lead until 2026-03-31; ")

    folder = run.folder / "40_diagnostics"
    rows = pd.read_csv(folder / "diagnostics_report.csv").set_index("check_id")
    told = rows.loc[FAILING[0], ["status", "original_status", "waived_by", "waived_until", "waiver_reason"]]
    assert list(told) == ["warn", "fail", "A. Lead", "2026-03-31", "pilot"]
    assert rows["waived_by"].count() == len(FAILING)
    assert list(pd.read_csv(folder / "waivers.csv")["state"]) == ["applied", "applied"]
    convergence = json.loads((folder / "convergence_report.json").read_text())
    assert convergence["converged"] is False
    assert convergence["checks"][0]["waived"]["original_status"] == "fail"

    check = {each.check_name: each for each in run.result.get_asset_check_evaluations()}[FAILING[0]]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["waived_by"].value == "A. Lead"
    assert check.metadata["original_status"].value == "fail"


def test_off_stamps_and_the_publish_gate_halts_until_every_failure_is_waived(project) -> None:
    gate(project, "  gating: off\n")
    run = project.run(stuck=True)
    assert run.result.success
    plan = read(project, "60_optimisation/budget_optimisation.json")
    assert (plan["reliability"], plan["diagnostics_overall"]) == ("provisional", "fail")

    project.edit("  gating: off\n", "  gating: off\n  enforce_publish_gate: true\n" + waivers(checks=FAILING[:1]))
    enforced = project.run(stuck=True, today=LAST_DAY)
    message = halted(enforced, "decomposition")
    assert "diagnostics.enforce_publish_gate: true" in message
    assert "sampler_ess_bulk_min (fail)" in message
    assert enforced.assets("reused") >= EVIDENCE

    project.edit(waivers(checks=FAILING[:1]), waivers())
    waived = project.run(stuck=True, today=LAST_DAY)
    assert waived.result.success
    assert read(project, "60_optimisation/budget_optimisation.json")["reliability"] == "provisional"


def test_only_the_plan_again_after_a_failed_gate_is_stamped_under_warn(project) -> None:
    gate(project, "  gating: warn\n")
    made = [*CONFIG, *EVIDENCE, "design_matrix", "diagnostics_report"]
    evidence = project.run(selection=made, stuck=True)
    assert evidence.result.success
    before = read(project, "60_optimisation/budget_optimisation.json")
    alone = project.run(selection=["allocation"], stuck=True)
    assert alone.events == {"allocation": "computed"}
    after = read(project, "60_optimisation/budget_optimisation.json")
    assert (before["diagnostics_overall"], after["diagnostics_overall"]) == ("pass", "fail")
    assert after["reliability"] == "provisional"
    assert after["reasons"][0].startswith("sampler_rhat_max (fail)")
