"""The Stan programs of this package, and the files that they include."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import resources
from dsam_assets.errors import ToolchainError

_INCLUDE = re.compile(r"""^\s*\#include\s+[<"]?([^>"\s]+)[>"]?""", re.MULTILINE)
_HEADER = re.compile(r"^//\s*user_header:\s*(\S+)", re.MULTILINE)


def stan_folder() -> Path:
    """`dsam_assets/_stan` of an installed wheel, or `stan/` of the checkout that this code runs from."""
    root = Path(resources.__file__).parent.parent
    for folder in (root / "dsam_assets" / "_stan", root / "stan"):
        if (folder / "linear.stan").is_file():
            return folder
    raise ToolchainError(
        "The Stan programs of this package are missing.",
        where=str(root),
        fix="Reinstall the package; in a checkout, restore the folder stan/.",
    )


def programs(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the programs in the folder: `linear` for linear.stan."""
    return tuple(sorted(path.stem for path in (folder or stan_folder()).glob("*.stan")))


def read_program(program: str, folder: Path | None = None) -> Mapping[str, str]:
    """Path below the Stan folder → text, for the program (first) and everything it includes, directly or not.

    A line `// user_header: functions/x.hpp` names the C++ file that defines what the program only declares; it counts
    as included. That file's own includes are the compiler's business.

    Raises:
        ToolchainError: there is no such program, or it includes a file that does not exist.
    """
    folder = folder or stan_folder()
    texts: dict[str, str] = {}
    waiting = [f"{program}.stan"]
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        if not (folder / name).is_file():
            known = f"one of the programs {', '.join(programs(folder))}"
            raise ToolchainError(
                "A Stan file is missing.",
                where=str(folder / name),
                wanted=f"a file, as {program}.stan includes it" if texts else known,
            )
        texts[name] = (folder / name).read_text()
        if not name.endswith(".hpp"):
            waiting.extend(_INCLUDE.findall(texts[name]) + _HEADER.findall(texts[name]))
    return texts


def user_header(text: str) -> str | None:
    """The C++ file that a program's text names, as a path below the Stan folder."""
    found = _HEADER.search(text)
    return None if found is None else found.group(1)
