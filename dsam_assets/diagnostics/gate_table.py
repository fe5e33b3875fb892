"""Gate rows as a table, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import get_args

import numpy as np
import pandas as pd

from dsam_assets.errors import StoreError
from dsam_assets.verdict import GateResult, Status

COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(GateResult))
STATUSES: tuple[Status, ...] = get_args(Status)


def gate_frame(rows: Iterable[GateResult]) -> pd.DataFrame:
    """One row per check, in the order given; `value` is NaN where not computed."""
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS)).astype({"value": np.float64})


def gates_from_frame(frame: pd.DataFrame) -> tuple[GateResult, ...]:
    """The rows of a stored table (parquet, or CSV, where empty texts come back as NaN).

    Raises:
        StoreError: a column is missing or a status is none of the known ones.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    unknown = [] if missing else sorted(set(frame["status"].astype(str)) - set(STATUSES))
    if missing or unknown:
        raise StoreError(
            "A stored table of checks is damaged.",
            got=f"missing columns {missing}, unknown statuses {unknown}",
            wanted=f"columns {', '.join(COLUMNS)}; statuses {', '.join(STATUSES)}",
            fix="Rebuild the checks of this market.",
        )
    texts = frame[list(COLUMNS)].drop(columns="value").astype(object)
    records = texts.where(texts.notna(), "").to_dict("records")
    values = [None if math.isnan(value) else float(value) for value in frame["value"].astype(np.float64)]
    return tuple(
        GateResult(**{str(key): item for key, item in record.items()}, value=value)
        for record, value in zip(records, values, strict=True)
    )
