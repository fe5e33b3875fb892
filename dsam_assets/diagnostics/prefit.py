"""The pre-fit gates (p0): the response and the design matrix, judged from the design stage's numbers, and the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dsam_assets.design.labels import row_labels
from dsam_assets.design.model_design import model_checks
from dsam_assets.diagnostics.data_checks import Channel, DataFacts, data_gates
from dsam_assets.diagnostics.rows import judged, listed, not_computed
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.design.checks import DesignChecks
    from dsam_assets.design.matrix import ModelMatrix


def pre_run_gates(
    matrix: ModelMatrix,
    frame: pd.DataFrame,
    *,
    date_var: str | None,
    variables: Sequence[str],
    channels: Sequence[Channel],
    mode: PolicyMode,
) -> tuple[GateResult, ...]:
    """p0: every check that needs neither Stan nor a fit.

    Args:
        matrix: the model matrix.
        frame: the data, with every column of the file.
        date_var: its date column.
        variables: columns that the formula names.
        channels: `allocation.channels`, which say what was spent on which term.
        mode: the policy that chooses the thresholds.
    """
    checks = model_checks(matrix)
    used = {*variables, *(channel.spend_col for channel in channels)} | ({date_var} if date_var else set())
    facts = DataFacts(matrix, checks, frame, row_labels(frame, date_var, matrix), channels, used)
    return (*prefit_gates(checks, mode), *data_gates(facts, mode))


def prefit_gates(checks: DesignChecks, mode: PolicyMode) -> tuple[GateResult, ...]:
    """p0: the checks of the response and the design matrix, before the fit."""
    return (
        response_gate(checks, mode),
        redundant_columns_gate(checks, mode),
        rank_gate(checks, mode),
        condition_gate(checks, mode),
        findings_gate(checks, mode),
    )


def response_gate(checks: DesignChecks, mode: PolicyMode) -> GateResult:
    """p0: number of response values that are not finite on the model scale."""
    count = checks.non_finite_response
    message = f"{count:,} of {checks.n_rows:,} response values are not finite on the model scale."
    return judged("pre_response_finite", count, mode, checks.response_name, message)


def redundant_columns_gate(checks: DesignChecks, mode: PolicyMode) -> GateResult:
    """p0: number of constant columns plus number of copies of other columns."""
    copies = [copy for copy, _ in checks.duplicates]
    names = [*checks.constant, *copies]
    message = (
        f"Constant columns: {listed(checks.constant)}; copies of other columns: "
        f"{listed([f'{copy} (= {original})' for copy, original in checks.duplicates])}."
    )
    return judged("pre_design_constants_duplicates", len(names), mode, listed(names) if names else "model", message)


def rank_gate(checks: DesignChecks, mode: PolicyMode) -> GateResult:
    """p0: number of columns that are linear combinations of the columns before them."""
    if checks.rank is None:
        return not_computed("pre_design_rank_deficit", mode, _unusable(checks))
    names = checks.dependent
    rank = f"Rank {checks.rank} with {checks.n_terms} columns"
    message = f"{rank}; linear combinations of earlier columns: {listed(names)}."
    return judged("pre_design_rank_deficit", len(names), mode, listed(names) if names else "model", message)


def condition_gate(checks: DesignChecks, mode: PolicyMode) -> GateResult:
    """p0: condition number of the design matrix with columns of unit length."""
    value = checks.condition_number
    if value is None:
        return not_computed("pre_design_condition_number", mode, _unusable(checks))
    message = f"The condition number of the design matrix (columns scaled to unit length) is {value:,.4g}."
    return judged("pre_design_condition_number", value, mode, "model", message)


def findings_gate(checks: DesignChecks, mode: PolicyMode) -> GateResult:
    """p0: number of findings about group means, varying terms and pooling labels."""
    found = checks.findings
    message = " ".join(finding.message for finding in found) or "Nothing was noticed that weakens identification."
    subject = listed(tuple(dict.fromkeys(finding.subject for finding in found))) if found else "model"
    return judged("pre_identification", len(found), mode, subject, message)


def _unusable(checks: DesignChecks) -> str:
    if checks.non_finite_columns:
        return f"columns with values that are not finite: {listed(checks.non_finite_columns)}"
    return "the design matrix has no rows or no columns"
