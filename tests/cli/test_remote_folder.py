"""Commands over a folder of configs behind a URL: what changes there is seen here at the next look."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli_market import Answer, Market, assert_one_message
from web_folder import served_folder

type Dsam = Callable[..., Answer]


@pytest.fixture
def url(market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The market's folder as a web server shows it; the working folder is an empty one."""
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    with served_folder(market.folder.parent) as root:
        yield f"{root}/configs"


def conditions(answer: Answer) -> dict[str, Any]:
    return {each["market"]: each["condition"] for each in answer.document["markets"]}


def test_a_fleet_behind_a_url_is_run_and_refreshed(
    market: Market, dsam: Dsam, url: str, fake_stan: Callable[..., None], tmp_path: Path
) -> None:
    told = dsam("status", "--configs", url)
    assert (told.status, told.err) == (0, "")
    assert f"Next: dsam refresh uk --configs {url}" in told.out

    first = dsam("refresh", "--configs", url)
    assert (first.status, first.err) == (0, "")
    assert "1 market: 1 refreshed" in first.out
    assert conditions(dsam("status", "--configs", url, "--json")) == {"uk": "current"}
    assert {path.name for path in market.folder.iterdir()} == {"uk.yaml", "data"}  # nothing is written over there
    assert [path.name for path in (tmp_path / "desk").iterdir()] == [".dsam"]

    frame = pd.read_csv(market.data)
    frame.loc[3, "kpi"] += 1.0
    frame.to_csv(market.data, index=False)
    stale = dsam("status", "--configs", url)
    assert "data file changed" in stale.out

    shutil.copy(market.config, market.folder / "de.yaml")
    assert conditions(dsam("status", "--configs", url, "--json")) == {"de": "never_run", "uk": "stale"}
    assert dsam("sync", "--configs", url, "--json").document["added"] == ["de"]


def test_a_data_file_that_is_gone_over_there_is_said(market: Market, dsam: Dsam, url: str) -> None:
    market.data.unlink()
    told = dsam("status", "--configs", url)
    assert told.status == 0
    assert "uk                   broken" in told.out
    assert "data/uk.csv does not exist" in told.err
    synced = dsam("sync", "--configs", url)
    assert (synced.status, "data/uk.csv does not exist" in synced.err) == (0, True)


def test_an_empty_folder_over_there_says_how_to_begin(market: Market, dsam: Dsam, url: str) -> None:
    told = dsam("status", "--configs", f"{url}/data")
    assert told.status == 0
    assert told.out.startswith(f"No market: there is no config in {url}/data.")


@pytest.mark.parametrize("command", ["status", "refresh", "sync"])
def test_a_server_that_is_down_drops_nothing(market: Market, dsam: Dsam, url: str, command: str) -> None:
    assert dsam("sync", "--configs", url).status == 0
    config = market.config.read_bytes()
    market.folder.rename(market.folder.with_name("away"))
    assert_one_message(dsam(command, "--configs", url), "does not exist", url)
    (kept,) = Path(".dsam").rglob("uk.yaml")
    assert kept.read_bytes() == config
