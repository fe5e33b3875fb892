"""The folder of configs: market key → file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dsam_assets.errors import ConfigError, DsamError
from resources.catalogue import ConfigCatalogue, config_files


def test_markets_are_the_yaml_files_directly_in_the_folder(tmp_path: Path) -> None:
    for name in ("uk.yaml", "de.yml", "notes.txt", "below/fr.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "folder.yaml").mkdir()
    assert config_files(tmp_path) == {"de": tmp_path / "de.yml", "uk": tmp_path / "uk.yaml"}


def test_an_unknown_market_is_named_with_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "uk.yaml").write_text("")
    with pytest.raises(ConfigError, match="There is no config for market fr") as caught:
        ConfigCatalogue(folder=str(tmp_path)).path("fr")
    assert "configs for uk" in str(caught.value)
    assert "dsam sync" in str(caught.value)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="configs for no market"):
        ConfigCatalogue(folder=str(tmp_path)).path("fr")


@pytest.mark.parametrize("market", ["../uk", "", "/etc/passwd", "uk.yaml"])
def test_a_key_is_never_a_path(tmp_path: Path, market: str) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "uk.yaml").write_text("")
    (tmp_path / "configs" / "uk.yaml").write_text("")
    with pytest.raises(ConfigError, match="There is no config"):
        ConfigCatalogue(folder=str(tmp_path / "configs")).path(market)


def test_a_file_name_that_cannot_be_a_market_is_refused(tmp_path: Path) -> None:
    (tmp_path / "UK new.yaml").write_text("")
    with pytest.raises(ConfigError, match="cannot serve as a market name"):
        ConfigCatalogue(folder=str(tmp_path)).path("UK new")


def test_two_files_for_one_market_are_refused(tmp_path: Path) -> None:
    (tmp_path / "uk.yaml").write_text("")
    (tmp_path / "uk.yml").write_text("")
    with pytest.raises(ConfigError, match="Two configs claim the market uk") as caught:
        ConfigCatalogue(folder=str(tmp_path)).path("uk")
    assert "uk.yaml, uk.yml" in str(caught.value)


def test_a_config_is_loaded_and_checked(new_market: Callable[..., Path]) -> None:
    file = new_market()
    catalogue = ConfigCatalogue(folder=str(file.parent))
    assert catalogue.load("uk").config.model.type == "blm"
    file.write_text(file.read_text().replace("~ trend", "~ __import__('os')"))
    with pytest.raises(DsamError, match=r"model\.formula"):
        catalogue.load("uk")


def test_a_served_catalogue_reads_below_its_roots_only(new_market: Callable[..., Path], tmp_path: Path) -> None:
    file = new_market()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert ConfigCatalogue(folder=str(file.parent), data_roots=[str(tmp_path)]).load("uk")
    with pytest.raises(ConfigError, match=r"data\.path"):
        ConfigCatalogue(folder=str(file.parent), data_roots=[str(elsewhere)]).load("uk")
