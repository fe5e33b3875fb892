from __future__ import annotations

import os
from pathlib import Path

import pytest

from dsam_assets.config.paths import check_below_roots, check_file, resolve_path
from dsam_assets.errors import ConfigError


def test_relative_absolute_and_upward_paths(tmp_path: Path) -> None:
    here = tmp_path.resolve()
    assert resolve_path("a/b.csv", here) == here / "a" / "b.csv"
    assert resolve_path("./x/../b.csv", here) == here / "b.csv"
    assert resolve_path("..", here) == here.parent
    assert resolve_path("/srv/b.csv", here) == Path("/srv/b.csv")


def test_folder_links_are_followed_before_going_up(tmp_path: Path) -> None:
    real = tmp_path.resolve() / "real" / "deep"
    real.mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    assert resolve_path("link/../b.csv", tmp_path) == real.parent / "b.csv"


def test_a_linked_file_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "v1.csv").write_text("x")
    (tmp_path / "latest.csv").symlink_to("v1.csv")
    assert resolve_path("latest.csv", tmp_path).name == "latest.csv"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("https://x/y.csv", "URL"),
        ("file:///etc/x", "URL"),
        ("~/x.csv", "~"),
        ("~root/x.csv", "~"),
        ("a\0b", "NUL"),
    ],
)
def test_refused_texts(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        resolve_path(text, tmp_path)


def test_loops_end_in_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ConfigError, match="cannot be followed"):
        resolve_path("a/x.csv", tmp_path)
    with pytest.raises(ConfigError, match="cannot be followed"):
        check_below_roots(tmp_path / "a", [tmp_path])
    with pytest.raises(ConfigError, match="cannot be read"):
        check_file(tmp_path / "a")


def test_only_regular_files(tmp_path: Path) -> None:
    (tmp_path / "ok.csv").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    check_file(tmp_path / "ok.csv")
    with pytest.raises(ConfigError, match="a device, pipe or socket"):
        check_file(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="a device, pipe or socket"):
        check_file(Path("/dev/null"))
    with pytest.raises(ConfigError, match="a folder"):
        check_file(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        check_file(tmp_path / "ok.csv" / "below")
    with pytest.raises(ConfigError, match="cannot be read"):
        check_file(tmp_path / ("x" * 300))
    with pytest.raises(ConfigError, match="cannot be read"):
        check_file(tmp_path / "a\0b")


def test_missing_files_get_advice(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("x")
    with pytest.raises(ConfigError, match=r"did you mean .*/sales\.csv\?"):
        check_file(tmp_path / "sale.csv")
    with pytest.raises(ConfigError, match=r"the folder .*nowhere does not exist"):
        check_file(tmp_path / "nowhere" / "sales.csv")
    with pytest.raises(ConfigError, match="use / between folders"):
        check_file(tmp_path / "data\\quarterly.csv")


def test_roots_are_folders_not_prefixes(tmp_path: Path) -> None:
    root = tmp_path / "data"
    twin = tmp_path / "data_twin"
    root.mkdir()
    twin.mkdir()
    check_below_roots(root / "x" / "y.csv", [root])
    check_below_roots(twin / "y.csv", [root, twin])
    with pytest.raises(ConfigError, match="outside"):
        check_below_roots(twin / "y.csv", [root])
    with pytest.raises(ConfigError, match="outside"):
        check_below_roots(root / ".." / "y.csv", [root])
    with pytest.raises(ConfigError, match="outside"):
        check_below_roots(root / "y.csv", [])
