"""R data files (`saveRDS`): one data frame, with R's column types as pandas' own.

The file is parsed into R's objects by `rdata`; what they mean is decided here, so that no class is guessed at and
attributes that packages hang on their data frames do not matter. Nothing of R is executed.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.data.files import MAX_BYTES, FileContent
from dsam_assets.errors import DataError

# Classes whose values are what their storage says.
_PLAIN = frozenset({"AsIs", "labelled", "haven_labelled", "vctrs_vctr", "integer", "numeric", "character", "double"})
_VECTORS = frozenset({"LGL", "INT", "REAL", "STR"})
_DAY_NS = 86_400 * 10**9


def read_rds(file: FileContent) -> pd.DataFrame:
    """The data frame (or tibble, or data.table) of an RDS file; row names are left out.

    Logical, integer, double and character columns, factors (levels keep their order), `Date` and `POSIXct` (in its
    time zone, UTC when it has none) are read; R's `NA` becomes missing.

    Raises:
        DataError: not an RDS file, not a data frame, or a column of another type.
    """
    root, encoding = _parse(file)
    if root.info.type.name != "VEC" or "data.frame" not in _texts(root, "class", encoding):
        raise DataError(
            "The RDS file does not hold a data frame.",
            where=str(file.path),
            got=", ".join(_texts(root, "class", encoding)) or f"an R object of type {root.info.type.name}",
            wanted="a data frame, saved with saveRDS()",
            fix="In R: saveRDS(as.data.frame(x), file).",
        )
    names = _texts(root, "names", encoding)
    columns = [_column(item, name, encoding, file.path) for name, item in zip(names, root.value, strict=True)]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    return frame.set_axis(names, axis=1)


def _parse(file: FileContent) -> tuple[Any, str]:
    """The root object and the encoding of its text."""
    import rdata.parser

    content = _inflated(file)
    try:
        parsed = rdata.parser.parse_data(content, extension=".rds")
    except Exception as error:  # any byte may be wrong: whatever the parser trips over means the same to the user
        raise _not_rds(file.path, f"{type(error).__name__}: {error}") from error
    return parsed.object, parsed.extra.encoding or "utf-8"


def _not_rds(path: Path, why: str) -> DataError:
    return DataError(
        "The file cannot be read as RDS.",
        where=str(path),
        got=why[:200],
        wanted="one R object, written with saveRDS()",
        fix="In R: saveRDS(data, file). An .RData file that save() wrote is another format.",
    )


def _inflated(file: FileContent) -> bytes:
    """RDS files are compressed as a rule; the size limit holds for what comes out."""
    openers: Mapping[bytes, Callable[[], Any]] = {
        b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),
        b"BZh": bz2.BZ2Decompressor,
        b"\xfd7zXZ\x00": lzma.LZMADecompressor,
    }
    opener = next((opener for magic, opener in openers.items() if file.content.startswith(magic)), None)
    if opener is None:
        return file.content
    reader = opener()
    try:
        content: bytes = reader.decompress(file.content, MAX_BYTES)
    except (zlib.error, OSError, lzma.LZMAError, ValueError) as error:
        raise _not_rds(file.path, str(error)) from error
    if not reader.eof:
        raise _not_rds(file.path, "the file is incomplete, or too large when it is unpacked")
    return content


def _attribute(item: Any, name: str) -> Any:
    """An attribute of an R object, or `None`; attributes are a linked list whose tags may refer to earlier symbols."""
    node = item.attributes
    while node is not None and node.info.type.name == "LIST":
        symbol = node.tag if node.tag.referenced_object is None else node.tag.referenced_object
        if symbol.value.value == name.encode():
            return node.value[0]
        node = node.value[1]
    return None


def _texts(item: Any, attribute: str, encoding: str) -> list[str]:
    found = _attribute(item, attribute)
    return [] if found is None else [str(text) for text in _values(found, encoding)]


def _values(item: Any, encoding: str) -> Any:
    """A vector's values without its attributes."""
    from dataclasses import replace

    import rdata.conversion

    bare = replace(item, attributes=None, info=replace(item.info, object=False, attributes=False))
    return rdata.conversion.convert(bare, default_encoding=encoding)


def _column(item: Any, name: str, encoding: str, path: Path) -> pd.Series:
    classes = _texts(item, "class", encoding)
    storage = item.info.type.name
    strange = [text for text in classes if text not in _PLAIN | set(_READERS) | {"POSIXt", "ordered"}]
    if storage not in _VECTORS or strange or _attribute(item, "dim") is not None:
        raise DataError(
            f"The column {name} is of an R type that is not supported.",
            where=f"{path}, column {name}",
            got=", ".join(classes) or f"type {storage}",
            wanted="logical, integer, double, character, factor, Date or POSIXct",
            fix=f"In R, convert it first, for example data${name} <- as.character(data${name}).",
        )
    values = _values(item, encoding)
    reader = next((_READERS[text] for text in classes if text in _READERS), None)
    return pd.Series(_plain(values) if reader is None else reader(values, item, encoding), name=name)


def _plain(values: Any) -> Any:
    """Numbers and truth values as NumPy's own; with a missing value they become floats, or objects with NaN."""
    mask = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else None
    if values.dtype.kind in "USO":
        return pd.Series(values.tolist(), dtype=object)
    if mask is None or not mask.any():
        return np.asarray(values).astype({"b": bool, "i": np.int64}.get(values.dtype.kind, np.float64))
    if values.dtype.kind == "b":
        return np.where(mask, np.array(np.nan, dtype=object), np.ma.getdata(values).astype(object))
    return np.where(mask, np.nan, np.ma.getdata(values).astype(np.float64))


def _factor(values: Any, item: Any, encoding: str) -> Any:
    levels = _texts(item, "levels", encoding)
    codes = np.nan_to_num(_floats(values)).astype(np.int64) - 1
    return pd.Categorical.from_codes(codes, pd.Index(levels))


def _dates(values: Any, item: Any, encoding: str) -> pd.Series:
    return pd.Series(_nanoseconds(np.floor(_floats(values)), _DAY_NS))


def _times(values: Any, item: Any, encoding: str) -> pd.Series:
    utc = pd.Series(_nanoseconds(_floats(values), 10**9)).dt.tz_localize("UTC")
    zone = next((text for text in _texts(item, "tzone", encoding) if text), "UTC")
    try:
        return utc.dt.tz_convert(zone)
    except (KeyError, ValueError):  # a zone that this system does not know
        return utc


def _floats(values: Any) -> Any:
    return np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)


def _nanoseconds(values: Any, unit: int) -> Any:
    """Counts of a unit since 1970 as datetime64[ns]; microseconds are as fine as R's doubles go."""
    present = np.isfinite(values) & (np.abs(values) < 9e18 / unit)
    micro = np.round(np.where(present, values, 0) * (unit // 1000)).astype("int64")
    times = micro.astype("datetime64[us]").astype("datetime64[ns]")
    times[~present] = np.datetime64("NaT", "ns")
    return times


_READERS: Mapping[str, Callable[[Any, Any, str], Any]] = {"factor": _factor, "Date": _dates, "POSIXct": _times}
