"""Looking at a folder of configs behind a URL, and making its mirror what it is.

What is mirrored: the YAML files directly in the folder, and the files that they name by relative paths. They keep their
places relative to each other. A file is fetched when what the file system tells of it (times, size, entity tag)
changed, or when it tells nothing that would show a change; and once more a while later, because some file systems tell
times in whole minutes, and a file may be written twice in one. The copy is replaced only when its bytes differ: it
looks new just when its content is, and appears whole or not at all.

What is gone there is dropped here. Anything else that goes wrong with the folder or a config ends the look, and nothing
is dropped; what is wrong with one data file is its market's problem.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import posixpath
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote, unquote

from dsam_assets.errors import ConfigError
from resources.config_files import SUFFIXES, config_files
from resources.mirror import Mirror, is_url

STATE = ".dsam"  # beside the configs: results and Dagster's files, and the notes of the mirror
NOTES = Path(STATE) / "mirror.json"
NOTES_VERSION = 1
FETCHED = ".fetched"  # where files are fetched to before they are moved to their places
LOCK = ".lock"
COARSE_SECONDS = 60.0  # times told are no coarser than this
LOCK_SECONDS = 300.0
LONGEST_NAME = 200  # bytes; file systems take 255, and a market's name is shorter by far
# What a listing says of every version of a file alike; it cannot tell one from the next.
TIMELESS = {
    "name", "size", "type", "mimetype", "url", "partial", "Key", "StorageClass", "kind", "islink", "mode", "uid", "gid",
    "ino", "nlink", "perm", "unix.mode", "unix.owner", "unix.group",
}  # fmt: skip
GONE_STATUS = (404, 410)  # of HTTP
# Besides being gone, what is wrong with a file itself; other errors are those of the way to it, and pass.
LASTING = (IsADirectoryError, NotADirectoryError, FileExistsError, PermissionError)


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


def refresh_mirror(mirror: Mirror) -> tuple[str, ...]:
    """Fetch what changed behind the URL, and drop what is gone. One process at a time looks; others wait.

    Returns:
        A sentence for each file that is named but cannot be had; the mirror has no copy of it then.

    Raises:
        ConfigError: the folder cannot be listed, or a file cannot be fetched just now. Nothing is dropped then.
    """
    from filelock import FileLock

    mirror.root.mkdir(parents=True, exist_ok=True)
    with _told_of(mirror), FileLock(mirror.root / LOCK, timeout=LOCK_SECONDS):
        look = _Look(mirror, *_file_system(mirror.url))
        listed = look.configs()
        look.begin()
        for name, entry in listed.items():
            look.fetch(entry["name"], mirror.folder / name, entry)
        for name in listed:
            look.fetch_named_by(mirror.folder / name)
        look.close()
    return tuple(look.problems)


def _file_system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    # Made anew: one that fsspec keeps may remember listings, or hold an archive open, for as long as the process lives.
    system, path = url_to_fs(url, skip_instance_cache=True)
    if PurePath(path).suffix in SUFFIXES:
        raise ConfigError("The URL names a file.", where=url, wanted="a folder of configs", fix="Name its folder.")
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
    known: Mapping[str, Told] = field(default_factory=dict)  # by path below the mirror's root, as is `seen`
    seen: dict[str, Told] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def configs(self) -> dict[str, Mapping[str, Any]]:
        """File name → what is told of it, for every YAML file directly in the folder."""
        files = {}
        for entry in self.system.ls(self.path, detail=True):
            folder, _, last = entry["name"].rpartition("/")
            name = unquote(last) if self._is_web else last
            here = folder.strip("/") == self.path.strip("/")
            if entry["type"] == "file" and here and PurePath(name).suffix in SUFFIXES:
                files[name] = entry
        for name in [name for name in files if len(name.encode()) > LONGEST_NAME]:
            del files[name]
            self.problems.append(f"{name[:40]}… has a name that is too long: not fetched.")
        if not files and config_files(self.mirror.folder):
            raise ConfigError(
                "The folder of configs holds none any more.", where=self.mirror.url, wanted="the YAML files of markets",
                fix=f"See what is there. If all markets are meant to go, remove {self.mirror.folder}/*.yaml as well.",
            )  # fmt: skip
        return dict(sorted(files.items()))

    @property
    def _is_web(self) -> bool:
        return self.path.startswith(("http://", "https://"))

    def begin(self) -> None:
        """Take up what was noted at the last look, and clear away what a look that was killed has left."""
        self.known = _notes(self.mirror)
        shutil.rmtree(self.mirror.root / FETCHED, ignore_errors=True)

    def fetch_named_by(self, config: Path) -> None:
        """Fetch the files that a config names by relative paths."""
        from dsam_assets.config.load import mentioned_files

        for text in mentioned_files(config.read_bytes()) if config.is_file() else ():
            if not is_url(text) and not posixpath.isabs(text):  # else: for the config's own checks
                self._fetch_named(config.name, text)

    def _fetch_named(self, config: str, text: str) -> None:
        head, tail = _split(self.path)
        remote = posixpath.normpath(posixpath.join(tail, quote(text) if self._is_web else text))
        above = self._above(tail)
        local = Path(os.path.normpath(self.mirror.folder / text))
        if not (_lies_below(remote, above) and local.is_relative_to(self.mirror.root)):
            self.problems.append(f"{config} names {text!r}, which lies outside of {head}{above}: not fetched.")
        elif {part.lower() for part in local.relative_to(self.mirror.root).parts} & {STATE, FETCHED, LOCK}:
            self.problems.append(f"{config} names {text!r}, where this program keeps its own files: not fetched.")
        elif self._key(local) not in self.seen:
            self.fetch(head + remote, local)

    def _above(self, tail: str) -> str:
        """The folder above that of the configs: of a bucket the bucket itself, of an archive all of it."""
        from fsspec.archive import AbstractArchiveFileSystem

        above = posixpath.dirname(tail)
        return above if above or isinstance(self.system, AbstractArchiveFileSystem) else tail

    def _key(self, local: Path) -> str:
        return local.relative_to(self.mirror.root).as_posix()

    def fetch(self, remote: str, local: Path, listed: Mapping[str, Any] | None = None) -> None:
        """Make the copy of one file what the file is; without a copy when it cannot be had.

        Args:
            remote: the file over there.
            local: its place here.
            listed: what the listing told of it, for a config: one that is listed and cannot be read ends the look,
                because its market would be dropped.
        """
        try:
            info = listed or self.system.info(remote)
            if info["type"] == "directory":
                raise IsADirectoryError("it is a folder")
            self.seen[self._key(local)] = self._fetched(remote, local, _told(info))
        except Exception as error:
            gone = isinstance(error, FileNotFoundError) or getattr(error, "status", None) in GONE_STATUS
            if not gone and (listed or not isinstance(error, LASTING)):
                raise
            reason = "does not exist" if gone else f"cannot be read: {error}"
            self.problems.append(f"{remote} {reason}".splitlines()[0])
            _drop(local)  # it would pass for what is there now

    def _fetched(self, remote: str, local: Path, text: str) -> Told:
        told, now = self.known.get(self._key(local)), time.time()
        if told is not None and told.covers(text) and local.is_file():
            return told
        self._replace(remote, local)
        return Told(text, told.since if told is not None and told.text == text else now, now)

    def _replace(self, remote: str, local: Path) -> None:
        """Fetch a file; a copy that has its bytes already is left as it is."""
        fetched = self.mirror.root / FETCHED / secrets.token_hex(8)
        fetched.parent.mkdir(exist_ok=True)
        self.system.get_file(remote, str(fetched))
        if not (local.is_file() and filecmp.cmp(fetched, local, shallow=False)):
            local.parent.mkdir(parents=True, exist_ok=True)
            fetched.replace(local)

    def close(self) -> None:
        """Drop copies of what is gone, and note what was told."""
        from resources.store import write_file

        for name in self.known.keys() - self.seen.keys():
            _drop(self.mirror.root / name, self.mirror.root)
        for config in config_files(self.mirror.folder).values():
            if self._key(config) not in self.seen:
                _drop(config)
        shutil.rmtree(self.mirror.root / FETCHED, ignore_errors=True)
        told = {name: asdict(each) for name, each in self.seen.items()}
        document = json.dumps({"version": NOTES_VERSION, "files": told}, indent=1, sort_keys=True)
        write_file(self.mirror.folder / NOTES, f"{document}\n".encode())


def _drop(path: Path, root: Path | None = None) -> None:
    """Remove a copy, and with a root the folders up to it that are empty then; a folder in its place stays."""
    with suppress(OSError):
        path.unlink()
        for folder in path.parents if root is not None else ():
            if folder == root:
                break
            folder.rmdir()


def _split(path: str) -> tuple[str, str]:
    """What stands before a path's first folder, and the path: some file systems keep `protocol://` in their paths."""
    head, mark, tail = path.rpartition("://")
    return head + mark, tail


def _lies_below(path: str, above: str) -> bool:
    return path.startswith(above.rstrip("/") + "/") if above else not path.startswith("..")


def _notes(mirror: Mirror) -> Mapping[str, Told]:
    """What was told at the last look; empty when that was never noted, or in another form."""
    try:
        document = json.loads((mirror.folder / NOTES).read_bytes())
        noted = {name: Told(**told) for name, told in document["files"].items() if document["version"] == NOTES_VERSION}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: told for name, told in noted.items() if not {"..", STATE} & set(PurePath(name).parts)}


def _told(info: Mapping[str, Any]) -> str:
    """A short text that is another one when the file is another one; empty when nothing told would show that."""
    if not {name for name, value in info.items() if value is not None} - TIMELESS:
        return ""
    text = repr(sorted((name, str(value)) for name, value in info.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
