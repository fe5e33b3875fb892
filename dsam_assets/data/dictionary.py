"""The data dictionary: what each modelled column means, as the config says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Protocol

import pandas as pd

from dsam_assets.errors import ConfigError

FIELDS = ("unit", "cadence", "source", "transform", "rationale")


class Entry(Protocol):
    """One row of `data.dictionary`; every field is free text."""

    @property
    def unit(self) -> str | None: ...
    @property
    def cadence(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def transform(self) -> str | None: ...
    @property
    def rationale(self) -> str | None: ...


def data_dictionary(columns: Sequence[str], used: Sequence[str], entries: Mapping[str, Entry]) -> pd.DataFrame:
    """One row per modelled column and per further column that the config describes.

    Args:
        columns: the data file's columns.
        used: the columns that the formula uses, in its order.
        entries: `data.dictionary`.

    Raises:
        ConfigError: an entry describes a column that is not in the data.
    """
    unknown = [name for name in entries if name not in columns]
    if unknown:
        near = get_close_matches(unknown[0], list(columns), n=1)
        raise ConfigError(
            f"data.dictionary describes a column that is not in the data: {unknown[0]}.",
            where=f"data.dictionary.{unknown[0]}",
            fix=f"Did you mean {near[0]}?" if near else "Use one of: " + ", ".join(columns),
        )
    names = list(dict.fromkeys([*used, *entries]))
    return pd.DataFrame(
        [
            {"term": name, **{field: _text(entries.get(name), field) for field in FIELDS}, "in_formula": name in used}
            for name in names
        ],
        columns=["term", *FIELDS, "in_formula"],
    )


def _text(entry: Entry | None, field: str) -> str:
    return "" if entry is None else getattr(entry, field) or ""
