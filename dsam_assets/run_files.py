"""Reading a run folder: its manifest, and its files, each checked against the manifest."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dsam_assets.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

REBUILD = "Make the run folder again with dsam run."


@dataclass(frozen=True)
class RunFiles:
    """A finished run folder.

    Attributes:
        folder: where it is.
        manifest: what `run_manifest.json` says.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> RunFiles:
        """A folder that `dsam run` made; raises `StoreError` for any other."""
        from dsam_assets.report.artefacts import MANIFEST

        return cls(folder, _manifest(folder, folder / MANIFEST))

    def listed(self, name: str) -> str | None:
        """Path below the folder of the file of a name, in any layout; `None` when the run does not have it."""
        return next((str(path) for path in self.manifest["files"] if PurePosixPath(path).name == name), None)

    def row(self, name: str, columns: Sequence[str]) -> dict[str, Any]:
        """The first row of a table; empty when the run does not have it. Missing values are None."""
        import pandas as pd

        table = self.table(name)
        if table is None:
            return {}
        self.require(name, table, columns)
        if table.empty:
            raise self.damaged(name, "it has no rows")
        return {str(key): None if pd.isna(value) else value for key, value in table.iloc[0].items()}

    def table(self, name: str) -> pd.DataFrame | None:
        """A table of the run; `None` when the manifest does not list it."""
        import pandas as pd

        listed = self.listed(name)
        if listed is None:
            return None
        content = self.content(listed)
        try:
            return pd.read_csv(io.BytesIO(content))
        except (ValueError, UnicodeDecodeError) as error:
            raise self.damaged(name, str(error)) from error

    def published(self, file: str, name: str) -> pd.DataFrame:
        """A table of the run with the kinds of its schema, as it was before it became text.

        Args:
            file: its file's name.
            name: its schema's name in `report.tables.TABLES`.
        """
        from dsam_assets.report.tables import TABLES
        from dsam_assets.tables import from_text

        listed = self.listed(file)
        if listed is None:
            raise self.damaged(file, "the run does not have it")
        try:
            return from_text(TABLES[name], self.content(listed))
        except (ValueError, UnicodeDecodeError) as error:
            raise self.damaged(file, str(error)) from error

    def require(self, name: str, table: pd.DataFrame, columns: Sequence[str]) -> None:
        """Raise `StoreError` unless the table has the columns."""
        missing = [column for column in columns if column not in table]
        if missing:
            raise self.damaged(name, f"columns are missing: {', '.join(missing)}")

    def content(self, listed: str) -> bytes:
        """A file of the run, by its path; raises `StoreError` unless it is what the manifest says."""
        root, place = self.folder.resolve(), (self.folder / listed).resolve()
        if not place.is_relative_to(root) or not place.is_file():
            raise self.damaged(listed, "the manifest lists it, and it is not there")
        content = place.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.manifest["files"][listed].get("sha256"):
            raise self.damaged(listed, "its content is not what the manifest says: it was changed after the run")
        return content

    def damaged(self, name: str, why: str) -> StoreError:
        """The error of a file that cannot be used."""
        return StoreError("A file of the run folder is damaged.", where=f"{self.folder}, {name}", got=why, fix=REBUILD)


def _manifest(folder: Path, place: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise StoreError("The run folder does not exist.", where=str(folder), fix="Check the path.")
    if not place.is_file():
        raise StoreError(
            "The folder is not a finished run.",
            where=str(folder),
            wanted=f"a run folder with {place.name}, which is written last",
            fix="Name a folder that dsam run made.",
        )
    try:
        found = json.loads(place.read_bytes())
    except (ValueError, RecursionError) as error:
        raise bad_manifest(place, str(error)) from error
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
        raise bad_manifest(place, "it lists no files")
    return dict(found)


def bad_manifest(place: Path, why: str) -> StoreError:
    """The error of a manifest that cannot be used."""
    return StoreError("The run's manifest cannot be read.", where=str(place), got=why, fix=REBUILD)
