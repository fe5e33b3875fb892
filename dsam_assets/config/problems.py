"""Problems with a config, collected and reported together in one readable error."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dsam_assets.config.key_paths import KeyPath, dotted
from dsam_assets.errors import ConfigError

NOTHING = object()
"""The value of a problem that is not about a value."""

MOST_SHOWN = 40
"""Problems that one message spells out; the rest are counted."""

_LONGEST = 80


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: where; the empty path means the whole file.
        rule: what must hold, as the predicate of a sentence about the key: `must be a whole number`.
        got: the value found, or `NOTHING`.
        fix: what to do, as an instruction, or None.
    """

    path: KeyPath
    rule: str
    got: object = NOTHING
    fix: str | None = None


def show(value: object) -> str:
    """A value as YAML would write it, shortened."""
    if isinstance(value, float) and math.isinf(value):
        return ".Inf" if value > 0 else "-.Inf"
    if isinstance(value, Mapping | list | tuple):
        kind, count = ("section", "key") if isinstance(value, Mapping) else ("list", "item")
        return f"a {kind} with {len(value)} {count}{'' if len(value) == 1 else 's'}"
    text = json.dumps(str(value) if isinstance(value, dt.date) else value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _name(path: KeyPath) -> str:
    text = dotted(path)
    return text if len(text) <= 2 * _LONGEST else f"{text[: 2 * _LONGEST]}…"


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Line of a key, or of the nearest enclosing section that is written in the file."""
    for length in range(len(path), 0, -1):
        if (line := lines.get(path[:length])) is not None:
            return line
    return None


def _sentence(problem: Problem, lines: Mapping[KeyPath, int], width: int) -> str:
    line = line_of(problem.path, lines)
    place = f"line {line}" if line else ""
    text = f"  {place:<{width}}  {_name(problem.path)} {problem.rule}"
    if problem.got is not NOTHING:
        text += f"; got {show(problem.got)}"
    if problem.fix:
        text += f"\n  {'':<{width}}    → {problem.fix}"
    return text


def as_error(
    problems: Sequence[Problem],
    file: str,
    lines: Mapping[KeyPath, int],
    error: type[ConfigError] = ConfigError,
) -> ConfigError:
    """One error for at least one problem; several are listed in the order of their lines."""
    if len(problems) == 1:
        (only,) = problems
        line = line_of(only.path, lines)
        return error(
            f"{_name(only.path)} {only.rule}",
            where=f"{file}, line {line}" if line else file,
            got=None if only.got is NOTHING else show(only.got),
            fix=only.fix,
        )
    ordered = sorted(problems, key=lambda one: line_of(one.path, lines) or 0)
    shown = ordered[:MOST_SHOWN]
    width = max(len(f"line {line_of(one.path, lines) or ''}") for one in shown)
    body = "\n".join(_sentence(one, lines, width) for one in shown)
    if len(ordered) > MOST_SHOWN:
        body += f"\n  … and {len(ordered) - MOST_SHOWN} more"
    return error(f"{len(problems)} problems in {file}:\n{body}")
