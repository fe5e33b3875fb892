"""A small market that has been run once, and runs of edited versions of it."""

from __future__ import annotations

import datetime as dt
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from fake_stan_resource import FakeStan
from small_market import write_market

import dsam_assets.definitions
from dsam_assets.assets.fleet_asset import FLEET_GROUP
from dsam_assets.assets.interpretation import RUN_DIR_TAG
from dsam_assets.definitions import build_definitions
from resources.locations import Locations
from resources.store import Record, Store

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Events(logging.Handler):
    """What each asset did: `started`, `computed`, `reused` or `unchanged`."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.last: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.last[record.asset] = record.getMessage()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Today:
    """A clock that stands still."""

    day: dt.date

    def today(self) -> dt.date:
        return self.day


@dataclass(frozen=True)
class Run:
    """One execution: Dagster's result, what each asset did, and the run folder."""

    result: dg.ExecuteInProcessResult
    events: Mapping[str, str]
    folder: Path

    def assets(self, event: str) -> set[str]:
        return {asset for asset, last in self.events.items() if last == event}

    def failure(self, step: str) -> Any:
        events = [event for event in self.result.all_events if event.is_step_failure and event.step_key == step]
        assert len(events) == 1
        return events[0].step_failure_data

    def succeeded_steps(self) -> set[str]:
        return {event.step_key for event in self.result.all_events if event.is_step_success}


@dataclass
class Project:
    """A folder of configs with its store."""

    folder: Path
    store_root: Path
    runs: int = field(default=0)

    @property
    def config(self) -> Path:
        return self.folder / "uk.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data" / "uk.csv"

    @property
    def store(self) -> Store:
        return Store(str(self.store_root))

    def edit(self, old: str, new: str) -> None:
        """Replace text of the config that occurs once."""
        text = self.config.read_text()
        assert text.count(old) == 1
        self.config.write_text(text.replace(old, new))

    def record(self, asset: str) -> Record:
        record = self.store.record("uk", asset)
        assert record is not None
        return record

    def stored_files(self, pattern: str) -> dict[str, tuple[bytes, int]]:
        """Content and time of writing of the market's stored files."""
        found = (self.store_root / "uk").rglob(pattern)
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found if path.is_file()}

    def run(
        self,
        *,
        selection: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        today: dt.date | None = None,
        **stan: Any,
    ) -> Run:
        """Execute the refit job, or some of its assets, in this process; on a day of the caller's choice."""
        self.runs += 1
        folder = self.folder.parent / "runs" / str(self.runs)
        places = Locations(self.folder, str(self.store_root), self.folder.parent / "dagster")
        events, logger = Events(), logging.getLogger("dsam.progress")
        logger.addHandler(events)
        with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
            patch.setattr(logger, "level", logging.INFO)
            patch.setattr(dsam_assets.definitions, "StanResource", lambda progress: FakeStan(**stan))
            if today is not None:
                patch.setattr(dsam_assets.definitions, "Clock", lambda: Today(today))
            instance.add_dynamic_partitions("market", ["uk"])
            job = build_definitions(places).resolve_job_def("refit")
            result = job.execute_in_process(
                partition_key="uk",
                instance=instance,
                raise_on_error=False,
                asset_selection=None if selection is None else [dg.AssetKey(name.split("/")) for name in selection],
                tags={RUN_DIR_TAG: str(folder), **(tags or {})},
                run_config=QUIET,
            )
        logger.removeHandler(events)
        return Run(result, events.last, folder)


@dataclass(frozen=True)
class Baseline:
    """The first run, and a copy of what it left."""

    project: Project
    first: Run
    backup: Path


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    root = tmp_path_factory.mktemp("market")
    folder = write_market(root / "project" / "configs").parent
    project = Project(folder, root / "project" / "store")
    first = project.run()
    shutil.copytree(root / "project", root / "backup")
    return Baseline(project, first, root / "backup")


@pytest.fixture
def project(baseline: Baseline) -> Project:
    """The market as the first run left it."""
    root = baseline.project.folder.parent
    shutil.rmtree(root)
    shutil.copytree(baseline.backup, root)
    return Project(baseline.project.folder, baseline.project.store_root, runs=1)


@pytest.fixture
def first_run(baseline: Baseline, project: Project) -> Run:
    return baseline.first


@pytest.fixture(scope="session")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    root = tmp_path_factory.mktemp("definitions")
    return build_definitions(Locations(root, str(root / "store"), root / "dagster"))


@pytest.fixture(scope="session")
def specs(definitions: dg.Definitions) -> Callable[[], dict[str, Any]]:
    """Every asset's node in the graph of a market, by name; sources and what is made of all markets are left out."""
    graph = definitions.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    market = {name: node for name, node in nodes.items() if node.is_executable and node.group_name != FLEET_GROUP}
    return lambda: {name: node for name, node in market.items() if not node.is_observable}
