"""Compiled Stan programs, cached by content.

An executable is identified by the text of its program and of all files that it includes, Stan's version, the compiler
and its flags, and the driver. It is built in a temporary folder and renamed into place under a lock, so concurrent runs
neither compile twice nor see half a file.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dsam_assets.errors import ToolchainError
from resources.toolchain.cache import Progress, cache_folder, digest, locked, make_folder, tell, temporary_folder
from resources.toolchain.compiler import find_compiler, require_tools
from resources.toolchain.home import DRIVER, StanHome, find_home
from resources.toolchain.sources import programs, read_program, user_header

__all__ = ["compile_all", "executable", "programs"]

SUFFIX = ".exe" if sys.platform == "win32" else ""


@dataclass(frozen=True)
class _Build:
    """One program on its way to an executable: `texts` by path below the Stan folder, `target` in the cache."""

    program: str
    texts: Mapping[str, str]
    home: StanHome
    target: Path

    @property
    def key(self) -> str:
        return self.target.parent.name


def executable(
    program: str,
    home: StanHome | None = None,
    *,
    progress: Progress | None = None,
    force: bool = False,
    folder: Path | None = None,
) -> Path:
    """The executable of `<folder>/<program>.stan`, compiled where the cache does not hold it.

    Args:
        program: name without `.stan`.
        home: the CmdStan to compile with; found with `find_home` when not given.
        progress: receives one line of text at a time.
        force: compile even if the cache holds the executable.
        folder: where the program lies; the programs of this package when not given.

    Raises:
        ToolchainError: no such program, no toolchain, or the program does not compile.
    """
    build = _plan(program, home or find_home(progress=progress), folder)
    if force or not build.target.is_file():
        _compile(build, progress, force)
    return build.target


def compile_all(
    progress: Progress | None = None, *, home: StanHome | None = None, force: bool = False
) -> tuple[Path, ...]:
    """The executables of all programs of this package, compiled side by side on the cores of this machine."""
    home = home or find_home(progress=progress)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return tuple(pool.map(lambda program: executable(program, home, progress=progress, force=force), programs()))


def _plan(program: str, home: StanHome, folder: Path | None) -> _Build:
    """Where the executable belongs. Without a compiler, one that any compiler built will do."""
    texts = read_program(program, folder)
    place = make_folder(cache_folder() / "executables")
    content = digest([*_flat(texts), home.version, home.origin, _flags(home), platform.machine()])
    compiler = find_compiler()
    if compiler is None and (earlier := sorted(place.glob(f"{program}-{content}-*/{program}{SUFFIX}"))):
        return _Build(program, texts, home, earlier[-1])
    version = compiler.version if compiler is not None else "none"
    return _Build(program, texts, home, place / f"{program}-{content}-{digest([version])[:8]}" / f"{program}{SUFFIX}")


def _flat(texts: Mapping[str, str]) -> Iterable[str]:
    return (part for name in sorted(texts) for part in (name, texts[name]))


def _flags(home: StanHome) -> str:
    """What decides how a program is compiled: our rules and driver, or the user's settings of a real CmdStan."""
    if home.origin == "assembled":
        from resources.toolchain.assemble import SOURCES

        return (SOURCES / "rules.mk").read_text() + (SOURCES / DRIVER).read_text()
    local = home.path / "make" / "local"
    return f"{home.path}\n" + (local.read_text() if local.is_file() else "")


def _compile(build: _Build, progress: Progress | None, force: bool) -> None:
    require_tools()
    cache = cache_folder()
    with ExitStack() as stack:
        stack.enter_context(locked(cache, build.key, f"compiling {build.program}.stan", progress))
        if build.target.is_file() and not force:
            return  # another process was faster
        tell(progress, f"compiling {build.program}.stan (first time only, about a minute)…")
        start = time.monotonic()
        scratch = stack.enter_context(temporary_folder())
        _write_sources(build, scratch)
        header = user_header(build.texts[f"{build.program}.stan"])
        _make(build.home, scratch / build.target.name, _header_flags(scratch, header))
        _install(scratch / build.target.name, build.target)
        tell(progress, f"compiled {build.program}.stan in {time.monotonic() - start:.0f} s")


def _write_sources(build: _Build, scratch: Path) -> None:
    """Compile from the very texts that the key was made of, in a folder whose name make can stand."""
    for name, text in build.texts.items():
        make_folder((scratch / name).parent)
        (scratch / name).write_text(text)


def _header_flags(scratch: Path, header: str | None) -> tuple[str, str]:
    """stanc's flag and make's variable for functions that are defined in C++, as CmdStan spells them."""
    return ("", "") if header is None else (" --allow-undefined", f"USER_HEADER={(scratch / header).as_posix()}")


def _make(home: StanHome, target: Path, header_flags: tuple[str, str]) -> None:
    """Make the object and, meanwhile, a driver that is not there yet; then link."""
    if home.origin == "assembled":
        with ThreadPoolExecutor(max_workers=1) as pool:
            driver = pool.submit(_compile_driver, home)
            _run_make(home, f"{target.as_posix()}.o", target, header_flags)
            driver.result()
    _run_make(home, target.as_posix(), target, header_flags)


def _compile_driver(home: StanHome) -> None:
    if (home.path / "driver.o").is_file():
        return
    with locked(cache_folder(), f"{home.path.name}-driver", "compiling the Stan driver"):
        if not (home.path / "driver.o").is_file():
            _run_make(home, "driver.o", home.path / DRIVER)


def _run_make(home: StanHome, goal: str, source: Path, header_flags: tuple[str, str] = ("", "")) -> None:
    _, make = require_tools()
    stanc, header = header_flags
    flags = f"STANCFLAGS+=--include-paths={source.parent.as_posix()} --filename-in-msg={source.stem}.stan{stanc}"
    # A surrounding make passes its own flags and job server on; they are not meant for this one.
    environ = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    done = subprocess.run(
        [make, "--silent", flags, *([header] if header else []), goal],
        cwd=home.path,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).replace(f"{source.parent}/", "").strip().splitlines()
        raise ToolchainError(
            f"Compiling {source.stem} failed.",
            where=str(home.path),
            got="\n".join(lines[-25:]),
            fix="If the compiler was killed, free memory (it needs about 2 GB) and run again; "
            "otherwise the first line of its message names the place.",
        )


def _install(built: Path, target: Path) -> None:
    """Copy to a temporary name beside the target, then rename: the target is whole whenever it exists."""
    make_folder(target.parent)
    partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        shutil.copy2(built, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
