"""A small market whose files can be made worse, and what a command came to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Market:
    """Files of one market, and edits that make them worse."""

    config: Path

    @property
    def folder(self) -> Path:
        return self.config.parent

    @property
    def data(self) -> Path:
        return self.folder / "data" / "uk.csv"

    def edit(self, old: str, new: str) -> None:
        """Replace text of the config that occurs once."""
        text = self.config.read_text()
        assert text.count(old) == 1, old
        self.config.write_text(text.replace(old, new))

    def edit_data(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        change(pd.read_csv(self.data)).to_csv(self.data, index=False, lineterminator="\n")

    def line(self, text: str) -> int:
        """Number of the first line of the config that holds a text."""
        lines = self.config.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def tree(self) -> dict[str, bytes | None]:
        """Everything in the market's project folder; folders as None."""
        root = self.folder.parent
        return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def assert_one_message(answer: Answer, *words: str) -> None:
    """One refusal on standard error: no traceback, no second message, and with all the words."""
    assert answer.status == 2, answer
    assert answer.err.startswith("dsam: "), answer.err
    assert len(re.findall(r"^dsam:", answer.err, re.MULTILINE)) == 1
    assert "Traceback" not in answer.err + answer.out
    assert "unexpected" not in answer.err
    flat = " ".join(answer.err.split())
    for word in words:
        assert word in flat, f"{word!r} not in {flat}"
