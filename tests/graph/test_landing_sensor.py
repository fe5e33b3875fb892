"""The sensor that makes markets again when their files land: what it registers, observes and asks for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from small_market import CONFIG, market_frame, write_market

from dsam_assets import landed
from dsam_assets.assets.sensors import REFIT
from dsam_assets.assets.sources import SOURCES, UNUSED
from dsam_assets.config.source_files import source_files
from dsam_assets.definitions import build_definitions
from dsam_assets.preflight import load_checked
from dsam_assets.staleness import market_state
from resources.automation import Automation
from resources.catalogue import ConfigCatalogue
from resources.landing import remembered
from resources.locations import Locations

EVERYTHING: frozenset[str] = frozenset()
slow = pytest.mark.slow


@dataclass
class Served:
    """A folder of configs as the daemon serves it: each tick takes up the cursor of the one before."""

    folder: Path
    instance: dg.DagsterInstance
    definitions: dg.Definitions
    cursor: str | None = None
    keys: list[str] = field(default_factory=list)

    def tick(self) -> Any:
        """One tick, and what the daemon does with its result; no run is started."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.definitions.get_repository_def(),
            resources={name: self.definitions.resources[name] for name in ("catalogue", "store")},
        )
        found: Any = self.definitions.resolve_sensor_def(REFIT)(context)
        if isinstance(found, dg.SkipReason):
            return found
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in found.dynamic_partitions_requests:
            if type(request).__name__.startswith("Add"):
                self.instance.add_dynamic_partitions("market", list(request.partition_keys))
            else:
                for market in request.partition_keys:
                    self.instance.delete_dynamic_partition("market", market)
        self.cursor = found.cursor
        self.keys += [str(request.run_key) for request in found.run_requests]
        return found

    def asked(self) -> dict[str, set[str]]:
        """Market → assets asked for in a tick; no assets mean all."""
        return {
            str(request.partition_key): {key.to_user_string() for key in request.asset_selection or ()}
            for request in self.tick().run_requests
        }

    @property
    def markets(self) -> set[str]:
        return set(self.instance.get_dynamic_partitions("market"))

    def start_run(self, market: str, **tags: str) -> dg.DagsterRun:
        job = self.definitions.resolve_job_def("refresh")
        tags = {"dagster/partition": market, **tags}
        run = self.instance.create_run_for_job(job_def=job, tags=tags, status=dg.DagsterRunStatus.STARTED)
        assert isinstance(run, dg.DagsterRun)
        return run


@pytest.fixture
def served(project: Any) -> Iterator[Served]:
    """The market `uk`, current, looked at once."""
    places = Locations(project.folder, str(project.store_root), project.folder.parent / "dagster")
    definitions = build_definitions(places, automation=Automation(settle_seconds=0))
    with dg.DagsterInstance.ephemeral() as instance:
        found = Served(project.folder, instance, definitions)
        assert found.asked() == {}
        yield found


def edit_data(path: Path, change: float) -> None:
    frame = pd.read_csv(path)
    frame.loc[3, "kpi"] += change
    frame.to_csv(path, index=False, lineterminator="\n")


def stale(project: Any, market: str = "uk") -> set[str]:
    return set(market_state(project.store, ConfigCatalogue(folder=str(project.folder)), market).stale)


def make(project: Any, assets: Sequence[str] | set[str]) -> None:
    assert project.run(selection=sorted(assets), tags={"dsam/refresh": "true"}).result.success


def own_market(folder: Path, name: str) -> Path:
    """A market with a data file of its own; returns the data file."""
    data = folder / "data" / f"{name}.csv"
    market_frame().to_csv(data, index=False, lineterminator="\n")
    (folder / f"{name}.yaml").write_text(CONFIG.replace("data/uk.csv", f"data/{name}.csv"))
    return data


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_market_that_is_current_is_registered_and_observed_and_not_made_again(served: Served, project: Any) -> None:
    assert served.markets == {"uk"}
    records = {name: served.instance.fetch_observations(dg.AssetKey(name), limit=10).records for name in SOURCES}
    versions = {name: [event.asset_observation.tags["dagster/data_version"] for event in found]  # type: ignore[union-attr]
                for name, found in records.items()}  # fmt: skip
    unused = {name: [UNUSED] for name in SOURCES if name not in ("config_file", "data_file")}
    assert versions == {"config_file": [sha(project.config)], "data_file": [sha(project.data)], **unused}
    again = served.tick()
    assert (again.run_requests, again.asset_events, again.dynamic_partitions_requests) == ([], [], [])
    assert again.skip_reason.skip_message == "nothing new in the files of 1 markets"


def test_new_data_ask_for_exactly_what_is_stale(served: Served, project: Any) -> None:
    edit_data(project.data, 25.0)
    found = served.tick()
    (request,) = found.run_requests
    assert request.partition_key == "uk"
    assert {key.to_user_string() for key in request.asset_selection} == stale(project)
    assert {"model_frame", "posterior", "allocation"} <= stale(project)
    assert request.tags["dsam/why"] == "data file changed"
    assert {event.asset_key.to_user_string(): event.tags["dagster/data_version"] for event in found.asset_events}[
        "data_file"
    ] == sha(project.data)
    assert served.asked() == {}  # asked for once, whatever becomes of it


def test_a_comment_fits_nothing(served: Served, project: Any) -> None:
    project.edit("model:\n", "# the best market\nmodel:\n")
    asked = served.asked()["uk"]
    assert asked == stale(project)
    assert "resolved_config" in asked
    assert not asked & {"model_frame", "design_matrix", "posterior", "diagnostics_report", "allocation"}


@slow
def test_an_edit_of_the_budget_asks_for_the_plan_alone(served: Served, project: Any) -> None:
    project.edit("total: 250", "total: 260")
    asked = served.asked()["uk"]
    assert "allocation" in asked
    assert "posterior" not in asked


def test_a_file_that_is_written_again_with_the_same_content_asks_for_nothing(served: Served, project: Any) -> None:
    for path in (project.data, project.config):
        path.write_bytes(path.read_bytes())
        os.utime(path)
    assert served.asked() == {}


@slow
def test_there_and_back_again_is_made_twice(served: Served, project: Any) -> None:
    text = project.config.read_text()
    project.edit("total: 250", "total: 260")
    make(project, served.asked()["uk"])
    project.config.write_text(text)
    back = served.asked()["uk"]
    assert "allocation" in back
    make(project, back)
    project.edit("total: 250", "total: 260")
    assert "allocation" in served.asked()["uk"]
    markets, numbers, prints = zip(*(key.split(":") for key in served.keys), strict=True)
    assert (set(markets), numbers) == ({"uk"}, ("1", "2", "3"))
    assert prints[0] == prints[2] != prints[1]


def test_a_change_that_is_taken_back_before_its_run_asks_for_nothing_more(served: Served, project: Any) -> None:
    text = project.config.read_text()
    project.edit("total: 250", "total: 260")
    assert "uk" in served.asked()
    project.config.write_text(text)
    assert served.asked() == {}


@slow
def test_files_that_were_something_else_for_a_moment_do_not_mislead(served: Served, project: Any) -> None:
    """Between two ticks the config was another, and a run read just that."""
    text = project.config.read_text()
    project.edit("total: 250", "total: 260")
    make(project, stale(project))
    project.config.write_text(text)
    assert "allocation" in served.asked()["uk"]


def test_a_market_with_a_run_waits_for_its_end(served: Served, project: Any) -> None:
    run = served.start_run("uk")
    text = project.config.read_text()
    project.edit("total: 250", "total: 260")
    assert served.tick().skip_reason.skip_message == "uk: waits for the end of its run"
    # Taken back while the run may have read it: it is looked at all the same.
    project.config.write_text(text)
    assert served.tick().skip_reason.skip_message == "uk: waits for the end of its run"
    served.instance.report_run_canceled(run)
    assert served.asked() == {}
    project.edit("total: 250", "total: 270")
    assert "allocation" in served.asked()["uk"]


def test_a_half_written_file_waits_until_it_is_quiet(
    served: Served, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    automation = Automation(settle_seconds=10)
    places = Locations(project.folder, str(project.store_root), project.folder.parent / "dagster")
    served.definitions = build_definitions(places, automation=automation)
    clock = [time.time() + 100]
    monkeypatch.setattr("dsam_assets.assets.sensors.time.time", lambda: clock[0])
    whole = market_frame().assign(kpi=lambda frame: frame["kpi"] + 1).to_csv(index=False)
    project.data.write_text(whole[:500])
    assert served.tick().skip_reason.skip_message == "uk: waits until data_file is quiet"
    clock[0] += 9
    project.data.write_text(whole[:4000])
    assert served.asked() == {}
    clock[0] += 9
    project.data.write_text(whole)
    assert served.asked() == {}
    clock[0] += 9
    assert served.asked() == {}
    clock[0] += 1
    assert "posterior" in served.asked()["uk"]


def test_the_files_of_a_config_that_is_being_written_need_not_wait_for_it(
    served: Served, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Locations(project.folder, str(project.store_root), project.folder.parent / "dagster")
    served.definitions = build_definitions(places, automation=Automation(settle_seconds=10))
    clock = [time.time() + 100]
    monkeypatch.setattr("dsam_assets.assets.sensors.time.time", lambda: clock[0])
    known = remembered(served.cursor)
    assert known is not None
    own_market(project.folder, "de")
    project.edit("total: 250", "total: 260")
    waiting = "uk: waits until config_file is quiet"
    assert served.tick().skip_reason.skip_message == f"de: waits until config_file and data_file is quiet; {waiting}"
    after = remembered(served.cursor)
    assert after is not None
    assert after.files[str(project.data)] == known.files[str(project.data)]  # it is not read again
    clock[0] += 10
    assert set(served.asked()) == {"de", "uk"}


@pytest.mark.parametrize("when", [pytest.param(0, marks=slow), 4_000_000_000])
def test_wrong_clocks_of_writers_hide_no_change(served: Served, project: Any, when: int) -> None:
    edit_data(project.data, 25.0)
    os.utime(project.data, (when, when))
    assert "posterior" in served.asked()["uk"]


def test_a_new_config_is_registered_and_made(served: Served, project: Any) -> None:
    own_market(project.folder, "de")
    assert served.asked() == {"de": EVERYTHING}
    assert served.markets == {"de", "uk"}
    assert served.keys[0].startswith("de:1:")
    assert served.asked() == {}


@slow
def test_many_changes_at_once(served: Served, project: Any) -> None:
    names = [f"m{number:02}" for number in range(12)]
    for name in names:
        own_market(project.folder, name)
    project.edit("total: 250", "total: 260")
    asked = served.asked()
    assert set(asked) == {*names, "uk"}
    assert "posterior" not in asked["uk"]
    assert served.markets == {*names, "uk"}
    assert served.asked() == {}


def test_what_a_tick_has_no_time_for_is_done_in_the_next(
    served: Served, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_market(project.folder, "de")
    with monkeypatch.context() as patch:
        patch.setattr(landed, "LOOKING_SECONDS", -1.0)
        assert served.tick().skip_reason.skip_message == "de: is looked at in the next tick"
    assert served.markets == {"de", "uk"}
    assert served.asked() == {"de": EVERYTHING}


def test_a_broken_config_is_one_markets_problem_and_stands_in_every_tick(served: Served, project: Any) -> None:
    (project.folder / "broken.yaml").write_text("model: {formula: [")
    own_market(project.folder, "de")
    found = served.tick()
    assert [request.partition_key for request in found.run_requests] == ["de"]
    assert served.markets == {"broken", "de", "uk"}
    for _ in range(2):
        assert served.tick().skip_reason.skip_message.startswith("broken: the config is not valid YAML")
    (project.folder / "broken.yaml").write_text(CONFIG)
    assert served.asked() == {"broken": EVERYTHING}
    assert served.tick().skip_reason.skip_message == "nothing new in the files of 3 markets"


def test_a_missing_data_file_is_one_markets_problem_until_it_is_back(served: Served, project: Any) -> None:
    content = project.data.read_bytes()
    project.data.unlink()
    own_market(project.folder, "de")
    assert served.asked() == {"de": EVERYTHING}
    for _ in range(2):
        reason = served.tick().skip_reason.skip_message
        assert reason.startswith("uk: ")
        assert "uk.csv" in reason
    project.data.write_bytes(content)
    assert served.asked() == {}  # it is what the results were made from
    assert served.tick().skip_reason.skip_message == "nothing new in the files of 2 markets"
    project.data.unlink()
    served.tick()
    project.data.write_bytes(content)
    edit_data(project.data, 25.0)
    assert "posterior" in served.asked()["uk"]


def test_a_data_file_that_no_one_can_read_is_a_problem_of_its_market(served: Served, project: Any) -> None:
    project.data.unlink()
    os.mkfifo(project.data)  # opening it would wait for ever
    assert served.asked() == {}
    assert served.tick().skip_reason.skip_message.startswith("uk: ")


def test_a_deleted_config_is_dropped_and_a_restored_one_is_back(served: Served, project: Any) -> None:
    text = project.config.read_text()
    project.edit("total: 250", "total: 260")
    assert len(served.asked()) == 1
    for key in served.keys:
        served.instance.report_run_canceled(
            served.start_run("uk", **{"dagster/sensor_name": REFIT, "dagster/run_key": key})
        )
    project.config.unlink()
    assert served.asked() == {}
    assert served.markets == set()
    project.config.write_text(text)
    assert served.asked() == {}
    assert served.markets == {"uk"}
    project.edit("total: 250", "total: 260")
    assert len(served.asked()) == 1
    assert [key.split(":")[1] for key in served.keys] == ["1", "2"]  # a key that was used is never used again


def test_a_config_that_is_away_for_a_moment_is_not_dropped(
    served: Served, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Editors that save by deleting and renaming."""
    places = Locations(project.folder, str(project.store_root), project.folder.parent / "dagster")
    served.definitions = build_definitions(places, automation=Automation(settle_seconds=10))
    text = project.config.read_text()
    project.config.unlink()
    served.tick()
    assert served.markets == {"uk"}
    project.config.write_text(text)
    later = time.time() + 60
    monkeypatch.setattr("dsam_assets.assets.sensors.time.time", lambda: later)
    served.tick()
    assert served.markets == {"uk"}


def test_a_folder_that_is_not_there_drops_no_market(served: Served, project: Any) -> None:
    before = served.cursor
    shutil.move(project.folder, project.folder.with_name("elsewhere"))
    found = served.tick()
    assert "No market is dropped" in found.skip_message
    assert (served.markets, served.cursor) == ({"uk"}, before)


def test_two_configs_of_one_market_are_its_problem(served: Served, project: Any) -> None:
    shutil.copy(project.config, project.config.with_suffix(".yml"))
    project.edit("total: 250", "total: 260")
    found = served.tick()
    assert not found.run_requests
    assert "Two configs claim the market uk" in found.skip_reason.skip_message


def test_a_name_that_cannot_be_a_market_is_said_and_not_registered(served: Served, project: Any) -> None:
    shutil.copy(project.config, project.folder / "Big Market.yaml")
    found = served.tick()
    assert found.skip_reason.skip_message.startswith(
        "Big Market.yaml: the config's file name cannot serve as a market name"
    )
    assert served.markets == {"uk"}


@slow
def test_a_damaged_record_is_one_markets_problem(served: Served, project: Any) -> None:
    (project.store_root / "uk" / ".records" / "posterior.json").write_text("{")
    project.edit("total: 250", "total: 260")
    own_market(project.folder, "de")
    assert served.asked() == {"de": EVERYTHING}
    assert "The record of posterior is damaged" in served.tick().skip_reason.skip_message


@pytest.mark.parametrize("cursor", [None, "nonsense", json.dumps({"version": 99, "markets": {"uk": ["x"]}})])
def test_a_cursor_that_is_lost_is_rebuilt(served: Served, project: Any, cursor: str | None) -> None:
    served.start_run("uk", **{"dagster/sensor_name": REFIT, "dagster/run_key": "uk:7:abc"})
    for run in served.instance.get_runs():
        served.instance.report_run_canceled(run)
    served.cursor = cursor
    assert served.asked() == {}  # nothing is stale, so that nothing is asked for
    memory = remembered(served.cursor)
    assert memory is not None
    assert memory.markets["uk"].n == 7
    project.edit("total: 250", "total: 260")
    served.tick()
    assert served.keys[0].startswith("uk:8:")


@slow
def test_markets_that_share_a_file_are_made_together(served: Served, project: Any) -> None:
    write_market(project.folder, "twin")
    assert served.asked() == {"twin": EVERYTHING}
    edit_data(project.data, 25.0)
    assert set(served.asked()) == {"twin", "uk"}


@slow
def test_the_daemon_takes_the_request_of_a_market_that_is_registered_in_the_same_tick(
    served: Served, project: Any, tmp_path: Path
) -> None:
    """As Dagster evaluates a tick: markets are checked against those that there will be."""
    own_market(project.folder, "de")
    (tmp_path / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as instance:
        context = dg.SensorEvaluationContext(
            instance_ref=instance.get_ref(),
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=None,
            log_key=None,
            repository_name=None,
            repository_def=served.definitions.get_repository_def(),
            resources={name: served.definitions.resources[name] for name in ("catalogue", "store")},  # type: ignore[misc]
        )
        found = served.definitions.resolve_sensor_def(REFIT).evaluate_tick(context)
    (request,) = found.run_requests
    assert (request.partition_key, request.tags["dagster/partition"]) == ("de", "de")
    assert remembered(found.cursor) is not None


def test_every_source_is_watched(project: Any) -> None:
    assert {"config_file", *source_files(load_checked(project.config).config)} == set(SOURCES)


@pytest.mark.parametrize(
    "source", ["future", *(pytest.param(name, marks=slow) for name in ("calendar", "pooling map", "dictionary"))]
)
def test_the_other_files_are_watched_too(served: Served, project: Any, source: str) -> None:
    file = project.folder / "data" / "other.csv"
    file.write_text("ds,holiday\n2023-12-25,Christmas\n")
    section = {
        "calendar": "time_components:\n  enabled: true\n  holidays: {enabled: true, calendar_path: data/other.csv}\n",
        "pooling map": "pooling: {enabled: true, map_path: data/other.csv, grouping_vars: [channel]}\n",
        "dictionary": "",
        "future": "forecast: {enabled: true, data_path: data/other.csv}\n",
    }[source]
    text = project.config.read_text() + section
    if source == "dictionary":
        text = text.replace("date_var: date\n", "date_var: date\n  dictionary_path: data/other.csv\n")
    project.config.write_text(text)
    served.tick()
    known = remembered(served.cursor)
    file.write_text("ds,holiday\n2023-12-26,Christmas\n")
    served.tick()
    after = remembered(served.cursor)
    assert known is not None
    assert after is not None
    assert known.markets["uk"].fingerprint != after.markets["uk"].fingerprint
