"""Processes of a served fleet killed without warning, in the middle of sampling: what is left, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from live_markets import SAMPLER, write_market
from served_ui import Served, wait_for
from small_market import CONFIG

from dsam_assets.staleness import declared
from resources.locations import prepare_dagster_home
from resources.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.stan]
LONG = "{chains: 2, iter: 601000, warmup: 1000, thin: 600, seed: 7}"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Two markets that sample for some seconds; the daemon looks after runs every two seconds."""
    configs = tmp_path / "configs"
    for market in ("uk", "de"):
        write_market(configs, market, CONFIG.split("allocation:")[0].replace(SAMPLER, LONG))
    settings = prepare_dagster_home(configs / ".dsam" / "dagster") / "dagster.yaml"
    text = settings.read_text()
    assert text.count("poll_interval_seconds: 30") == 1
    settings.write_text(text.replace("poll_interval_seconds: 30", "poll_interval_seconds: 2"))
    ui = Served(configs)
    try:
        ui.start()
        yield ui
    finally:
        left = ui.stop()
    assert left == []


@pytest.fixture
def ui(served: Served) -> Served:
    """One of them in the middle of sampling."""
    served.launch("refit", "uk")
    wait_for("the sampler", lambda: samplers(served), 300)
    return served


def commands(process: psutil.Process) -> str:
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def samplers(ui: Served) -> list[psutil.Process]:
    return [process for process in ui.family() if "random seed=7" in commands(process)]


def one(ui: Served, words: str) -> psutil.Process:
    (found,) = [process for process in ui.family() if words in commands(process)]
    return found


def gone(processes: list[psutil.Process]) -> Callable[[], bool]:
    return lambda: not any(commands(process) for process in processes)


def assert_whole(ui: Served) -> None:
    """Everything that is stored is what its record says, nothing is half-written, and the market is current."""
    store = Store(str(ui.configs / ".dsam" / "store"))
    records = {name: store.record("uk", name) for name in declared()}
    assert all(record is not None and store.verified("uk", record) for record in records.values())
    known = {file for record in records.values() if record is not None for file in record.files}
    stored = {path.name for path in (ui.configs / ".dsam" / "store" / "uk").rglob("*") if path.is_file()}
    assert {name for name in stored if name not in known and not name.endswith(".json")} == set()
    assert {status for status, _ in ui.stale("uk").values()} == {"FRESH"}


def test_a_run_whose_worker_is_killed_is_tried_again(ui: Served) -> None:
    sampling = samplers(ui)
    worker = psutil.Process(sampling[0].pid).parent()
    assert worker is not None
    assert "spawn_main" in commands(worker)
    worker.kill()
    wait_for("the end of its sampler", gone(sampling), 30)
    again, first = ui.finished(2)
    assert (first["status"], again["status"]) == ("FAILURE", "SUCCESS")
    assert again["tags"]["dagster/retry_number"] == "1"
    assert_whole(ui)


@pytest.mark.parametrize("victim", ["dagster._daemon", "guarded_webserver"])
def test_without_a_daemon_or_a_web_server_the_ui_ends_and_the_run_does_not(ui: Served, victim: str) -> None:
    family = ui.family()
    one(ui, victim).kill()
    assert ui.process is not None
    ui.process.wait(120)
    wait_for("the end of the run and its servers", gone(family), 300)
    ui.start()
    (run,) = ui.finished(1)
    assert run["status"] == "SUCCESS"
    assert_whole(ui)


def test_after_everything_was_killed_the_run_is_found_out_and_tried_again(ui: Served) -> None:
    family = ui.family()
    assert ui.process is not None
    for process in (psutil.Process(ui.pid), *family):
        process.kill()
    ui.process.wait(30)
    wait_for("the end of the samplers", gone(family), 30)
    ui.start()
    again, first = ui.finished(2)
    assert (first["status"], again["status"]) == ("FAILURE", "SUCCESS")
    assert_whole(ui)


def test_a_backfill_that_is_cancelled_stops_its_samplers_and_goes_on_when_it_is_started_again(served: Served) -> None:
    assets = served.partitioned(executable=True)
    backfill = served.backfill(["de", "uk"], assets)
    wait_for("the samplers of both", lambda: len(samplers(served)) == 2, 300)
    sampling = samplers(served)
    served.cancel(backfill)
    wait_for("the end of the samplers", gone(sampling), 60)
    assert {run["status"] for run in served.finished(2)} == {"CANCELED"}
    wait_for("the end of the backfill", lambda: served.backfill_status(backfill) == "CANCELED", 120)
    frames = served.made("model_frame", "uk")
    assert len(frames) == 1
    assert served.made("posterior", "uk") == []
    served.backfill(["de", "uk"], assets)
    assert {run["status"] for run in served.finished(4)[:2]} == {"SUCCESS"}
    assert served.made("design_matrix", "uk")[0][1]  # reused
    assert_whole(served)
