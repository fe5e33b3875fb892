"""Labels of the rows of a model matrix: where they stand in the data, and their date."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.design.groups import panel_units
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import DataError


def row_labels(frame: pd.DataFrame, date_var: str | None, matrix: ModelMatrix) -> pd.DataFrame:
    """One row per modelled row: `row` (position in the data file, 0-based), with a date column `date`, and for a panel
    `group`, the panel unit."""
    labels = pd.DataFrame({"row": matrix.rows.astype("int64")})
    if date_var is not None:
        labels["date"] = frame[date_var].to_numpy()[matrix.rows]
    if matrix.groups:
        units = panel_units(matrix.groups)
        labels["group"] = np.asarray(units.levels, dtype=object)[units.codes]
    return labels


def labelled(rows: NDArray[np.intp], labels: pd.DataFrame | None) -> pd.DataFrame:
    """`labels` with a leading column `row`.

    Raises:
        DataError: there is not one label per modelled row.
    """
    positions = np.asarray(rows, dtype=np.int64)
    if labels is None:
        return pd.DataFrame({"row": positions})
    if len(labels) != len(positions):
        raise DataError(
            "Row labels and rows do not match.",
            got=f"{len(labels)} labels for {len(positions)} rows of the model matrix",
            wanted="one label per row that survived data.na_action",
            fix="Take the label columns at the positions in matrix.rows.",
        )
    others = labels.drop(columns="row", errors="ignore").reset_index(drop=True)
    others.insert(0, "row", positions)
    return others
