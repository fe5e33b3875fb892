"""Which files make up a run folder, and its manifest. Pure: it plans, it does not write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from dsam_assets.report.artefacts import ARTEFACTS, ASSET_STAGES, MANIFEST, POINT_MEMBER, Artefact, Layout, folder
from dsam_assets.report.figures.catalogue import FIGURE_JSON
from dsam_assets.report.figures.page import SCRIPT
from dsam_assets.report.stages import Stage

MODEL_FILE = "model.nc"
FORECAST_MEMBER = "forecast.csv"  # only where the config asks for a forecast
# What `model.nc` holds besides draws, design and config, of each asset the files that are read back.
MODEL_INPUTS = ("model_frame", "holiday_features", "pooling_map", "posterior", "diagnostics_report")
READ_BACK = (".parquet", "policy.json")


@dataclass(frozen=True)
class PlannedFile:
    """One file of a run folder: where it goes and where it comes from."""

    path: str
    artefact: Artefact


def plan_files(outputs: Any, stored: Mapping[str, Mapping[str, Any]], *, log_response: bool) -> tuple[PlannedFile, ...]:
    """The files that this run's switches and results call for.

    Args:
        outputs: the config's `outputs` section.
        stored: asset → its stored files; an asset that was not made is absent.
        log_response: whether the response is modelled on the log scale.
    """
    planned = []
    for artefact in ARTEFACTS:
        if artefact.switches and not any(getattr(outputs, switch) for switch in artefact.switches):
            continue
        if artefact.condition == "log_response" and not log_response:
            continue
        if artefact.condition == "sampled" and _is_point(stored):
            continue
        if artefact.condition == "forecast" and FORECAST_MEMBER not in stored.get("forecast", {}):
            continue
        if not _is_stored(artefact, stored):
            continue
        planned.append(PlannedFile(join(artefact.stage, outputs.layout, artefact.file), artefact))
    return tuple(planned)


def stage_facts(
    planned: Iterable[PlannedFile], seconds: Mapping[str, float], layout: Layout, *, withheld: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    """What the manifest says of each stage that the run came to, in order: folder, status, files, seconds.

    Args:
        planned: the files of the run folder.
        seconds: how long each asset took when it was computed; a reused one keeps its time.
        layout: the folders' names.
        withheld: assets that a gate kept back; their stages are `withheld`, all others `complete`.
    """
    files = Counter(file.artefact.stage for file in planned)
    found: dict[str, dict[str, Any]] = {}
    for stage in get_args(Stage):
        assets = [asset for asset, of in ASSET_STAGES.items() if of == stage]
        kept_back = any(asset in withheld for asset in assets)
        taken = [seconds[asset] for asset in assets if asset in seconds]
        if taken or kept_back:
            status = "withheld" if kept_back else "complete"
            facts = {"folder": folder(stage, layout), "status": status, "files": files[stage]}
            found[stage] = {**facts, "seconds": round(sum(taken), 3)}
    return found


def _is_point(stored: Mapping[str, Mapping[str, Any]]) -> bool:
    return POINT_MEMBER in stored.get("posterior", {})


def _is_stored(artefact: Artefact, stored: Mapping[str, Mapping[str, Any]]) -> bool:
    if artefact.file == MODEL_FILE:
        return {"posterior", "design_matrix", "resolved_config"} <= set(stored)
    return artefact.member in stored.get(artefact.asset, {})


def is_figure_page(file: PlannedFile) -> bool:
    """Whether a file is the page of a figure."""
    return file.artefact.member.endswith(FIGURE_JSON)


def script_path(page: str) -> str:
    """Path of the shared plotly.js from a page of the run folder."""
    return "../" * page.count("/") + SCRIPT


def join(stage: Stage, layout: Layout, file: str) -> str:
    """Path of a file below the run folder."""
    return "/".join(part for part in (folder(stage, layout), file) if part)


def recognised_names(layouts: tuple[Layout, ...] = ("staged", "flat", "stage_gated")) -> frozenset[str]:
    """Every path that a run folder may hold, under any layout."""
    names = {join(artefact.stage, layout, artefact.file) for artefact in ARTEFACTS for layout in layouts}
    return frozenset(names | {MANIFEST, SCRIPT})
