"""The two fits that are kept of a market: which is the one before, whatever is run again, damaged or interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from upath import UPath

import resources.generations
from dsam_assets.errors import StoreError
from resources.dry_store import DryStore
from resources.generations import POSTERIOR, Generations
from resources.store import Record, Store, file_hashes


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    root = str(tmp_path / "store") if request.param == "local" else "memory://drift-store"
    yield Store(root)
    if request.param == "memory":
        UPath(root).fs.rm("/drift-store", recursive=True)


def put(store: Store, posterior: str, frame: str = "rows") -> dict[str, Record]:
    """Store a fit: a posterior and a data frame with this content."""
    records = {}
    for asset, text in ((POSTERIOR, posterior), ("model_frame", frame)):
        files = {f"{asset}.txt": text.encode()}
        version = hashlib.sha256(text.encode()).hexdigest()
        records[asset] = Record(asset, "c1", {}, version, file_hashes(files), {"shown": {}, "checks": []})
        store.write("uk", records[asset], files)
    return records


def keep(store: Store, posterior: str, frame: str = "rows") -> None:
    Generations(store, "uk").keep(put(store, posterior, frame))


def before(store: Store, posterior: str) -> tuple[str, str] | None:
    """Content of posterior and frame of the fit before this one."""
    generations = Generations(store, "uk")
    kept = generations.previous(hashlib.sha256(posterior.encode()).hexdigest())
    if kept is None:
        return None
    return tuple(generations.read(kept, name, f"{name}.txt").decode() for name in (POSTERIOR, "model_frame"))  # type: ignore[return-value]


def copies(store: Store) -> int:
    return sum(path.is_dir() for path in (UPath(store.root) / "uk" / ".fits").iterdir())


def test_the_first_fit_has_none_before_it_however_often_it_is_kept(store: Store) -> None:
    assert before(store, "A") is None
    for _ in range(3):
        keep(store, "A")
        assert before(store, "A") is None
    assert copies(store) == 1


def test_the_fit_before_is_the_last_other_one(store: Store) -> None:
    keep(store, "A", "rows of A")
    assert before(store, "B") == ("A", "rows of A")
    keep(store, "B", "rows of B")
    assert before(store, "B") == ("A", "rows of A")
    assert before(store, "C") == ("B", "rows of B")


def test_keeping_a_fit_again_does_not_make_it_its_own_predecessor(store: Store) -> None:
    keep(store, "A")
    keep(store, "B", "first")
    keep(store, "B", "first")
    keep(store, "B", "another decomposition")
    assert before(store, "B") == ("A", "rows")
    assert before(store, "C") == ("B", "another decomposition")


def test_going_back_compares_with_what_was_in_between(store: Store) -> None:
    for name in "ABA":
        keep(store, name)
    assert before(store, "A") == ("B", "rows")
    assert before(store, "B") == ("A", "rows")


def test_two_fits_are_kept_and_no_more(store: Store) -> None:
    for name in "ABCDE":
        keep(store, name)
        assert copies(store) <= 2
    assert before(store, "E") == ("D", "rows")


def test_the_market_is_not_taken_for_more_than_one(store: Store) -> None:
    keep(store, "A")
    assert store.markets() == ["uk"]
    assert Generations(store, "fr").previous("x") is None


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_a_process_that_dies_leaves_two_fits_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """It dies before the first file, between the copies, or before the list is written; the next makes up for it."""
    local = Store(str(tmp_path / "store"))
    keep(local, "A")
    keep(local, "B")
    records = put(local, "C")
    write, written = resources.generations.write_atomic, []

    def dying(path: UPath, content: bytes) -> None:
        written.append(path)
        if len(written) == dies_at:
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(resources.generations, "write_atomic", dying)
        with pytest.raises(KeyboardInterrupt):
            Generations(local, "uk").keep(records)
    assert before(local, "B") == ("A", "rows")
    assert before(local, "C") == ("B", "rows")
    Generations(local, "uk").keep(records)
    assert before(local, "C") == ("B", "rows")
    assert copies(local) == 2


def test_a_process_that_dies_after_the_list_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = Store(str(tmp_path / "store"))
    for name in "AB":
        keep(local, name)
    with monkeypatch.context() as patch:

        def dying(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(Generations, "_remove_others", dying)
        with pytest.raises(KeyboardInterrupt):
            keep(local, "C")
    assert before(local, "C") == ("B", "rows")
    keep(local, "C")
    assert copies(local) == 2


def test_a_damaged_copy_is_named(store: Store) -> None:
    keep(store, "A")
    keep(store, "B")
    fits = UPath(store.root) / "uk" / ".fits"
    kept = Generations(store, "uk").previous(hashlib.sha256(b"B").hexdigest())
    assert kept is not None
    (fits / kept.folder / POSTERIOR / "posterior.txt").write_bytes(b"X")
    with pytest.raises(StoreError, match=r"posterior\.txt of the previous fit is missing or damaged"):
        before(store, "B")


@pytest.mark.parametrize("text", ["{", "{}", json.dumps({"current": {"fit": 1}, "previous": None})])
def test_a_damaged_list_is_named_and_replaced(store: Store, text: str) -> None:
    keep(store, "A")
    (UPath(store.root) / "uk" / ".fits" / "fits.json").write_text(text)
    with pytest.raises(StoreError, match="The list of kept fits is damaged"):
        before(store, "B")
    keep(store, "B")
    assert before(store, "B") is None
    assert before(store, "C") == ("B", "rows")


def test_a_dry_look_keeps_nothing(tmp_path: Path) -> None:
    local = Store(str(tmp_path / "store"))
    keep(local, "A")
    dry = DryStore(local.root)
    records = put(dry, "B")
    Generations(dry, "uk").keep(records)
    assert before(local, "B") == ("A", "rows")
    assert copies(local) == 1
