"""Text cells that stand for a missing value.

`data.delimited` reads NA, NaN, nan, N/A, #N/A, NULL, null and empty cells of a CSV as missing. Any other spelling stays
text, as does every spelling in parquet and R data. It turns a column of numbers into text, which the formula refuses;
in a text column it passes as a level of its own, and in a column that the formula does not use nobody notices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Spelt in any case, with spaces around. Spreadsheet errors are missing values too.
ALWAYS = frozenset(
    {"na", "n/a", "#n/a", "<na>", "nan", "null", "missing", "#value!", "#ref!", "#div/0!", "#name?", "#num!", "#null!"}
)
# Ordinary values of a text column, but missing values among numbers.
AMONG_NUMBERS = frozenset({"", "-", ".", "?", "none", "nil"})
_SHOWN = 3


@dataclass(frozen=True)
class LiteralMissing:
    """Cells of one column: how many, the different texts, and their first rows (0-based, in the file's order)."""

    column: str
    count: int
    words: tuple[str, ...]
    rows: tuple[int, ...]

    @property
    def text(self) -> str:
        """In words."""
        more = f" and {self.count - len(self.rows):,} more" if self.count > len(self.rows) else ""
        words = ", ".join(f'"{word}"' for word in self.words)
        return f"{self.column} has {words} in row {', '.join(map(str, self.rows))}{more} (counted from 0)"


def literal_missing(frame: pd.DataFrame) -> tuple[LiteralMissing, ...]:
    """Columns with such cells, in the frame's order."""
    found = [_in_column(str(name), values) for name, values in frame.items() if _holds_text(values)]
    return tuple(each for each in found if each is not None)


def _holds_text(values: pd.Series) -> bool:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.api.types.is_object_dtype(dtype.categories) or pd.api.types.is_string_dtype(dtype.categories)
    return pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype)


def _in_column(name: str, values: pd.Series) -> LiteralMissing | None:
    codes, distinct = pd.factorize(values)  # a column has few different texts, however many rows
    texts = [value if isinstance(value, str) else None for value in distinct]
    plain = ["" if text is None else text.strip().lower() for text in texts]
    never = np.array([text is not None and word in ALWAYS for text, word in zip(texts, plain, strict=True)], dtype=bool)
    maybe = np.array(
        [text is not None and word in AMONG_NUMBERS for text, word in zip(texts, plain, strict=True)], dtype=bool
    )
    others = pd.to_numeric(pd.Series(distinct, dtype=object)[~never & ~maybe], errors="coerce")
    marked = never | maybe if len(others) and others.notna().all() else never
    rows = np.flatnonzero(marked[codes] & (codes >= 0)) if len(distinct) else np.zeros(0, dtype=np.intp)
    if not rows.size:
        return None
    words = tuple(dict.fromkeys(str(distinct[code]) for code in codes[rows]))[:_SHOWN]
    return LiteralMissing(name, int(rows.size), words, tuple(rows[:_SHOWN].tolist()))
