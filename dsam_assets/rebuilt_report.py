"""The report of a run folder, written again from the tables and figures in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dsam_assets.errors import StoreError
from dsam_assets.run_files import RunFiles

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.config.schema import Config
    from dsam_assets.diagnostics.report import DiagnosticsReport

# Tables that every report reads, and the switches that leave them out of a run folder.
NEEDED = {
    "spec_summary": "save_spec_summary_csv",
    "observed": "save_observed_csv",
    "fit_metrics": "save_fitted_csv",
    "loo_summary": "save_model_selection_csv",
}


def rebuild_report(folder: Path) -> Path:
    """Write `report.html`, `business_report.md` and `interpretation.json` of a run again; returns the page's path.

    The manifest lists them anew, and is written last.

    Raises:
        StoreError: the folder is not a finished run, or what a report needs is missing or damaged.
    """
    from dsam_assets.loaded_run import config_and_verdict
    from dsam_assets.report.artefacts import MANIFEST
    from dsam_assets.report.bundle import join
    from dsam_assets.report.documents import PAGE
    from resources.codecs import json_bytes
    from resources.store import write_file

    run = RunFiles.of(folder)
    config, report = config_and_verdict(run)
    layout, documents = config.outputs.layout, _documents(run, config, report)
    contents = {join("interpretation", layout, name): text.encode() for name, text in documents.items()}
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    }
    manifest = {**run.manifest, "files": dict(sorted({**run.manifest["files"], **listed}.items()))}
    for name, content in {**contents, MANIFEST: json_bytes(manifest)}.items():
        write_file(folder / name, content)
    return folder / join("interpretation", layout, PAGE)


def write_page(folder: Path, out: Path) -> None:
    """Write a run's report to another place; the run folder is only read.

    Raises:
        StoreError: as `rebuild_report`.
    """
    from dsam_assets.loaded_run import config_and_verdict
    from dsam_assets.report.documents import PAGE
    from resources.store import write_file

    run = RunFiles.of(folder)
    write_file(out, _documents(run, *config_and_verdict(run))[PAGE].encode())


def _documents(run: RunFiles, config: Config, report: DiagnosticsReport) -> dict[str, str]:
    from dsam_assets.report.documents import report_documents
    from dsam_assets.report.interpretation import Evidence, asked_sections

    tables = dict(_tables(run))
    for name, switch in NEEDED.items():
        if name not in tables:
            raise StoreError(
                f"The run folder has no {name}, which a report needs.",
                where=str(run.folder),
                fix=f"Run the market again with outputs.{switch}: true.",
            )
    asked = asked_sections(plan=config.allocation.enabled, forecast=config.forecast.enabled)
    evidence = Evidence(str(run.manifest["market"]), str(run.manifest["model_name"]), report, tables, asked)
    return report_documents(evidence, dict(_figures(run)))


def _tables(files: RunFiles) -> Iterator[tuple[str, pd.DataFrame]]:
    """The published tables of the run, by name."""
    from dsam_assets.report.artefacts import ARTEFACTS

    for artefact in ARTEFACTS:
        if artefact.file.endswith(".csv") and files.listed(artefact.file) is not None:
            name = artefact.member.removesuffix(".csv")
            yield name, files.published(artefact.file, name)


def _figures(files: RunFiles) -> Iterator[tuple[str, str]]:
    """The figures of the run as plotly's JSON, by name."""
    from dsam_assets.report.figures.catalogue import DRAWINGS
    from dsam_assets.report.figures.page import figure_of

    for drawing in DRAWINGS:
        listed = files.listed(f"{drawing.name}.html")
        if listed is not None:
            yield drawing.name, figure_of(files.content(listed).decode())
