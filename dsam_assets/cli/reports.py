"""Where a run's report is, in words and as a document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsam_assets.cli.words import COLOURS, paint, shown_path
from dsam_assets.errors import ConfigError, DsamError, StoreError
from dsam_assets.run_files import RunFiles

PAGES = (".html", ".htm")


@dataclass(frozen=True)
class FoundReport:
    """The report of a run.

    Attributes:
        run: the run folder.
        page: the report's path.
        written: whether it was written just now.
    """

    run: RunFiles
    page: Path
    written: bool = False


def find_report(path: Path, *, rebuild: bool = False, out: Path | None = None) -> FoundReport:
    """The report of a run folder, or of the newest run in a folder of run folders.

    Args:
        path: the folder.
        rebuild: write it again, in its place.
        out: write it again, there.

    Raises:
        StoreError: there is no finished run, or it has no report.
        ConfigError: a page cannot be written there.
    """
    from dsam_assets.rebuilt_report import rebuild_report, write_page
    from dsam_assets.report.documents import PAGE

    folder = _run_folder(path)
    if out is not None:
        _require_page(out)
        write_page(folder, out)
        return FoundReport(RunFiles.of(folder), out, written=True)
    if rebuild:
        rebuild_report(folder)
    run = RunFiles.of(folder)
    listed = run.listed(PAGE)
    if listed is None or not (folder / listed).is_file():
        raise StoreError(
            "The run has no report.",
            where=str(folder),
            fix=f"dsam report {shown_path(folder)} --rebuild writes it from the run's tables.",
        )
    return FoundReport(run, folder / listed, written=rebuild)


def _require_page(out: Path) -> None:
    if out.suffix not in PAGES or out.is_dir():
        raise ConfigError("The report is a web page.", where="--out", got=str(out), wanted="a file like report.html")
    if not out.parent.is_dir():
        raise ConfigError("The folder does not exist.", where=str(out.parent), fix="Create it first.")


def _run_folder(path: Path) -> Path:
    from dsam_assets.report.artefacts import MANIFEST

    if (path / MANIFEST).is_file() or not path.is_dir():
        return path
    runs = [manifest.parent for manifest in path.glob(f"*/{MANIFEST}")]
    return max(runs, key=lambda run: (run / MANIFEST).stat().st_mtime_ns, default=path)


def report_text(found: FoundReport, *, opened: bool) -> str:
    """Where the report is, of which run, and the next command."""
    manifest, page = found.run.manifest, shown_path(found.page)
    verdict = manifest.get("verdict") or {}
    overall = str(verdict.get("overall"))
    told = f"{paint(overall.upper(), COLOURS.get(overall, '0'))} ({verdict.get('reliability')})"
    lines = [
        f"{'Wrote' if found.written else 'Report'} {page}",
        f"  market {manifest.get('market')}, run of {manifest.get('created')}, {manifest.get('status')}",
        f"  verdict {told}",
    ]
    if not opened and found.page.is_relative_to(found.run.folder):
        lines.append(f"Next: dsam report {shown_path(found.run.folder)} --open")
    return "\n".join(lines)


def report_document(found: FoundReport) -> dict[str, Any]:
    """The same facts as a document."""
    manifest = found.run.manifest
    return {
        "status": "written" if found.written else "found",
        "report": str(found.page.resolve()),
        "run_dir": str(found.run.folder.resolve()),
        **{key: manifest.get(key) for key in ("market", "model_name", "created", "verdict")},
        "run_status": manifest.get("status"),
    }


def opened(page: Path) -> None:
    """Show a page in the browser.

    Raises:
        DsamError: there is no browser to show it.
    """
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise DsamError(
            "No browser could be started.",
            where=str(page),
            fix="Open the file in a browser yourself; it works offline.",
        )
