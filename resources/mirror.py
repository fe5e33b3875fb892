"""A folder of configs behind a URL, mirrored on this machine, so that all else reads local files.

What is mirrored: the YAML files directly in the folder, and the files that they name by relative paths. They keep their
places relative to each other. A file is fetched when what the file system tells of it (times, size, entity tag)
changed, or when it tells nothing that would show a change; and once more a while later, because many file systems tell
times in whole seconds, and a file may be written twice in one. The copy is replaced only when its bytes differ: it
looks new just when its content is, and appears whole or not at all.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import posixpath
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dsam_assets.errors import ConfigError
from resources.config_files import SUFFIXES

NOTES = Path(".dsam") / "mirror.json"
NOTES_VERSION = 1
COARSE_SECONDS = 2.0  # times told are no finer than this
# What a listing says of every version of a file alike; it cannot tell one from the next.
TIMELESS = {"name", "size", "type", "mimetype", "url", "partial", "Key", "StorageClass", "kind", "islink", "mode"}
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


@dataclass(frozen=True)
class Told:
    """What was told of a file.

    Attributes:
        text: another one when the file is another one; empty when nothing told would show that.
        since: when it was first told, in seconds since the epoch by this machine's clock.
        fetched: when the file was last fetched.
    """

    text: str
    since: float
    fetched: float

    def covers(self, text: str) -> bool:
        """Whether a file of which `text` is told now is the one that was fetched."""
        return bool(text) and text == self.text and self.fetched - self.since >= COARSE_SECONDS


def is_url(place: Path | str) -> bool:
    """Whether a place is a URL rather than a local folder."""
    return "://" in str(place)


def mirror_of(url: str, below: Path) -> Mirror:
    """Where a folder behind a URL is mirrored; nothing is read or written.

    Args:
        url: `protocol://…`, as fsspec reads it.
        below: local folder of all mirrors.
    """
    url = re.sub(r"(?<=[^:/])/+$", "", url)
    parts = urlsplit(url)
    plain = f"{parts.scheme}-{parts.netloc.rpartition('@')[2]}{parts.path}"  # no password in a folder's name
    words = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[-NAME_LENGTH:].strip("-")
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", posixpath.basename(parts.path)).strip(".") or "configs"
    return Mirror(url, below / f"{words}-{hashlib.sha256(url.encode()).hexdigest()[:8]}" / name)


def refresh_mirror(mirror: Mirror) -> tuple[str, ...]:
    """Fetch what changed behind the URL, and drop what is gone.

    Returns:
        A sentence for each file that is named but cannot be had; the mirror has no copy of it then.

    Raises:
        ConfigError: the folder cannot be listed. The mirror is left as it was: a network that is down deletes nothing.
    """
    from dsam_assets.config.load import mentioned_files

    with _told_of(mirror):
        look = _Look(mirror, *_file_system(mirror.url))
        listed = look.configs()
    for name, info in listed.items():
        look.fetch(posixpath.join(look.path, name), mirror.folder / name, info)
    for name in listed:
        config = mirror.folder / name
        for text in mentioned_files(config.read_bytes()) if config.is_file() else ():
            look.fetch_named(name, text)
    look.close()
    return tuple(look.problems)


def _file_system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    # Made anew: one that fsspec keeps may remember listings, or hold an archive open, for as long as the process lives.
    system, path = url_to_fs(url, skip_instance_cache=True)
    return system, path.rstrip("/") or path


@contextmanager
def _told_of(mirror: Mirror) -> Iterator[None]:
    """Say in one way what a file system cannot do; each has errors of its own."""
    try:
        yield
    except ConfigError:
        raise
    except FileNotFoundError as error:
        fix = "Create it, or set DSAM_CONFIGS."
        raise ConfigError("The folder of configs does not exist.", where=mirror.url, fix=fix) from error
    except ImportError as error:
        fix = f"Install what {mirror.url.partition('://')[0]}:// needs, for example s3fs, gcsfs or adlfs."
        raise ConfigError("The folder of configs cannot be read.", where=mirror.url, got=str(error), fix=fix) from error
    except Exception as error:
        got = f"{type(error).__name__}: {error}".splitlines()[0]
        fix = "Check the URL, the credentials and the connection. The copies of the last look are kept."
        raise ConfigError("The folder of configs cannot be read.", where=mirror.url, got=got, fix=fix) from error


@dataclass
class _Look:
    """One look at what is behind the URL."""

    mirror: Mirror
    system: Any
    path: str
    seen: dict[str, Told] = field(default_factory=dict)  # by local file
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known: Mapping[str, Told] = _notes(self.mirror)

    def configs(self) -> dict[str, Mapping[str, Any]]:
        """File name → what is told of it, for every YAML file directly in the folder."""
        entries = self.system.ls(self.path, detail=True)
        if any(entry["name"].rstrip("/") == self.path and entry["type"] == "file" for entry in entries):
            what = "The URL names a file."
            raise ConfigError(what, where=self.mirror.url, wanted="a folder of configs", fix="Name its folder.")
        files = {posixpath.basename(entry["name"]): entry for entry in entries if entry["type"] == "file"}
        return {name: files[name] for name in sorted(files) if Path(name).suffix in SUFFIXES}

    def fetch_named(self, config: str, text: str) -> None:
        """Fetch a file that a config names by a relative path."""
        if is_url(text) or posixpath.isabs(text):
            return  # another file system, or a file of this machine: for the config's own checks
        head, tail = _split(self.path)
        remote = posixpath.normpath(posixpath.join(tail, text))
        above = posixpath.dirname(tail) or tail
        local = Path(posixpath.normpath(posixpath.join(self.mirror.folder.as_posix(), text)))
        if not _lies_below(remote, above):
            self.problems.append(f"{config} names {text}, which lies outside of {head}{above}: not fetched.")
        elif str(local) not in self.seen:
            self.fetch(head + remote, local)

    def fetch(self, remote: str, local: Path, info: Mapping[str, Any] | None = None) -> None:
        """Make the copy of one file what the file is."""
        try:
            text, now = _told(info or self.system.info(remote)), time.time()
            told = self.known.get(str(local))
            if told is None or not told.covers(text) or not local.is_file():
                _replace(self.system, remote, local)
                told = Told(text, told.since if told is not None and told.text == text else now, now)
            self.seen[str(local)] = told
        except Exception as error:  # one market's file must not keep the others from being read
            reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
            self.problems.append(f"{remote} {reason}".splitlines()[0])

    def close(self) -> None:
        """Drop copies of what is gone, and note what was told."""
        from resources.store import write_file

        for name in {*self.known, *self.seen} - self.seen.keys():
            Path(name).unlink(missing_ok=True)
        told = {name: asdict(each) for name, each in self.seen.items()}
        document = json.dumps({"version": NOTES_VERSION, "files": told}, indent=1, sort_keys=True)
        write_file(self.mirror.folder / NOTES, f"{document}\n".encode())


def _split(path: str) -> tuple[str, str]:
    """What stands before a path's first folder, and the path: some file systems keep `protocol://` in their paths."""
    head, mark, tail = path.rpartition("://")
    return head + mark, tail


def _lies_below(path: str, above: str) -> bool:
    return path.startswith(above.rstrip("/") + "/") if above else not path.startswith("..")


def _notes(mirror: Mirror) -> Mapping[str, Told]:
    """What was told at the last look, by local file; empty when that was never noted, or in another form."""
    try:
        document = json.loads((mirror.folder / NOTES).read_bytes())
        return {name: Told(**told) for name, told in document["files"].items() if document["version"] == NOTES_VERSION}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _told(info: Mapping[str, Any]) -> str:
    """A short text that is another one when the file is another one; empty when nothing told would show that."""
    if not {name for name, value in info.items() if value is not None} - TIMELESS:
        return ""
    text = repr(sorted((name, str(value)) for name, value in info.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _replace(system: Any, remote: str, local: Path) -> None:
    """Fetch a file; a copy that has its bytes already is left as it is."""
    local.parent.mkdir(parents=True, exist_ok=True)
    fetched = local.with_name(f".{local.name}.{secrets.token_hex(4)}")
    try:
        system.get_file(remote, str(fetched))
        if not (local.is_file() and filecmp.cmp(fetched, local, shallow=False)):
            fetched.replace(local)
    finally:
        fetched.unlink(missing_ok=True)
