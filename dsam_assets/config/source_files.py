"""The files outside of the store that a market is made from, as its config names them."""

from __future__ import annotations

from pathlib import Path

from dsam_assets.config.schema import Config
from dsam_assets.config.schema_data import DataSection, PoolingSection, TimeComponentsSection
from dsam_assets.config.schema_forecast import ForecastSection


def data_path(section: DataSection) -> Path:
    """The data file."""
    return Path(section.path)


def dictionary_path(section: DataSection) -> Path | None:
    """The data dictionary; `None` without one."""
    return None if section.dictionary_path is None else Path(section.dictionary_path)


def calendar_path(section: TimeComponentsSection) -> Path | None:
    """The holiday calendar; `None` where holidays are switched off."""
    path = section.holidays.calendar_path
    return Path(path) if section.enabled and section.holidays.enabled and path is not None else None


def pooling_map_path(section: PoolingSection) -> Path | None:
    """The labels of a pooled market; `None` where nothing is pooled."""
    return Path(section.map_path) if section.enabled and section.map_path is not None else None


def future_path(section: ForecastSection) -> Path | None:
    """The future data file; `None` where nothing is forecast."""
    return Path(section.data_path) if section.enabled and section.data_path is not None else None


def source_files(config: Config) -> dict[str, Path | None]:
    """Every file that a config names, by source; `None` where it is not used."""
    return {
        "data_file": data_path(config.data),
        "calendar_file": calendar_path(config.time_components),
        "pooling_map_file": pooling_map_path(config.pooling),
        "dictionary_file": dictionary_path(config.data),
        "future_file": future_path(config.forecast),
    }
