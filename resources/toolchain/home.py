"""Finding the CmdStan home that cmdstanpy works with."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dsam_assets.errors import ToolchainError
from resources.toolchain.cache import Progress

Origin = Literal["environment", "installed", "assembled"]

DRIVER = "driver.cpp"  # only a home that we assembled has it


@dataclass(frozen=True)
class StanHome:
    """A folder with a makefile and bin/stanc; `version` is Stan's, such as 2.39.0."""

    path: Path
    version: str
    origin: Origin


def find_home(environ: Mapping[str, str] = os.environ, *, progress: Progress | None = None) -> StanHome:
    """`$CMDSTAN`, else the latest complete `~/.cmdstan/cmdstan-*`, else a home assembled from the httpstan wheel.

    Raises:
        ToolchainError: CMDSTAN is set and does not name a CmdStan, or no home can be assembled.
    """
    if setting := environ.get("CMDSTAN"):
        return _environment_home(Path(setting).expanduser())
    if (installed := latest_installed(Path.home() / ".cmdstan")) is not None:
        return installed
    from resources.toolchain.assemble import assembled_home

    return assembled_home(environ, progress=progress)


def _environment_home(path: Path) -> StanHome:
    problem = missing_in(path)
    if problem is not None:
        raise ToolchainError(
            "The environment variable CMDSTAN does not name a working CmdStan.",
            where=f"CMDSTAN={path}",
            got=problem,
            wanted="a CmdStan folder that has been built (`make build`)",
            fix="Correct CMDSTAN, or unset it to use the Stan that comes with this package.",
        )
    # cmdstanpy exports the home it uses, so a child process may find one of ours here.
    return StanHome(path, home_version(path), "assembled" if (path / DRIVER).is_file() else "environment")


def latest_installed(folder: Path) -> StanHome | None:
    """The CmdStan of the highest version that `install_cmdstan` put into this folder, leaving out incomplete ones."""
    homes = [
        StanHome(path, home_version(path), "installed") for path in folder.glob("cmdstan-*") if missing_in(path) is None
    ]
    return max(homes, key=lambda home: _version_order(home), default=None)


def _version_order(home: StanHome) -> tuple[int, int, int, bool]:
    major, minor, patch = (int(part) for part in home.version.split("."))
    return major, minor, patch, "-rc" not in home.path.name  # a release candidate comes before its release


def missing_in(path: Path) -> str | None:
    """What keeps the folder from being a usable home, or None."""
    if not path.is_dir():
        return "no such folder"
    if not (path / "makefile").is_file():
        return "no makefile in it"
    stanc = path / "bin" / ("stanc.exe" if sys.platform == "win32" else "stanc")
    if not os.access(stanc, os.X_OK):
        return "no bin/stanc in it"
    return None if _VERSION.search((path / "makefile").read_text()) else "no CMDSTAN_VERSION in its makefile"


_VERSION = re.compile(r"^CMDSTAN_VERSION := (\d+\.\d+\.\d+)", re.MULTILINE)


def home_version(path: Path) -> str:
    """The version in the home's makefile (where cmdstanpy looks for it, too)."""
    found = _VERSION.search((path / "makefile").read_text())
    return found.group(1) if found else "0.0.0"
