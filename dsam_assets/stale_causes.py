"""Why a stored result is no longer what a run would make, in words, and the way from the cause to the result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from dsam_assets.config.differences import Difference, differences, word

SOURCE_WORDS = {
    "config_file": "config file",
    "data_file": "data file",
    "calendar_file": "holiday calendar",
    "pooling_map_file": "pooling map",
    "dictionary_file": "data dictionary",
    "future_file": "future data file",
}
NEVER = "never made"
CONFIG_CHANGED = f"{SOURCE_WORDS['config_file']} changed"
SHOWN_KEYS = 3
ANY_DAY = "any day"  # of a verdict that no waiver limits


@dataclass(frozen=True)
class Cause:
    """One reason for which an asset is stale.

    Attributes:
        what: what changed.
        since: when, ISO 8601 in UTC; empty when that is not known.
        trail: the assets between the change and the asset, the asset itself last.
    """

    what: str
    since: str
    trail: tuple[str, ...]

    def reaches(self, asset: str) -> Cause:
        """The same cause, one asset further down."""
        return Cause(self.what, self.since, (*self.trail, asset))

    def __str__(self) -> str:
        return " → ".join((self.what, *self.trail))


type Causes = dict[str, Cause]


def merge(causes: Causes, more: Cause) -> None:
    """Add a cause; of two ways from the same cause the shorter is kept."""
    known = causes.get(more.what)
    if known is None or len(more.trail) < len(known.trail):
        causes[more.what] = more


def ended_on(verdict: Mapping[str, Any], today: date) -> date | None:
    """The day on which a waiver under a stored verdict ended, by what is shown of the verdict; `None` if none did."""
    text = str(verdict.get("holds_until", ANY_DAY))
    last = None if text == ANY_DAY else date.fromisoformat(text)
    return last if last is not None and last < today else None


def source_cause(source: str, recorded: str | None, found: str, path: Path | None, missing: str) -> str:
    """What is said of a file that is not the one that an asset was made from."""
    words = SOURCE_WORDS[source]
    if found == missing:
        return f"{words} is missing"
    if recorded is None:
        return f"{words} was not recorded"
    return f"{words} changed" if path is not None else f"{words} is no longer used"


def changed_at(path: Path | None) -> str:
    """When a file was last written, ISO 8601 in UTC; empty when it cannot be said."""
    try:
        seconds = None if path is None else path.stat().st_mtime
    except OSError:
        return ""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def code_causes(recorded: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Which parts of the program changed since an asset was made, one by one; in general, if it was not recorded."""
    parts = dict.fromkeys((*now, *recorded))
    changed = [part for part in parts if recorded and recorded.get(part) != now.get(part)]
    return [f"code of {part.replace('stan:', 'Stan program ')} changed" for part in changed] or ["code changed"]


def config_cause(section: str, before: bytes, after: bytes) -> str:
    """Which keys of a section of the config changed, and how."""
    changes = [_told(change) for change in differences(json.loads(before), json.loads(after))]
    more = f" and {len(changes) - SHOWN_KEYS} more" if len(changes) > SHOWN_KEYS else ""
    return f"{section} changed: {', '.join(changes[:SHOWN_KEYS])}{more}"


def _told(change: Difference) -> str:
    values = (change.before, change.after)
    scalar = not any(isinstance(each, dict | list) for each in values)
    short = scalar and all(len(str(each)) <= 20 for each in values)
    return f"{change.key} {word(change.before)} → {word(change.after)}" if short else change.key
