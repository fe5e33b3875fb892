"""Code versions derived from source: an asset is stale when the code that it runs has changed, and only then.

The hash is over syntax trees without docstrings, so a comment or a reworded docstring recomputes nothing.
"""

import ast
import hashlib
import sys
from functools import cache
from pathlib import Path

import dsam_assets
from resources.remembered import Remembered

PACKAGE = Path(dsam_assets.__file__).parent
MEANINGS = Remembered("meanings")


@cache
def code_version(*parts: str) -> str:
    """Version of the named stages (`fit`), modules (`design/vif`) and Stan programs (`stan:linear`)."""
    digest = hashlib.sha256()
    for part in parts:
        for name, content in _sources(part).items():
            digest.update(f"{name}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def _sources(part: str) -> dict[str, bytes]:
    if part.startswith("stan:"):
        from resources.toolchain.sources import read_program

        texts = read_program(part.removeprefix("stan:"))
        return {name: text.encode() for name, text in sorted(texts.items())}
    target = PACKAGE / part
    files = sorted(target.glob("*.py")) if target.is_dir() else [target.with_suffix(".py")]
    return {path.name: _meaning(path) for path in files}


@cache
def _meaning(path: Path) -> bytes:
    """Hash of what a source file says, whatever its comments; parsing some hundred files takes a second."""
    content = path.read_bytes()
    key = hashlib.sha256(_rule() + content).hexdigest()
    return bytes.fromhex(MEANINGS.get(key, lambda: _parsed(content)))


@cache
def _rule() -> bytes:
    """How meanings are worked out: by this file, and by a Python, of which another may word the same tree otherwise."""
    return hashlib.sha256(Path(__file__).read_bytes() + f"{sys.version_info[:2]}".encode()).digest()


def _parsed(content: bytes) -> str:
    tree = ast.parse(content)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
