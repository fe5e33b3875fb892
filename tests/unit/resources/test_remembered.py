"""Texts that are kept in the user's cache folder: worked out once, and again where the folder does not help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources import remembered
from resources.remembered import Remembered


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DSAM_CACHE", str(tmp_path))
    return tmp_path / "remembered"


def counted() -> tuple[list[str], Iterator[str]]:
    asked: list[str] = []

    def work() -> Iterator[str]:
        for number in range(100):
            asked.append(str(number))
            yield f"text {number}"

    return asked, work()


def test_a_text_is_worked_out_once_for_all_processes(folder: Path) -> None:
    asked, work = counted()
    table = Remembered("texts")
    assert [table.get("a", lambda: next(work)) for _ in range(3)] == ["text 0"] * 3
    assert not folder.exists()  # nothing is written before it is asked for
    table.keep()
    assert Remembered("texts").get("a", lambda: next(work)) == "text 0"
    assert Remembered("others").get("a", lambda: next(work)) == "text 1"
    assert asked == ["0", "1"]


def test_what_two_processes_found_is_kept_together(folder: Path) -> None:
    first, second = Remembered("texts"), Remembered("texts")
    first.get("a", lambda: "1")
    second.get("b", lambda: "2")
    first.keep()
    second.keep()
    third = Remembered("texts")
    assert (third.get("a", lambda: "?"), third.get("b", lambda: "?")) == ("1", "2")
    assert [path.name for path in folder.iterdir()] == ["texts.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', "\x00\xff"])
def test_a_damaged_file_is_as_none(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "texts.json").write_text(content)
    table = Remembered("texts")
    assert table.get("a", lambda: "new") == "new"
    table.keep()
    assert Remembered("texts").get("a", lambda: "?") == "new"


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DSAM_CACHE", str(tmp_path / "file"))
    table = Remembered("texts")
    assert table.get("a", lambda: "1") == "1"
    table.keep()


def test_old_entries_go_when_there_are_too_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 3)
    for start in ("a", "b"):
        table = Remembered("texts")
        table._known = {}  # a process that saw nothing of the other's
        for number in range(3):
            table.get(f"{start}{number}", lambda: "x")
        table.keep()
    assert set(Remembered("texts")._read()) == {"b0", "b1", "b2"}
