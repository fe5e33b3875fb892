"""The files that markets are made from, observed by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from dsam_assets.assets.outcomes import MARKETS, beta_accepted
from dsam_assets.errors import DsamError

MISSING = "missing"
UNUSED = "unused"
SOURCES = ("config_file", "data_file", "calendar_file", "pooling_map_file", "dictionary_file")


def _observe(context: dg.AssetExecutionContext, path_of: Callable[[str], Path | None]) -> dg.DataVersionsByPartition:
    versions: dict[str, str | dg.DataVersion] = {}
    for market in context.partition_keys:
        try:
            path = path_of(market)
            versions[market] = UNUSED if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, DsamError) as error:
            context.log.warning(f"{market}: {error}")
            versions[market] = MISSING
    return dg.DataVersionsByPartition(versions)


def _source(observe: Callable[..., dg.DataVersionsByPartition]) -> Any:
    observe.__annotations__ = {}  # Dagster would want to resolve them
    with beta_accepted():
        declare = dg.observable_source_asset(
            partitions_def=MARKETS, required_resource_keys={"catalogue"}, group_name="sources"
        )
        return declare(observe)


@_source
def config_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's YAML config, by content hash."""
    return _observe(context, context.resources.catalogue.path)


@_source
def data_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's data file, by content hash."""
    return _observe(context, lambda market: Path(context.resources.catalogue.load(market).config.data.path))


@_source
def calendar_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's holiday calendar, by content hash; `unused` where holidays are switched off."""

    def path_of(market: str) -> Path | None:
        section = context.resources.catalogue.load(market).config.time_components
        used = section.enabled and section.holidays.enabled
        return Path(section.holidays.calendar_path) if used else None

    return _observe(context, path_of)


@_source
def pooling_map_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A pooled market's labels, by content hash; `unused` where nothing is pooled."""

    def path_of(market: str) -> Path | None:
        section = context.resources.catalogue.load(market).config.pooling
        return Path(section.map_path) if section.enabled else None

    return _observe(context, path_of)


@_source
def dictionary_file(context: dg.AssetExecutionContext) -> dg.DataVersionsByPartition:
    """A market's data dictionary file, by content hash; `unused` where there is none."""

    def path_of(market: str) -> Path | None:
        path = context.resources.catalogue.load(market).config.data.dictionary_path
        return None if path is None else Path(path)

    return _observe(context, path_of)
