"""Where things live: one rule for the command line, the UI and the sensors.

Beside a folder of configs lies its state: `<configs>/.dsam/store` (results) and `<configs>/.dsam/dagster` (runs and
events). `DSAM_STORE` and `DAGSTER_HOME` override one each; `DSAM_CONFIGS` names the folder that the UI serves. A folder
behind a URL is mirrored below `.dsam/mirror` of the working folder, and the mirror is then the folder of configs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from resources.mirror import Mirror, is_url, mirror_of

DEFAULT_CONFIGS = "configs"
MIRRORS = Path(".dsam") / "mirror"
UNSAFE_SETTING = "DSAM_ALLOW_UNSAFE_FORMULA"


@dataclass(frozen=True)
class Locations:
    """Folder of configs, root of the result store, and Dagster's home; and what the folder of configs mirrors."""

    configs: Path
    store: str
    dagster_home: Path
    mirror: Mirror | None = None

    @property
    def named(self) -> str:
        """The folder of configs as its user calls it."""
        return str(self.configs) if self.mirror is None else self.mirror.url


def locations(configs: Path | str | None = None) -> Locations:
    """Locations for a folder of configs, here or behind a URL; the served folder when none is given."""
    named = configs or os.environ.get("DSAM_CONFIGS") or DEFAULT_CONFIGS
    mirror = mirror_of(str(named), MIRRORS.resolve()) if is_url(named) else None
    chosen = Path(named).resolve() if mirror is None else mirror.folder
    state = chosen / ".dsam"
    return Locations(
        configs=chosen,
        store=os.environ.get("DSAM_STORE") or str(state / "store"),
        dagster_home=Path(os.environ.get("DAGSTER_HOME") or state / "dagster").resolve(),
        mirror=mirror,
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
