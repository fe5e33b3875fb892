"""The project's source files, and what they import and define."""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("dsam_assets", "resources")
MADE = {"__pycache__", "results"}  # folders that runs leave behind
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@cache
def modules() -> dict[str, Path]:
    """Slash path without extension → file, for every module of the product."""
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {path.relative_to(ROOT).with_suffix("").as_posix(): path for path in files}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def imports(name: str) -> Iterator[str]:
    """Dotted names that a module imports anywhere, those under `TYPE_CHECKING` and in functions included."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(name: str) -> set[str]:
    """The packages that a module imports."""
    return {module.partition(".")[0] for module in imports(name)}


@cache
def code_rows(name: str) -> frozenset[int]:
    """Line numbers that hold code: no blank lines, comments or docstrings."""
    text = modules()[name].read_text(encoding="utf-8")
    rows = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SKIPPED:
            rows.update(range(token.start[0], token.end[0] + 1))
    return frozenset(rows - docstring_rows(name))


def docstring_rows(name: str) -> set[int]:
    rows: set[int] = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            documented = ast.get_docstring(node, clean=False) is not None
            if documented and first is not None:
                rows.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return rows


def function_lengths() -> dict[str, int]:
    """Code lines of every function, its signature included."""
    return {
        f"{name}:{node.name}": len([row for row in code_rows(name) if node.lineno <= row <= (node.end_lineno or 0)])
        for name in modules()
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def tracked_files() -> list[Path]:
    """Files under version control; in an unpacked archive, every file of the source folders."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]
    folders = (*PACKAGES, "stan", "tests", "configs", "docs", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    own = [path for path in files if not any(part in MADE or part[0] == "." for part in path.relative_to(ROOT).parts)]
    return [*(path for path in ROOT.iterdir() if path.is_file()), *own]
