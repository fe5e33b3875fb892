"""Did you mean: the nearest valid key, value or file name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from dsam_assets.config.key_paths import KeyPath, dotted, general, keys_of, schema_keys

_MOST_PLACES = 3


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def nearest(name: str, choices: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The choice that looks most like `name`, ignoring case and hyphens; None when none is close."""
    by_plain = {_plain(choice): choice for choice in choices}
    found = difflib.get_close_matches(_plain(name), list(by_plain), n=1, cutoff=cutoff)
    return by_plain[found[0]] if found else None


def _places(name: str, near: str) -> list[str]:
    """Keys of this name elsewhere in the schema; those below the section `near` hide the others."""
    found = [path for path in schema_keys() if path.rsplit(".", 1)[-1] == _plain(name)]
    below = [path for path in found if near and path.startswith(f"{near}.")]
    return below or found


def _inside(section: str) -> str:
    return f"`{section}`" if section else "the top level"


def suggest_key(path: KeyPath) -> str:
    """What to do about an unknown key: the nearest sibling, the section where it belongs, or the list of valid keys."""
    *parents, last = path
    section, name = general(tuple(parents)), str(last)
    siblings = keys_of(section)
    if close := nearest(name, siblings, cutoff=0.75):
        return f"did you mean {dotted((*parents, close))}?"
    places = _places(name, section)
    if 0 < len(places) <= _MOST_PLACES:
        homes = " or ".join(_inside(place.rpartition(".")[0]) for place in places)
        return f"`{_plain(name)}` belongs to {homes}"
    if close := nearest(name, siblings):
        return f"did you mean {dotted((*parents, close))}?"
    if close := nearest(name, {path.rsplit(".", 1)[-1] for path in schema_keys()}, cutoff=0.85):
        homes = " or ".join(_places(close, section)[:_MOST_PLACES])
        return f"did you mean {homes}?"
    return f"remove it; valid keys of {_inside(section)}: {', '.join(siblings)}"
