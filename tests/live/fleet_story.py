"""The story of a served fleet, and what is seen in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium, chromium
from live_markets import BROKEN, GOOD, HALTED, LATER, write_data, write_fleet, write_plain
from served_ui import Served, wait_for
from told import webhook

from resources.figure_images import find_browser

REFIT, GATES, FAILURES = "refit_on_landing", "gate_failure_notification", "run_failure_notification"
SETTINGS = {"DSAM_TICK_SECONDS": "2", "DSAM_SETTLE_SECONDS": "1"}

type Stale = Mapping[str, tuple[str, list[str]]]


@dataclass(frozen=True)
class Moment:
    """What GraphQL says at the end of a chapter.

    Attributes:
        runs: the latest first.
        stale: market → asset → `FRESH`, `STALE` or `MISSING`, and why.
        fits: market → data version of each materialisation of the posterior, and whether it was reused; latest first.
    """

    runs: list[dict[str, Any]]
    stale: Mapping[str, Stale]
    fits: Mapping[str, list[tuple[str, bool]]]

    def runs_of(self, market: str) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["market"] == market]


@dataclass
class Story:
    """What was seen.

    Attributes:
        ui: the served fleet.
        folder: its configs.
        told: what the webhook was told.
        tab: the browser, if there is one.
        moments: by chapter.
        pages: what pages showed, by name.
        failures: market of a failed run → its steps that failed by themselves → their messages.
        ticks: looks of the sensor at the files, the latest first.
        status: metadata of `fleet_status`.
        left: processes that were there after the end.
    """

    ui: Served
    folder: Path
    told: list[dict[str, Any]]
    tab: Chromium | None
    moments: dict[str, Moment] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    ticks: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def look(self, chapter: str, *markets: str) -> None:
        stale = {market: self.ui.stale(market) for market in markets}
        fits = {market: self.ui.made("posterior", market) for market in markets}
        self.moments[chapter] = Moment(self.ui.runs(), stale, fits)

    def page(self, name: str, path: str, *words: str) -> None:
        """Open a page, wait for words on it, and keep its text and a picture."""
        if self.tab is not None:
            self.tab.open(self.ui.address(path))
            self.pages[name] = self.tab.wait_for(*words)
            time.sleep(0.7)  # lines between the nodes of a graph come after its words
            self.tab.shoot(name)

    def quiet_tick(self) -> None:
        """Wait for a look at the files that begins after now and asks for nothing."""
        before = self.ui.ticks(REFIT)[0]["timestamp"]

        def found() -> bool:
            later = [tick for tick in self.ui.ticks(REFIT) if tick["timestamp"] > before]
            return bool(later) and later[0]["status"] == "SKIPPED"

        wait_for("a tick that asks for nothing", found, 300)


@contextmanager
def lived(root: Path, shots: Path) -> Iterator[Story]:
    """The story, with the UI stopped again."""
    write_fleet(root / "configs")
    with ExitStack() as stack:
        address, told = stack.enter_context(webhook())
        program = _browser()
        tab = stack.enter_context(chromium(program, root / "browser", shots)) if program else None
        story = Story(Served(root / "configs", {**SETTINGS, "DSAM_WEBHOOK_URL": address}), root / "configs", told, tab)
        try:
            _live(story)
        finally:
            story.left = story.ui.stop()
        yield story


def _browser() -> str | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DSAM_BROWSER", raising=False)
        return find_browser()


def _live(story: Story) -> None:
    story.ui.start()
    _backfill(story)
    _read_pages(story)
    _land(story)
    _there_and_back(story)
    _look_without_sensor(story)


def _backfill(story: Story) -> None:
    """All six markets, all assets."""
    ui = story.ui
    assert ui.markets() == {*GOOD, BROKEN, HALTED}
    for sensor in (GATES, FAILURES):
        ui.start_sensor(sensor)
    if story.tab is not None:
        story.tab.open(ui.link)
        story.tab.wait_for("Lineage")
    story.page("lineage", "/asset-groups", "00_run_metadata", "80_interpretation", "fleet")
    for sensor in (GATES, FAILURES):
        wait_for(f"a tick of {sensor}", lambda sensor=sensor: ui.ticks(sensor), 300)
    words = ("share_positive", "Never materialized", "posterior mean [data units, model scale]")
    story.page("columns", "/assets/posterior_summary?view=overview", *words)
    ui.backfill(sorted(ui.markets()), ui.partitioned(executable=True))
    runs = ui.finished(6)
    story.failures = {run["market"]: ui.failures(run["runId"]) for run in runs if run["status"] == "FAILURE"}
    story.look("backfill", *GOOD, BROKEN, HALTED)


def _read_pages(story: Story) -> None:
    story.page("partition", "/assets/posterior?view=partitions&partition=de", "Latest materialization", "stan_version")
    story.page("checks", "/assets/diagnostics_report?view=checks", "sampler_rhat_max", "About")
    story.page(
        "check", "/assets/diagnostics_report?view=checks&checkDetail=sampler_rhat_max", "Largest R-hat is", "advice"
    )


def _land(story: Story) -> None:
    """The sensor is started; data of one market are revised, and two new configs land."""
    ui = story.ui
    write_data(story.folder, "uk", LATER)
    for market in ("es", "pt"):
        write_plain(story.folder, market)
    ui.start_sensor(REFIT)
    for market, number in (("uk", 2), ("es", 1), ("pt", 1)):
        ui.finished(number, market)
    story.look("landed", *GOOD, "es", "pt")


def _there_and_back(story: Story) -> None:
    """The first data are back, a comment is written, and a market is run again for no reason."""
    ui = story.ui
    write_data(story.folder, "uk")
    with (story.folder / "pt.yaml").open("a") as config:
        config.write("# nothing new\n")
    ui.launch("refit", "fr")
    for market, number in (("uk", 3), ("pt", 2), ("fr", 2)):
        ui.finished(number, market)
    story.quiet_tick()
    story.look("back", *GOOD, "es", "pt")


def _look_without_sensor(story: Story) -> None:
    """The sensor is stopped, and data are revised again: what is stale is seen by asking."""
    ui = story.ui
    story.ticks = ui.ticks(REFIT)
    ui.stop_sensor(REFIT)
    write_data(story.folder, "uk", LATER)
    ui.launch("observe_sources", "uk")
    ui.launch("fleet")
    story.page("runs", "/runs", "config file changed")
    ui.finished(len(story.moments["back"].runs) + 2)
    story.look("stopped", *GOOD, "es", "pt")
    story.status = ui.latest_metadata("fleet_status")
    story.page("fleet", "/assets/fleet_status", "fleet_status.html", "worst status: R-hat", "what changed since")
