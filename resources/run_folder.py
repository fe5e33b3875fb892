"""Snapshots of a market's stored results: the immutable run folder that people open and compare."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsam_assets.errors import ConfigError
from dsam_assets.report.artefacts import ARTEFACTS, DECISIONS, MANIFEST
from dsam_assets.report.bundle import (
    MODEL_FILE,
    MODEL_INPUTS,
    READ_BACK,
    PlannedFile,
    is_figure_page,
    plan_files,
    recognised_names,
    script_path,
    stage_facts,
)
from dsam_assets.report.figures.page import SCRIPT, figure_page, plotly_script
from resources.codecs import CODECS, json_bytes, netcdf_bytes
from resources.store import Record, Store

BUNDLED_ASSETS = tuple(
    dict.fromkeys([*(artefact.asset for artefact in ARTEFACTS), "design_matrix", "model_frame", "pooling_map"])
)


@dataclass(frozen=True)
class RunFolder:
    """A finished run folder: where it is, how many files it holds, and its manifest."""

    path: Path
    manifest: Mapping[str, Any]


def run_folder_path(outputs: Any, name: str, override: str | None, when: datetime) -> Path:
    """Precedence: the caller's folder, then `outputs.run_dir`, then a dated folder below `outputs.root_dir`."""
    if override is not None:
        return Path(override).resolve()
    if outputs.run_dir is not None:
        return Path(outputs.run_dir)
    return Path(outputs.root_dir) / f"{when:%Y%m%d_%H%M%S}_{slug(name)}"


def slug(name: str) -> str:
    """A name as part of a folder name."""
    return "".join(character if character.isalnum() or character in "-_" else "_" for character in name)


def require_writable(path: Path, *, overwrite: bool) -> None:
    """An existing folder may be reused only with `outputs.overwrite: true`, and only if it holds nothing but a run.

    Raises:
        ConfigError: the folder is in the way.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir():
        raise ConfigError("The run folder's path is a file.", where=str(path), fix="Choose another folder.")
    if not overwrite:
        raise ConfigError(
            "The run folder exists already.",
            where=str(path),
            wanted="a new or empty folder",
            fix="Choose another folder, or set outputs.overwrite: true.",
        )
    known = recognised_names()
    strange = [
        str(file.relative_to(path))
        for file in path.rglob("*")
        if file.is_file() and str(file.relative_to(path)) not in known
    ]
    if strange:
        raise ConfigError(
            "The run folder holds files that are not a run's artefacts, so it is not overwritten.",
            where=str(path),
            got=", ".join(sorted(strange)[:5]),
            fix="Choose another folder, or move these files away.",
        )


def write_run_folder(
    store: Store,
    market: str,
    report: Any,
    target: Path,
    *,
    status: str,
    overwrite: bool = False,
    further: Mapping[str, bytes] | None = None,
) -> RunFolder:
    """Copy what the config asks for from the store into a run folder; the manifest is written last.

    The folder is built beside its final place and renamed, so it never looks complete when it is not.

    Args:
        store: the result store.
        market: the market.
        report: the config's `report` slice.
        target: the run folder.
        status: `complete`, or `halted` when a gate stopped decision assets.
        overwrite: replace an existing run folder.
        further: path → content of files that are not in the store.
    """
    require_writable(target, overwrite=overwrite)
    records = {name: record for name in BUNDLED_ASSETS if (record := store.record(market, name)) is not None}
    if status == "halted":
        records = {name: record for name, record in records.items() if name not in DECISIONS}
    log_response = _response_scale(store, market, records) == "log"
    planned = plan_files(
        report.outputs, {name: record.files for name, record in records.items()}, log_response=log_response
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        contents = {file.path: _content(store, market, records, file) for file in planned} | dict(further or {})
        if any(map(is_figure_page, planned)):
            contents[SCRIPT] = plotly_script()
        manifest = _manifest(store, market, report, records, planned, contents, status)
        for name, content in {**contents, MANIFEST: json_bytes(manifest)}.items():
            place = staging / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        staging.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return RunFolder(target, manifest)


def _content(store: Store, market: str, records: Mapping[str, Record], file: PlannedFile) -> bytes:
    artefact = file.artefact
    if artefact.file == MODEL_FILE:
        return _model_file(store, market, records)
    content = store.read(market, records[artefact.asset], artefact.member)
    if not is_figure_page(file):
        return content
    title = f"{market}: {artefact.file.removesuffix('.html')}"
    return figure_page(content.decode(), title, script_path(file.path)).encode()


def _model_file(store: Store, market: str, records: Mapping[str, Record]) -> bytes:
    """`model.nc`: draws, model matrix, config, data and verdict in one file, so that it alone reloads the fit."""
    from dsam_assets.fit.container import model_container

    draws = _decode(store, market, records["posterior"], "draws")
    matrix = _decode(store, market, records["design_matrix"], "matrix")
    config = store.read(market, records["resolved_config"], "config.resolved.yaml").decode()
    files = {
        name: store.read(market, records[asset], name)
        for asset in MODEL_INPUTS
        for name in (records[asset].files if asset in records else ())
        if name.endswith(READ_BACK)
    }
    return netcdf_bytes(model_container(draws, matrix, config, files))


def _decode(store: Store, market: str, record: Record, codec: str) -> Any:
    return CODECS[codec].decode(record.asset, tuple(record.files), lambda name: store.read(market, record, name))


def _response_scale(store: Store, market: str, records: Mapping[str, Record]) -> str:
    if "design_matrix" not in records:
        return "identity"
    return str(json.loads(store.read(market, records["design_matrix"], "design_matrix.json"))["response_scale"])


def _waivers(store: Store, market: str, records: Mapping[str, Record]) -> list[dict[str, str]]:
    """What became of each waiver on the day of the verdict."""
    record = records.get("diagnostics_report")
    if record is None or "waivers.parquet" not in record.files:
        return []
    return [waiver.document() for waiver in _decode(store, market, record, "report").waivers]


def _manifest(
    store: Store,
    market: str,
    report: Any,
    records: Mapping[str, Record],
    planned: Sequence[PlannedFile],
    contents: Mapping[str, bytes],
    status: str,
) -> dict[str, Any]:
    shown = {name: record.metadata["shown"] for name, record in records.items()}
    seconds = {name: facts.get("seconds", 0.0) for name, facts in shown.items()}
    verdict = shown.get("diagnostics_report", {})
    return {
        "market": market,
        "model_name": report.name,
        "status": status,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": {
            **{key: verdict.get(key) for key in ("overall", "reliability", "converged")},
            "waivers": _waivers(store, market, records),
        },
        "data_sha256": shown.get("model_frame", {}).get("sha256"),
        "stages": stage_facts(
            planned, seconds, report.outputs.layout, withheld=DECISIONS if status == "halted" else ()
        ),
        "assets": {
            name: {
                "data_version": record.data_version,
                "code_version": record.code_version,
                "seconds": shown[name].get("seconds"),
            }
            for name, record in records.items()
        },
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in sorted(contents.items())
        },
    }
