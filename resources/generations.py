"""The fits of a market that are kept to compare the next one with: the current one and the one before, never more.

The store holds each asset once, so what a refit replaces is gone. A fit that is to be compared with the next one is
therefore copied, `<root>/<market>/.fits/<content>/<asset>/<file>`, and one file, `.fits/fits.json`, names the current
fit and the one before. A fit is known by the data version of its posterior:

- keeping the fit that is current already replaces its copy and leaves the one before alone, so that running again what
  has not changed never makes a fit its own predecessor;
- keeping any other fit makes the current one the one before, also when it is a fit of long ago: after A → B → A the one
  before is B.

`fits.json` is replaced whole after the copies are written, and what it does not name is removed after that: whenever a
process dies, the file names two fits that are there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from upath import UPath

from dsam_assets.errors import StoreError
from resources.store import Record, Store, file_hashes, fingerprint, write_atomic

FITS = ".fits"
POINTER = "fits.json"
POSTERIOR = "posterior"


@dataclass(frozen=True)
class Kept:
    """A fit that was kept.

    Attributes:
        fit: data version of its posterior.
        folder: name of the folder of its copy: a hash of its content.
        records: the record of each of its assets, with the files that were kept.
    """

    fit: str
    folder: str
    records: Mapping[str, Record]

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "records": {name: asdict(record) for name, record in self.records.items()}}


@dataclass(frozen=True)
class Generations:
    """The kept fits of one market in a store."""

    store: Store
    market: str

    @property
    def _folder(self) -> UPath:
        return UPath(self.store.root) / self.market / FITS

    def previous(self, fit: str) -> Kept | None:
        """The fit before this one: the last that was kept and is another.

        Raises:
            StoreError: the list of kept fits is damaged.
        """
        current, before = self._pointer()
        return current if current is not None and current.fit != fit else before

    def read(self, kept: Kept, asset: str, name: str) -> bytes:
        """One file of a kept fit, its checksum verified."""
        path = self._folder / kept.folder / _part(asset) / name
        content = path.read_bytes() if path.exists() else None
        if content is None or hashlib.sha256(content).hexdigest() != kept.records[asset].files[name]:
            raise StoreError(
                f"{name} of the previous fit is missing or damaged.",
                where=str(path),
                fix="Nothing needs to be done: the next refit is compared with the current one.",
            )
        return bytes(content)

    def keep(self, records: Mapping[str, Record]) -> Kept:
        """Keep the fit of these stored assets as the current one; what is older than the one before is removed."""
        fit = records[POSTERIOR].data_version
        files = {
            f"{_part(asset)}/{name}": self.store.read(self.market, record, name)
            for asset, record in records.items()
            for name in record.files
        }
        kept = Kept(fit, fingerprint(file_hashes(files))[:20], records)
        try:
            before = self.previous(fit)
        except StoreError:
            before = None  # a damaged list is replaced; who reads it has been told
        if self.store.writes:
            self._write(kept, before, files)
        return kept

    def _write(self, kept: Kept, before: Kept | None, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = self._folder / kept.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        document = {"current": kept.document(), "previous": None if before is None else before.document()}
        write_atomic(self._folder / POINTER, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())
        self._remove_others({kept.folder, *([] if before is None else [before.folder])})

    def _pointer(self) -> tuple[Kept | None, Kept | None]:
        path = self._folder / POINTER
        if not path.exists():
            return None, None
        try:
            document = json.loads(path.read_bytes())
            return _kept(document["current"]), _kept(document["previous"])
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                "The list of kept fits is damaged.",
                where=str(path),
                fix="Nothing needs to be done: the next refit is compared with the current one.",
            ) from error

    def _remove_others(self, named: set[str]) -> None:
        for path in self._folder.iterdir():
            if path.name != POINTER and path.name not in named:
                path.fs.rm(path.path, recursive=True)


def _kept(document: Mapping[str, Any] | None) -> Kept | None:
    if document is None:
        return None
    return Kept(
        document["fit"], document["folder"], {name: Record(**each) for name, each in document["records"].items()}
    )


def _part(asset: str) -> str:
    return asset.replace("/", ".")


def only(record: Record, endings: tuple[str, ...]) -> Record:
    """The record with the files of these endings alone."""
    return replace(record, files={name: sha for name, sha in record.files.items() if name.endswith(endings)})
