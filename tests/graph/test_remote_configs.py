"""A served folder of configs behind a URL: runs, ticks and observations look at it anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterResourceFunctionError
from small_market import CONFIG, market_frame, write_market
from web_folder import served_folder

from dsam_assets.assets.sensors import REFIT
from dsam_assets.definitions import build_definitions
from resources.automation import Automation
from resources.locations import Locations, locations


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder over there."""
    return write_market(tmp_path / "there" / "configs").parent


@pytest.fixture
def places(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Locations]:
    for name in ("DSAM_STORE", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with served_folder(there.parent) as root:
        monkeypatch.setenv("DSAM_CONFIGS", f"{root}/configs")
        yield locations()


@pytest.fixture
def served(places: Locations, tmp_path: Path) -> dg.Definitions:
    """What the UI loads, with roots that hold neither the folder over there nor its mirror."""
    return build_definitions(places, roots=(str(tmp_path / "elsewhere"),), automation=Automation(settle_seconds=0))


def tick(served: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=served.get_repository_def(),
        resources={name: served.resources[name] for name in ("catalogue", "store")},
    ) as context:
        return served.resolve_sensor_def(REFIT)(context)


def asked(found: Any) -> list[str]:
    return sorted(str(request.partition_key) for request in found.run_requests)


def test_a_tick_sees_what_landed_over_there(served: dg.Definitions, there: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(served, instance)
        assert asked(first) == ["uk"]
        (change,) = first.dynamic_partitions_requests
        assert change.partition_keys == ["uk"]
        instance.add_dynamic_partitions("market", ["uk"])

        market_frame().to_csv(there / "data" / "de.csv", index=False)
        (there / "de.yaml").write_text(CONFIG.replace("data/uk.csv", "data/de.csv"))
        second = tick(served, instance, first.cursor)
        assert asked(second) == ["de"]
        instance.add_dynamic_partitions("market", ["de"])

        (there / "uk.yaml").unlink()
        third = tick(served, instance, second.cursor)
        (change,) = third.dynamic_partitions_requests
        assert change.partition_keys == ["uk"]


def test_a_folder_that_cannot_be_read_drops_no_market(served: dg.Definitions, there: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(served, instance)
        instance.add_dynamic_partitions("market", ["uk"])
        shutil.move(there, there.with_name("away"))
        with pytest.raises(DagsterResourceFunctionError) as failed:
            tick(served, instance, first.cursor)
        assert "The folder of configs does not exist." in str(failed.value.__cause__)
        assert instance.get_dynamic_partitions("market") == ["uk"]


def test_a_run_reads_what_is_there_now(served: dg.Definitions, places: Locations, there: Path) -> None:
    config = there / "uk.yaml"
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("market", ["uk"])
        for name in ("first", "second"):
            config.write_text(f"# {name}\n{CONFIG}")
            job = served.resolve_job_def("refit")
            selection = [dg.AssetKey("resolved_config")]
            assert job.execute_in_process(instance=instance, partition_key="uk", asset_selection=selection).success
            (written,) = Path(places.store, "uk").rglob("config.original.yaml")
            assert written.read_text().startswith(f"# {name}\n")


def test_an_observation_looks_anew(served: dg.Definitions, there: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("market", ["uk"])
        versions = []
        for change in (0.0, 1.0):
            frame = market_frame()
            frame.loc[3, "kpi"] += change
            frame.to_csv(there / "data" / "uk.csv", index=False)
            job = served.resolve_job_def("observe_sources")
            assert job.execute_in_process(instance=instance, partition_key="uk").success
            (record,) = instance.fetch_observations(dg.AssetKey("data_file"), limit=1).records
            assert record.asset_observation is not None
            versions.append(record.asset_observation.tags["dagster/data_version"])
        assert versions[0] != versions[1]
