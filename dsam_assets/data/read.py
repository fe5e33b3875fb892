"""A table file as a frame, whatever its format: CSV, parquet or RDS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from dsam_assets.config.defaults import infer_format
from dsam_assets.data.delimited import header_of, read_csv
from dsam_assets.data.files import FileContent
from dsam_assets.errors import DataError

FileKind = Literal["csv", "parquet", "rds"]


def kind_of(path: Path) -> FileKind:
    """The format that a file's extension names; CSV for any other extension."""
    kind = infer_format(str(path))
    return kind if kind in ("parquet", "rds") else "csv"  # type: ignore[return-value]


def read_table(file: FileContent, kind: FileKind, *, as_text: bool = False) -> pd.DataFrame:
    """Read a table.

    Args:
        file: the file's bytes.
        kind: its format.
        as_text: keep CSV cells as text; the other formats know the types of their columns.

    Returns:
        The table with a plain index; at least one row, column names are unique text.

    Raises:
        DataError: not a file of that format, no rows, or repeated column names.
    """
    if kind == "csv":
        require_unique(header_of(file), file.path)
        frame = read_csv(file, as_text=as_text)
    elif kind == "parquet":
        from dsam_assets.data.parquet import read_parquet

        frame = read_parquet(file)
    else:
        from dsam_assets.data.rds import read_rds

        frame = read_rds(file)
    require_unique([str(name) for name in frame.columns], file.path)
    if frame.empty:
        raise DataError(
            "The file has a header and no rows." if kind == "csv" else "The table has no rows or no columns.",
            where=str(file.path),
            wanted="at least one row",
            fix="Export the data again, or correct the path.",
        )
    return frame


def require_unique(names: Sequence[str], path: Path) -> None:
    """Refuse repeated column names."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1 and name)
    if repeated:
        raise DataError(
            "A column name appears more than once.",
            where=str(path),
            got=", ".join(repeated),
            wanted="unique column names",
            fix="Rename or remove the repeated columns.",
        )
