"""Comparing run folders from Python or the terminal: what is read of them, and what it comes to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsam_assets.errors import ConfigError
from dsam_assets.run_files import RunFiles, bad_manifest

if TYPE_CHECKING:
    from dsam_assets.selection.compare import RunEvidence
    from dsam_assets.selection.recommendation import Comparison

FEWEST = 2
# The summaries that are read, and the columns that they must have.
NEEDED = {
    "spec_summary.csv": ("response", "response_scale"),
    "loo_summary.csv": ("status", "reason", "response_scale", "n_rows", "n_scored", "n_k_gt_0_7"),
    "tscv_summary.csv": (
        "status", "method", "horizon_weeks", "stride_weeks", "folds_scored", "n_rows", "holdout_start", "holdout_end",
        "rmse_kpi",
    ),
}  # fmt: skip


def compare_runs(
    run_dirs: Sequence[Path | str], *, force_different_data: bool = False, today: dt.date | None = None
) -> Comparison:
    """Rank finished runs by how well they predict, next to the state of their diagnostics.

    Args:
        run_dirs: two or more run folders.
        force_different_data: compare the rows that all runs share, even if the runs explain different data.
        today: the day by which the waivers of the runs hold or have expired; the date in UTC when not given.

    Raises:
        ConfigError: fewer than two folders, or one of them twice.
        StoreError: a folder is not a run folder, or a file in it is missing or damaged.
        DataError: the runs do not explain the same data.
    """
    from dsam_assets.selection.recommendation import compare_evidence
    from resources.clock import utc_today

    folders = [Path(each) for each in run_dirs]
    _require_several(folders)
    labels = _labels(folders)
    runs = [read_run(folder, label, today or utc_today()) for folder, label in zip(folders, labels, strict=True)]
    return compare_evidence(runs, force=force_different_data)


def _require_several(folders: Sequence[Path]) -> None:
    places = [folder.resolve() for folder in folders]
    twice = sorted({str(place) for place in places if places.count(place) > 1})
    if twice:
        raise ConfigError("A run folder is named twice.", where=", ".join(twice), fix="Name each run once.")
    if len(places) < FEWEST:
        raise ConfigError(
            "Comparing needs at least two runs.", got=len(places), fix="Name two or more run folders: dsam compare A B"
        )


def _labels(folders: Sequence[Path]) -> list[str]:
    """Names of the folders, or their paths where two have the same name."""
    names = [folder.resolve().name for folder in folders]
    return [str(folder) if names.count(name) > 1 else name for folder, name in zip(folders, names, strict=True)]


def read_run(folder: Path, label: str, today: dt.date) -> RunEvidence:
    """What a run folder says about its model on a day; every file is checked against the manifest.

    Raises:
        StoreError: the folder is not a run folder, or a file in it is missing or damaged.
    """
    from dsam_assets.selection.compare import RunEvidence

    files = RunFiles.of(folder)
    spec, loo, tscv = (files.row(name, columns) for name, columns in NEEDED.items())
    facts = _facts(files, spec, loo, today)
    evidence = RunEvidence(label, str(folder), facts, loo, None, tscv)
    return evidence if evidence.loo.get("status") != "ok" else _with_rows(evidence, files)


def _with_rows(evidence: RunEvidence, files: RunFiles) -> RunEvidence:
    from dsam_assets.selection.compare import scored_rows

    points, observed = files.table("loo_pointwise.csv"), files.table("observed.csv")
    if points is None:
        gap = "loo_pointwise.csv is missing; set outputs.save_model_selection_pointwise_csv: true"
        return replace(evidence, gap=gap)
    log = evidence.facts["response_scale"] == "log"
    if observed is None and log:
        gap = "observed.csv is missing, which a log response needs; set outputs.save_observed_csv: true"
        return replace(evidence, gap=gap)
    files.require("loo_pointwise.csv", points, ("row", "elpd_loo", "pareto_k"))
    if observed is not None:
        files.require("observed.csv", observed, ("row", "observed"))
    return replace(evidence, rows=scored_rows(points, observed, log=log))


def _facts(files: RunFiles, spec: dict[str, Any], loo: dict[str, Any], today: dt.date) -> dict[str, Any]:
    """What the run is about; a run under a waiver that has expired fails.

    The specification's row may have been switched off; LOO knows the scale as well.
    """
    manifest = files.manifest
    found = manifest.get("verdict")
    verdict = found if isinstance(found, dict) else {}
    converged = verdict.get("converged")
    facts = {name: manifest.get(name) for name in ("market", "model_name", "status", "data_sha256")}
    facts |= {name: verdict.get(name) for name in ("overall", "reliability")}
    facts |= _waived(files, verdict.get("waivers", []), today)
    facts |= {"converged": converged if isinstance(converged, bool) else None}
    facts |= {name: spec.get(name) for name in ("model_type", "formula", "response", "response_scale")}
    return facts | {"response_scale": loo.get("response_scale") or facts["response_scale"]}


def _waived(files: RunFiles, waivers: Any, today: dt.date) -> dict[str, str]:
    """The failures that were waived, and what is left of the overall status when a waiver has expired since."""
    try:
        applied = [waiver for waiver in waivers if waiver["state"] == "applied"]
        lapsed = [dt.date.fromisoformat(waiver["expires"]) < today for waiver in applied]
        texts = [
            f"{each['check']} waived by {each['who']} until {each['expires']}{' (expired)' if over else ''}"
            for each, over in zip(applied, lapsed, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise bad_manifest(files.folder, f"its waivers: {type(error).__name__}, {error}") from error
    return {"waived": "; ".join(texts), **({"overall": "fail"} if any(lapsed) else {})}
