"""The user's cache folder, and locks in it."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dsam_assets.errors import ToolchainError

Progress = Callable[[str], None]


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """`$DSAM_CACHE`, else `dsam` in the platform's cache folder (`$XDG_CACHE_HOME`, `~/Library/Caches` on macOS)."""
    if chosen := environ.get("DSAM_CACHE"):
        return Path(chosen).expanduser()
    if xdg := environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "dsam"
    return Path.home() / ("Library/Caches" if platform == "darwin" else ".cache") / "dsam"


def digest(parts: Iterable[str]) -> str:
    """A short content key; parts are kept apart, so moving text from one to the next changes it."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode()
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()[:16]


@contextmanager
def locked(folder: Path, name: str, waiting_for: str, progress: Progress | None = None) -> Iterator[None]:
    """Hold the named lock; a process that has to wait says so. The system frees the lock of a process that dies."""
    from filelock import FileLock, Timeout

    locks = make_folder(folder / "locks")
    lock = FileLock(locks / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(progress, f"waiting for another process that is {waiting_for}…")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def make_folder(folder: Path) -> Path:
    """Create the folder and its parents.

    Raises:
        ToolchainError: it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolchainError(
            "The cache folder for compiled Stan programs cannot be created.",
            where=str(folder),
            got=error.strerror,
            fix="Set DSAM_CACHE to a folder that you may write.",
        ) from error
    return folder


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A fresh folder that is removed afterwards, unless it was renamed meanwhile."""
    with tempfile.TemporaryDirectory(prefix="dsam-", dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


def tell(progress: Progress | None, line: str) -> None:
    """Pass a line to the progress callback, if there is one."""
    if progress is not None:
        progress(line)
