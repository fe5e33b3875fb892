"""Rows over time, as figures show them: by panel unit, in order, and never more of them than a screen can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# More points than a wide screen has pixels only make the page slow.
MOST_POINTS = 2_000
MOST_PANELS = 24


def panels_of(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Panel unit → its rows in time order; one entry without a name for a single market.

    Of more units than `MOST_PANELS` the first are shown; `hidden_panels` says how many are not.
    """
    ordered = frame.sort_values(position_of(frame), kind="stable")
    if "group" not in frame:
        return {"": ordered}
    names = list(dict.fromkeys(frame["group"]))[:MOST_PANELS]
    return {str(name): ordered[ordered["group"] == name] for name in names}


def hidden_panels(frame: pd.DataFrame) -> int:
    """How many panel units `panels_of` leaves out."""
    return max(0, frame["group"].nunique() - MOST_PANELS) if "group" in frame else 0


def position_of(frame: pd.DataFrame) -> str:
    """The column that orders rows: the date where there is one, else the row number."""
    return "date" if "date" in frame else "row"


def axis_of(frame: pd.DataFrame) -> str:
    """Title of the axis that rows lie along."""
    return "" if "date" in frame else "row of the data file"


def shown_rows(frame: pd.DataFrame) -> pd.Series:
    """Positions along that axis."""
    return frame[position_of(frame)]


def thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """At most `MOST_POINTS` rows, evenly spaced."""
    if len(frame) <= MOST_POINTS:
        return frame
    return frame.iloc[np.linspace(0, len(frame) - 1, MOST_POINTS).round().astype(int)]
