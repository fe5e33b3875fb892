"""The files that markets are made from, observed by content."""

from __future__ import annotations

import hashlib
import inspect
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dsam_assets.assets.outcomes import MARKETS, beta_accepted
from dsam_assets.config.paths import open_unblocked
from dsam_assets.config.source_files import (
    calendar_path,
    data_path,
    dictionary_path,
    future_path,
    pooling_map_path,
    source_files,
)
from dsam_assets.errors import DsamError
from resources.landing import MISSING as MISSING

UNUSED = "unused"
SOURCES = ("config_file", "data_file", "calendar_file", "pooling_map_file", "dictionary_file", "future_file")

SOURCE_KINDS = {name: ("yaml",) if name == "config_file" else ("csv",) for name in SOURCES}


def source_version(path: Path | None) -> str:
    """SHA-256 of a file's content; `unused` without a file, `missing` when it cannot be read."""
    if path is None:
        return UNUSED
    try:
        with open_unblocked(path) as handle:
            regular = stat.S_ISREG(os.fstat(handle.fileno()).st_mode)
            return hashlib.file_digest(handle, "sha256").hexdigest() if regular else MISSING
    except OSError:
        return MISSING


def source_path(source: str, context: Any, inputs: Mapping[str, Any]) -> Path | None:
    """The file that an asset directly below a source reads, from what the asset itself is given.

    Raises:
        ConfigError: the market has no config.
    """
    from_inputs: Mapping[str, Callable[[], Path | None]] = {
        "config_file": lambda: Path(context.resources.catalogue.path(context.partition_key)),
        "data_file": lambda: data_path(inputs["config_data"]),
        "dictionary_file": lambda: dictionary_path(inputs["config_data"]),
        "calendar_file": lambda: calendar_path(inputs["config_formula"].time_components),
        "pooling_map_file": lambda: pooling_map_path(inputs["config_formula"].pooling),
        "future_file": lambda: future_path(inputs["config_forecast"]),
    }
    return from_inputs[source]()


def _observe(context: dg.AssetExecutionContext, path_of: Callable[[str], Path | None]) -> dg.DataVersionsByPartition:
    versions: dict[str, str | dg.DataVersion] = {}
    for market in context.partition_keys:
        try:
            versions[market] = source_version(path_of(market))
        except DsamError as error:
            # One market's broken config must not keep the others from being observed.
            context.log.warning(f"{market}: {error}")
            versions[market] = MISSING
    with beta_accepted():
        return dg.DataVersionsByPartition(versions)


def _source(observe: Callable[..., dg.DataVersionsByPartition]) -> Any:
    observe.__annotations__ = {}  # Dagster would want to resolve them
    with beta_accepted():
        declare = dg.observable_source_asset(
            partitions_def=MARKETS,
            required_resource_keys={"catalogue"},
            group_name="sources",
            description=inspect.getdoc(observe),
            tags={f"dagster/kind/{kind}": "" for kind in SOURCE_KINDS[observe.__name__]},
        )
        return declare(observe)


def _of_config(context: dg.AssetExecutionContext, source: str) -> dg.DataVersionsByPartition:
    return _observe(context, lambda market: source_files(context.resources.catalogue.load(market).config)[source])


@_source
def config_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's YAML config, by content hash."""
    return _observe(context, context.resources.catalogue.path)


@_source
def data_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's data file, by content hash."""
    return _of_config(context, "data_file")


@_source
def calendar_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's holiday calendar, by content hash; `unused` where holidays are switched off."""
    return _of_config(context, "calendar_file")


@_source
def pooling_map_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A pooled market's labels, by content hash; `unused` where nothing is pooled."""
    return _of_config(context, "pooling_map_file")


@_source
def dictionary_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's data dictionary file, by content hash; `unused` where there is none."""
    return _of_config(context, "dictionary_file")


@_source
def future_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's future data file, by content hash; `unused` where nothing is forecast."""
    return _of_config(context, "future_file")
