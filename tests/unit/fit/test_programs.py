"""Which Stan programs serve which class of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dsam_assets import running
from dsam_assets.errors import FitError, ToolchainError
from dsam_assets.fit.programs import first_that_compiles, programs_of
from resources.toolchain import executables


@pytest.mark.parametrize(("kind", "first"), [("blm", "linear"), ("pooled", "linear"), ("re", "hierarchical_adjoint"),
                                             ("cre", "hierarchical_adjoint")])  # fmt: skip
def test_force_recompile_builds_what_the_model_runs(kind: str, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[str, bool]] = []

    def executable(program: str, **options: Any) -> Path:
        built.append((program, options["force"]))
        return Path(program)

    monkeypatch.setattr(executables, "executable", executable)
    running._recompile(kind)
    assert built == [(first, True)]
    assert programs_of(kind)[0] == first


def test_only_what_does_not_compile_is_passed_over() -> None:
    tried: list[str] = []

    def run(program: str) -> str:
        tried.append(program)
        if program != "c":
            raise ToolchainError(f"no {program}")
        return program

    assert first_that_compiles(("a", "b", "c"), run) == "c"
    assert tried == ["a", "b", "c"]
    with pytest.raises(ToolchainError, match="no b"):
        first_that_compiles(("a", "b"), run)

    def fails(program: str) -> str:
        raise FitError(f"{program} stopped")

    with pytest.raises(FitError, match="a stopped"):
        first_that_compiles(("a", "b"), fails)
