"""Where a command reads and writes on this machine, checked before anything is written."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dsam_assets.errors import ConfigError
from resources.mirroring import refresh_mirror

if TYPE_CHECKING:
    from dsam_assets.config.schema import Config
    from resources.locations import Locations


def require_configs(places: Locations) -> tuple[str, ...]:
    """The folder of configs must be there; one behind a URL is looked at anew.

    Returns:
        A sentence for each file behind the URL that a config names and that cannot be had.

    Raises:
        ConfigError: it is not, or cannot be read.
    """
    if places.mirror is not None:
        return refresh_mirror(places.mirror)
    require_configs_folder(places.configs)
    return ()


def require_configs_folder(folder: Path | str) -> None:
    """A folder of configs must be there.

    Raises:
        ConfigError: it is not.
    """
    if not Path(folder).is_dir():
        raise ConfigError(
            "The folder of configs does not exist.", where=str(folder), fix="Create it, or set DSAM_CONFIGS."
        )


def valid_markets(folder: Path) -> tuple[list[str], list[ConfigError]]:
    """Markets of a folder of configs, and what is wrong with the names of the other files."""
    from dsam_assets.config.load import market_key
    from resources.config_files import config_files

    markets, refused = [], []
    for path in config_files(folder).values():
        try:
            markets.append(market_key(path))
        except ConfigError as error:
            refused.append(error)
    return markets, refused


def market_of(file: Path) -> str:
    """The market of a config file, checked to be the file that the graph will read for it.

    Raises:
        ConfigError: the name is no market key, the suffix is not YAML's, or another file has the same market.
    """
    from dsam_assets.config.load import market_key
    from resources.config_files import SUFFIXES, config_files

    market = market_key(file)
    if file.suffix not in SUFFIXES:
        raise ConfigError(
            "The config's file name does not end like a YAML file.",
            where=str(file),
            got=file.suffix or "no suffix",
            wanted=" or ".join(SUFFIXES),
            fix=f"Rename the file to {file.stem}.yaml.",
        )
    chosen = config_files(file.parent).get(market)
    if chosen is not None and chosen.name != file.name:
        raise ConfigError(
            f"Two configs are the market {market}.",
            where=str(file.parent),
            got=f"{file.name} and {chosen.name}",
            wanted="one config file per market",
            fix="Rename or remove one of them.",
        )
    return market


def run_folder(config: Config, override: str | None) -> Path:
    """The run folder of a config, checked to be free and creatable.

    Args:
        config: its outputs name the folder, unless the caller does.
        override: the caller's folder.

    Raises:
        ConfigError: the folder is in the way, or cannot be created.
    """
    from resources.run_folder import require_writable, run_folder_path

    target = run_folder_path(config.outputs, config.model.name, override, datetime.now())  # local time
    require_writable(target, overwrite=config.outputs.overwrite)
    require_creatable(target, "run folder", "Choose another folder with --run-dir or outputs.root_dir.")
    return target


def require_state(places: Locations) -> None:
    """Results and Dagster's own files must be writable, if they lie on this machine.

    Raises:
        ConfigError: naming the environment variable that moves them.
    """
    if "://" not in places.store:
        require_creatable(Path(places.store) / "market", "result store", "Set DSAM_STORE to a folder of yours.")
    require_creatable(places.dagster_home / "storage", "Dagster home", "Set DAGSTER_HOME to a folder of yours.")


def require_creatable(path: Path, what: str, fix: str) -> None:
    """Try to create something beside `path`, and leave nothing behind.

    Raises:
        ConfigError: a part of the path is a file, or the folder above cannot be written.
    """
    above = next(parent for parent in path.resolve().parents if parent.exists())
    if not above.is_dir():
        raise ConfigError(f"The {what} would lie below a file.", where=str(path), got=f"the file {above}", fix=fix)
    try:
        with tempfile.TemporaryDirectory(prefix=".dsam-", dir=above):
            pass
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError(
            f"The {what} cannot be created: {reason}.", where=str(path), got=f"folder {above}", fix=fix
        ) from error
