"""What the catalogue shows of a stored asset without opening it: columns, number of rows, the first rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN, COLUMNS_SHOWN, LONGEST = 6, 8, 40


def column_types(frame: pd.DataFrame) -> dict[str, str]:
    """Column → type, of data whose columns differ from market to market."""
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def glance(asset: str, files: Mapping[str, bytes], columns: Mapping[str, str]) -> dict[str, Any]:
    """Kept with the asset's record, as JSON: `columns`, and of its main table `rows` and a Markdown `table`.

    Args:
        asset: its name.
        files: its files; the main table is the CSV of the asset's name, else the first one.
        columns: name → type, unless the definition has them.
    """
    found: dict[str, Any] = {"columns": [list(pair) for pair in columns.items()]} if columns else {}
    main = next((name for name in (f"{asset}.csv", *files) if name in files and name.endswith(".csv")), None)
    if main is None:
        return found
    rows = list(islice(csv.reader(io.StringIO(files[main][:100_000].decode(errors="replace"))), ROWS_SHOWN + 1))
    if main == f"{asset}.csv":
        found["rows"] = max(files[main].count(b"\n") - 1, 0)
    if len(rows) > 1:
        found["table"] = _markdown(main, rows, files[main].count(b"\n") - 1)
    return found


def _markdown(name: str, rows: Sequence[Sequence[str]], length: int) -> str:
    head, *body = [[_cell(value) for value in row[:COLUMNS_SHOWN]] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    more = [
        *([f"{length - len(body):,} more rows"] if length > len(body) else []),
        *([f"{len(rows[0]) - COLUMNS_SHOWN} more columns"] if len(rows[0]) > COLUMNS_SHOWN else []),
    ]
    note = f"\n\n{name}: {', '.join(more)}" if more else f"\n\n{name}"
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + note


def _cell(text: str) -> str:
    """A value that fits, and cannot become anything but text."""
    try:
        text = f"{float(text):.6g}" if "." in text else text
    except ValueError:
        text = " ".join(text.split())
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    for letter in "\\|<>[]`*_":
        short = short.replace(letter, f"\\{letter}")
    return short


def glance_metadata(kept: Mapping[str, Any]) -> dict[str, Any]:
    """A record's glance as Dagster's metadata."""
    import dagster as dg

    shown: dict[str, Any] = {}
    if "columns" in kept:
        schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in kept["columns"]])
        shown["dagster/column_schema"] = schema
    if "rows" in kept:
        shown["dagster/row_count"] = dg.MetadataValue.int(kept["rows"])
    if "table" in kept:
        shown["first_rows"] = dg.MetadataValue.md(kept["table"])
    return shown
