"""What is slow to work out and depends on nothing but a file's content, kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from resources.toolchain.cache import cache_folder

MOST = 20_000  # entries; a few versions of the program need some hundred each


@dataclass
class Remembered:
    """A table of short texts by content key. A folder that cannot be read or written only makes things slower."""

    name: str
    _known: dict[str, str] | None = field(default=None, repr=False)
    _new: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> Path:
        return cache_folder() / "remembered" / f"{self.name}.json"

    def get(self, key: str, work_out: Callable[[], str]) -> str:
        """The text of a key; worked out where it is not known."""
        if self._known is None:
            self._known = self._read()
        if key not in self._known:
            self._known[key] = self._new[key] = work_out()
        return self._known[key]

    def keep(self) -> None:
        """Write down what was worked out since."""
        if not self._new:
            return
        from resources.store import write_file

        found = {**self._read(), **self._new}
        self._new.clear()
        text = json.dumps(found if len(found) <= MOST else self._known)
        with contextlib.suppress(OSError):
            write_file(self.path, text.encode())

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        whole = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
        return found if whole else {}
