"""Time-series selection: refit before each origin, predict the weeks after it, and score the predictions.

Every fold is fitted with the model's own formula, priors, boundaries and sampler settings, see `fold_models`. A fold
that cannot be fitted is a row with its message; one that did not converge is scored and flagged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pandas as pd

from dsam_assets.config.schema_diagnostics import DiagnosticsSection
from dsam_assets.config.slices import DiagnosticsSlice
from dsam_assets.design.labels import row_labels
from dsam_assets.diagnostics.gates import sampler_gates
from dsam_assets.diagnostics.report import convergence_state
from dsam_assets.diagnostics.thresholds import CONVERGENCE_CHECKS
from dsam_assets.errors import DsamError, ToolchainError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.model import sample_model
from dsam_assets.fit.refits import RefitInputs
from dsam_assets.fit.runner import McmcSettings, StanRunner
from dsam_assets.fit.sample import mcmc_settings
from dsam_assets.selection.fold_models import FoldSource, fold_design, fold_model, fold_source
from dsam_assets.selection.holdout_scores import score_rows
from dsam_assets.selection.new_groups import holdout_draws
from dsam_assets.selection.time_folds import Fold, plan_folds
from dsam_assets.selection.tscv_tables import (
    Convergence,
    FoldOutcome,
    folds_table,
    pointwise_table,
    skipped_table,
    status_table,
    summary_table,
)
from dsam_assets.verdict import GateResult, PolicyMode

STATUS, FOLDS, SUMMARY, POINTWISE = "tscv_status", "tscv_folds", "tscv_summary", "tscv_pointwise"


@dataclass(frozen=True)
class TimeSeriesInputs(RefitInputs):
    """What every fold shares.

    Attributes:
        diagnostics: the config's section.
    """

    diagnostics: DiagnosticsSection | DiagnosticsSlice = field(kw_only=True)


def time_series_tables(
    inputs: TimeSeriesInputs, runner: StanRunner, *, processes: int | None = None
) -> dict[str, pd.DataFrame]:
    """The tables that are stored.

    Args:
        inputs: the model and its data.
        runner: what runs Stan; it is called from several threads.
        processes: most chains that sample at the same time; the machine's processors by default.

    Returns:
        `tscv_status` always; when it is enabled, `tscv_summary` in any case, `tscv_folds` when the data allow a fold,
        and `tscv_pointwise` when it is asked for and a fold was scored.

    Raises:
        ToolchainError: Stan cannot be found or compiled.
    """
    section = inputs.diagnostics.time_series_selection
    status = {STATUS: status_table(section)}
    if not section.enabled:
        return status
    reason = _inapplicable(inputs)
    if reason:
        return status | {SUMMARY: skipped_table(section, reason)}
    source = fold_source(inputs)
    labels = row_labels(inputs.frame, inputs.data.date_var, source.matrix)
    plan = plan_folds(labels["date"], section)
    if not plan.folds:
        return status | {SUMMARY: skipped_table(section, plan.reason)}
    outcomes = score_folds(inputs, source, plan.folds, runner, processes=processes)
    tables = {FOLDS: folds_table(outcomes), SUMMARY: summary_table(outcomes, plan, section, _notes(source, plan.folds))}
    if section.save_pointwise and any(outcome.scores is not None for outcome in outcomes):
        tables[POINTWISE] = pointwise_table(outcomes, labels)
    return status | tables


def _inapplicable(inputs: TimeSeriesInputs) -> str:
    """Why nothing is refitted, if so."""
    if not inputs.diagnostics.enabled:
        return "diagnostics.enabled is false"
    if inputs.fit.method != "mcmc":
        return "a point estimate (fit.method: optimise) has no predictive distribution"
    return "" if inputs.data.date_var is not None else "data.date_var is not set, so there are no weeks to hold out"


def _notes(source: FoldSource, folds: Sequence[Fold]) -> list[str]:
    notes = []
    if source.predicts_from_response:
        name = source.matrix.response_name
        notes.append(
            f"{name} is shifted in time and used as a predictor: held-out rows see its actual values, so these scores "
            "are of forecasts that far ahead, not of the whole block."
        )
    if any(later.holdout_start <= earlier.holdout_end for earlier, later in pairwise(folds)):
        notes.append("Blocks overlap (stride_weeks below horizon_weeks): some weeks are scored more than once.")
    return notes


def score_folds(
    inputs: TimeSeriesInputs,
    source: FoldSource,
    folds: Sequence[Fold],
    runner: StanRunner,
    *,
    processes: int | None = None,
) -> list[FoldOutcome]:
    """Refit and score the folds, several at a time as far as their chains leave processors free."""
    most = processes or os.cpu_count() or 1
    settings = mcmc_settings(inputs.fit)
    settings = replace(settings, parallel_chains=min(settings.parallel_chains, settings.chains, most))
    workers = max(1, min(most // settings.parallel_chains, len(folds)))
    pool = ThreadPoolExecutor(workers)
    try:
        return list(pool.map(lambda fold: _outcome(inputs, source, fold, settings, runner), folds))
    finally:
        pool.shutdown(cancel_futures=True)  # an error or Ctrl-C starts no further fold


def _outcome(
    inputs: TimeSeriesInputs, source: FoldSource, fold: Fold, settings: McmcSettings, runner: StanRunner
) -> FoldOutcome:
    positive_priors = inputs.fit.mcmc.parameterization.positive_priors
    try:
        model = fold_model(source, fold)
        design = fold_design(model.train, inputs.priors)
        draws = sample_model(design, settings, runner, positive_priors=positive_priors)
    except ToolchainError:
        raise
    except DsamError as error:
        return FoldOutcome(fold, fold.train.size, message=" ".join(str(error).split()))
    joint = holdout_draws(draws, design, model.holdout, seed=(settings.seed, fold.number))
    method = inputs.diagnostics.time_series_selection.method
    return FoldOutcome(
        fold,
        train_rows=len(model.train.response),
        scores=score_rows(joint, model.holdout, fold.weeks_ahead, method),
        convergence=_convergence(draws, inputs.diagnostics.policy_mode),
        left_out=model.left_out,
        new_groups=model.new_groups,
        response_scale=model.train.response_scale,
    )


def _convergence(draws: Draws, mode: PolicyMode) -> Convergence:
    rows = {row.check_id: row for row in sampler_gates(draws, mode)}
    return Convergence(
        converged=bool(convergence_state(rows.values())),
        max_rhat=rows["sampler_rhat_max"].value,
        min_ess_bulk=rows["sampler_ess_bulk_min"].value,
        divergences=int(draws.sampler["diverging"].sum()),
        message=" ".join(_failures(rows[check_id] for check_id in CONVERGENCE_CHECKS)),
    )


def _failures(rows: Iterable[GateResult]) -> Iterator[str]:
    return (row.message for row in rows if row.status in ("fail", "not_computed"))
