"""Comma-separated text with a header row."""

from __future__ import annotations

import io

import pandas as pd

from dsam_assets.data.files import FileContent
from dsam_assets.errors import DataError

MISSING_TOKENS = ("", "NA", "NaN", "nan", "N/A", "#N/A", "NULL", "null")


def read_csv(file: FileContent, *, as_text: bool = False) -> pd.DataFrame:
    """The table of a CSV file, UTF-8, with or without a byte order mark.

    Args:
        file: the file's bytes.
        as_text: keep every cell as the text that it is; otherwise numbers are numbers and `MISSING_TOKENS` missing.

    Raises:
        DataError: no header, broken rows, or text that is not UTF-8.
    """
    try:
        if as_text:
            frame = pd.read_csv(io.BytesIO(file.content), keep_default_na=False, encoding="utf-8-sig", dtype=str)
        else:
            frame = pd.read_csv(
                io.BytesIO(file.content), keep_default_na=False, na_values=list(MISSING_TOKENS), encoding="utf-8-sig"
            )
    except UnicodeDecodeError as error:
        raise DataError(
            "The file is not UTF-8 text.", where=f"{file.path}, byte {error.start}", fix="Save it as UTF-8 CSV."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(
            f"The file is not a valid CSV: {error}.",
            where=str(file.path),
            wanted="comma-separated values with the same number of fields in every row",
            fix="Look at the line that the message names; put quotes around text that contains commas.",
        ) from error
    if not frame.empty and not isinstance(frame.index, pd.RangeIndex):
        raise DataError(
            "Rows have more fields than the header.",
            where=str(file.path),
            fix="Check for a missing column name or trailing commas.",
        )
    return frame


def header_of(file: FileContent) -> list[str]:
    """The column names as written, repetitions included.

    Raises:
        DataError: the file is empty or starts with a blank line.
    """
    first_line = file.content.split(b"\n", 1)[0]
    header = pd.read_csv(
        io.BytesIO(first_line + b"\n"), header=None, dtype=str, encoding="utf-8-sig", encoding_errors="replace",
        keep_default_na=False,
    ) if first_line.strip() else pd.DataFrame()  # fmt: skip
    if header.empty:
        raise DataError(
            "The file is empty or starts with a blank line.",
            where=str(file.path),
            wanted="a header row",
            fix="Export the data again, or correct the path.",
        )
    return [str(name) for name in header.iloc[0]]
