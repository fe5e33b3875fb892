"""Where the toolchain looks for Stan, and what it says when something is missing. Nothing is compiled here."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsam_assets.errors import ToolchainError
from resources.toolchain import assemble, cache, compiler, executables, home, sources


def make_home(path: Path, version: str = "2.36.0") -> Path:
    (path / "bin").mkdir(parents=True)
    (path / "makefile").write_text(f"# a CmdStan\nCMDSTAN_VERSION := {version}\n")
    (path / "bin" / "stanc").touch(mode=0o755)
    return path


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose home folder is empty and who has set nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DSAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CMDSTAN", raising=False)
    return tmp_path


def test_environment_comes_first(user: Path) -> None:
    make_home(user / ".cmdstan" / "cmdstan-2.37.0", "2.37.0")
    chosen = make_home(user / "mine")
    assert home.find_home({"CMDSTAN": str(chosen)}) == home.StanHome(chosen, "2.36.0", "environment")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.rename(path.with_name("moved")), "no such folder"),
        (lambda path: (path / "makefile").unlink(), "no makefile"),
        (lambda path: (path / "bin" / "stanc").unlink(), "no bin/stanc"),
        (lambda path: (path / "makefile").write_text("all:\n"), "no CMDSTAN_VERSION"),
    ],
)
def test_broken_setting_is_an_error_and_not_passed_over(user: Path, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    make_home(user / ".cmdstan" / "cmdstan-2.37.0", "2.37.0")
    chosen = make_home(user / "mine")
    damage(chosen)
    with pytest.raises(ToolchainError, match=message) as caught:
        home.find_home({"CMDSTAN": str(chosen)})
    assert str(chosen) in str(caught.value)
    assert "unset it" in str(caught.value)


def test_latest_complete_installation_is_chosen(user: Path) -> None:
    for version in ("2.9.1", "2.36.0", "2.35.0"):
        make_home(user / ".cmdstan" / f"cmdstan-{version}", version)
    make_home(user / ".cmdstan" / "cmdstan-2.36.0-rc1", "2.36.0")
    (make_home(user / ".cmdstan" / "cmdstan-2.40.0", "2.40.0") / "bin" / "stanc").unlink()
    found = home.find_home({})
    assert (found.path.name, found.version, found.origin) == ("cmdstan-2.36.0", "2.36.0", "installed")


def test_home_is_assembled_when_there_is_none(user: Path) -> None:
    found = home.find_home()
    wheel = assemble.find_wheel()
    assert found.origin == "assembled"
    assert found.path.is_relative_to(user / "cache")
    assert found.version == wheel.stan_version == home.home_version(found.path)
    assert home.missing_in(found.path) is None
    assert home.find_home() == found
    assert [path.name for path in found.path.parent.iterdir()] == [found.path.name], "no scratch folder is left"
    # A child process inherits the setting that cmdstanpy exports, and must take the same executables from the cache.
    assert home.find_home({"CMDSTAN": str(found.path)}) == found


def test_changed_driver_gets_a_new_home(user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = home.find_home()
    changed = tmp_path / "driver"
    changed.mkdir()
    (changed / "rules.mk").write_text((assemble.SOURCES / "rules.mk").read_text())
    (changed / "driver.cpp").write_text((assemble.SOURCES / "driver.cpp").read_text() + "\n// changed\n")
    monkeypatch.setattr(assemble, "SOURCES", changed)
    assert home.find_home().path != before.path


@pytest.mark.parametrize("missing", ["compiler", "make"])
def test_missing_tool_names_the_install_command(user: Path, missing: str) -> None:
    tools = user / "tools"
    tools.mkdir()
    if missing == "make":
        (tools / "g++").symlink_to(compiler.find_compiler().path)  # type: ignore[union-attr]
    else:
        (tools / "make").symlink_to(str(compiler.find_make()))
    with pytest.raises(ToolchainError, match=f"{missing} is missing here") as caught:
        assemble.assembled_home({"PATH": str(tools), "DSAM_CACHE": str(user / "cache")})
    assert caught.value.fix == compiler.install_command()


def test_what_is_compiled_runs_without_a_compiler(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = executables._plan("linear", home.find_home(), None).target
    built.parent.mkdir(parents=True)
    built.touch(mode=0o755)
    (user / "empty").mkdir()
    monkeypatch.setenv("PATH", str(user / "empty"))
    assert executables.executable("linear") == built
    with pytest.raises(ToolchainError, match="C\\+\\+ compiler and make is missing"):
        executables.executable("linear", force=True)


def test_install_commands_by_platform() -> None:
    assert "xcode-select --install" in compiler.install_command("darwin")
    assert "apt-get install g++ make" in compiler.install_command("linux")


def test_cache_folder_order() -> None:
    everything = {"DSAM_CACHE": "/chosen", "XDG_CACHE_HOME": "/xdg"}
    assert cache.cache_folder(everything, "linux") == Path("/chosen")
    assert cache.cache_folder({"XDG_CACHE_HOME": "/xdg"}, "darwin") == Path("/xdg/dsam")
    assert cache.cache_folder({}, "darwin") == Path.home() / "Library/Caches/dsam"
    assert cache.cache_folder({}, "linux") == Path.home() / ".cache/dsam"


def test_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolchainError, match="DSAM_CACHE"):
        cache.make_folder(tmp_path / "file" / "cache")


def test_digest_keeps_parts_apart() -> None:
    assert cache.digest(["ab", "c"]) != cache.digest(["a", "bc"])


def write_toy(folder: Path, function: str = "real twice(real x) { return 2 * x; }") -> Path:
    (folder / "functions").mkdir(parents=True, exist_ok=True)
    (folder / "toy.stan").write_text("functions {\n  #include functions/a.stanfunctions\n}\nparameters { real x; }\n")
    (folder / "functions" / "a.stanfunctions").write_text("#include <functions/b.stanfunctions>\n")
    (folder / "functions" / "b.stanfunctions").write_text(function)
    return folder


def test_includes_are_followed_and_enter_the_key(user: Path) -> None:
    folder = write_toy(user / "stan")
    assert list(sources.read_program("toy", folder)) == ["toy.stan", *(f"functions/{x}.stanfunctions" for x in "ab")]
    found = home.find_home()
    before = executables._plan("toy", found, folder).target
    assert executables._plan("toy", found, folder).target == before
    write_toy(folder, "real twice(real x) { return x + x; }")
    assert executables._plan("toy", found, folder).target != before


def test_missing_files_are_named(user: Path) -> None:
    folder = write_toy(user / "stan")
    with pytest.raises(ToolchainError, match="one of the programs toy"):
        sources.read_program("tyo", folder)
    (folder / "functions" / "b.stanfunctions").unlink()
    with pytest.raises(ToolchainError, match=r"as toy\.stan includes it"):
        sources.read_program("toy", folder)


def test_programs_of_the_package() -> None:
    assert "linear" in sources.programs()
    assert (sources.stan_folder() / "linear.stan").is_file()


def test_program_that_does_not_compile_says_where(user: Path) -> None:
    folder = write_toy(user / "stan", "real twice(real x) { return 2 * y; }")
    # An object that make takes for the driver: the error must come before anything is compiled.
    (home.find_home().path / "driver.o").touch()
    with pytest.raises(ToolchainError, match="Compiling toy failed") as caught:
        executables.executable("toy", folder=folder)
    assert "functions/b.stanfunctions', line 1, column 32, included from\n'functions/a.stan" in str(caught.value.got)
    assert 'Identifier "y" not in scope' in str(caught.value.got)
    assert not list((user / "cache" / "executables").iterdir())


def test_a_waiting_process_says_so(tmp_path: Path) -> None:
    import threading

    said: list[str] = []
    inside = threading.Event()

    def wait() -> None:
        with cache.locked(tmp_path, "key", "compiling toy.stan", said.append):
            inside.set()

    with cache.locked(tmp_path, "key", "compiling toy.stan", said.append):
        second = threading.Thread(target=wait)
        second.start()
        assert not inside.wait(0.2)
    second.join()
    assert inside.is_set()
    assert said == ["waiting for another process that is compiling toy.stan…"]
