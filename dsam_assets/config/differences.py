"""Which keys of two plain configs, or sections of them, differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One key whose value differs; `None` where it is not there. `key` is its path: `mcmc.chains`, `rows[2].sd`."""

    key: str
    before: Any
    after: Any


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """The deepest keys that differ; a list of another length is one difference."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, pair in enumerate(zip(before, after, strict=True)):
            yield from differences(*pair, f"{path}[{position}]")
    elif before != after:
        yield Difference(path, before, after)


def word(value: Any) -> str:
    """A value as the config would write it."""
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
