"""Parquet files: the columns as they are typed; an index counts only if it was given a name."""

from __future__ import annotations

import io

import pandas as pd

from dsam_assets.data.files import FileContent
from dsam_assets.errors import DataError


def read_parquet(file: FileContent) -> pd.DataFrame:
    """The table of a parquet file; dates as datetime64, categories as categories.

    Raises:
        DataError: not a parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(file.content)).read()
        frame: pd.DataFrame = table.to_pandas(date_as_object=False)
        named = [level for level, name in enumerate(frame.index.names) if name is not None]
        frame = (frame.reset_index(level=named) if named else frame).reset_index(drop=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"The file cannot be read as parquet: {error}.",
            where=str(file.path),
            fix="Export the data again, or correct data.format.",
        ) from error
    return frame.set_axis([str(name) for name in frame.columns], axis=1)
