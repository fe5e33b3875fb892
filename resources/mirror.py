"""Where a folder of configs behind a URL is mirrored on this machine, so that all else reads local files."""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dsam_assets.errors import ConfigError

NAME_LENGTH = 40


@dataclass(frozen=True)
class Mirror:
    """A folder behind a URL and the folder here that stands for it.

    Attributes:
        url: of the folder of configs.
        folder: the local folder of configs.
    """

    url: str
    folder: Path

    @property
    def root(self) -> Path:
        """Stands for the folder above the URL's; configs may name files anywhere below."""
        return self.folder.parent


def is_url(place: Path | str) -> bool:
    """Whether a place is a URL rather than a local folder."""
    return "://" in str(place)


def mirror_of(url: str, below: Path) -> Mirror:
    """Where a folder behind a URL is mirrored; nothing is read or written.

    Args:
        url: `protocol://…`, as fsspec reads it.
        below: local folder of all mirrors.

    Raises:
        ConfigError: it cannot be read as a URL, or holds a secret.
    """
    url = re.sub(r"(?<=[^:/])/+$", "", url)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError("The URL of the configs cannot be read.", got=str(error), fix="Correct it.") from error
    _refuse_secrets(parts.netloc, url)
    words = re.sub(r"[^A-Za-z0-9]+", "-", url).strip("-")[-NAME_LENGTH:].strip("-")
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", posixpath.basename(parts.path)).strip(".") or "configs"
    return Mirror(url, below / f"{words}-{hashlib.sha256(url.encode()).hexdigest()[:8]}" / name)


def _refuse_secrets(netloc: str, url: str) -> None:
    """A URL is shown in messages and in Dagster's pages, and stored with its runs."""
    fix = "Put it where fsspec looks for it: ~/.config/fsspec, or the variables of the file system's package."
    if ":" in netloc.rpartition("@")[0]:
        raise ConfigError("The URL of the configs holds a password.", wanted="a URL without one", fix=fix)
    if url.startswith(("http://", "https://")) and re.search("[?#]", url):
        what = "The URL of the configs has a part behind ? or #."
        raise ConfigError(what, wanted="the URL of a folder", fix=f"Leave that part out. If it is a token: {fix}")
