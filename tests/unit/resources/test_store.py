"""The result store: atomic files, records, checksums."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from dsam_assets.errors import StoreError
from resources.store import FLEET, Record, Store, file_hashes, write_atomic

FILES = {"fit_metrics.csv": b"metric\nr2\n", "fit_metrics.parquet": b"\x00\x01"}
METADATA = {"shown": {"r2": 0.5}, "checks": []}
RECORD = Record("fit_metrics", "c1", {"posterior": "v1"}, "d1", file_hashes(FILES), METADATA)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def folder(store: Store) -> Path:
    """The folder of the artefact once it has been written."""
    store.write("uk", RECORD, FILES)
    return Path(store.root) / "uk" / "20_model_fit"


def test_files_lie_by_market_and_stage(store: Store, folder: Path) -> None:
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert (Path(store.root) / "uk" / ".records" / "fit_metrics.json").is_file()


def test_a_record_comes_back_as_it_was(store: Store, folder: Path) -> None:
    assert store.record("uk", "fit_metrics") == RECORD
    assert store.record("uk", "posterior") is None
    assert store.record("fr", "fit_metrics") is None


def test_a_slash_in_an_asset_name_is_no_folder(store: Store) -> None:
    record = replace(RECORD, asset="config/fit", files={})
    store.write("uk", record, {})
    assert store.record("uk", "config/fit") == record
    assert [path.name for path in (Path(store.root) / "uk" / ".records").iterdir()] == ["config.fit.json"]


def test_hashes_are_those_of_the_bytes() -> None:
    assert RECORD.files["fit_metrics.csv"] == hashlib.sha256(FILES["fit_metrics.csv"]).hexdigest()


def test_reading_verifies_the_checksum(store: Store, folder: Path) -> None:
    assert store.read("uk", RECORD, "fit_metrics.csv") == FILES["fit_metrics.csv"]
    assert store.verified("uk", RECORD)
    (folder / "fit_metrics.csv").write_bytes(b"metric\nr3\n")
    with pytest.raises(StoreError, match=r"fit_metrics\.csv of fit_metrics does not match its checksum") as caught:
        store.read("uk", RECORD, "fit_metrics.csv")
    assert str(folder / "fit_metrics.csv") in str(caught.value)
    assert "materialise fit_metrics of market uk with the tag dsam/force=true" in str(caught.value)
    assert store.intact("uk", RECORD)  # contents are not read for this
    assert not store.verified("uk", RECORD)


def test_a_missing_file_is_named(store: Store, folder: Path) -> None:
    (folder / "fit_metrics.parquet").unlink()
    assert not store.intact("uk", RECORD)
    assert not store.verified("uk", RECORD)
    with pytest.raises(StoreError, match=r"fit_metrics\.parquet of fit_metrics is missing"):
        store.read("uk", RECORD, "fit_metrics.parquet")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"asset": "fit_metrics"}', '{"unknown": 1}'])
def test_a_damaged_record_is_named(store: Store, folder: Path, text: str) -> None:
    path = Path(store.root) / "uk" / ".records" / "fit_metrics.json"
    path.write_text(text)
    with pytest.raises(StoreError, match="The record of fit_metrics is damaged") as caught:
        store.record("uk", "fit_metrics")
    assert str(path) in str(caught.value)
    assert "Delete this file" in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_a_write_that_stops_midway_leaves_no_record(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(path: UPath, content: bytes) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("resources.store.write_atomic", stop)
    with pytest.raises(OSError, match="disk full"):
        store.write("uk", replace(RECORD, data_version="d2"), FILES)
    assert store.record("uk", "fit_metrics") is None


def test_the_record_is_written_after_its_files(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("resources.store.write_atomic", lambda path, content: written.append(path.name))
    store.write("uk", RECORD, FILES)
    assert written == [*FILES, "fit_metrics.json"]


def test_an_atomic_write_replaces_the_whole_file_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = UPath(tmp_path / "a.txt")
    target.write_bytes(b"old")

    def crash(descriptor: int) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", crash)
        with pytest.raises(OSError, match="power cut"):
            write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]  # no temporary file stays
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_file_lies_beside_its_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[tuple[str, str]] = []
    monkeypatch.setattr("os.replace", lambda source, target: moved.append((source, target)))
    write_atomic(UPath(tmp_path / "a.txt"), b"new")
    ((source, target),) = moved
    assert Path(source).parent == Path(target).parent
    assert source != target


def test_a_remote_store_works_alike() -> None:
    store = Store("memory://test-store")
    store.write("uk", RECORD, FILES)
    assert store.record("uk", "fit_metrics") == RECORD
    assert store.read("uk", RECORD, "fit_metrics.csv") == FILES["fit_metrics.csv"]
    assert store.verified("uk", RECORD)


def test_records_are_plain_json(store: Store, folder: Path) -> None:
    document = json.loads((Path(store.root) / "uk" / ".records" / "fit_metrics.json").read_text())
    assert set(document) == {
        "asset", "code_version", "inputs", "data_version", "files", "metadata", "sources", "code", "made",
    }  # fmt: skip


def test_a_record_without_the_later_fields_is_read(store: Store, folder: Path) -> None:
    path = Path(store.root) / "uk" / ".records" / "fit_metrics.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({name: document[name] for name in document if name not in ("sources", "code", "made")}))
    assert store.record("uk", "fit_metrics") == RECORD


def test_what_is_made_of_all_markets_has_a_folder_that_no_market_can_have(store: Store, folder: Path) -> None:
    store.write(FLEET, replace(RECORD, asset="fleet_status"), FILES)
    assert (Path(store.root) / "_fleet" / "fit_metrics.csv").is_file()
    assert store.markets() == ["uk"]


def test_markets_of_a_store_that_does_not_exist_yet(store: Store) -> None:
    assert store.markets() == []


def test_an_artefact_is_outdated_when_an_input_changed_or_is_gone(store: Store) -> None:
    record = replace(RECORD, inputs={"posterior": "v1", "design_matrix": "v1"})
    store.write("uk", replace(RECORD, asset="posterior", data_version="v1"), {})
    assert store.outdated("uk", record) == ["design_matrix"]
    store.write("uk", replace(RECORD, asset="design_matrix", data_version="v1"), {})
    assert store.outdated("uk", record) == []
    store.write("uk", replace(RECORD, asset="posterior", data_version="v2"), {})
    assert store.outdated("uk", record) == ["posterior"]


def test_problems_are_kept_until_an_attempt_succeeds(store: Store) -> None:
    assert store.problems("uk") == []
    store.note_problem("uk", "posterior", "The chains are stuck.")
    store.note_problem("uk", "config/fit", "Other.")
    assert {problem.asset: problem.what for problem in store.problems("uk")} == {
        "posterior": "The chains are stuck.",
        "config/fit": "Other.",
    }
    store.clear_problem("uk", "config/fit")
    store.clear_problem("uk", "config/fit")
    (left,) = store.problems("uk")
    assert left.asset == "posterior"
    assert left.when.endswith("+00:00")
