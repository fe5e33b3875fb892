"""Where things live: one rule for the command line, the UI and the sensors.

Beside a folder of configs lies its state: `<configs>/.dsam/store` (results) and `<configs>/.dsam/dagster` (runs and
events). `DSAM_STORE` and `DAGSTER_HOME` override one each; `DSAM_CONFIGS` names the folder that the UI serves.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

DEFAULT_CONFIGS = "configs"
UNSAFE_SETTING = "DSAM_ALLOW_UNSAFE_FORMULA"


@dataclass(frozen=True)
class Locations:
    """Folder of configs, root of the result store, and Dagster's home."""

    configs: Path
    store: str
    dagster_home: Path


def locations(configs: Path | None = None) -> Locations:
    """Locations for a folder of configs; the served folder when none is given."""
    chosen = (configs or Path(os.environ.get("DSAM_CONFIGS", DEFAULT_CONFIGS))).resolve()
    state = chosen / ".dsam"
    return Locations(
        configs=chosen,
        store=os.environ.get("DSAM_STORE") or str(state / "store"),
        dagster_home=Path(os.environ.get("DAGSTER_HOME") or state / "dagster").resolve(),
    )


def data_roots() -> tuple[Path, ...]:
    """Folders that a served catalogue may read data from: `DSAM_DATA_ROOTS`, else the working directory."""
    text = os.environ.get("DSAM_DATA_ROOTS", "")
    return tuple(Path(part).resolve() for part in text.split(os.pathsep) if part) or (Path.cwd().resolve(),)


def unsafe_formulas_allowed() -> bool:
    """Whether the operator of a served catalogue lets its configs run Python in formulas."""
    return os.environ.get(UNSAFE_SETTING, "0") not in ("", "0")


def prepare_dagster_home(home: Path) -> Path:
    """Create Dagster's home with the project's `dagster.yaml` unless the operator has put one there."""
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_bytes(files("resources").joinpath("dagster.yaml").read_bytes())
    return home
