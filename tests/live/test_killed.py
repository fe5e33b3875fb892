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
def ui(tmp_path: Path) -> Iterator[Served]:
    """One market, in the middle of sampling; the daemon looks after runs every two seconds."""
    configs = tmp_path / "configs"
    write_market(configs, "uk", CONFIG.split("allocation:")[0].replace(SAMPLER, LONG))
    settings = prepare_dagster_home(configs / ".dsam" / "dagster") / "dagster.yaml"
    text = settings.read_text()
    assert text.count("poll_interval_seconds: 30") == 1
    settings.write_text(text.replace("poll_interval_seconds: 30", "poll_interval_seconds: 2"))
    served = Served(configs)
    try:
        served.start()
        served.launch("refit", "uk")
        wait_for("the sampler", lambda: samplers(served), 300)
        yield served
    finally:
        left = served.stop()
    assert left == []


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
