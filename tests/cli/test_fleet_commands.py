"""`dsam status` and `dsam refresh` over a folder of markets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli_market import Answer, Market, assert_one_message
from small_market import write_market

type Dsam = Callable[..., Answer]
slow = pytest.mark.slow


@pytest.fixture
def fleet(market: Market, fake_stan: Callable[..., None]) -> Callable[..., tuple[str, ...]]:
    """A command over the market's folder."""
    return lambda *words: (*words, "--configs", str(market.folder))


def states(answer: Answer) -> dict[str, Any]:
    return {each["market"]: each for each in answer.document["markets"]}


def stored(market: Market) -> dict[str, bytes | None]:
    return {name: content for name, content in market.tree().items() if "/store/" in name}


def test_status_of_markets_that_cannot_be_current(market: Market, dsam: Dsam, fleet: Callable[..., Any]) -> None:
    (market.folder / "broken.yaml").write_text("model: {formula: [")
    before = market.tree()
    answer = dsam(*fleet("status"))
    assert (answer.status, answer.err) == (0, "")
    assert market.tree() == before
    lines = answer.out.splitlines()
    assert lines[0].split() == ["broken", "broken"]
    assert "not valid YAML" in answer.out
    assert "uk                   never run" in lines
    assert "2 markets: 1 broken, 1 never run" in lines
    assert f"Next: dsam refresh uk --configs {market.folder}" in lines
    assert f"Next: dsam validate --config {market.folder}/broken.yaml" in lines
    found = states(dsam(*fleet("status", "--json")))
    assert {name: each["condition"] for name, each in found.items()} == {"broken": "broken", "uk": "never_run"}


def test_an_unknown_market_is_refused_with_those_that_exist(dsam: Dsam, fleet: Callable[..., Any]) -> None:
    for command in ("status", "refresh"):
        assert_one_message(dsam(*fleet(command, "fr")), "no market fr", "markets uk")
    answer = dsam(*fleet("status", "fr", "--json"))
    assert answer.status == 2
    assert (answer.document["status"], answer.document["markets"]) == ("failed", [])


def test_a_folder_that_does_not_exist_is_refused(dsam: Dsam, tmp_path: Path) -> None:
    assert_one_message(dsam("status", "--configs", tmp_path / "no"), "does not exist", "Create it")


def test_an_empty_folder_says_how_to_begin(dsam: Dsam, tmp_path: Path) -> None:
    answer = dsam("status", "--configs", tmp_path)
    assert answer.status == 0
    assert "dsam init" in answer.out


@slow
def test_refresh_computes_what_is_stale_and_status_agrees(
    market: Market, dsam: Dsam, fleet: Callable[..., Any]
) -> None:
    first = dsam(*fleet("refresh"))
    assert (first.status, first.err) == (0, "")
    assert "uk                   refreshed" in first.out
    assert "1 market: 1 refreshed" in first.out
    assert (market.folder / ".dsam" / "store" / "_fleet" / "fleet_status.html").is_file()
    assert len(list((market.folder / "results").iterdir())) == 1

    before = stored(market)
    again = dsam(*fleet("refresh"))
    assert again.status == 0
    assert "uk                   current: nothing to compute" in again.out
    assert stored(market) == before
    assert "1 market: 1 current" in dsam(*fleet("status")).out

    market.edit("total: 250", "total: 260")
    told = dsam(*fleet("status", "uk"))
    flat = " ".join(told.out.split())
    assert "config/allocation changed: allocation.budget.total 250.0 → 260.0 → config/allocation → allocation" in flat
    assert "Next: dsam refresh uk" in told.out
    wanted = states(dsam(*fleet("status", "--json")))["uk"]
    stale, waiting = (
        {each["asset"] for each in wanted["assets"] if each["condition"] == condition}
        for condition in ("stale", "waiting")
    )
    document = states(dsam(*fleet("refresh", "uk", "--json")))["uk"]
    # What waits is computed unless what lies above it comes out the same, as a forecast that nobody asked for does.
    assert stale <= set(document["computed"]) <= stale | waiting
    assert stale | waiting == set(document["computed"]) | {"forecast_plots"}
    assert "posterior" not in stale
    assert "allocation" in stale | waiting
    assert document["outcome"] == "refreshed"
    assert document["reused"] + len(document["computed"]) == len(wanted["assets"])
    assert states(dsam(*fleet("status", "--json")))["uk"]["condition"] == "current"


@pytest.fixture
def side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are processes of their own, and have no Stan either."""
    tests = Path(__file__).parents[1]
    monkeypatch.setattr(
        "dsam_assets.refreshing_workers.PROGRAM", (sys.executable, str(tests / "cli" / "fake_stan_cli.py"))
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tests), str(tests.parent)]))


@slow
@pytest.mark.usefixtures("side_by_side")
def test_markets_side_by_side_are_what_they_are_one_by_one(
    market: Market, dsam: Dsam, fleet: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (market.folder / "broken.yaml").write_text("model: {formula: [")
    for name in ("de", "fr"):
        write_market(market.folder, name)
    monkeypatch.setenv("CRASHES", "fr")
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    answer = dsam(*fleet("refresh", "--concurrency", "2"))
    assert {process.pid for process in psutil.Process().children(recursive=True)} == before
    assert answer.status == 2, answer
    assert "4 markets: 2 failed, 2 refreshed" in " ".join(answer.out.split()) or "2 refreshed, 2 failed" in answer.out
    assert "(4 of 4)" in answer.out
    flat = " ".join(answer.out.split())
    assert "fr: The process that computed it was killed by SIGKILL, 2 times." in flat
    assert "broken: the config is not valid YAML" in flat
    found = states(dsam(*fleet("status", "--json")))
    conditions = {name: each["condition"] for name, each in found.items()}
    assert conditions == {"broken": "broken", "de": "current", "fr": "never_run", "uk": "current"}
    assert "killed by SIGKILL" in found["fr"]["failures"][0]["what"]
    assert (market.folder / ".dsam" / "store" / "_fleet" / "fleet_status.html").is_file()

    monkeypatch.delenv("CRASHES")
    market.config.with_name("broken.yaml").unlink()
    again = dsam(*fleet("refresh", "--concurrency", "3", "--json"))
    assert again.status == 0
    outcomes = {each["market"]: each["outcome"] for each in again.document["markets"]}
    assert outcomes == {"de": "current", "fr": "refreshed", "uk": "current"}
    assert states(dsam(*fleet("status", "--json")))["fr"]["failures"] == []


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5"])
def test_a_concurrency_that_is_no_number_is_refused(dsam: Dsam, fleet: Callable[..., Any], number: str) -> None:
    answer = dsam(*fleet("refresh", "--concurrency", number))
    assert answer.status == 2
    assert "is not a whole number of at least 1" in answer.err


@slow
def test_one_market_that_fails_stops_no_other(market: Market, dsam: Dsam, fleet: Callable[..., Any]) -> None:
    (market.folder / "broken.yaml").write_text("model: {formula: [")
    twin = write_market(market.folder, "de")
    twin.write_text(twin.read_text().replace("term: m_tv,", "term: m_radio,"))
    answer = dsam(*fleet("refresh"))
    assert answer.status == 2
    assert "3 markets: 2 failed, 1 refreshed" in answer.out
    summary = answer.out[answer.out.index("3 markets") :]
    assert "broken: the config is not valid YAML" in summary
    assert "de: A channel's term is not in the model: m_radio." in summary
    found = states(dsam(*fleet("status", "--json")))
    assert found["uk"]["condition"] == "current"
    assert "m_radio" in found["de"]["failures"][0]["what"]
    twin.write_text(twin.read_text().replace("m_radio", "m_tv"))
    assert dsam(*fleet("refresh", "de")).status == 0
    assert states(dsam(*fleet("status", "--json")))["de"]["failures"] == []


@slow
def test_a_halted_market_ends_with_3_and_is_not_tried_again(
    market: Market, dsam: Dsam, fleet: Callable[..., Any], fake_stan: Callable[..., None]
) -> None:
    market.edit("gating: warn", "gating: strict")
    fake_stan(stuck=True)
    answer = dsam(*fleet("refresh"))
    assert answer.status == 3
    assert "uk                   halted" in answer.out
    assert "A quality gate halts this run" in answer.out
    before = stored(market)
    again = dsam(*fleet("refresh"))
    assert again.status == 3
    assert "a quality gate holds back decisions: " in " ".join(again.out.split())
    assert {name for name in stored(market) if stored(market)[name] != before.get(name)} <= {
        name for name in stored(market) if "/_fleet" in name
    }
    assert "halted" in dsam(*fleet("status")).out


@slow
def test_a_market_whose_config_is_deleted_is_gone(market: Market, dsam: Dsam, fleet: Callable[..., Any]) -> None:
    assert dsam(*fleet("refresh")).status == 0
    market.config.unlink()
    answer = dsam(*fleet("status"))
    assert "uk                   no config" in answer.out
    assert f"Next: dsam sync --configs {market.folder}" in answer.out
    assert dsam(*fleet("refresh")).status == 2
