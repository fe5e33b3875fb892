"""Which Stan programs a class of model is fitted with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from dsam_assets.errors import ToolchainError
from dsam_assets.fit.stan_input import HIERARCHICAL_PROGRAM, LINEAR_PROGRAM

ADJOINT_PROGRAM = "hierarchical_adjoint"  # the density of HIERARCHICAL_PROGRAM with its gradient in C++

# Programs of one density, best first: a later one serves where an earlier one does not compile.
LINEAR = (LINEAR_PROGRAM,)
HIERARCHICAL = (ADJOINT_PROGRAM, HIERARCHICAL_PROGRAM)


def programs_of(model_class: str) -> tuple[str, ...]:
    """The programs of a class of model, as `model.type` names it."""
    return HIERARCHICAL if model_class in ("re", "cre") else LINEAR


def first_that_compiles[T](programs: Sequence[str], run: Callable[[str], T]) -> T:
    """`run` with the first program that compiles; raises the last one's `ToolchainError` when none does."""
    *others, last = programs
    for program in others:
        with suppress(ToolchainError):
            return run(program)
    return run(last)
