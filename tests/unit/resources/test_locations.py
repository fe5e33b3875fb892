"""Where configs, results and Dagster's own files live."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import pytest

from resources.locations import data_roots, locations, prepare_dagster_home

VARIABLES = ("DSAM_CONFIGS", "DSAM_STORE", "DAGSTER_HOME", "DSAM_DATA_ROOTS")


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_state_lies_beside_the_configs(tmp_path: Path) -> None:
    found = locations(tmp_path / "markets")
    assert found.configs == tmp_path / "markets"
    assert found.store == str(tmp_path / "markets" / ".dsam" / "store")
    assert found.dagster_home == tmp_path / "markets" / ".dsam" / "dagster"


def test_the_served_folder_is_configs_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locations().configs == tmp_path / "configs"
    monkeypatch.setenv("DSAM_CONFIGS", "markets")
    assert locations().configs == tmp_path / "markets"
    assert locations(Path("mine")).configs == tmp_path / "mine"  # the caller's folder wins


def test_store_and_dagster_home_have_their_own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSAM_STORE", "s3://bucket/results")
    monkeypatch.setenv("DAGSTER_HOME", "home")
    found = locations(tmp_path)
    assert found.store == "s3://bucket/results"
    assert found.dagster_home == tmp_path / "home"


def test_data_roots_default_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_roots() == (tmp_path,)
    monkeypatch.setenv("DSAM_DATA_ROOTS", os.pathsep.join(["a", "", "b"]))
    assert data_roots() == (tmp_path / "a", tmp_path / "b")


def test_dagster_home_gets_the_settings_once(tmp_path: Path) -> None:
    home = prepare_dagster_home(tmp_path / "a" / "home")
    settings = home / "dagster.yaml"
    assert settings.read_bytes() == (files("resources") / "dagster.yaml").read_bytes()
    settings.write_text("telemetry: {enabled: false}\n")
    prepare_dagster_home(home)
    assert settings.read_text() == "telemetry: {enabled: false}\n"  # the operator's copy is left alone
