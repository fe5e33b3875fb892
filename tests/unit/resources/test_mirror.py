"""A folder of configs behind a URL, and its mirror: what is fetched, when, what is dropped, and what is said."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import pytest
from filelock import FileLock
from fsspec.implementations.memory import MemoryFileSystem
from web_folder import served_folder

from dsam_assets.errors import ConfigError
from resources.locations import locations
from resources.mirror import Mirror, is_url, mirror_of
from resources.mirroring import refresh_mirror

URL = "memory://acme/mmm/configs"
UK = b"data: {path: ../data/uk.csv}\n"


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> MemoryFileSystem:
    """An empty file system that this test alone has."""
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    found: MemoryFileSystem = fsspec.filesystem("memory", skip_instance_cache=True)
    found.pipe({"/acme/mmm/configs/uk.yaml": UK, "/acme/mmm/data/uk.csv": b"week,kpi\n"})
    return found


class Clock:
    """Goes on by itself by a step at each question."""

    def __init__(self) -> None:
        self.now, self.step = 1000.0, 100.0

    def time(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("resources.mirroring.time", found)
    return found


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return mirror_of(URL, tmp_path)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read of the file system from here on."""
    names: list[str] = []
    read = MemoryFileSystem.get_file

    def get_file(self: Any, rpath: str, lpath: str, **more: Any) -> Any:
        names.append(rpath)
        return read(self, rpath, lpath, **more)

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    return names


def files(mirror: Mirror) -> dict[str, bytes]:
    """What a reader of the mirror finds, by path below its root."""
    found = [path for path in mirror.root.rglob("*") if path.is_file() and not {".dsam", ".lock"} & {*path.parts}]
    return {path.relative_to(mirror.root).as_posix(): path.read_bytes() for path in found}


def test_configs_and_the_files_that_they_name_keep_their_places(remote: MemoryFileSystem, mirror: Mirror) -> None:
    remote.pipe(
        {
            "/acme/mmm/configs/de.yml": b"data: {path: de.csv, dictionary_path: names.csv}\n"
            b"pooling: {map_path: ../maps/de.csv}\ntime_components: {holidays: {calendar_path: days.csv}}\n"
            b"forecast: {data_path: next.csv}\n",
            **{f"/acme/mmm/configs/{name}.csv": name.encode() for name in ("de", "names", "days", "next", "unnamed")},
            "/acme/mmm/maps/de.csv": b"map",
            "/acme/mmm/configs/notes.txt": b"for people",
            "/acme/mmm/configs/old/fr.yaml": UK,
        }
    )
    assert refresh_mirror(mirror) == ()
    named = {f"configs/{name}.csv": name.encode() for name in ("de", "names", "days", "next")}
    yaml = remote.cat("/acme/mmm/configs/de.yml")
    assert files(mirror) == named | {
        "configs/uk.yaml": UK, "configs/de.yml": yaml, "data/uk.csv": b"week,kpi\n", "maps/de.csv": b"map"
    }  # fmt: skip


def test_only_what_changed_is_fetched_and_only_other_bytes_are_written(
    remote: MemoryFileSystem, mirror: Mirror, fetched: list[str], clock: Clock
) -> None:
    both = ["/acme/mmm/configs/uk.yaml", "/acme/mmm/data/uk.csv"]
    for expected in (both, both, [], []):  # a second time, because the first may have fallen in the second of a write
        refresh_mirror(mirror)
        assert sorted(fetched) == expected
        fetched.clear()

    config, data = mirror.folder / "uk.yaml", mirror.root / "data" / "uk.csv"
    for path in (config, data):
        os.utime(path, (1, 1))
    remote.pipe({"/acme/mmm/configs/uk.yaml": UK, "/acme/mmm/data/uk.csv": b"week,kpi\n1,2\n"})
    refresh_mirror(mirror)
    assert sorted(fetched) == both
    assert config.stat().st_mtime == 1  # written again there with the same content: nothing landed
    assert data.stat().st_mtime > 1
    assert data.read_bytes() == b"week,kpi\n1,2\n"


def test_a_file_system_that_tells_nothing_of_versions_is_read_each_time(
    remote: MemoryFileSystem,
    mirror: Mirror,
    fetched: list[str],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "info", lambda self, path, **more: {"name": path, "size": 9, "type": "file"})
    refresh_mirror(mirror)
    refresh_mirror(mirror)
    remote.store["/acme/mmm/data/uk.csv"].seek(0)
    remote.store["/acme/mmm/data/uk.csv"].write(b"WEEK,KPI\n")  # as long as before
    fetched.clear()
    refresh_mirror(mirror)
    assert fetched == ["/acme/mmm/data/uk.csv"]
    assert files(mirror)["data/uk.csv"] == b"WEEK,KPI\n"


def test_a_file_that_is_written_twice_in_a_second_is_seen(
    remote: MemoryFileSystem, mirror: Mirror, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time, in whole seconds, and its size stay as they were."""
    told = {"mtime": 7, "size": 9, "type": "file"}
    monkeypatch.setattr(MemoryFileSystem, "info", lambda self, path, **more: {"name": path, **told})
    clock.step = 0.2
    refresh_mirror(mirror)
    remote.store["/acme/mmm/data/uk.csv"].seek(0)
    remote.store["/acme/mmm/data/uk.csv"].write(b"WEEK,KPI\n")
    refresh_mirror(mirror)
    assert files(mirror)["data/uk.csv"] == b"WEEK,KPI\n"


def test_a_copy_that_is_gone_is_fetched_again(remote: MemoryFileSystem, mirror: Mirror, clock: Clock) -> None:
    refresh_mirror(mirror)
    refresh_mirror(mirror)
    (mirror.folder / "uk.yaml").unlink()
    refresh_mirror(mirror)
    assert files(mirror).keys() == {"configs/uk.yaml", "data/uk.csv"}


@pytest.mark.parametrize("damage", ["no json", "{}", '{"version": 0, "files": {}}', '{"version": 1, "files": 3}'])
def test_notes_that_cannot_be_read_are_made_anew(
    remote: MemoryFileSystem, mirror: Mirror, fetched: list[str], clock: Clock, damage: str
) -> None:
    refresh_mirror(mirror)
    refresh_mirror(mirror)
    notes = mirror.folder / ".dsam" / "mirror.json"
    notes.write_text(damage)
    fetched.clear()
    refresh_mirror(mirror)
    assert len(fetched) == 2
    assert notes.read_text() != damage


def test_what_is_gone_there_is_dropped_here_and_results_stay(remote: MemoryFileSystem, mirror: Mirror) -> None:
    remote.pipe({"/acme/mmm/configs/de.yaml": b"data: {path: de.csv}\n", "/acme/mmm/configs/de.csv": b"x\n"})
    refresh_mirror(mirror)
    kept = mirror.folder / ".dsam" / "store" / "de" / "posterior.nc"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"draws")
    remote.rm("/acme/mmm/configs/de.yaml")
    refresh_mirror(mirror)
    assert files(mirror).keys() == {"configs/uk.yaml", "data/uk.csv"}
    assert kept.is_file()


def test_a_file_that_cannot_be_had_is_its_markets_problem(
    remote: MemoryFileSystem, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.pipe({"/acme/mmm/configs/de.yaml": b"data: {path: de.csv}\n", "/acme/mmm/configs/de.csv": b"x\n"})
    refresh_mirror(mirror)
    remote.rm("/acme/mmm/configs/de.csv")
    assert refresh_mirror(mirror) == ("/acme/mmm/configs/de.csv does not exist",)
    assert files(mirror).keys() == {"configs/uk.yaml", "configs/de.yaml", "data/uk.csv"}

    def refuse(self: Any, path: str, **more: Any) -> Any:
        raise PermissionError(f"no access to {path}\nask an admin")

    monkeypatch.setattr(MemoryFileSystem, "info", refuse)
    problems = refresh_mirror(mirror)
    assert "/acme/mmm/data/uk.csv cannot be read: no access to /acme/mmm/data/uk.csv" in problems
    assert "data/uk.csv" not in files(mirror)  # an old copy would pass for what is there now


@pytest.mark.parametrize("text", ["../../secret.csv", "../../../acme/other/x.csv", "/etc/hostname", "s3://acme/x.csv"])
def test_a_config_reaches_no_further_than_the_folder_above(
    remote: MemoryFileSystem, mirror: Mirror, fetched: list[str], text: str
) -> None:
    remote.pipe({"/acme/secret.csv": b"x", "/acme/other/x.csv": b"x", "/acme/mmm/configs/uk.yaml": b"{}"})
    remote.pipe("/acme/mmm/configs/uk.yaml", f"data: {{path: {text}}}\n".encode())
    problems = refresh_mirror(mirror)
    assert fetched == ["/acme/mmm/configs/uk.yaml"]
    assert files(mirror).keys() == {"configs/uk.yaml"}
    if text.startswith(".."):
        assert problems == (f"uk.yaml names {text!r}, which lies outside of /acme/mmm: not fetched.",)


@pytest.mark.parametrize("folder", ["", "/", "/one", "/one/two"])
@pytest.mark.parametrize("ups", [1, 3, 12])
def test_nothing_is_written_outside_of_the_mirror(
    remote: MemoryFileSystem, tmp_path: Path, folder: str, ups: int
) -> None:
    """A file system may take more `..` than it has folders for its root; this machine's folders go on."""
    name = f"{folder.strip('/')}/configs".lstrip("/")
    text = f"{'../' * ups}escaped.csv"
    files_there = {f"/{name}/uk.yaml": f"data: {{path: {text}}}\n".encode(), "/escaped.csv": b"x"}
    remote.pipe(files_there | {"/one/escaped.csv": b"x"})
    below = tmp_path / "a" / "b"
    refresh_mirror(mirror_of(f"memory://{name}", below))
    assert not [path for path in tmp_path.rglob("escaped.csv") if not path.is_relative_to(below)]


@pytest.mark.parametrize("text", [".dsam/dagster/dagster.yaml", "../configs/.dsam/mirror.json", ".DSAM/x", "../.lock"])
def test_a_config_cannot_name_what_this_program_keeps(
    remote: MemoryFileSystem, mirror: Mirror, fetched: list[str], text: str
) -> None:
    own = mirror.folder / ".dsam" / "dagster" / "dagster.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("ours")
    remote.pipe("/acme/mmm/configs/uk.yaml", f"data: {{path: {text}}}\n".encode())
    remote.pipe({f"/acme/mmm/configs/{name}": b"theirs" for name in (".dsam/dagster/dagster.yaml", ".DSAM/x")})
    (problem,) = refresh_mirror(mirror)
    assert problem == f"uk.yaml names {text!r}, where this program keeps its own files: not fetched."
    assert fetched == ["/acme/mmm/configs/uk.yaml"]
    assert own.read_text() == "ours"


def test_an_archive_may_be_read_as_a_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "markets.zip", "w") as handle:
        handle.writestr("configs/uk.yaml", UK)
        handle.writestr("data/uk.csv", "week,kpi\n")
    mirror = mirror_of(f"zip://configs::file://{tmp_path}/markets.zip", tmp_path / "mirror")
    assert refresh_mirror(mirror) == ()
    assert (mirror.root / "data" / "uk.csv").is_file()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"- 1\n", b"data: 3\n", b"data: {path: 4}\n", b""])
def test_a_config_that_is_no_config_is_mirrored_all_the_same(
    remote: MemoryFileSystem, mirror: Mirror, content: bytes
) -> None:
    remote.pipe("/acme/mmm/configs/uk.yaml", content)
    assert refresh_mirror(mirror) == ()
    assert files(mirror) == {"configs/uk.yaml": content}


def test_a_folder_that_cannot_be_listed_leaves_the_mirror_as_it_is(
    remote: MemoryFileSystem, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_mirror(mirror)
    before = files(mirror)

    def down(self: Any, path: str, **more: Any) -> Any:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(MemoryFileSystem, "ls", down)
    with pytest.raises(ConfigError) as refused:
        refresh_mirror(mirror)
    assert refused.value.got == "ConnectionError: no route to host"
    assert refused.value.where == URL
    assert files(mirror) == before


def test_a_file_that_cannot_be_fetched_just_now_ends_the_look(
    remote: MemoryFileSystem, mirror: Mirror, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A config whose copy was dropped would be a market that is dropped."""
    refresh_mirror(mirror)
    before = files(mirror)
    remote.rm("/acme/mmm/data/uk.csv")

    def slow(self: Any, rpath: str, lpath: str, **more: Any) -> Any:
        raise TimeoutError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "get_file", slow)
        with pytest.raises(ConfigError) as refused:
            refresh_mirror(mirror)
        assert refused.value.got == "TimeoutError: no answer"
        assert files(mirror) == before
    assert refresh_mirror(mirror) == ("/acme/mmm/data/uk.csv does not exist",)


def test_a_config_that_is_not_for_us_ends_the_look(
    remote: MemoryFileSystem, mirror: Mirror, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_mirror(mirror)
    before = files(mirror)

    def refuse(self: Any, rpath: str, lpath: str, **more: Any) -> Any:
        raise PermissionError("no access")

    monkeypatch.setattr(MemoryFileSystem, "get_file", refuse)
    with pytest.raises(ConfigError, match="cannot be read"):
        refresh_mirror(mirror)
    assert files(mirror) == before


def test_a_folder_that_holds_no_config_any_more_drops_nothing(remote: MemoryFileSystem, mirror: Mirror) -> None:
    """It may be a page that asks to log in."""
    refresh_mirror(mirror)
    before = files(mirror)
    remote.mv("/acme/mmm/configs/uk.yaml", "/acme/mmm/configs/uk.txt")
    with pytest.raises(ConfigError, match="none any more") as refused:
        refresh_mirror(mirror)
    assert files(mirror) == before
    (mirror.folder / "uk.yaml").unlink()  # as the message says
    assert str(mirror.folder) in str(refused.value.fix)
    assert refresh_mirror(mirror) == ()
    assert files(mirror) == {}


@pytest.mark.parametrize("text", ["../data", ".", "..", "../data/uk.csv/x.csv"])
def test_a_config_that_names_a_folder_is_healed_when_it_is_corrected(
    remote: MemoryFileSystem, mirror: Mirror, clock: Clock, text: str
) -> None:
    remote.pipe("/acme/mmm/configs/uk.yaml", f"data: {{path: {text}}}\n".encode())
    assert len(refresh_mirror(mirror)) == 1
    assert len(refresh_mirror(mirror)) == 1
    assert files(mirror).keys() == {"configs/uk.yaml"}
    assert sorted(path.name for path in mirror.root.iterdir()) == [".lock", "configs"]
    remote.pipe("/acme/mmm/configs/uk.yaml", UK)
    assert refresh_mirror(mirror) == ()
    assert files(mirror).keys() == {"configs/uk.yaml", "data/uk.csv"}


def test_a_file_that_becomes_a_folder_is_one_after_two_looks(remote: MemoryFileSystem, mirror: Mirror) -> None:
    remote.pipe({"/acme/mmm/configs/uk.yaml": b"data: {path: x}\n", "/acme/mmm/configs/x": b"1"})
    refresh_mirror(mirror)
    for names, text in ((("x",), "x/y.csv"), (("x/y.csv",), "x")):
        for name in names:
            remote.rm(f"/acme/mmm/configs/{name}", recursive=True)
        remote.pipe({"/acme/mmm/configs/uk.yaml": f"data: {{path: {text}}}\n".encode()})
        remote.pipe(f"/acme/mmm/configs/{text}", b"2")
        refresh_mirror(mirror)
        assert refresh_mirror(mirror) == ()
        assert files(mirror)[f"configs/{text}"] == b"2"


def test_no_look_uses_what_an_earlier_one_remembers(
    remote: MemoryFileSystem, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems remember listings; fsspec keeps them by their arguments."""
    used: list[MemoryFileSystem] = []
    listed = MemoryFileSystem.ls
    monkeypatch.setattr(MemoryFileSystem, "ls", lambda self, path, **more: used.append(self) or listed(self, path))
    refresh_mirror(mirror)
    refresh_mirror(mirror)
    assert used[0] is not used[1]


def test_a_listing_may_name_files_of_other_folders(
    remote: MemoryFileSystem, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the page of a web server does that links to them."""
    remote.pipe("/acme/mmm/old/fr.yaml", b"{}")
    listed = MemoryFileSystem.ls
    monkeypatch.setattr(
        MemoryFileSystem, "ls", lambda self, path, **more: [*listed(self, path), *listed(self, "/acme/mmm/old")]
    )
    refresh_mirror(mirror)
    assert files(mirror).keys() == {"configs/uk.yaml", "data/uk.csv"}


def test_notes_name_nothing_outside_of_the_mirror(remote: MemoryFileSystem, mirror: Mirror, tmp_path: Path) -> None:
    refresh_mirror(mirror)
    for name in (tmp_path / "own.txt", mirror.folder / ".dsam" / "own.txt"):
        name.write_text("ours")
    notes = mirror.folder / ".dsam" / "mirror.json"
    document = json.loads(notes.read_text())
    told = document["files"]["configs/uk.yaml"]
    document["files"] |= {"../own.txt": told, "configs/.dsam/own.txt": told}
    notes.write_text(json.dumps(document))
    refresh_mirror(mirror)
    assert (tmp_path / "own.txt").is_file()
    assert (mirror.folder / ".dsam" / "own.txt").is_file()


def test_lost_notes_keep_nothing_that_is_gone(remote: MemoryFileSystem, mirror: Mirror) -> None:
    remote.pipe({"/acme/mmm/configs/de.yaml": b"data: {path: de.csv}\n"})
    refresh_mirror(mirror)
    (mirror.folder / ".dsam" / "mirror.json").unlink()
    remote.rm("/acme/mmm/configs/de.yaml")
    remote.rm("/acme/mmm/data/uk.csv")
    assert refresh_mirror(mirror) == ("/acme/mmm/data/uk.csv does not exist",)
    assert files(mirror).keys() == {"configs/uk.yaml"}


def test_a_mirror_that_was_copied_leaves_the_first_alone(remote: MemoryFileSystem, tmp_path: Path) -> None:
    first, second = (mirror_of(URL, tmp_path / name) for name in ("one", "two"))
    remote.pipe("/acme/mmm/configs/de.yaml", b"{}")
    refresh_mirror(first)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    remote.rm("/acme/mmm/configs/de.yaml")
    refresh_mirror(second)
    assert "configs/de.yaml" in files(first)
    assert "configs/de.yaml" not in files(second)


def test_a_look_waits_for_another(remote: MemoryFileSystem, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh_mirror(mirror)
    monkeypatch.setattr("resources.mirroring.LOCK_SECONDS", 0.05)
    with FileLock(mirror.root / ".lock"), pytest.raises(ConfigError) as refused:
        refresh_mirror(mirror)
    assert "Timeout" in str(refused.value.got)


def test_a_name_that_no_disk_takes_is_its_own_problem(remote: MemoryFileSystem, mirror: Mirror) -> None:
    remote.pipe(f"/acme/mmm/configs/{'x' * 260}.yaml", b"{}")
    (problem,) = refresh_mirror(mirror)
    assert "too long" in problem
    assert files(mirror).keys() == {"configs/uk.yaml", "data/uk.csv"}


def test_a_web_servers_names_are_taken_as_they_are(tmp_path: Path) -> None:
    site = tmp_path / "site"
    names = ["configs/my market.yaml", "configs/s#1.csv", "private/secret.csv", "page/data.csv"]
    for name in names:
        (site / "page" / name).parent.mkdir(parents=True, exist_ok=True)
        (site / "page" / name).write_bytes(b"x")
    (site / "secret.csv").write_bytes(b"x")
    config = "data: {path: 's#1.csv'}\nforecast: {data_path: '%2e%2e/%2e%2e/secret.csv'}\n"
    (site / "page" / names[0]).write_text(config)
    with served_folder(site) as url:
        mirror = mirror_of(f"{url}/page/configs", tmp_path / "mirror")
        (problem,) = refresh_mirror(mirror)
        assert problem.endswith("does not exist")
        assert files(mirror).keys() == {"configs/my market.yaml", "configs/s#1.csv"}


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("sftp://ann:secret@host/configs", "password"),
        ("https://host/configs?token=secret", "behind"),
        ("http://[host/configs", "cannot be read"),
    ],
)
def test_a_url_that_holds_a_secret_or_is_none_is_refused_and_not_repeated(tmp_path: Path, url: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        mirror_of(url, tmp_path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "what", "hint"),
    [
        ("memory://acme/nowhere", "does not exist", "DSAM_CONFIGS"),
        ("memory://acme/mmm/configs/uk.yaml", "names a file", "folder"),
        ("zap://acme/configs", "cannot be read", "URL"),
    ],
)
def test_what_cannot_be_a_folder_is_refused(
    remote: MemoryFileSystem, tmp_path: Path, url: str, what: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        refresh_mirror(mirror_of(url, tmp_path))
    assert what in refused.value.what
    assert hint in str(refused.value.fix)
    assert not list(tmp_path.rglob("*.yaml"))


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(ConfigError) as refused:
        refresh_mirror(mirror_of("s3://acme/configs", tmp_path))
    assert refused.value.got == "Install s3fs to access S3"
    assert "s3://" in str(refused.value.fix)


def test_an_archive_that_is_replaced_is_opened_anew(tmp_path: Path) -> None:
    archive = tmp_path / "markets.zip"
    url = f"zip://configs::file://{archive}"
    mirror = mirror_of(url, tmp_path / "mirror")
    for kpi, names in ((b"week,kpi\n1,2\n", ["uk"]), (b"week,kpi\n1,3\n", ["de", "uk"])):
        with zipfile.ZipFile(tmp_path / "next.zip", "w") as handle:
            for name in names:
                handle.writestr(f"configs/{name}.yaml", "data: {path: uk.csv}\n")
            handle.writestr("configs/uk.csv", kpi)
        (tmp_path / "next.zip").replace(archive)
        assert refresh_mirror(mirror) == ()
        assert [path.stem for path in sorted(mirror.folder.glob("*.yaml"))] == names
        assert (mirror.folder / "uk.csv").read_bytes() == kpi


def test_a_web_server_is_a_folder_too(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, content in {"configs/uk.yaml": UK, "data/uk.csv": b"week,kpi\n"}.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)
    with served_folder(site) as url:
        mirror = mirror_of(f"{url}/configs/", tmp_path / "mirror")
        assert refresh_mirror(mirror) == ()
        assert files(mirror) == {"configs/uk.yaml": UK, "data/uk.csv": b"week,kpi\n"}
        (site / "configs" / "uk.yaml").write_bytes(b"data: {path: ../data/de.csv}\n")
        assert [problem.rpartition("/")[2] for problem in refresh_mirror(mirror)] == ["de.csv does not exist"]
        assert files(mirror).keys() == {"configs/uk.yaml"}


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("s3://acme/mmm/configs/", "s3-acme-mmm-configs-"),
        ("sftp://ann@host.example/srv/configs", "sftp-ann-host-example-srv-configs-"),
        ("s3://acme", "s3-acme-"),
    ],
)
def test_a_mirrors_folder_names_the_place(tmp_path: Path, url: str, folder: str) -> None:
    found = mirror_of(url, tmp_path)
    assert found.root.parent == tmp_path
    assert found.root.name.startswith(folder)
    assert found == mirror_of(url.rstrip("/"), tmp_path)
    assert found.root != mirror_of(url.replace("acme", "acme2").replace("host", "host2"), tmp_path).root


@pytest.mark.parametrize(("place", "yes"), [("s3://a/b", True), ("configs", False), ("C:\\configs", False)])
def test_urls_are_told_from_folders(place: str, yes: bool) -> None:
    assert is_url(place) is yes


def test_the_mirror_is_the_folder_of_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DSAM_STORE", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DSAM_CONFIGS", URL)
    found = locations()
    assert found == locations(URL)
    assert found.mirror == mirror_of(URL, tmp_path / ".dsam" / "mirror")
    assert found.configs == found.mirror.folder
    assert found.store == str(found.configs / ".dsam" / "store")
    assert (found.named, locations(tmp_path).named) == (URL, str(tmp_path))
