"""Gate rows as a table, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, get_args

import numpy as np
import pandas as pd

from dsam_assets.errors import StoreError
from dsam_assets.verdict import GateResult, Status, Waived

COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(GateResult) if field.name != "waived")
WAIVER_COLUMNS = ("original_status", "waived_by", "waived_until", "waiver_reason")
STATUSES: tuple[Status, ...] = get_args(Status)


def gate_frame(rows: Iterable[GateResult]) -> pd.DataFrame:
    """One row per check, in the order given; `value` is NaN where not computed. Evidence knows nothing of waivers."""
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS)).astype({"value": np.float64})


def verdict_frame(rows: Iterable[GateResult]) -> pd.DataFrame:
    """As `gate_frame`, with what waivers did: `original_status` of every row; the other columns are empty elsewhere."""
    judged = tuple(rows)
    waivers = pd.DataFrame([_waiver_cells(row) for row in judged], columns=list(WAIVER_COLUMNS))
    return pd.concat([gate_frame(judged), waivers], axis=1)


def _waiver_cells(row: GateResult) -> tuple[str, ...]:
    if row.waived is None:
        return row.status, "", "", ""
    return row.waived.original_status, row.waived.by, row.waived.until, row.waived.why


def gates_from_frame(frame: pd.DataFrame) -> tuple[GateResult, ...]:
    """The rows of a stored table (parquet, or CSV, where empty texts come back as NaN).

    Raises:
        StoreError: a column is missing or a status is none of the known ones.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    names = [name for name in ("status", "original_status") if name in frame.columns]
    unknown = [] if missing else sorted({str(each) for name in names for each in frame[name]} - set(STATUSES))
    if missing or unknown:
        raise StoreError(
            "A stored table of checks is damaged.",
            got=f"missing columns {missing}, unknown statuses {unknown}",
            wanted=f"columns {', '.join(COLUMNS)}; statuses {', '.join(STATUSES)}",
            fix="Rebuild the checks of this market.",
        )
    texts = frame.drop(columns="value").astype(object)
    records = texts.where(texts.notna(), "").to_dict("records")
    values = [None if math.isnan(value) else float(value) for value in frame["value"].astype(np.float64)]
    return tuple(
        GateResult(**{name: record[name] for name in COLUMNS if name != "value"}, value=value, waived=_waived(record))
        for record, value in zip(records, values, strict=True)
    )


def _waived(record: Mapping[Any, Any]) -> Waived | None:
    original, by, until, why = (str(record.get(name, "")) for name in WAIVER_COLUMNS)
    return Waived(original, by, until, why) if by else None  # type: ignore[arg-type]  # checked above
