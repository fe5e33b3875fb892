"""Short forms for text on a terminal: colour, wrapping, lists, counts, paths."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

COLOURS = {"pass": "32", "warn": "33", "fail": "31", "not_computed": "31", "skipped": "2"}
MARKS = {"pass": "✓", "warn": "!", "fail": "✗", "not_computed": "?", "skipped": "–"}
NARROWEST, WIDEST = 40, 100
_LABELLED = re.compile(r"  (where|got|wanted|do this): +")


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a screen on which a line can be drawn again."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, code: str, stream: TextIO | None = None) -> str:
    """Colour on terminals, unless `NO_COLOR` is set."""
    coloured = is_terminal(stream or sys.stdout) and not os.environ.get("NO_COLOR")
    return f"\033[{code}m{text}\033[0m" if coloured else text


def width() -> int:
    """Columns to fill: the terminal's, within reason."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, NARROWEST), WIDEST)


def wrapped(text: str, first: str = "", rest: str | None = None) -> str:
    """Text in lines that fit; words such as paths are never broken."""
    return "\n".join(
        textwrap.wrap(
            text, width(), initial_indent=first, subsequent_indent=first if rest is None else rest,
            break_long_words=False, break_on_hyphens=False,
        )
    )  # fmt: skip


def message(text: str) -> str:
    """An error's message with its sentence and its labelled lines wrapped; indented lines are left alone."""
    lines = []
    for line in text.splitlines():
        label = _LABELLED.match(line)
        if label and len(line) > width():
            lines.append(wrapped(line[label.end() :], label.group(), " " * label.end()))
        else:
            lines.append(line if line.startswith(" ") else wrapped(line, "", "  "))
    return "\n".join(lines)


def count(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def joined(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(items[:-1]), items[-1]) if part)


def sentence(text: str) -> str:
    """A phrase with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def shown_path(path: Path) -> str:
    """A path relative to the working folder when it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
