"""File paths of a config: text → absolute path, and whether a file may be read.

Folders are followed to where they really are; a link as the last part keeps its name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path

from dsam_assets.config.suggestions import nearest
from dsam_assets.errors import ConfigError

_MOST_NAMES = 2_000


def resolve_path(text: str, base: Path) -> Path:
    """The absolute path that `text` means in a config that lies in `base`.

    Args:
        text: an absolute path, or one relative to `base`.
        base: the config file's folder.

    Raises:
        ConfigError: for an empty text, a NUL character, a URL, or a home-folder abbreviation.
    """
    if not text.strip():
        raise ConfigError("the path is empty", got=repr(text), fix="write a file path")
    if "\0" in text:
        raise ConfigError("the path contains a NUL character", got=repr(text), fix="remove it")
    if "://" in text:
        raise ConfigError(
            "the path is a URL", got=text, wanted="a local path", fix="download the file and name the copy"
        )
    if text.startswith("~"):
        raise ConfigError(
            "the path starts with ~",
            got=text,
            wanted="a path relative to this config, or an absolute one",
            fix="write the folder's name; ./~name for a file that really starts with ~",
        )
    path = base / text
    try:
        return path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError("the path cannot be followed", got=text, wanted="a path without loops") from error


def _neighbour(path: Path) -> str | None:
    """The file in the same folder whose name is nearest."""
    try:
        names = [entry.name for _, entry in zip(range(_MOST_NAMES), path.parent.iterdir(), strict=False)]
    except OSError:
        return None
    return nearest(path.name, sorted(names))


def _missing_fix(path: Path) -> str:
    if close := _neighbour(path):
        return f"did you mean {path.with_name(close)}?"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist; paths are relative to the config's folder"
    return "use / between folders" if "\\" in path.name else "paths are relative to the config's folder"


def check_file(path: Path) -> None:
    """Insist on an existing regular file.

    Raises:
        ConfigError: if it does not exist (with the nearest name), or is a folder, device, pipe or socket.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError("the file does not exist", got=str(path), fix=_missing_fix(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"the file cannot be read: {reason.lower()}", got=str(path)) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
        raise ConfigError(f"the path names {kind}", got=str(path), wanted="a regular file")


def open_unblocked(path: Path) -> BufferedReader:
    """Open a file for reading; a pipe that nobody writes to is opened as well, instead of holding up its reader."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))


def check_below_roots(path: Path, roots: Sequence[Path]) -> None:
    """Insist that a path, with all links followed, lies below one of the data roots.

    Raises:
        ConfigError: if it does not; names `DSAM_DATA_ROOTS`.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:
        raise ConfigError("the path cannot be followed", got=str(path)) from error
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise ConfigError(
            "the path lies outside the data roots",
            got=str(real),
            wanted=f"a path below {' or '.join(str(root) for root in roots)}",
            fix="move the file there, or ask the operator to add its folder to DSAM_DATA_ROOTS",
        )
