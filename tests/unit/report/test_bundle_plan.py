"""Which files a run folder holds."""

from __future__ import annotations

from typing import Any

import pytest

from dsam_assets.config.schema_outputs import OutputsSection
from dsam_assets.report.artefacts import ARTEFACTS, ASSET_STAGES, STAGE_GATED_FOLDERS, STAGED_FOLDERS, folder
from dsam_assets.report.bundle import join, plan_files, recognised_names
from dsam_assets.report.figures.catalogue import DRAWINGS

SWITCHES = sorted({switch for artefact in ARTEFACTS for switch in artefact.switches})


def outputs(**values: Any) -> OutputsSection:
    return OutputsSection.model_validate(values)


def everything_on(**values: Any) -> OutputsSection:
    return outputs(**{**dict.fromkeys(SWITCHES, True), **values})


OPTIMISED = {"optimisation_runs.csv", "optimisation_best.csv"}
FIGURES = {f"{drawing.name}.{kind}" for drawing in DRAWINGS for kind in ("html", "png")}
OF_DRAWS = {artefact.file for artefact in ARTEFACTS if artefact.condition == "sampled"}


def all_stored(*, point: bool = False) -> dict[str, dict[str, str]]:
    """A store in which every asset was made with all the files that a fit by sampling, or of a point, can have."""
    stored: dict[str, dict[str, str]] = {"design_matrix": {"design_matrix.parquet": "h"}}
    for artefact in ARTEFACTS:
        if point or artefact.member not in OPTIMISED:
            stored.setdefault(artefact.asset, {})[artefact.member] = "h"
    return stored


def names(section: OutputsSection, stored: Any = None, *, log_response: bool = True) -> set[str]:
    planned = plan_files(section, all_stored() if stored is None else stored, log_response=log_response)
    return {file.artefact.file for file in planned}


def test_everything_on_plans_every_artefact() -> None:
    everything = {artefact.file for artefact in ARTEFACTS}
    assert names(everything_on()) == everything - OPTIMISED
    assert names(everything_on(), all_stored(point=True)) == everything - OF_DRAWS


def test_what_describes_draws_is_for_sampled_fits() -> None:
    assert sorted(OF_DRAWS - FIGURES) == ["chain_diagnostics.txt", "posterior.nc", "posterior_summary.csv"]


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_turns_off_its_files_and_no_others(switch: str) -> None:
    off = {artefact.file for artefact in ARTEFACTS if artefact.switches == (switch,)}
    assert off
    assert names(everything_on()) - names(everything_on(**{switch: False})) == off


def test_metrics_are_for_whoever_asks_for_anything_fitted() -> None:
    keys = ["save_fitted_csv", "save_fit_png", "save_residuals_csv", "save_diagnostics_png"]
    for key in keys:
        assert "fit_metrics_by_group.csv" in names(everything_on(**(dict.fromkeys(keys, False) | {key: True})))
    assert "fit_metrics_by_group.csv" not in names(everything_on(**dict.fromkeys(keys, False)))


def test_every_switch_is_a_key_of_the_config() -> None:
    assert set(SWITCHES) <= set(OutputsSection.model_fields)


def test_configs_and_the_verdict_cannot_be_switched_off() -> None:
    kept = names(everything_on(**dict.fromkeys(SWITCHES, False)))
    assert kept >= {
        "config.original.yaml", "config.resolved.yaml", "prior_table.csv", "convergence_report.json",
        "pareto_k_summary.json",
    }  # fmt: skip
    assert kept == {artefact.file for artefact in ARTEFACTS if not artefact.switches} - OPTIMISED


def test_kpi_files_are_for_log_responses() -> None:
    kpi = {"observed_kpi.csv", "fitted_kpi.csv", "residuals_latent.csv", "prior_predictive_rows_kpi.csv"}
    assert names(everything_on()) - names(everything_on(), log_response=False) - FIGURES == kpi


def test_what_was_not_made_is_not_planned() -> None:
    stored = all_stored()
    del stored["allocation"]
    del stored["loo"]["loo_pointwise.csv"]
    missing = names(everything_on()) - names(everything_on(), stored)
    assert missing == {"loo_pointwise.csv", *(a.file for a in ARTEFACTS if a.asset == "allocation")}


@pytest.mark.parametrize("part", ["posterior", "design_matrix", "resolved_config"])
def test_the_model_file_needs_all_of_its_parts(part: str) -> None:
    stored = all_stored()
    del stored[part]
    assert "model.nc" not in names(everything_on(), stored)


@pytest.mark.parametrize("layout", ["staged", "flat", "stage_gated"])
def test_paths_are_unique_and_recognised(layout: str) -> None:
    planned = plan_files(everything_on(layout=layout), all_stored(), log_response=True)
    paths = [file.path for file in planned]
    assert len(set(paths)) == len(paths)
    assert set(paths) <= recognised_names()
    assert all(("/" in path) == (layout != "flat") for path in paths)


def test_layouts_name_their_folders() -> None:
    assert join("diagnostics", "staged", "a.csv") == "40_diagnostics/a.csv"
    assert join("diagnostics", "stage_gated", "a.csv") == "50_diagnostics/a.csv"
    assert join("diagnostics", "flat", "a.csv") == "a.csv"
    assert folder("interpretation", "staged") == "80_interpretation"
    assert set(STAGED_FOLDERS) == set(STAGE_GATED_FOLDERS)


def test_the_manifest_is_recognised_and_other_files_are_not() -> None:
    assert "run_manifest.json" in recognised_names()
    assert "notes.txt" not in recognised_names()


def test_every_bundled_asset_has_a_stage() -> None:
    for artefact in ARTEFACTS:
        # files that belong to another stage's folder
        elsewhere = {"posterior": "post_run", "loo": "diagnostics", "optimisation_plots": "response_curves"}
        assert artefact.stage in (ASSET_STAGES[artefact.asset], elsewhere.get(artefact.asset)), artefact.file
