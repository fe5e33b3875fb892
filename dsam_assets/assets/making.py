"""Making an asset's value, files and record, and telling whether stored ones would do. A dry run asks as well."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dsam_assets.assets.declaration import Declaration
from dsam_assets.assets.glance import glance
from dsam_assets.errors import StoreError
from resources.codecs import CODECS, Files
from resources.store import Record, Store, file_hashes, fingerprint, utc_now

MEASURED = ("seconds", "peak_memory_mib")


@dataclass(frozen=True)
class Published:
    """An asset's value, its metadata for the UI, the checks that it reports, and its columns (name → type) where these
    differ from market to market."""

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[Any] = ()
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """An asset that has been computed and encoded, and not stored."""

    published: Published
    record: Record
    files: Files


def make(context: Any, declaration: Declaration, inputs: Mapping[str, Any], versions: Mapping[str, str]) -> Made:
    """Compute an asset from its inputs.

    Its sources are looked at before they are read: if a file changes meanwhile, the record names the older version, and
    the asset counts as stale rather than as fresh.
    """
    from dsam_assets.assets.outcomes import check_document, peak_memory_mib, plain
    from dsam_assets.assets.sources import source_path, source_version

    started = time.perf_counter()
    sources = {name: source_version(source_path(name, context, inputs)) for name in declaration.sources}
    published: Published = declaration.function(context, **inputs)
    files = CODECS[declaration.codec].encode(declaration.name, published.value)
    hashes = file_hashes(files)
    seconds = round(time.perf_counter() - started, 3)
    record = Record(
        asset=declaration.name,
        code_version=declaration.code_version,
        inputs=dict(versions),
        data_version=fingerprint(hashes),
        files=hashes,
        metadata={
            "shown": {**plain(published.metadata), "seconds": seconds, "peak_memory_mib": peak_memory_mib()},
            "checks": [check_document(check) for check in published.checks],
            "glance": glance(declaration.name, files, published.columns),
        },
        sources=sources,
        code=dict(declaration.code),
        made=utc_now(),
    )
    return Made(published, record, files)


def input_versions(store: Store, market: str, names: Sequence[str]) -> dict[str, str]:
    """Data version of each stored input."""
    records = {name: store.record(market, name) for name in names}
    return {name: record.data_version for name, record in records.items() if record is not None}


def reusable_record(store: Store, market: str, declaration: Declaration, versions: Mapping[str, str]) -> Record | None:
    """The stored record, if the same code and the same inputs made it and its files are still there."""
    record = store.record(market, declaration.name)
    if record is None or record.code_version != declaration.code_version or dict(record.inputs) != dict(versions):
        return None
    return record if store.intact(market, record) else None


def lasting(record: Record) -> tuple[object, ...]:
    """What two records of the same work agree on: everything but when it was done and how long it took."""
    shown = {key: value for key, value in record.metadata["shown"].items() if key not in MEASURED}
    return record.data_version, shown, record.metadata["checks"], dict(record.sources)


def require_current(store: Store, market: str, assets: Sequence[str]) -> None:
    """Raise `StoreError` unless each stored asset was made from its inputs as they are stored now."""
    for name in assets:
        record = store.record(market, name)
        if record is None or store.outdated(market, record):
            raise StoreError(
                f"{name} is missing, or older than what it is made from.",
                where=f"market {market}",
                fix=f"Materialise {name} first, or run the job refit.",
            )
