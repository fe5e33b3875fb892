"""What the source may not contain, and how large its pieces may be."""

from __future__ import annotations

import ast
import re
from statistics import median

import pytest
from source_tree import ROOT, code_rows, function_lengths, modules, tracked_files, tree

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
SHELLS = {"system", "popen", "getoutput", "getstatusoutput"}
TEXT_SUFFIXES = {
    ".py", ".pyi", ".toml", ".yaml", ".yml", ".md", ".txt", ".lock", ".cfg", ".json", ".csv", ".stan", ".hpp", ".cpp",
    ".stanfunctions", ".sh", "",
}  # fmt: skip

# Put together here, so that this file does not hold them either.
PLACES = [
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "python" + "hosted",
    "conda" + ".anaconda.org",
    "/" + "home/",
    "/" + "Users/",
    "/" + "root/",
    "/" + "work/",
    "C:" + "\\Users",
]


def calls() -> list[tuple[str, ast.Call]]:
    return [(name, node) for name in modules() for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]


def called(call: ast.Call) -> tuple[str, str]:
    """(owner, name) of a call: `os.system(…)` → ("os", "system"), `eval(…)` → ("", "eval")."""
    if isinstance(call.func, ast.Name):
        return "", call.func.id
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        return (owner.id if isinstance(owner, ast.Name) else "?"), call.func.attr
    return "?", "?"


def test_nothing_runs_text_as_code() -> None:
    running = {("", word) for word in FORBIDDEN_CALLS}
    assert [(name, call.lineno) for name, call in calls() if called(call) in running] == []
    evaluating = {("pd", "eval"), ("?", "eval"), ("frame", "eval"), ("frame", "query")}
    assert [(name, call.lineno) for name, call in calls() if called(call) in evaluating] == []


def test_nothing_starts_a_shell() -> None:
    shells = [
        (name, call.lineno)
        for name, call in calls()
        for keyword in call.keywords
        if keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]
    assert shells == []
    assert [(name, call.lineno) for name, call in calls() if called(call) in {("os", word) for word in SHELLS}] == []


def test_yaml_is_never_loaded_unsafely() -> None:
    unsafe = {"load", "unsafe_load", "full_load", "load_all"}
    for name, call in calls():
        if called(call)[0] == "yaml" and called(call)[1] in unsafe:
            loader = [keyword for keyword in call.keywords if keyword.arg == "Loader"]
            assert loader, f"{name}:{call.lineno}"


def test_errors_are_never_swallowed() -> None:
    for name in modules():
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{name}:{node.lineno} catches everything"
                broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
                silent = all(isinstance(statement, ast.Pass) for statement in node.body)
                assert not (broad and silent), f"{name}:{node.lineno}"


@pytest.mark.parametrize("place", PLACES)
def test_no_tracked_file_names_a_host_or_a_machine(place: str) -> None:
    files = [path for path in tracked_files() if path.suffix in TEXT_SUFFIXES]
    assert len(files) > 100
    pattern = re.compile(rf"(?<![\w.]){re.escape(place)}" if place.startswith("/") else re.escape(place))
    found = [str(path.relative_to(ROOT)) for path in files if pattern.search(path.read_text("utf-8", errors="replace"))]
    assert found == []


def test_modules_are_short() -> None:
    long = {name: lines for name, path in modules().items() if (lines := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_functions_are_short() -> None:
    lengths = function_lengths()
    assert len(lengths) > 300
    assert median(lengths.values()) < 12
    long = {name: length for name, length in lengths.items() if length > 40}
    assert len(long) <= 0.05 * len(lengths), long


def test_the_measure_of_length_counts_code_only() -> None:
    first_rows = code_rows("dsam_assets/verdict")
    text = modules()["dsam_assets/verdict"].read_text().splitlines()
    assert 1 not in first_rows  # the module's docstring
    assert text.index("def effective_status(status: Status, mode: PolicyMode) -> Status:") + 1 in first_rows
    assert function_lengths()["dsam_assets/verdict:effective_status"] == 4


def test_every_module_and_public_class_says_what_it_is() -> None:
    silent = [name for name, path in modules().items() if path.stat().st_size and ast.get_docstring(tree(name)) is None]
    assert silent == []
    classes = [
        f"{name}:{node.name}"
        for name in modules()
        for node in tree(name).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and ast.get_docstring(node) is None
    ]
    assert classes == []


def is_main_block(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`"""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def test_nothing_happens_at_import() -> None:
    """No module reads the environment or the clock, or writes, outside of functions."""
    forbidden = {("os", "getenv"), ("time", "time"), ("datetime", "now"), ("", "open"), ("?", "mkdir")}
    for name in modules():
        inside = {
            id(child)
            for node in ast.walk(tree(name))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_main_block(node)
            for child in ast.walk(node)
        }
        for node in ast.walk(tree(name)):
            if id(node) in inside:
                continue
            assert not (isinstance(node, ast.Call) and called(node) in forbidden), f"{name}:{node.lineno}"
            environment = isinstance(node, ast.Attribute) and node.attr == "environ"
            assert not environment, f"{name}:{getattr(node, 'lineno', 0)}"
