"""Assembling a CmdStan home from the installed httpstan wheel.

The wheel ships Stan's complete C++ library and stanc, and lacks CmdStan's command-line front end. The home adds it: a
makefile, bin/stanc, and the driver of this package. cmdstanpy then works with it as with CmdStan itself.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dsam_assets.errors import ToolchainError
from resources.toolchain.cache import Progress, cache_folder, digest, locked, make_folder, temporary_folder
from resources.toolchain.compiler import find_compiler, require_tools
from resources.toolchain.home import DRIVER, StanHome

SOURCES = Path(__file__).parent / "driver"


@dataclass(frozen=True)
class Wheel:
    """The installed httpstan: its folder, its version and the version of the Stan it ships."""

    path: Path
    version: str
    stan_version: str


def find_wheel() -> Wheel:
    """The installed httpstan wheel, found without importing it.

    Raises:
        ToolchainError: it is not installed, or is not laid out as expected.
    """
    spec = importlib.util.find_spec("httpstan")
    if spec is None or not spec.submodule_search_locations:
        raise ToolchainError(
            "No CmdStan is installed, and the package httpstan, from which one can be assembled, is missing.",
            fix="Install httpstan with pip, or a CmdStan with `install_cmdstan`.",
        )
    path = Path(next(iter(spec.submodule_search_locations)))
    header = path / "include" / "stan" / "version.hpp"
    text = header.read_text() if header.is_file() else ""
    numbers = dict(re.findall(r"#define STAN_(MAJOR|MINOR|PATCH) (\d+)", text))
    missing = [str(part) for part in (header, path / "stanc", path / "lib") if not part.exists()]
    if missing or len(numbers) != 3:
        raise ToolchainError(
            "The installed httpstan does not hold Stan's headers, libraries and compiler.",
            where=str(path),
            got="missing: " + ", ".join(missing) if missing else f"no version in {header}",
            fix="Install httpstan 4.17 or newer from a wheel.",
        )
    stan_version = ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))
    return Wheel(path, importlib.metadata.version("httpstan"), stan_version)


def assembled_home(environ: Mapping[str, str] = os.environ, *, progress: Progress | None = None) -> StanHome:
    """The home for this wheel, driver and compiler, assembled where it does not exist yet.

    Raises:
        ToolchainError: the wheel, the compiler or make is missing, or the cache cannot be written.
    """
    wheel, cache = find_wheel(), cache_folder(environ)
    if find_compiler(environ) is None and (earlier := _earlier_home(cache, wheel)) is not None:
        return earlier  # enough to run what is compiled already
    compiler, _ = require_tools(environ)
    driver = (SOURCES / DRIVER).read_text()
    makefile = _makefile(wheel, compiler.path)
    home = cache / "homes" / f"stan-{wheel.stan_version}-{digest([wheel.version, driver, makefile, compiler.version])}"
    if not home.is_dir():
        with locked(cache, home.name, "setting up Stan", progress):
            if not home.is_dir():
                _assemble(home, wheel, makefile, driver)
    return StanHome(home, wheel.stan_version, "assembled")


def _earlier_home(cache: Path, wheel: Wheel) -> StanHome | None:
    homes = sorted((cache / "homes").glob(f"stan-{wheel.stan_version}-*"), key=lambda path: path.stat().st_mtime)
    return StanHome(homes[-1], wheel.stan_version, "assembled") if homes else None


def _makefile(wheel: Wheel, compiler: Path) -> str:
    settings = f"CMDSTAN_VERSION := {wheel.stan_version}\nCXX := {compiler}\nWHEEL := {wheel.path}\n\n"
    return settings + (SOURCES / "rules.mk").read_text()


def _assemble(home: Path, wheel: Wheel, makefile: str, driver: str) -> None:
    with temporary_folder(make_folder(home.parent)) as scratch:
        folder = scratch / home.name
        (folder / "bin").mkdir(parents=True)
        (folder / "lib").mkdir()
        (folder / "makefile").write_text(makefile)
        (folder / DRIVER).write_text(driver)
        (folder / "bin" / "stanc").symlink_to(wheel.path / "stanc")
        # Executables load this library, so it must outlive the environment that the wheel is installed in.
        for library in (wheel.path / "lib").glob("libtbb*"):
            shutil.copy2(library, folder / "lib" / library.name)
        folder.rename(home)
