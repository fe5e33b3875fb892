"""Files as they land: told apart by size and times, read when they are quiet, known by content. And the memory of it.

No clock but this machine's is asked how old a file is: times of writing come from whoever wrote it, and may lie in the
future. They only tell that something was written. A file is quiet when it has looked the same for a while.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CURSOR_VERSION = 1
MISSING = "missing"  # in place of a content version: there is no such file, or it cannot be read

type Look = tuple[int, ...]


@dataclass(frozen=True)
class Sighting:
    """A file as it was last seen.

    Attributes:
        look: its size in bytes, and its times of writing and of change in ns; empty when there is no regular file.
        since: when it was first seen like this, in seconds since the epoch by this machine's clock.
        content: its content version once it was quiet; empty before.
    """

    look: Look
    since: float
    content: str = ""


@dataclass(frozen=True)
class Known:
    """What was last done about a market.

    Attributes:
        fingerprint: the files that were looked at; empty when they are to be looked at again.
        n: number of runs that were asked for.
        problem: why nothing could be done, on one line; empty otherwise.
    """

    fingerprint: str
    n: int
    problem: str = ""


@dataclass(frozen=True)
class Memory:
    """What one tick leaves to the next.

    Attributes:
        markets: by name.
        files: by path.
    """

    markets: Mapping[str, Known] = field(default_factory=dict)
    files: Mapping[str, Sighting] = field(default_factory=dict)

    def cursor(self) -> str:
        """The memory as text."""
        markets = {name: [known.fingerprint, known.n, known.problem] for name, known in self.markets.items()}
        files = {path: [list(seen.look), seen.since, seen.content] for path, seen in self.files.items()}
        return json.dumps({"version": CURSOR_VERSION, "markets": markets, "files": files}, separators=(",", ":"))


def remembered(cursor: str | None) -> Memory | None:
    """The memory in a cursor; `None` when there is none, or one that this version did not write."""
    try:
        document: Any = json.loads(cursor or "{}")
        if document.get("version") != CURSOR_VERSION:
            return None
        markets = {name: Known(*known) for name, known in document["markets"].items()}
        files = {path: Sighting(tuple(look), *rest) for path, (look, *rest) in document["files"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return Memory(markets, files)


def look_at(path: Path) -> Look:
    """Size and times of a regular file; empty when there is none. Nothing is opened."""
    try:
        info = path.stat()
    except (OSError, ValueError):
        return ()
    return (info.st_size, info.st_mtime_ns, info.st_ctime_ns) if stat.S_ISREG(info.st_mode) else ()


def sight(
    path: Path, before: Sighting | None, now: float, settle: float, version_of: Callable[[Path | None], str]
) -> Sighting:
    """See a file again.

    Args:
        path: the file.
        before: how it was last seen.
        now: seconds since the epoch.
        settle: seconds for which it must look the same before it is read.
        version_of: reads a file's content version.
    """
    look = look_at(path)
    if before is None or before.look != look or (before.since > now and not before.content):
        before = Sighting(look, now)  # new, written again, or this machine's clock was set back
    unreadable = before.content == MISSING and bool(look)  # that may pass without leaving a trace in the file
    if (before.content and not unreadable) or now - before.since < settle:
        return before
    content = version_of(path)
    after = look_at(path)
    return Sighting(look, before.since, content) if after == look else Sighting(after, now)


def fingerprint_of(contents: Mapping[str, str]) -> str:
    """One short hash over content versions by source."""
    lines = "".join(f"{source}\0{contents[source]}\n" for source in sorted(contents))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
