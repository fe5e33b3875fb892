"""A config together with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dsam_assets.config.key_paths import KeyPath
from dsam_assets.config.schema import Config


@dataclass(frozen=True)
class LoadedConfig:
    """A config and where it came from.

    Attributes:
        config: resolved: all defaults applied, paths absolute, `model.type` never `auto`.
        original_text: the file as the user wrote it.
        path: the file.
        explicit: dotted paths of the keys that the user wrote, aliases under their proper name.
        lines: path of each written key → its line, for later messages.
    """

    config: Config
    original_text: str
    path: Path
    explicit: frozenset[str]
    lines: Mapping[KeyPath, int] = field(repr=False, compare=False)
