"""Content hashes of what made a run besides its config and data: this package, and the Stan programs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import dsam_assets
import resources
from resources.toolchain.sources import programs, read_program


def software_fingerprints() -> dict[str, str]:
    """SHA-256 over the sources of this package, and over its Stan programs with all that they include."""
    folders = [Path(package.__file__ or "").parent for package in (dsam_assets, resources)]
    sources = [(f"{folder.name}/{path.relative_to(folder)}", path) for folder in folders for path in _modules(folder)]
    texts = {name: text for program in programs() for name, text in read_program(program).items()}
    return {
        "source_sha256": _digest((name, path.read_bytes()) for name, path in sources),
        "stan_programs_sha256": _digest((name, texts[name].encode()) for name in sorted(texts)),
    }


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py"))


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
