"""A fit as it lies in the store, or as it was kept, read back as what refresh drift compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from dsam_assets.drift.snapshot import SECTIONS, FitSnapshot
from dsam_assets.errors import StoreError
from resources.codecs import CODECS
from resources.generations import POSTERIOR, Generations, Kept, only
from resources.store import Record, Store

# Asset → its codec, and the files that are read back.
PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    POSTERIOR: ("draws", (".nc",)),
    "design_matrix": ("matrix", ("design_matrix.parquet", "design_matrix.json")),
    "model_frame": ("bulk_table", (".parquet",)),
    "loo": ("tables", ("loo_summary.parquet", "loo_pointwise.parquet")),
    "decomposition": ("tables", ("decomp_channels.parquet",)),
    **{f"config/{section}": ("slice", (".json",)) for section in SECTIONS},
}
VERDICT = "diagnostics_report"
FIT_PARTS = tuple(PARTS)


def stored_records(store: Store, market: str) -> dict[str, Record]:
    """The records of a stored fit, with the files that a comparison reads.

    Raises:
        StoreError: a part is missing.
    """
    found = {name: store.record(market, name) for name in (*PARTS, VERDICT)}
    if missing := [name for name, record in found.items() if record is None]:
        raise StoreError(f"{', '.join(missing)} of market {market} has not been materialised yet.")
    present = {name: record for name, record in found.items() if record is not None}
    # Of the verdict, what was shown of it is enough.
    return {name: only(record, PARTS[name][1] if name in PARTS else ()) for name, record in present.items()}


def stored_fit(store: Store, market: str, records: Mapping[str, Record]) -> FitSnapshot:
    """The fit that the store holds now."""
    return _snapshot(records, lambda asset, name: store.read(market, records[asset], name))


def previous_fit(generations: Generations, records: Mapping[str, Record]) -> FitSnapshot | None:
    """The fit before that of these records; `None` when there is none.

    Raises:
        StoreError: what was kept is damaged.
    """
    kept = generations.previous(records[POSTERIOR].data_version)
    return None if kept is None else _read(generations, kept)


def _read(generations: Generations, kept: Kept) -> FitSnapshot:
    return _snapshot(kept.records, lambda asset, name: generations.read(kept, asset, name))


def _snapshot(records: Mapping[str, Record], read: Callable[[str, str], bytes]) -> FitSnapshot:
    def decoded(asset: str) -> Any:
        codec, names = CODECS[PARTS[asset][0]], tuple(records[asset].files)
        return codec.decode(asset, names, lambda name: read(asset, name))

    def section(asset: str) -> dict[str, Any]:
        (name,) = records[asset].files
        return dict(json.loads(read(asset, name)))  # as it was written, whatever keys the schema has by now

    return FitSnapshot(
        draws=decoded(POSTERIOR),
        matrix=decoded("design_matrix"),
        frame=decoded("model_frame"),
        tables={**decoded("loo"), **decoded("decomposition")},
        config={name: section(f"config/{name}") for name in SECTIONS},
        code=records[POSTERIOR].code,
        fitted_at=records[POSTERIOR].made,
        reliability=str(records[VERDICT].metadata["shown"].get("reliability", "")),
    )
