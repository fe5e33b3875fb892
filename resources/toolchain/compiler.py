"""The C++ compiler and make on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dsam_assets.errors import ToolchainError


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: its path and the first line of `--version`."""

    path: Path
    version: str


def find_compiler(environ: Mapping[str, str] = os.environ) -> Compiler | None:
    """`$CXX` if set, else g++, clang++ or c++ on the path; None where there is none."""
    names = [environ["CXX"]] if environ.get("CXX") else ["g++", "clang++", "c++"]
    for name in names:
        if found := shutil.which(name, path=environ.get("PATH")):
            answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
            # macOS has a g++ that only asks for the command line tools to be installed.
            if answer.returncode == 0:
                return Compiler(Path(found), answer.stdout.partition("\n")[0].strip())
    return None


def find_make(environ: Mapping[str, str] = os.environ) -> str | None:
    """`$MAKE` if set, else make on the path; None where there is none."""
    name = environ.get("MAKE") or ("mingw32-make" if sys.platform == "win32" else "make")
    return shutil.which(name, path=environ.get("PATH"))


def require_tools(environ: Mapping[str, str] = os.environ) -> tuple[Compiler, str]:
    """The compiler and make.

    Raises:
        ToolchainError: one of them is missing; names the command that installs it.
    """
    compiler, make = find_compiler(environ), find_make(environ)
    if compiler is not None and make is not None:
        return compiler, make
    missing = " and ".join(name for name, tool in (("a C++ compiler", compiler), ("make", make)) if tool is None)
    raise ToolchainError(
        f"Stan programs are compiled once on each machine, and {missing} is missing here.",
        got=f"CXX={environ['CXX']}" if environ.get("CXX") else None,
        fix=install_command(),
    )


def install_command(platform: str = sys.platform) -> str:
    """How to install a compiler and make on this platform."""
    commands = {
        "darwin": "Run `xcode-select --install`.",
        "win32": "Run `install_cmdstan --compiler`, which installs CmdStan together with RTools.",
    }
    return commands.get(platform, "Run `sudo apt-get install g++ make` (Fedora: `sudo dnf install gcc-c++ make`).")
