"""A fleet served by `dsam ui`: what ran, what did not, what is stale and why, what the pages and a report show of
it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium
from fleet_story import Story
from live_markets import BROKEN, GOOD, HALTED
from served_ui import wait_for

pytestmark = [pytest.mark.ui, pytest.mark.stan]
MOST_BYTES = 6_000_000
PHONE, SCREEN = (390, 844), (1100, 900)
WHOLE = "document.readyState === 'complete' && document.querySelectorAll('.plot').length > 20"
DRAW = "window.dispatchEvent(new Event('beforeprint'))"
DRAWN = "[...document.querySelectorAll('.plot')].filter(box => box.querySelector('.main-svg')).length"
BROKEN_LINKS = """[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))
  .filter(to => !to.startsWith('#') || !document.getElementById(to.slice(1)))"""
DECISIONS = {"allocation", "efficient_frontier", "response_curves", "optimisation_plots", "report", "run_bundle"}
COMMENTED = {"resolved_config", "run_bundle"}  # made again after a comment, besides the sections of the config


def versions(story: Story, chapter: str, market: str) -> list[str]:
    """Of the posterior, each time it was fitted; the latest first."""
    return [version for version, reused in story.moments[chapter].fits[market] if not reused]


def not_fresh(story: Story, chapter: str, market: str) -> dict[str, tuple[str, list[str]]]:
    return {name: found for name, found in story.moments[chapter].stale[market].items() if found[0] != "FRESH"}


def test_a_backfill_runs_every_market_once_whatever_becomes_of_the_others(story: Story) -> None:
    runs = story.moments["backfill"].runs
    status = {run["market"]: run["status"] for run in runs}
    assert status == {**dict.fromkeys(GOOD, "SUCCESS"), BROKEN: "FAILURE", HALTED: "FAILURE"}
    assert len(runs) == 6
    for market in GOOD:
        assert len(versions(story, "backfill", market)) == 1
        assert not_fresh(story, "backfill", market) == {}


def test_a_broken_config_fails_with_one_message_and_makes_nothing(story: Story) -> None:
    (run,) = story.moments["backfill"].runs_of(BROKEN)
    assert run["stats"]["stepsSucceeded"] == 0
    assert list(story.failures[BROKEN]) == ["resolved_config"]
    assert "not valid YAML" in story.failures[BROKEN]["resolved_config"]
    made = {name for name, (status, _) in story.moments["backfill"].stale[BROKEN].items() if status != "MISSING"}
    assert all(name.endswith("_file") for name in made)


def test_a_gate_holds_back_decisions_and_leaves_the_evidence(story: Story) -> None:
    ((_, message),) = story.failures[HALTED].items()
    assert "A quality gate halts this run" in message
    assert "sampler_rhat_max (fail)" in message
    missing = set(not_fresh(story, "backfill", HALTED))
    assert missing >= DECISIONS
    assert not missing & {"posterior", "posterior_summary", "diagnostics_report", "loo"}


def test_people_are_told_of_the_two_bad_markets_once_and_of_no_other(story: Story) -> None:
    told = {(each["kind"], each["market"]): each["text"] for each in story.told}
    assert set(told) == {("run_failure", BROKEN), ("gate_failure", HALTED)}
    assert len(story.told) == 2
    assert "resolved_config: the config is not valid YAML" in told["run_failure", BROKEN]
    assert "sampler_rhat_max" in told["gate_failure", HALTED]


def test_new_data_refit_their_market_alone(story: Story) -> None:
    landed = story.moments["landed"]
    _, again = reversed(landed.runs_of("uk"))
    assert (again["jobName"], again["status"]) == ("refresh", "SUCCESS")
    assert again["tags"]["dsam/why"] == "data file changed"
    assert {"model_frame", "posterior", "run_bundle"} <= again["asked"]
    assert not again["asked"] & {"config/fit", "resolved_config"}
    assert len(set(versions(story, "landed", "uk"))) == 2
    for market in ("de", "fr", "it", BROKEN, HALTED):
        assert len(landed.runs_of(market)) == 1


def test_configs_that_land_are_registered_and_fitted(story: Story) -> None:
    for market in ("es", "pt"):
        (run,) = story.moments["landed"].runs_of(market)
        assert (run["status"], run["tags"]["dsam/why"]) == ("SUCCESS", "never made")
        assert len(versions(story, "landed", market)) == 1
        assert not_fresh(story, "landed", market) == {}


def test_a_comment_fits_nothing(story: Story) -> None:
    run, _ = story.moments["back"].runs_of("pt")
    assert run["status"] == "SUCCESS"
    assert {name for name in run["asked"] if not name.startswith("config/")} == COMMENTED
    assert len(story.moments["back"].fits["pt"]) == 1


def test_there_and_back_again_is_fitted_for_what_is_there(story: Story) -> None:
    back, there, first = versions(story, "back", "uk")
    assert back == first
    assert there != first
    assert len({run["tags"]["dagster/run_key"] for run in story.moments["back"].runs_of("uk")[:2]}) == 2


def test_a_run_for_no_reason_fits_nothing(story: Story) -> None:
    run, _ = story.moments["back"].runs_of("fr")
    assert (run["jobName"], run["status"]) == ("refit", "SUCCESS")
    (again, reused), (first, _) = story.moments["back"].fits["fr"]
    assert reused
    assert again == first
    for market in ("de", "it"):
        assert len(story.moments["back"].fits[market]) == 1
    for market in (*GOOD, "es", "pt"):
        assert not_fresh(story, "back", market) == {}


def test_every_look_at_the_files_names_the_broken_config_and_asks_for_nothing_twice(story: Story) -> None:
    assert {tick["status"] for tick in story.ticks} <= {"SUCCESS", "SKIPPED"}
    keys = [key for tick in story.ticks for key in tick["runKeys"]]
    assert sorted(key.rsplit(":", 1)[0] for key in keys) == ["es:1", "pt:1", "pt:2", "uk:1", "uk:2"]
    skipped = [tick["skipReason"] for tick in story.ticks if tick["status"] == "SKIPPED"]
    assert all(f"{BROKEN}: " in reason for reason in skipped)
    assert "the config is not valid YAML" in skipped[0]


def test_what_is_stale_and_why_is_seen_without_a_run(story: Story) -> None:
    """Dagster says it of the assets below a source, and `fleet_status` of the market."""
    stale = not_fresh(story, "stopped", "uk")
    status, causes = stale["model_frame"]
    assert (status, causes) == ("STALE", ["data_file has a new data version"])
    for market in ("de", "fr", "it", "es", "pt"):
        assert not_fresh(story, "stopped", market) == {}
    lines = {line.split("|")[1].strip(): line for line in story.status["preview"].splitlines() if line.startswith("|")}
    assert "data file changed" in lines["uk"]
    assert "not valid YAML" in lines[BROKEN]
    assert "stale" in lines["uk"]
    assert "current" in lines["de"]


def test_nothing_is_left_behind(story: Story) -> None:
    assert story.left == []
    log = story.ui.log.read_text()
    assert "database is locked" not in log
    assert "Daemon threads shut down" in log


@pytest.fixture
def pages(story: Story) -> dict[str, str]:
    if story.tab is None:
        pytest.skip("no Chrome or Chromium on this machine")
    return story.pages


def test_the_graph_is_grouped_by_stage(pages: dict[str, str]) -> None:
    for group in ("sources", "00_run_metadata", "20_model_fit", "40_diagnostics", "60_optimisation", "fleet"):
        assert group in pages["lineage"]


def test_the_catalogue_has_columns_with_units_before_the_first_run(pages: dict[str, str]) -> None:
    assert "Never materialized" in pages["columns"]
    assert "posterior mean [data units, model scale]" in pages["columns"]
    assert pages["columns"].count("posterior mean [") == 1


def test_a_markets_page_shows_its_fit(pages: dict[str, str]) -> None:
    for words in (*GOOD, "Materialized", "divergences", "peak_memory_mib", "posterior.nc"):
        assert words in pages["partition"]
    assert "Failed (1)" in pages["partition"]


def test_a_check_says_what_it_asks_what_came_out_and_what_to_do(pages: dict[str, str]) -> None:
    for words in ("Did the chains find the same answer?", "Largest R-hat is", "warn > 1.01", "advice"):
        assert words in pages["check"]


def test_a_run_says_why_it_was_made(pages: dict[str, str]) -> None:
    for words in ("dsam/why: data file changed", "dsam/why: config file changed", "partition: uk"):
        assert words in pages["runs"]


def test_the_fleets_page_shows_markets_by_gate(pages: dict[str, str]) -> None:
    for words in ("worst status: R-hat", "what changed since it was computed", "fleet_status.html"):
        assert words in pages["fleet"]


def test_no_page_reports_an_error(story: Story, pages: dict[str, str]) -> None:
    assert story.tab is not None
    assert story.tab.errors == []


@pytest.fixture
def report(story: Story) -> Path:
    return story.folder / ".dsam" / "store" / "de" / "80_interpretation" / "report.html"


@pytest.fixture
def tab(story: Story, report: Path) -> Iterator[Chromium]:
    if story.tab is None:
        pytest.skip("no Chrome or Chromium on this machine")
    story.tab.resize(*SCREEN)
    story.tab.open("about:blank")  # the UI's last page goes on asking a server that has ended
    wait_for("an empty page", lambda: story.tab is not None and story.tab.run("location.href") == "about:blank", 60)
    story.tab.requests.clear()
    story.tab.errors.clear()
    story.tab.open(report.as_uri())
    story.tab.wait_for("marketing mix report", "What this report cannot say")
    wait_for("the whole page", lambda: story.tab is not None and story.tab.run(WHOLE), 120)
    story.tab.run(DRAW)
    yield story.tab
    assert story.tab.errors == []
    story.tab.call("Emulation.clearDeviceMetricsOverride")


def test_it_draws_every_figure_and_asks_the_network_for_nothing(tab: Chromium, report: Path) -> None:
    assert tab.run(DRAWN) == tab.run("document.querySelectorAll('.plot').length")
    assert {url for url in tab.requests if not url.startswith(("data:", "blob:"))} == {report.as_uri()}
    assert report.stat().st_size < MOST_BYTES
    tab.shoot("report")


def test_its_links_lead_to_its_sections(tab: Chromium) -> None:
    assert tab.run("document.querySelectorAll('nav a').length") > 6
    assert tab.run(BROKEN_LINKS) == []


def test_its_first_numbers_stand_above_everything_else(tab: Chromium) -> None:
    first = tab.run("document.querySelector('.heads').innerText")
    for words in ("Checks that apply", "KPI from media", "Budget plan against reference"):
        assert words in first
    assert tab.run("document.querySelector('.heads').getBoundingClientRect().bottom") < SCREEN[1]


def test_a_phone_scrolls_it_in_one_direction_only(tab: Chromium) -> None:
    tab.resize(*PHONE)
    tab.run("new Promise(done => setTimeout(done, 500))")
    assert tab.run("document.documentElement.scrollWidth") <= PHONE[0]
    assert tab.run("Math.max(...[...document.querySelectorAll('.plot')].map(box => box.scrollWidth))") <= PHONE[0]
    tab.shoot("report_phone")


def test_it_prints_with_every_check_open(tab: Chromium) -> None:
    printed = base64.b64decode(tab.call("Page.printToPDF", printBackground=True)["data"])
    assert printed.startswith(b"%PDF")
    assert tab.run("[...document.querySelectorAll('details')].every(part => part.open)")
    assert 8 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 30
