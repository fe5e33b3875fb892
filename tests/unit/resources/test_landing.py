"""Files as they land, without Dagster and without markets."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from resources.landing import MISSING, Known, Memory, Sighting, fingerprint_of, look_at, remembered, sight


def content(path: Path | None) -> str:
    assert path is not None
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return MISSING


def see(path: Path, before: Sighting | None, now: float, settle: float = 10.0) -> Sighting:
    return sight(path, before, now, settle, content)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(b"one")
    return path


def test_a_file_is_read_once_it_has_looked_the_same_for_a_while(file: Path) -> None:
    first = see(file, None, 1000.0)
    assert (first.since, first.content) == (1000.0, "")
    assert see(file, first, 1009.9) == first
    quiet = see(file, first, 1010.0)
    assert quiet == Sighting(look_at(file), 1000.0, content(file))


def test_a_file_that_grows_begins_to_wait_anew(file: Path) -> None:
    first = see(file, None, 1000.0)
    file.write_bytes(b"one and a half")
    second = see(file, first, 1011.0)
    assert (second.since, second.content) == (1011.0, "")
    assert see(file, second, 1020.0).content == ""
    assert see(file, second, 1021.0).content == content(file)


def test_a_file_that_is_known_is_not_read_again(file: Path) -> None:
    quiet = see(file, see(file, None, 1000.0), 1010.0)

    def never(_: Path | None) -> str:
        raise AssertionError("read again")

    assert sight(file, quiet, 2000.0, 10.0, never) == quiet


@pytest.mark.parametrize("when", [0, 4_000_000_000])
def test_times_of_writing_need_not_be_right(file: Path, when: int) -> None:
    """The clock of whoever writes may be wrong by years: a change is seen, and waits as long as any other."""
    quiet = see(file, see(file, None, 1000.0), 1010.0)
    file.write_bytes(b"two")
    os.utime(file, (when, when))
    changed = see(file, quiet, 1020.0)
    assert (changed.since, changed.content) == (1020.0, "")
    assert see(file, changed, 1030.0).content == content(file)


def test_a_change_that_keeps_size_and_time_of_writing_is_seen(file: Path) -> None:
    """As `cp --preserve` and some synchronisers leave it; the time of change cannot be set."""
    before = file.stat()
    quiet = see(file, see(file, None, 1000.0), 1010.0)
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert see(file, quiet, 1020.0).content == ""


def test_a_clock_that_is_set_back_makes_a_file_wait_and_not_for_ever(file: Path) -> None:
    first = see(file, None, 1000.0)
    again = see(file, first, 500.0)
    assert (again.since, again.content) == (500.0, "")
    assert see(file, again, 510.0).content == content(file)
    known = see(file, first, 1010.0)
    assert see(file, known, 500.0) == known


def test_a_file_that_is_written_while_it_is_read_waits_again(file: Path) -> None:
    first = see(file, None, 1000.0)

    def slowly(path: Path | None) -> str:
        assert path is not None
        found = content(path)
        path.write_bytes(b"something longer")
        return found

    torn = sight(file, first, 1010.0, 10.0, slowly)
    assert (torn.look, torn.since, torn.content) == (look_at(file), 1010.0, "")
    assert see(file, torn, 1020.0).content == content(file)


def test_a_file_that_is_gone_is_missing_once_it_stays_away(file: Path) -> None:
    quiet = see(file, see(file, None, 1000.0), 1010.0)
    file.unlink()
    gone = see(file, quiet, 1020.0)
    assert (gone.look, gone.content) == ((), "")
    assert see(file, gone, 1030.0).content == MISSING
    file.write_bytes(b"one")
    back = see(file, see(file, gone, 1040.0), 1050.0)
    assert back.content == quiet.content


def test_a_file_that_cannot_be_read_is_tried_again(file: Path) -> None:
    refused = sight(file, see(file, None, 1000.0), 1010.0, 10.0, lambda _: MISSING)
    assert refused.content == MISSING
    assert see(file, refused, 1011.0).content == content(file)


def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    """Opening a pipe would wait for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert look_at(pipe) == look_at(tmp_path) == look_at(tmp_path / "none") == ()


def test_a_memory_survives_its_cursor(file: Path) -> None:
    memory = Memory(
        {"uk": Known("abc", 3), "de": Known("", 0, "no data — “x”")},
        {str(file): see(file, None, 1.5), "/gone": Sighting((), 2.0, MISSING)},
    )
    assert remembered(memory.cursor()) == memory


@pytest.mark.parametrize(
    "cursor",
    [None, "", "[]", "7", "nonsense", '{"version": 0, "markets": {}, "files": {}}', '{"version": 1}',
     '{"version": 1, "markets": {"uk": ["a", 1, "", "more"]}, "files": {}}',
     '{"version": 1, "markets": {}, "files": {"a": 1}}'],
)  # fmt: skip
def test_a_cursor_of_another_version_is_none(cursor: str | None) -> None:
    assert remembered(cursor) is None


def test_a_fingerprint_is_of_all_files() -> None:
    one = fingerprint_of({"config_file": "a", "data_file": "b"})
    assert one == fingerprint_of({"data_file": "b", "config_file": "a"})
    assert len({one, fingerprint_of({"config_file": "b", "data_file": "a"}), fingerprint_of({"config_file": "a"})}) == 3
