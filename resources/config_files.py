"""Which files of a folder are configs."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".yaml", ".yml")


def config_files(folder: Path) -> dict[str, Path]:
    """Market key → config file, for every YAML file directly in the folder."""
    found = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES and path.is_file())
    return {path.stem: path for path in found}
