"""The served UI as its user starts it, on a free port of this machine, and what GraphQL says of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

ROOT = Path(__file__).parents[2]
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
LOCATION = {"repositoryLocationName": "dsam_assets.definitions", "repositoryName": "__repository__"}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(what: str, found: Callable[[], Any], seconds: float) -> Any:
    """The first true value of a function; fails with a name for what did not come."""
    until = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < until, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.5)


@dataclass
class Served:
    """`dsam ui` over a folder of configs, in a process group of its own."""

    configs: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    token: str = ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def link(self) -> str:
        """What `dsam ui` prints; whoever opens it is let in from then on."""
        return f"{self.address('/')}?token={self.token}"

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def log(self) -> Path:
        return self.configs.parent / "ui.log"

    def start(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *self.settings.get("PYTHONPATH", "").split(os.pathsep)]),
            "DSAM_BROWSER": "none",
            "DSAM_DATA_ROOTS": str(self.configs.parent),
            **{name: value for name, value in self.settings.items() if name != "PYTHONPATH"},
        }
        for name in ("DAGSTER_HOME", "DSAM_STORE", "DSAM_CONFIGS"):
            environment.pop(name, None)
        command = [
            sys.executable, "-m", "dsam_assets.cli", "ui", "--configs", str(self.configs), "--port", str(self.port),
        ]  # fmt: skip
        said = len(self.log.read_text()) if self.log.is_file() else 0  # by an earlier one
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.configs.parent, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        found = wait_for(
            "the link", lambda: re.findall(rf":{self.port}/\?token=(\S+)", self.log.read_text()[said:]), 120
        )
        self.token = found[-1]
        wait_for("the web server", self._answers, 300)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return bool(self.ask("{ version }")["version"])
        except OSError:
            return False

    def stop(self) -> list[str]:
        """Interrupt it by its process id, as Ctrl-C does; returns what is left of its processes after a while."""
        if self.process is None:
            return []
        family = self.family()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(180)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(family, timeout=120)
        left = []
        for each in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.append(" ".join(each.cmdline())[:200])
                each.kill()
        self.process = None
        return left

    def family(self) -> list[psutil.Process]:
        """All processes that it started."""
        assert self.process is not None
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def ask(self, query: str, **variables: Any) -> Any:
        """One GraphQL request; returns its data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        request = Request(f"http://127.0.0.1:{self.port}/graphql", body, headers)
        try:
            with urlopen(request, timeout=180) as answer:  # noqa: S310 our own address
                document = json.load(answer)
        except HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()[:2000]}") from error
        assert "errors" not in document, document["errors"]
        return document["data"]

    def markets(self) -> set[str]:
        found = self.ask(
            """query($assetKey: AssetKeyInput!) {
              assetNodeOrError(assetKey: $assetKey) { ... on AssetNode { partitionKeys } }
            }""",
            assetKey={"path": ["posterior"]},
        )
        return set(found["assetNodeOrError"]["partitionKeys"])

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """Runs, latest first: status, market, what they were asked to make, what they made, tags."""
        found = self.ask(
            """query($filter: RunsFilter) {
              runsOrError(filter: $filter, limit: 500) { ... on Runs { results {
                runId status jobName startTime endTime tags { key value } assetSelection { path }
                stats { ... on RunStatsSnapshot { stepsSucceeded stepsFailed } }
              } } }
            }""",
            filter=filters,
        )
        runs: list[dict[str, Any]] = found["runsOrError"]["results"]
        for run in runs:
            run["tags"] = {tag["key"]: tag["value"] for tag in run["tags"]}
            run["market"] = run["tags"].get("dagster/partition", "")
            run["asked"] = {"/".join(key["path"]) for key in run["assetSelection"] or ()}
        return runs

    def settled(self) -> bool:
        """Whether no run is queued or going."""
        return all(run["status"] in FINISHED for run in self.runs())

    def finished(self, number: int, market: str = "", seconds: float = 300) -> list[dict[str, Any]]:
        """The runs, of a market or all, once there are that many and none is queued or going.

        A busy machine takes its time: the seconds are those in which nothing at all happens.
        """
        seen, until = None, time.monotonic()
        while True:
            runs = [run for run in self.runs() if market in ("", run["market"])]
            if len(runs) >= number and all(run["status"] in FINISHED for run in runs):
                return runs
            now = [(run["runId"], run["status"], run["stats"]) for run in runs]
            if now != seen:
                seen, until = now, time.monotonic() + seconds
            assert time.monotonic() < until, f"nothing happens, and there should be {number} runs: {now}"
            time.sleep(1)

    def launch(self, job: str, market: str = "") -> str:
        """Start a job as its launchpad does; returns the run's id."""
        tags = [{"key": "dagster/partition", "value": market}] if market else []
        found = self.ask(
            """mutation($params: ExecutionParams!) {
              launchRun(executionParams: $params) {
                __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
              }
            }""",
            params={"selector": {**LOCATION, "jobName": job}, "runConfigData": {}, "executionMetadata": {"tags": tags}},
        )["launchRun"]
        assert found["__typename"] == "LaunchRunSuccess", found
        return str(found["run"]["runId"])

    def failures(self, run: str) -> dict[str, str]:
        """Step that failed by itself → its message."""
        found = self.ask(
            """query($id: ID!) { runOrError(runId: $id) { ... on Run { eventConnection(limit: 2000) { events {
              ... on ExecutionStepFailureEvent { stepKey failureMetadata { description } error { message } }
            } } } } }""",
            id=run,
        )
        failed = [event for event in found["runOrError"]["eventConnection"]["events"] if event]
        return {each["stepKey"]: (each["failureMetadata"] or each["error"]).get("description", "") for each in failed}

    def backfill(self, markets: list[str], assets: list[str]) -> str:
        found = self.ask(
            """mutation($params: LaunchBackfillParams!) {
              launchPartitionBackfill(backfillParams: $params) {
                __typename
                ... on LaunchBackfillSuccess { backfillId }
                ... on PythonError { message }
              }
            }""",
            params={"partitionNames": markets, "assetSelection": [{"path": name.split("/")} for name in assets]},
        )["launchPartitionBackfill"]
        assert found["__typename"] == "LaunchBackfillSuccess", found
        return str(found["backfillId"])

    def cancel(self, backfill: str) -> None:
        found = self.ask(
            "mutation($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename } }", id=backfill
        )
        assert found["cancelPartitionBackfill"]["__typename"] == "CancelBackfillSuccess", found

    def backfill_status(self, backfill: str) -> str:
        found = self.ask(
            "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }",
            id=backfill,
        )
        return str(found["partitionBackfillOrError"]["status"])

    def stop_sensor(self, name: str) -> None:
        found = self.ask(
            """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
              ... on Sensor { sensorState { id } } } }""",
            selector={**LOCATION, "sensorName": name},
        )
        self.ask(
            "mutation($id: String!) { stopSensor(id: $id) { __typename } }",
            id=found["sensorOrError"]["sensorState"]["id"],
        )

    def start_sensor(self, name: str) -> None:
        found = self.ask(
            """mutation($selector: SensorSelector!) {
              startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
            }""",
            selector={**LOCATION, "sensorName": name},
        )
        assert found["startSensor"]["__typename"] == "Sensor", found

    def ticks(self, name: str) -> list[dict[str, Any]]:
        """Ticks of a sensor, latest first."""
        found = self.ask(
            """query($selector: SensorSelector!) {
              sensorOrError(sensorSelector: $selector) { ... on Sensor { sensorState {
                ticks(limit: 500) { status skipReason runKeys error { message } timestamp }
              } } }
            }""",
            selector={**LOCATION, "sensorName": name},
        )
        ticks: list[dict[str, Any]] = found["sensorOrError"]["sensorState"]["ticks"]
        return ticks

    def partitioned(self, *, executable: bool = False) -> list[str]:
        """Assets of a market; without its sources if they are to be made."""
        nodes = self.ask("{ assetNodes { assetKey { path } partitionDefinition { name } isObservable } }")["assetNodes"]
        return [
            "/".join(node["assetKey"]["path"])
            for node in nodes
            if node["partitionDefinition"] is not None and not (executable and node["isObservable"])
        ]

    def stale(self, market: str) -> dict[str, tuple[str, list[str]]]:
        """Asset → what Dagster says of a market: `FRESH`, `STALE` or `MISSING`, and why."""

        def why(causes: list[dict[str, Any]] | None) -> list[str]:
            return [
                f"{'/'.join((each['dependency'] or each['key'])['path'])} {each['reason']}" for each in causes or ()
            ]

        found = self.ask(
            """query($keys: [AssetKeyInput!], $partition: String!) {
              assetNodes(assetKeys: $keys) { assetKey { path }
                staleStatusByPartition(partitions: [$partition])
                staleCausesByPartition(partitions: [$partition]) { reason key { path } dependency { path } }
              }
            }""",
            keys=[{"path": name.split("/")} for name in self.partitioned()],
            partition=market,
        )
        return {
            "/".join(node["assetKey"]["path"]): (
                node["staleStatusByPartition"][0],
                why(node["staleCausesByPartition"][0]),
            )
            for node in found["assetNodes"]
        }

    def made(self, asset: str, market: str) -> list[tuple[str, bool]]:
        """Data version, and whether nothing was computed, of each materialisation of an asset; the latest first."""
        found = self.ask(
            """query($key: AssetKeyInput!, $partitions: [String!]) {
              assetOrError(assetKey: $key) { ... on Asset {
                assetMaterializations(limit: 100, partitions: $partitions) {
                  tags { key value } metadataEntries { label ... on BoolMetadataEntry { boolValue } }
                }
              } }
            }""",
            key={"path": asset.split("/")},
            partitions=[market],
        )
        return [
            (
                next(tag["value"] for tag in each["tags"] if tag["key"] == "dagster/data_version"),
                any(entry["label"] == "reused" and entry["boolValue"] for entry in each["metadataEntries"]),
            )
            for each in found["assetOrError"]["assetMaterializations"]
        ]

    def latest_metadata(self, asset: str) -> dict[str, Any]:
        """Label → value of an asset's latest materialisation; numbers and texts only."""
        found = self.ask(
            """query($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
              assetMaterializations(limit: 1) { metadataEntries {
                label ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text }
                ... on MarkdownMetadataEntry { mdStr }
              } }
            } } }""",
            key={"path": asset.split("/")},
        )
        (latest,) = found["assetOrError"]["assetMaterializations"]
        return {
            each["label"]: next(iter([value for name, value in each.items() if name != "label"]), None)
            for each in latest["metadataEntries"]
        }
