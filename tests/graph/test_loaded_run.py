"""A run folder alone gives the fitted model back, with the numbers that the run published."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import dsam_assets
from dsam_assets.errors import ConfigError, StoreError
from dsam_assets.loaded_run import LoadedRun
from dsam_assets.model import blm
from resources.codecs import csv_bytes


@pytest.fixture
def copied(first_run, project, tmp_path: Path) -> Path:
    """The run folder, copied to where there is neither config nor data nor store."""
    folder = shutil.copytree(first_run.folder, tmp_path / "elsewhere" / "run")
    for gone in (project.folder, project.store_root):
        shutil.rmtree(gone)
    return folder


@pytest.fixture
def loaded(copied: Path) -> LoadedRun:
    return dsam_assets.load_run(copied)


def test_the_numbers_are_those_of_the_run(loaded: LoadedRun) -> None:
    tables = {"posterior_summary": loaded.summary(), "fitted": loaded.fitted(), "observed": loaded.observed()}
    decomposition = loaded.decomposition()
    assert {"decomp_summary", "decomp_predictor_impact", "decomp_channels", "channel_evidence"} <= set(decomposition)
    for name, table in {**tables, **decomposition, "loo_pointwise": loaded.loo()["loo_pointwise"]}.items():
        assert csv_bytes(table) == next(loaded.folder.rglob(f"{name}.csv")).read_bytes(), name


def test_the_verdict_is_the_recorded_one(loaded: LoadedRun, fake_runner) -> None:
    report, recorded = loaded.diagnostics(), loaded.table("diagnostics_report")
    assert (report.overall, report.reliability) == (loaded.manifest["verdict"]["overall"], "final")
    assert report.to_frame()["check_id"].tolist() == recorded["check_id"].tolist()
    assert report.to_frame()["value"].tolist() == pytest.approx(recorded["value"].tolist(), nan_ok=True)
    assert fake_runner.calls == []  # nothing was sampled for it
    again = dsam_assets.load_run(loaded.folder, runner=fake_runner).diagnostics(policy_mode="strict")
    assert again.policy_mode == "strict"
    assert fake_runner.calls  # judged anew, with draws of the prior


def test_a_loaded_model_can_be_changed_and_fitted_again(copied: Path, fake_runner) -> None:
    loaded = dsam_assets.load_run(copied, runner=fake_runner)
    tighter = loaded.model.set_prior("trend ~ normal(0, 0.001)").fit(runner=fake_runner)
    assert abs(tighter.draws.parameters["trend"].mean()) < 0.01 < abs(loaded.draws.parameters["trend"].mean())


def test_a_plan_for_other_channels_is_judged_on_their_spend(copied: Path, fake_runner) -> None:
    loaded = dsam_assets.load_run(copied, runner=fake_runner)
    scenario = {
        "budget": {"total": 250},
        "channels": [
            {
                "term": "m_tv", "spend_col": "note", "bounds": {"min": 1, "max": 300},
                "response": {"type": "log1p", "scale": 50},
            }
        ],
    }  # fmt: skip
    plan = loaded.optimise_budget(scenario)
    assert plan.tables["budget_allocation"]["term"].tolist() == ["m_tv"]
    assert fake_runner.calls


def test_a_decomposition_with_other_channels_needs_no_bounds(loaded: LoadedRun) -> None:
    channels = [{"term": "m_tv", "name": "Television", "spend_col": "spend_tv"}]
    table = loaded.decomposition(channels=channels)["decomp_channels"]
    assert table.loc[table["term"] != "TOTAL", "channel"].tolist() == ["Television", "m_search"]


def test_published_tables_can_be_read_by_name(loaded: LoadedRun) -> None:
    assert list(loaded.table("budget_allocation")["channel"]) == ["TV", "Search"]
    with pytest.raises(ConfigError, match="no such table") as caught:
        loaded.table("budget_alocation")
    assert "budget_allocation" in str(caught.value)


def test_what_cannot_be_loaded_says_why(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        dsam_assets.load_run(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="not a finished run"):
        dsam_assets.load_run(tmp_path)
    path = copied / "20_model_fit" / "model.nc"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StoreError, match="changed after the run"):
        dsam_assets.load_run(copied)
    manifest = json.loads((copied / "run_manifest.json").read_text())
    del manifest["files"]["20_model_fit/model.nc"]
    (copied / "run_manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=r"has no model\.nc") as caught:
        dsam_assets.load_run(copied)
    assert "outputs.save_model" in str(caught.value)


def test_a_design_that_this_version_makes_differently_is_refused(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dsam_assets.design.build as build

    honest = build.build_model_matrix

    def changed(*arguments, **named):
        matrix = honest(*arguments, **named)
        matrix.values[0, 1] += 1e-6
        return matrix

    monkeypatch.setattr(build, "build_model_matrix", changed)
    with pytest.raises(StoreError, match="another design"):
        dsam_assets.load_run(copied)


def test_the_package_offers_what_an_analyst_needs() -> None:
    assert dsam_assets.blm is blm
    assert {"blm", "load_run", "run_from_yaml", "compare_runs", "normal", "lognormal_ms"} == set(dsam_assets.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = dsam_assets.nothing
