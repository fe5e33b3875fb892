"""Reading a data file exactly once, as bytes whose hash is what the run is about."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from dsam_assets.config.paths import open_unblocked
from dsam_assets.errors import DataError

MAX_BYTES = 4 * 1024**3


@dataclass(frozen=True)
class FileContent:
    """The bytes of a regular file and their SHA-256."""

    path: Path
    content: bytes
    sha256: str


def read_once(path: Path, *, max_bytes: int = MAX_BYTES) -> FileContent:
    """Read a regular file once.

    Raises:
        DataError: the file is missing, not a regular file, too large, or changed while it was read.
    """
    try:
        with open_unblocked(path) as handle:
            before = os.fstat(handle.fileno())
            _require_regular(path, before, max_bytes)
            content = handle.read(max_bytes + 1)
            after = os.fstat(handle.fileno())
    except OSError as error:
        raise DataError(
            f"The file cannot be read: {error.strerror}.", where=str(path), fix="Check the path and its permissions."
        ) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(content) != after.st_size:
        raise DataError(
            "The file changed while it was read.", where=str(path), fix="Wait until it is complete, then run again."
        )
    return FileContent(path, content, hashlib.sha256(content).hexdigest())


def _require_regular(path: Path, info: os.stat_result, max_bytes: int) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise DataError("This is not a regular file.", where=str(path), wanted="a regular file")
    if info.st_size > max_bytes:
        raise DataError(
            "The file is too large.", where=str(path), got=f"{info.st_size:,} bytes", wanted=f"at most {max_bytes:,}"
        )
