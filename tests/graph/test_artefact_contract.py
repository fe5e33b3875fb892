"""A run folder holds exactly the files that the table of artefacts promises: by layout, by switch, by kind of run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_contract import POINT, SAMPLED, held, promised

from dsam_assets.config.schema_outputs import OutputsSection
from dsam_assets.config.slices import ReportSlice
from dsam_assets.report.artefacts import ARTEFACTS
from resources.run_folder import write_run_folder

# What is written when the market was fitted before.
REFIT = {"drift", "drift_media", "drift_drawn"}
SWITCHES = sorted({switch for artefact in ARTEFACTS for switch in artefact.switches})


def written(project, target: Path, **outputs: Any) -> set[str]:
    """The run folder of the stored results under other outputs."""
    section = OutputsSection.model_validate(outputs)
    report = ReportSlice.model_validate({"name": "uk", "outputs": section.model_dump()})
    return held(write_run_folder(project.store, "uk", report, target, status="complete").path)


def test_a_run_holds_what_is_promised_and_no_more(first_run) -> None:
    assert held(first_run.folder) == promised(SAMPLED)


@pytest.mark.parametrize("layout", ["staged", "flat", "stage_gated"])
def test_every_layout_holds_what_is_promised(layout: str, project, tmp_path: Path) -> None:
    everything = dict.fromkeys(SWITCHES, True)
    assert written(project, tmp_path / "run", layout=layout) == promised(SAMPLED, layout=layout)
    found = written(project, tmp_path / "all", layout=layout, **everything)
    assert found == promised(SAMPLED, layout=layout, **everything)
    assert ("/" in "".join(found)) == (layout != "flat")


def test_with_everything_switched_off_the_rest_is_promised(project, tmp_path: Path) -> None:
    nothing = dict.fromkeys(SWITCHES, False)
    found = written(project, tmp_path / "run", **nothing)
    assert found == promised(SAMPLED, **nothing)
    assert "00_run_metadata/config.resolved.yaml" in found
    assert "20_model_fit/model.nc" not in found


@pytest.mark.slow
def test_a_point_estimate_of_a_logged_response(project) -> None:
    project.edit("kpi ~", "log(kpi) ~")
    project.edit("fit:\n", f"{SCENARIOS}fit:\n  method: optimise\n  optimise: {{n_runs: 2}}\n")
    project.edit("  budget: {total: 250}\n", "  budget: {total: 250}\n  objective: {kpi_baseline: 200}\n")
    assert held(project.run().folder) == promised(POINT | {"log_response", "sensitivity", *REFIT})


SCENARIOS = """\
transforms:
  sensitivity: {enabled: true, scenarios: [{name: no_trend, formula: log(kpi) ~ m_tv + m_search}]}
"""
FOLDS_AND_WAIVERS = """\
diagnostics:
  time_series_selection: {enabled: true, n_folds: 2, save_pointwise: true}
  waivers: [{check: sampler_rhat_max, who: A. Nalyst, why: a test, expires: "2999-12-31"}]
"""


@pytest.mark.slow
def test_a_run_with_folds_and_a_waiver(project) -> None:
    project.edit("diagnostics:\n", FOLDS_AND_WAIVERS)
    asked = {"tscv", "tscv_folds", "tscv_drawn", "tscv_pointwise", "waivers"}
    assert held(project.run().folder) == promised(SAMPLED | asked)


@pytest.mark.slow
def test_a_run_without_channels_or_plan(project) -> None:
    text = project.config.read_text()
    project.config.write_text(text[: text.index("allocation:")])
    assert held(project.run().folder) == promised(
        SAMPLED - {"spend", "varying_spend", "allocation", "sampled_allocation"}
    )
