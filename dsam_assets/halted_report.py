"""The report of a run that a gate has halted: its evidence is shown, what rests on the verdict is withheld."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.store import Store

TABLES = {"spec_summary": "table", "fit_metrics": "table", "observed": "tables", "loo": "tables"}
FIGURES = ("pre_run_plots", "model_fit_plots", "diagnostics_plots", "model_selection_plots")


def halted_documents(store: Store, market: str) -> dict[str, bytes]:
    """Run-folder path → content of the report's files, from what the store holds of the halted run."""
    from dsam_assets.report.bundle import join
    from dsam_assets.report.documents import report_documents
    from dsam_assets.report.interpretation import Evidence

    section = read(store, market, "config/report", "slice")
    verdict = read(store, market, "diagnostics_report", "report")
    evidence = Evidence(market, section.name, verdict, dict(_tables(store, market)), _asked(store, market))
    documents = report_documents(evidence, dict(_figures(store, market)))
    layout = section.outputs.layout
    return {join("interpretation", layout, name): text.encode() for name, text in documents.items()}


def _tables(store: Store, market: str) -> Iterator[tuple[str, Any]]:
    for asset, codec in TABLES.items():
        found = read(store, market, asset, codec)
        yield from found.items() if codec == "tables" else ((asset, found),)


def _figures(store: Store, market: str) -> Iterator[tuple[str, str]]:
    """Figures of this run; those of an earlier one that the halt left in the store are not shown."""
    for asset in FIGURES:
        record = store.record(market, asset)
        if record is not None and not store.outdated(market, record):
            yield from read(store, market, asset, "figures").items()


def _asked(store: Store, market: str) -> tuple[str, ...]:
    from dsam_assets.report.interpretation import asked_sections

    plan = read(store, market, "config/allocation", "slice").allocation.enabled
    return asked_sections(plan=plan, forecast=read(store, market, "config/forecast", "slice").enabled)


def read(store: Store, market: str, asset: str, codec: str) -> Any:
    """The stored value of an asset.

    Raises:
        StoreError: it is missing or damaged.
    """
    from dsam_assets.errors import StoreError
    from resources.codecs import CODECS

    record = store.record(market, asset)
    if record is None:
        raise StoreError(f"{asset} of market {market} is missing.", where=store.root, fix="Run again with --force.")
    return CODECS[codec].decode(asset, tuple(record.files), lambda name: store.read(market, record, name))
