"""The result store: `<root>/<market>/<stage folder>/<file>`, with one record per asset.

A record says which code and which inputs made an artefact and how its bytes hash. It is written last, so an artefact
without a matching record is never taken for complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upath import UPath

from dsam_assets.errors import StoreError
from dsam_assets.report.artefacts import ASSET_STAGES, folder

RECORDS = ".records"
PROBLEMS = ".problems"
FLEET = "_fleet"  # in place of a market: what is made of all of them; no market's name starts with an underscore


@dataclass(frozen=True)
class Record:
    """What is known of a stored artefact.

    Attributes:
        asset: its name.
        code_version: hash of the code that made it.
        inputs: data version of each upstream asset when it was made.
        data_version: hash of its content.
        files: file name → SHA-256.
        metadata: numbers shown with it (JSON scalars).
        sources: content version of each file outside of the store that it was read from.
        code: version of each part of the code behind `code_version`, to name the part that changed.
        made: when it was computed, ISO 8601 in UTC; a reused artefact keeps the time of its computation.
    """

    asset: str
    code_version: str
    inputs: Mapping[str, str]
    data_version: str
    files: Mapping[str, str]
    metadata: Mapping[str, Any]
    sources: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    made: str = ""


@dataclass(frozen=True)
class Problem:
    """Why the last attempt at an artefact failed; it is forgotten when an attempt succeeds.

    Attributes:
        asset: the step that failed.
        what: the message.
        when: ISO 8601 in UTC.
    """

    asset: str
    what: str
    when: str


@dataclass
class Encoded:
    """A value with its record and files, on its way to the store; `files` is `None` when the stored ones are reused.

    Not frozen: Dagster keeps every output until the end of the run, so what has been written is let go.
    """

    value: Any
    record: Record
    files: Mapping[str, bytes] | None

    def release(self) -> None:
        """Let go of value and files; the store has them."""
        self.value, self.files = None, None


@dataclass(frozen=True)
class Store:
    """Files and records of all markets below one root (a local path or any fsspec URL)."""

    root: str

    @property
    def writes(self) -> bool:
        """Whether what is written lasts; it does not in a dry look."""
        return True

    def folder_of(self, market: str, asset: str) -> UPath:
        if market == FLEET:
            return UPath(self.root) / FLEET
        stage = ASSET_STAGES.get(asset, "run_metadata")
        return UPath(self.root) / market / folder(stage, "staged")

    def _record_path(self, market: str, asset: str) -> UPath:
        return UPath(self.root) / market / RECORDS / f"{asset.replace('/', '.')}.json"

    def record(self, market: str, asset: str) -> Record | None:
        """The record of an artefact, or `None` when it was never completed."""
        path = self._record_path(market, asset)
        if not path.exists():
            return None
        try:
            return Record(**json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"The record of {asset} is damaged.",
                where=str(path),
                fix=f"Delete this file; the next run rebuilds {asset}.",
            ) from error

    def markets(self) -> list[str]:
        """Markets that something is stored of."""
        root = UPath(self.root)
        folders = root.iterdir() if root.exists() else ()
        return sorted(each.name for each in folders if each.name != FLEET and (each / RECORDS).is_dir())

    def outdated(self, market: str, record: Record) -> list[str]:
        """Inputs of an artefact that are stored in another version than it was made from, or no more."""
        stored = {name: self.record(market, name) for name in record.inputs}
        return [
            name
            for name, version in record.inputs.items()
            if (found := stored[name]) is None or found.data_version != version
        ]

    def write(self, market: str, record: Record, files: Mapping[str, bytes]) -> None:
        """Write an artefact's files, then its record; each file appears whole or not at all."""
        record_path = self._record_path(market, record.asset)
        target = self.folder_of(market, record.asset)
        target.mkdir(parents=True, exist_ok=True)
        record_path.parent.mkdir(parents=True, exist_ok=True)
        record_path.unlink(missing_ok=True)
        for name, content in files.items():
            write_atomic(target / name, content)
        write_atomic(record_path, (json.dumps(asdict(record), indent=2, sort_keys=True) + "\n").encode())

    def note_problem(self, market: str, asset: str, what: str) -> None:
        """Remember why an attempt failed."""
        path = self._problem_path(market, asset)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(Problem(asset, what, utc_now()))).encode())

    def clear_problem(self, market: str, asset: str) -> None:
        """Forget why an earlier attempt failed, if one did."""
        self._problem_path(market, asset).unlink(missing_ok=True)

    def problems(self, market: str) -> list[Problem]:
        """Attempts that failed and were not made good since, latest first."""
        folder = UPath(self.root) / market / PROBLEMS
        files = sorted(folder.glob("*.json")) if folder.exists() else []
        found = [Problem(**json.loads(path.read_bytes())) for path in files]
        return sorted(found, key=lambda problem: problem.when, reverse=True)

    def _problem_path(self, market: str, asset: str) -> UPath:
        return UPath(self.root) / market / PROBLEMS / f"{asset.replace('/', '.')}.json"

    def read(self, market: str, record: Record, name: str) -> bytes:
        """Read one file of an artefact and verify its checksum."""
        path = self.folder_of(market, record.asset) / name
        if not path.exists():
            raise StoreError(
                f"{name} of {record.asset} is missing.", where=str(path), fix=_rebuild(market, record.asset)
            )
        content = bytes(path.read_bytes())
        if hashlib.sha256(content).hexdigest() != record.files[name]:
            raise StoreError(
                f"{name} of {record.asset} does not match its checksum: changed or damaged after it was written.",
                where=str(path),
                fix=_rebuild(market, record.asset),
            )
        return content

    def intact(self, market: str, record: Record) -> bool:
        """Whether every file of the artefact is still there (contents are verified when they are read)."""
        target = self.folder_of(market, record.asset)
        return all((target / name).exists() for name in record.files)

    def verified(self, market: str, record: Record) -> bool:
        """Whether every file of the artefact is there with the content that was written."""
        try:
            for name in record.files:
                self.read(market, record, name)
        except StoreError:
            return False
        return True


def utc_now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _rebuild(market: str, asset: str) -> str:
    return f"Rebuild it: materialise {asset} of market {market} with the tag dsam/force=true, or `dsam run --force`."


def file_hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def fingerprint(hashes: Mapping[str, str]) -> str:
    """SHA-256 over the names and hashes of an artefact's files: its data version."""
    lines = "".join(f"{name}\0{hashes[name]}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def write_file(path: Path, content: bytes) -> None:
    """Write a file of this machine whole or not at all, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(UPath(path), content)


def write_atomic(path: UPath, content: bytes) -> None:
    """Write to a temporary name in the same folder, flush to disk, rename."""
    if path.protocol not in ("", "file"):
        path.write_bytes(content)  # object stores put an object whole or not at all
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(str(temporary), "wb") as handle:  # noqa: PTH123 (UPath has no fileno)
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(str(temporary), str(path))  # noqa: PTH105
    finally:
        temporary.unlink(missing_ok=True)
