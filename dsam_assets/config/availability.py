"""Keys that the schema accepts and this version cannot serve yet.

An accepted key is never ignored: asking for one of these ends in an error. The tables are data; a row goes when its
feature arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache

from dsam_assets.config.key_paths import KeyPath, dotted, general, leaves
from dsam_assets.config.loaded import LoadedConfig
from dsam_assets.config.problems import NOTHING, Problem, as_error
from dsam_assets.config.schema import Config
from dsam_assets.errors import NotAvailableYetError


@dataclass(frozen=True)
class Gap:
    """One missing feature.

    Attributes:
        key: general key path; a trailing `.` covers everything below a section, a trailing `[]` the rows of a list.
        when: which values ask for the feature.
        instead: what to do until it arrives.
        written: only a value that the user wrote asks for it, not a default.
    """

    key: str
    when: Callable[[object], bool]
    instead: str
    written: bool = False

    def covers(self, key: str) -> bool:
        """Whether a general key path is this key, one of its items, or lies below it."""
        if self.key.endswith((".", "[]")):
            return key.startswith(self.key)
        return key.removesuffix("[]") == self.key


def _is(*values: object) -> Callable[[object], bool]:
    return lambda value: value in values


def _is_not(*values: object) -> Callable[[object], bool]:
    return lambda value: value not in values


def _anything(_value: object) -> bool:
    return True


_OFF = "set it to false"
_REMOVE = "remove the line"

GAPS: tuple[Gap, ...] = (Gap("security.allow_unsafe_formula", _is(True), _OFF),)


def _place(path: KeyPath, gap: Gap) -> KeyPath:
    """Where to report: the key itself, or the list or section that the gap covers as a whole."""
    key = gap.key.removesuffix(".").removesuffix("[]")
    return next(path[:length] for length in range(1, len(path) + 1) if general(path[:length]) == key)


def _asked(config: Config, written: Collection[str] | None) -> Iterator[tuple[KeyPath, object, Gap]]:
    """Leaves that ask for a missing feature; `written` None stands for a file that writes every key."""
    for path, value in leaves(config):
        for gap in GAPS:
            explicit = written is None or not gap.written or dotted(path) in written
            if gap.covers(general(path)) and explicit and gap.when(value):
                yield path, value, gap


def check_available(loaded: LoadedConfig) -> None:
    """Refuse a config that asks for something this version does not do.

    Raises:
        NotAvailableYetError: naming every such key, its line, and what to do instead.
    """
    problems: dict[KeyPath, Problem] = {}
    for path, value, gap in _asked(loaded.config, loaded.explicit):
        place = _place(path, gap)
        got = value if place == path else NOTHING
        problems.setdefault(place, Problem(place, "is not available in this version yet", got, gap.instead))
    if problems:
        raise as_error(list(problems.values()), str(loaded.path), loaded.lines, NotAvailableYetError)


@cache
def _default_leaves() -> dict[KeyPath, object]:
    minimal = {"data": {"path": "data.csv"}, "model": {"formula": "y ~ x"}}
    return dict(leaves(Config.model_validate(minimal)))


def silent_defaults(config: Config) -> frozenset[KeyPath]:
    """Leaves at their default that a file must leave out, because writing them asks for a missing feature."""
    defaults = _default_leaves()
    return frozenset(path for path, value, _ in _asked(config, None) if path in defaults and defaults[path] == value)
