"""The files that a run folder must hold, worked out from the table of artefacts and what is true of the run."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from dsam_assets.config.schema_outputs import OutputsSection
from dsam_assets.report.artefacts import ARTEFACTS, STAGE_GATED_FOLDERS, STAGED_FOLDERS
from dsam_assets.report.figures.catalogue import DRAWINGS

# True of any sampled market with media, boundaries and a budget plan.
SAMPLED = frozenset(
    {
        "always", "sampled", "chains", "media", "sampled_media", "predictors", "two_predictors", "bounds",
        "sampled_bounds",
        "spend", "varying_spend", "channel_spend", "calendar", "loo", "allocation", "sampled_allocation",
    }
)  # fmt: skip
POINT = SAMPLED - {"sampled", "chains", "sampled_media", "sampled_bounds", "loo", "sampled_allocation"} | {"optimised"}
IMAGES = {f"{drawing.name}.png" for drawing in DRAWINGS}


def promised(conditions: Collection[str], *, images: bool = False, **outputs: Any) -> set[str]:
    """Paths below the run folder, given the conditions that hold and the config's `outputs`."""
    section = OutputsSection.model_validate(outputs)
    folders = {"staged": STAGED_FOLDERS, "stage_gated": STAGE_GATED_FOLDERS, "flat": dict.fromkeys(STAGED_FOLDERS, "")}
    paths = {
        f"{folders[section.layout][artefact.stage]}/{artefact.file}".lstrip("/")
        for artefact in ARTEFACTS
        if artefact.condition in conditions
        and (not artefact.switches or any(getattr(section, switch) for switch in artefact.switches))
        and (images or artefact.file not in IMAGES)
    }
    return paths | {"run_manifest.json", "plotly.min.js"}


def held(folder: Path) -> set[str]:
    """Paths of the files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
