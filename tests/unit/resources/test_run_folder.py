"""Run folders: where they go, what is in their way, and what they hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsam_assets.config.schema_outputs import OutputsSection
from dsam_assets.config.slices import ReportSlice
from dsam_assets.design.build import BuiltMatrix
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import ConfigError, StoreError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.model import FitResult
from resources.codecs import CODECS
from resources.run_folder import require_writable, run_folder_path, slug, write_run_folder
from resources.store import Record, Store, file_hashes, fingerprint

WHEN = datetime(2024, 5, 6, 7, 8, 9)


def report(**outputs: Any) -> ReportSlice:
    return ReportSlice.model_validate({"name": "uk", "outputs": outputs})


def outputs(**values: Any) -> OutputsSection:
    return OutputsSection.model_validate({"root_dir": "/results", **values})


def test_the_callers_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_folder_path(outputs(run_dir="/fixed"), "uk", "mine", WHEN) == tmp_path / "mine"
    assert run_folder_path(outputs(run_dir="/fixed"), "uk", None, WHEN) == Path("/fixed")
    assert run_folder_path(outputs(), "uk", None, WHEN) == Path("/results/20240506_070809_uk")


def test_a_name_becomes_part_of_a_folder_name() -> None:
    assert slug("UK: brand/α 2") == "UK__brand_α_2"
    assert slug("../..") == "_____"


def test_new_and_empty_folders_are_free(tmp_path: Path) -> None:
    require_writable(tmp_path / "new", overwrite=False)
    require_writable(tmp_path, overwrite=False)


def test_an_existing_folder_is_kept_unless_overwriting(tmp_path: Path) -> None:
    (tmp_path / "run_manifest.json").write_text("{}")
    (tmp_path / "20_model_fit").mkdir()
    (tmp_path / "20_model_fit" / "model.nc").write_text("")
    with pytest.raises(ConfigError, match="The run folder exists already"):
        require_writable(tmp_path, overwrite=False)
    require_writable(tmp_path, overwrite=True)


def test_strange_files_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run_manifest.json").write_text("{}")
    (tmp_path / "20_model_fit").mkdir()
    (tmp_path / "20_model_fit" / "thesis.docx").write_text("")
    with pytest.raises(ConfigError, match="not a run's artefacts") as caught:
        require_writable(tmp_path, overwrite=True)
    assert "20_model_fit/thesis.docx" in str(caught.value)


def test_an_artefact_of_the_right_name_in_the_wrong_place_is_strange(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "model.nc").write_text("")
    with pytest.raises(ConfigError, match=r"downloads/model\.nc"):
        require_writable(tmp_path, overwrite=True)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match="path is a file"):
        require_writable(tmp_path / "run", overwrite=True)


@dataclass(frozen=True)
class Shelf:
    """A store with a few artefacts of the market uk."""

    store: Store

    def put(self, asset: str, files: dict[str, bytes], **shown: Any) -> None:
        metadata = {"shown": {"seconds": 1.0, **shown}, "checks": []}
        record = Record(asset, "code", {}, fingerprint(file_hashes(files)), file_hashes(files), metadata)
        self.store.write("uk", record, files)


def matrix(scale: Any = "identity") -> ModelMatrix:
    return ModelMatrix(("m_tv",), np.ones((3, 1)), np.ones(3), np.zeros(3), "kpi", scale, np.arange(3), {})


def draws() -> Draws:
    return Draws(("m_tv",), np.ones((1, 2, 1)), np.ones((1, 2)), {"energy": np.ones((1, 2))}, 10, {"seed": 1})


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(Store(str(tmp_path / "store")))
    shelf.put("resolved_config", {"config.original.yaml": b"a: 1\n", "config.resolved.yaml": b"a: 1\nb: 2\n"})
    shelf.put("design_matrix", CODECS["matrix"].encode("design_matrix", BuiltMatrix(matrix())))
    shelf.put("posterior", CODECS["draws"].encode("posterior", FitResult(draws())))
    shelf.put("model_frame", {"model_frame.parquet": b"p"}, sha256="abc")
    shelf.put("fitted", {"fitted.csv": b"f", "fitted_kpi.csv": b"k"})
    shelf.put("diagnostics_report", {"diagnostics_report.csv": b"d"}, overall="warn", reliability="provisional")
    shelf.put("allocation", {"budget_allocation.csv": b"b", "budget_optimisation.json": b"{}"})
    return shelf


def held(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


COMPLETE = {
    "00_run_metadata/config.original.yaml", "00_run_metadata/config.resolved.yaml", "20_model_fit/model.nc",
    "30_post_run/fitted.csv", "40_diagnostics/diagnostics_report.csv", "60_optimisation/budget_allocation.csv",
    "run_manifest.json",
}  # fmt: skip


def test_a_run_folder_holds_what_was_made_and_its_manifest(shelf: Shelf, tmp_path: Path) -> None:
    folder = write_run_folder(shelf.store, "uk", report(), tmp_path / "runs" / "1", status="complete")
    assert held(folder.path) == COMPLETE
    assert (folder.path / "30_post_run" / "fitted.csv").read_bytes() == b"f"
    manifest = json.loads((folder.path / "run_manifest.json").read_text())
    assert manifest == folder.manifest
    assert (manifest["market"], manifest["model_name"], manifest["status"]) == ("uk", "uk", "complete")
    verdict = {"overall": "warn", "reliability": "provisional", "converged": None, "waivers": []}
    assert manifest["verdict"] == verdict
    assert manifest["data_sha256"] == "abc"
    assert set(manifest["files"]) == COMPLETE - {"run_manifest.json"}
    listed = manifest["files"]["30_post_run/fitted.csv"]
    assert listed == {"sha256": file_hashes({"f": b"f"})["f"], "bytes": 1}
    record = shelf.store.record("uk", "posterior")
    assert record is not None
    assert manifest["assets"]["posterior"]["data_version"] == record.data_version
    assert manifest["stages"]["post_run"] == {
        "folder": "30_post_run", "status": "complete", "files": 1, "seconds": 1.0
    }  # fmt: skip
    assert list(manifest["stages"]) == [
        "run_metadata", "pre_run", "model_fit", "post_run", "diagnostics", "optimisation"
    ]  # fmt: skip
    assert manifest["stages"]["pre_run"]["seconds"] == 2.0  # model_frame and design_matrix
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["1"]  # nothing is left beside it


def test_a_halted_run_has_no_plan_and_nothing_built_on_one(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put("response_curves", {"budget_response_curves.csv": b"c"})
    shelf.put("efficient_frontier", {"budget_efficient_frontier.csv": b"e"})
    folder = write_run_folder(shelf.store, "uk", report(), tmp_path / "run", status="halted")
    assert held(folder.path) == COMPLETE - {"60_optimisation/budget_allocation.csv"}
    stages = json.loads((folder.path / "run_manifest.json").read_text())["stages"]
    assert stages["optimisation"] == {"folder": "60_optimisation", "status": "withheld", "files": 0, "seconds": 0}
    assert stages["interpretation"]["status"] == "withheld"
    assert stages["diagnostics"]["status"] == "complete"
    assert folder.manifest["status"] == "halted"
    assert not {"allocation", "response_curves", "efficient_frontier"} & set(folder.manifest["assets"])


def test_a_log_model_also_gets_the_kpi_scale(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put("design_matrix", CODECS["matrix"].encode("design_matrix", BuiltMatrix(matrix("log"))))
    folder = write_run_folder(shelf.store, "uk", report(), tmp_path / "run", status="complete")
    assert held(folder.path) == COMPLETE | {"30_post_run/fitted_kpi.csv"}


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        ("flat", {"fitted.csv", "model.nc", "budget_allocation.csv", "diagnostics_report.csv"}),
        (
            "stage_gated",
            {
                "30_model_assessment/fitted.csv", "20_model_fit/model.nc", "70_optimisation/budget_allocation.csv",
                "50_diagnostics/diagnostics_report.csv",
            },
        ),
    ],
)  # fmt: skip
def test_layouts_move_files(shelf: Shelf, tmp_path: Path, layout: str, places: set[str]) -> None:
    folder = write_run_folder(shelf.store, "uk", report(layout=layout), tmp_path / "run", status="complete")
    assert places < held(folder.path)
    require_writable(folder.path, overwrite=True)  # its own folder is recognised again


def test_switched_off_files_are_left_out(shelf: Shelf, tmp_path: Path) -> None:
    off = report(save_model=False, save_fitted_csv=False, save_allocator_csv=False, save_allocator_json=True)
    folder = write_run_folder(shelf.store, "uk", off, tmp_path / "run", status="complete")
    left_out = {"20_model_fit/model.nc", "30_post_run/fitted.csv", "60_optimisation/budget_allocation.csv"}
    assert held(folder.path) == (COMPLETE - left_out) | {"60_optimisation/budget_optimisation.json"}


def test_overwriting_replaces_the_whole_folder(shelf: Shelf, tmp_path: Path) -> None:
    target = tmp_path / "run"
    write_run_folder(shelf.store, "uk", report(), target, status="complete")
    with pytest.raises(ConfigError, match="exists already"):
        write_run_folder(shelf.store, "uk", report(), target, status="complete")
    folder = write_run_folder(shelf.store, "uk", report(save_model=False), target, status="complete", overwrite=True)
    assert held(folder.path) == COMPLETE - {"20_model_fit/model.nc"}


def test_a_damaged_artefact_leaves_no_folder_behind(shelf: Shelf, tmp_path: Path) -> None:
    (Path(shelf.store.root) / "uk" / "30_post_run" / "fitted.csv").write_bytes(b"x")
    target = tmp_path / "runs" / "1"
    with pytest.raises(StoreError, match=r"fitted\.csv of fitted does not match its checksum"):
        write_run_folder(shelf.store, "uk", report(), target, status="complete")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_failed_overwrite_keeps_the_old_folder(shelf: Shelf, tmp_path: Path) -> None:
    target = tmp_path / "run"
    write_run_folder(shelf.store, "uk", report(), target, status="complete")
    (Path(shelf.store.root) / "uk" / "30_post_run" / "fitted.csv").write_bytes(b"x")
    with pytest.raises(StoreError):
        write_run_folder(shelf.store, "uk", report(), target, status="complete", overwrite=True)
    assert held(target) == COMPLETE
