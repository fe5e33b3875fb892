"""`dsam run` and a run of the graph from the UI leave the same artefacts, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_stan_resource import FakeStan

import dsam_assets.definitions
from dsam_assets.errors import DsamError
from dsam_assets.running import RunFailedError, run_from_yaml


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dagster")


@pytest.fixture
def terminal(project, dagster_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs from the terminal use a store of their own and the stand-in for Stan; returns their store."""
    monkeypatch.setattr(dsam_assets.definitions, "StanResource", lambda progress: FakeStan(progress=progress))
    monkeypatch.setenv("DSAM_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    return tmp_path / "store"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def comparable(manifest: bytes) -> Any:
    document = json.loads(manifest)
    del document["created"]
    for timed in (*document["assets"].values(), *document["stages"].values()):
        del timed["seconds"]
    return document


def test_terminal_and_graph_give_the_same_run_folder(terminal: Path, project, first_run, tmp_path: Path) -> None:
    result = run_from_yaml(project.config, run_dir=str(tmp_path / "run"))
    assert (result.status, result.market, result.path) == ("complete", "uk", tmp_path / "run")
    ours, theirs = files(tmp_path / "run"), files(first_run.folder)
    assert set(ours) == set(theirs)
    assert comparable(ours.pop("run_manifest.json")) == comparable(theirs.pop("run_manifest.json"))
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert result.files == len(ours) + 1
    assert list(result.plan["channel"]) == ["TV", "Search"]
    assert result.plan["spend_optimised"].sum() == pytest.approx(250)


def test_a_bad_data_file_ends_before_anything_is_written(terminal: Path, project, tmp_path: Path) -> None:
    project.data.write_text("date,kpi\n")
    with pytest.raises(DsamError, match="header and no rows"):
        run_from_yaml(project.config, run_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert not terminal.exists()


def test_a_halted_run_leaves_the_evidence_and_no_plan(
    terminal: Path, project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dsam_assets.definitions, "StanResource", lambda progress: FakeStan(stuck=True))
    monkeypatch.setenv("DSAM_STORE", str(project.store_root))  # the store holds a good plan already
    project.edit("gating: warn", "gating: strict")
    project.edit("seed: 7", "seed: 8")
    result = run_from_yaml(project.config, run_dir=str(tmp_path / "run"))
    assert result.status == "halted"
    assert "A quality gate halts this run" in result.halted_by
    assert result.plan.empty
    assert "allocation" not in result.facts  # not even those of the last good plan
    found = files(tmp_path / "run")
    assert "40_diagnostics/diagnostics_report.csv" in found
    assert not [name for name in found if name.startswith("60_optimisation")]
    manifest = json.loads(found["run_manifest.json"])
    assert manifest["status"] == "halted"
    assert manifest["verdict"]["reliability"] == "blocked"


def test_a_failed_step_is_an_error_with_status_2(
    terminal: Path, project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise DsamError("Stan stopped.", fix="Start it again.")

    monkeypatch.setattr(FakeStan, "sample", refuse)
    monkeypatch.setenv("DSAM_STORE", str(project.store_root))
    project.edit("seed: 7", "seed: 8")
    with pytest.raises(RunFailedError, match=r"Stan stopped\.\n  do this: Start it again\.") as caught:
        run_from_yaml(project.config, run_dir=str(tmp_path / "run"))
    assert caught.value.exit_status == 2
    assert not (tmp_path / "run").exists()
