"""Errors that a user can act on.

Every error answers five questions: what went wrong, where, what was found, what was wanted, and what to do next.
The command line prints them as one message and exits with status 2 (3 for a halted gate).
"""

from __future__ import annotations


class DsamError(Exception):
    """A problem the user can fix.

    Args:
        what: one sentence that says what is wrong.
        where: the place: a key path, a file, a column, a term.
        got: what was found there.
        wanted: the rule that it broke.
        fix: what to do next, as an instruction.
    """

    exit_status = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        got: object = None,
        wanted: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.got, self.wanted, self.fix = what, where, got, wanted, fix

    def __str__(self) -> str:
        parts = (
            ("where", self.where),
            ("got", None if self.got is None else str(self.got)),
            ("wanted", self.wanted),
            ("do this", self.fix),
        )
        return "\n".join([self.what, *(f"  {label + ':':<9}{text}" for label, text in parts if text)])

    @property
    def brief(self) -> str:
        """What is wrong and where, on one line."""
        where = "" if self.where is None or self.where in self.what else f" ({self.where})"
        return " ".join(f"{self.what}{where}".split())


class ConfigError(DsamError):
    """The YAML config breaks the schema or a cross-field rule."""


class DataError(DsamError):
    """A data file cannot be read, or its content cannot be modelled."""


class FormulaError(DsamError):
    """A formula cannot be parsed, is refused as unsafe, or names something that does not exist."""


class DesignError(DsamError):
    """Design matrix, priors, boundaries or scaling cannot be built."""


class ToolchainError(DsamError):
    """Stan cannot be found, assembled or compiled."""


class FitError(DsamError):
    """Sampling or optimisation failed."""


class AllocationError(DsamError):
    """The budget problem is infeasible or ill-posed."""


class StoreError(DsamError):
    """An artefact is missing, damaged or cannot be written."""


class GateError(DsamError):
    """A quality gate halts everything downstream of it."""

    exit_status = 3
