"""Schemas of tables as data: one description serves validation, the UI's column catalogue and the docs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from dsam_assets.errors import DataError

# An apostrophe that keeps a spreadsheet from running text as a formula.
GUARDED = r"^'([=+\-@\t\r])"

Kind = Literal["text", "number", "integer", "flag", "date"]


@dataclass(frozen=True)
class Column:
    """One column: its name, kind of value, unit and meaning, and the rules that its values keep."""

    name: str
    kind: Kind
    unit: str
    description: str
    nullable: bool = False
    required: bool = True
    at_least: float | None = None
    at_most: float | None = None
    one_of: Sequence[str] | None = None

    @property
    def dtype(self) -> str:
        """pandas' dtype; flags and counts that may be missing take pandas' nullable kinds."""
        nullable = {"flag": "boolean", "integer": "Int64"}
        plain = {"text": "string", "number": "float64", "integer": "int64", "flag": "bool", "date": "datetime64[ns]"}
        return nullable.get(self.kind, plain[self.kind]) if self.nullable else plain[self.kind]


@dataclass(frozen=True)
class Table:
    """A table: its name, what one row is, and its columns; further columns are refused unless `open` is set."""

    name: str
    row: str
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    open: bool = False


def pandera_schema(table: Table) -> Any:
    """The table as a pandera schema."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {column.name: _pandera_column(column) for column in table.columns},
        strict=not table.open,
        unique=list(table.unique) or None,
        name=table.name,
        description=table.row,
    )


def _pandera_column(column: Column) -> Any:
    import pandera.pandas as pa

    checks = []
    if column.at_least is not None:
        checks.append(pa.Check.ge(column.at_least))
    if column.at_most is not None:
        checks.append(pa.Check.le(column.at_most))
    if column.one_of is not None:
        checks.append(pa.Check.isin(list(column.one_of)))
    if column.kind == "date":
        checks.append(pa.Check(pd.api.types.is_datetime64_any_dtype, name="is_date", error="not a date column"))
    dtype = None if column.kind in ("text", "date") else column.dtype
    return pa.Column(dtype, checks, nullable=column.nullable, required=column.required, description=column.description)


def validate(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Check a frame against its table; all violations come back in one message.

    Raises:
        DataError: names table, columns, rules, and the first offending rows and values.
    """
    from pandera.errors import SchemaErrors

    try:
        pandera_schema(table).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
        shown = "; ".join(_violation(row) for row in cases.head(5).to_dict("records"))
        more = f"; and {len(cases) - 5} more" if len(cases) > 5 else ""
        raise DataError(
            f"The table {table.name} breaks its schema in {len(cases)} places.",
            where=table.name,
            got=shown + more,
            fix="This is a defect of the step that made the table, or of the stored file; rebuild it and report it.",
        ) from error
    return frame


def _violation(case: dict[str, Any]) -> str:
    place = "" if pd.isna(case["index"]) else f" row {case['index']}"
    return f"{case['column'] or 'table'}{place}: {case['check']}, found {case['failure_case']}"


def from_text(table: Table, content: bytes) -> pd.DataFrame:
    """A table that was written as CSV, with the kinds of its columns; numbers come back to the last bit.

    Raises:
        ValueError: a cell is not of its column's kind.
    """
    cells = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    columns = {column.name: column for column in table.columns}
    open_column = Column("", "number", "", "")
    return cells.apply(lambda values: _of_kind(values, columns.get(str(values.name), open_column)))


def _of_kind(cells: pd.Series[str], column: Column) -> pd.Series[Any]:
    if column.kind == "text":
        return cells.str.replace(GUARDED, r"\1", regex=True).astype(object)
    if column.kind == "date":
        return pd.to_datetime(cells)
    missing = cells == ""
    if column.kind == "flag":
        flags = cells.map({"True": True, "False": False, "": pd.NA})
        return flags.astype("boolean") if missing.any() else flags.astype(bool)
    numbers = cells.mask(missing, "nan").astype(float)
    if column.kind == "number":
        return numbers
    return numbers.astype("Int64") if missing.any() else cells.astype("int64")
