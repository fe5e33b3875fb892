"""All checks of a fit beyond its sampler, with the tables that they are judged from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from dsam_assets.design.pooled_checks import checkable_matrix
from dsam_assets.diagnostics.boundary_hits import boundary_gate, boundary_hits
from dsam_assets.diagnostics.gate_table import gate_frame
from dsam_assets.diagnostics.gates import skipped_gates
from dsam_assets.diagnostics.identifiability import (
    IdentifiabilityLike,
    baseline_media_correlations,
    identifiability_gate,
    term_roles,
)
from dsam_assets.diagnostics.lag_grid import step_name
from dsam_assets.diagnostics.leverage import CHECK as LEVERAGE
from dsam_assets.diagnostics.leverage import high_leverage, leverage_gate
from dsam_assets.diagnostics.residual_checks import residual_diagnostics
from dsam_assets.diagnostics.residual_gates import residual_gates
from dsam_assets.diagnostics.risk_register import RegisterTables, predictor_risk_register
from dsam_assets.diagnostics.within_variation import within_variation, within_variation_gate
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

NO_LOO = "a point estimate has no leave-one-out scores"


@dataclass(frozen=True)
class PostfitChecks:
    """Judged rows and the tables behind them.

    Attributes:
        gates: one row per check.
        tables: `residual_diagnostics`, `boundary_hits`, `within_variation`, `identifiability`, `high_leverage` and
            `predictor_risk_register`; a table is empty where its check does not apply.
    """

    gates: tuple[GateResult, ...]
    tables: Mapping[str, pd.DataFrame]

    def published(self) -> dict[str, pd.DataFrame]:
        """The judged rows as the table `postfit_checks`, and the tables that have rows."""
        return {"postfit_checks": gate_frame(self.gates)} | {
            name: table for name, table in self.tables.items() if len(table)
        }


def postfit_checks(
    draws: Draws,
    matrix: ModelMatrix,
    labels: pd.DataFrame,
    prior_table: pd.DataFrame,
    section: IdentifiabilityLike,
    mode: PolicyMode,
    generated: Sequence[str] = (),
) -> PostfitChecks:
    """Residuals, boundaries, within variation, identifiability, leverage, and the register of predictors.

    Args:
        draws: the fit.
        matrix: the model's rows.
        labels: date and panel unit of each of them, as `design.labels.row_labels` makes them.
        prior_table: as `design.model_design.design_prior_table` makes it.
        section: the config's `diagnostics.identifiability`.
        mode: the policy.
        generated: generated holiday terms, as `design.additions.generated_terms` lists them.
    """
    fitted_columns = matrix if matrix.pooling is None else checkable_matrix(matrix, matrix.pooling)
    residuals = residual_diagnostics(draws, matrix, labels)
    hits = boundary_hits(draws, prior_table, mode)
    within = within_variation(matrix, mode)
    pairs = baseline_media_correlations(matrix, section, mode, generated)
    leverage = high_leverage(fitted_columns, labels)
    baseline = term_roles(matrix.terms, section, generated).baseline
    evidence = RegisterTables(hits, within, pairs, prior_table)
    gates = (
        *residual_gates(residuals, mode, step=step_name(labels)),
        boundary_gate(hits, mode),
        within_variation_gate(within, mode),
        identifiability_gate(pairs, matrix.terms, section, mode, generated),
        *(skipped_gates((LEVERAGE,), NO_LOO) if draws.is_point else (leverage_gate(leverage, mode),)),
    )
    tables = {
        "residual_diagnostics": residuals,
        "boundary_hits": hits,
        "within_variation": within,
        "identifiability": pairs,
        "high_leverage": leverage,
        "predictor_risk_register": predictor_risk_register(draws, matrix, labels, evidence, baseline),
    }
    return PostfitChecks(gates, tables)
