"""Labels of the rows of a model matrix: where they stand in the data, and their date."""

from __future__ import annotations

import pandas as pd

from dsam_assets.design.matrix import ModelMatrix


def row_labels(frame: pd.DataFrame, date_var: str | None, matrix: ModelMatrix) -> pd.DataFrame:
    """Columns `row` (position in the data file, 0-based) and, with a date column, `date`; one row per modelled row."""
    labels = pd.DataFrame({"row": matrix.rows.astype("int64")})
    return labels if date_var is None else labels.assign(date=frame[date_var].to_numpy()[matrix.rows])


def date_labels(frame: pd.DataFrame, date_var: str | None, matrix: ModelMatrix) -> pd.DataFrame:
    """The labels without `row`."""
    return row_labels(frame, date_var, matrix).drop(columns="row")
