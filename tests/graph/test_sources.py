"""The files that markets are made from, observed by partition and by content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dsam_assets.assets.sources import MISSING, SOURCES, UNUSED, source_path, source_version
from dsam_assets.config.slices import config_slices
from dsam_assets.definitions import build_definitions
from resources.locations import Locations

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def observe(project: Any, market: str) -> dict[str, str]:
    places = Locations(project.folder, str(project.store_root), project.folder.parent / "dagster")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("market", [market])
        job = build_definitions(places).resolve_job_def("observe_sources")
        result = job.execute_in_process(partition_key=market, instance=instance, run_config=QUIET)
        events = [event.asset_observation_data.asset_observation for event in result.get_asset_observation_events()]
    assert {event.partition for event in events} == {market}
    return {event.asset_key.to_user_string(): event.tags["dagster/data_version"] for event in events}


def test_every_source_is_observed_by_content(project: Any) -> None:
    found = observe(project, "uk")
    assert found == {
        "config_file": sha(project.config),
        "data_file": sha(project.data),
        **dict.fromkeys(("calendar_file", "pooling_map_file", "dictionary_file", "future_file"), UNUSED),
    }
    assert set(found) == set(SOURCES)


def test_a_broken_market_is_observed_as_far_as_it_goes(project: Any) -> None:
    (project.folder / "broken.yaml").write_text("model: {formula: [")
    found = observe(project, "broken")
    assert found["config_file"] == sha(project.folder / "broken.yaml")
    assert found["data_file"] == MISSING
    assert observe(project, "ghost")["config_file"] == MISSING


@pytest.mark.parametrize(
    ("asset", "source", "file"),
    [("resolved_config", "config_file", "uk.yaml"), ("model_frame", "data_file", "data/uk.csv")],
)
def test_the_assets_below_record_the_version_that_is_observed(project: Any, asset: str, source: str, file: str) -> None:
    """So that the store and Dagster tell the same change."""
    record = project.record(asset)
    assert dict(record.sources) == {source: sha(project.folder / file)}
    assert observe(project, "uk")[source] == record.sources[source]


@pytest.mark.parametrize(
    "asset", ["resolved_config", "model_frame", "holiday_features", "pooling_map", "data_dictionary"]
)
def test_the_assets_below_have_a_version_of_their_own_content(first_run: Any, project: Any, asset: str) -> None:
    (made,) = first_run.result.asset_materializations_for_node(asset)
    assert made.tags["dagster/data_version"] == project.record(asset).data_version
    assert made.tags["dagster/data_version"] not in project.record(asset).sources.values()


def test_a_source_of_an_asset_is_the_file_that_the_config_names(project: Any) -> None:
    from dsam_assets.preflight import load_checked

    for name in ("dictionary.csv", "holidays.csv", "map.csv", "weeks.csv"):
        (project.folder / "data" / name).write_text("")
    text = project.config.read_text().replace(
        "date_var: date\n", "date_var: date\n  dictionary_path: data/dictionary.csv\n"
    )
    holidays = "time_components:\n  enabled: true\n  holidays: {enabled: true, calendar_path: data/holidays.csv}\n"
    pooling = "pooling: {enabled: true, map_path: data/map.csv, grouping_vars: [channel]}\n"
    forecast = "forecast: {enabled: true, data_path: data/weeks.csv}\n"
    project.config.write_text(text + holidays + pooling + forecast)
    inputs = {f"config_{name}": value for name, value in config_slices(load_checked(project.config).config).items()}
    data = project.folder / "data"
    assert {source: source_path(source, None, inputs) for source in SOURCES[1:]} == {
        "data_file": data / "uk.csv",
        "calendar_file": data / "holidays.csv",
        "pooling_map_file": data / "map.csv",
        "dictionary_file": data / "dictionary.csv",
        "future_file": data / "weeks.csv",
    }


def test_versions_of_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert source_version(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    assert source_version(tmp_path / "b") == MISSING
    assert source_version(None) == UNUSED


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    from dsam_assets.data.files import read_once
    from dsam_assets.errors import DataError

    os.mkfifo(tmp_path / "pipe")
    assert source_version(tmp_path / "pipe") == MISSING
    assert source_version(tmp_path) == MISSING
    with pytest.raises(DataError, match="not a regular file"):
        read_once(tmp_path / "pipe")
