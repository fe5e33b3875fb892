"""PSIS-LOO, and better numbers for the rows that it cannot judge: first by moment matching, then by exact refits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.model_design import ModelDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.selection.left_out import leave_out, posterior_points
from dsam_assets.selection.loo import EXACT, MOMENT_MATCH, LooResult, RowScores, rescored
from dsam_assets.selection.moment_match import moment_match
from dsam_assets.selection.psis import tail_length
from dsam_assets.selection.reloo import MAX_REFITS, Refit, exact_row

_LISTED = 10


def influential(result: LooResult) -> NDArray[np.int64]:
    """Scored rows with Pareto k above the warning threshold, worst first, as positions in `result.scored`."""
    above = np.flatnonzero(result.pareto_k > result.pareto_k_warn)
    return above[np.argsort(-result.pareto_k[above], kind="stable")].astype(np.int64)


def matched(result: LooResult, design: ModelDesign, draws: Draws, max_draws: int | None) -> LooResult:
    """Influential rows by moment matching, wherever that lowers Pareto k.

    Args:
        result: of `psis_loo`.
        design: the model.
        draws, max_draws: as `psis_loo` had them.
    """
    rows = influential(result)
    if not rows.size:
        return result
    points, tail = posterior_points(design, draws, max_draws), tail_length(result.n_draws, result.r_eff)
    better, scores = [], []
    for position in rows:
        left_out = leave_out(design, int(result.scored[position]))
        found = moment_match(left_out, points, tail=tail, good_k=result.pareto_k_warn)
        if found.pareto_k < result.pareto_k[position] and np.isfinite(found.elpd):
            better.append(position)
            scores.append((found.elpd, found.pit, found.pareto_k))
    note = f"{len(better):,} of {rows.size:,} rows with a high Pareto k were improved by moment matching."
    return _replaced(result, design, better, scores, MOMENT_MATCH, note)


def refitted(
    result: LooResult,
    design: ModelDesign,
    draws: Draws,
    refit: Refit,
    *,
    max_draws: int | None = None,
    most: int = MAX_REFITS,
) -> LooResult:
    """Influential rows by exact refits; the worst of them where there are more than `most`.

    A row whose refit has not been shown to converge, or leaves its density too uncertain, keeps its scores and its k.

    Args:
        result: of `psis_loo`, or of `matched`.
        design: the model.
        draws, max_draws: as `psis_loo` had them.
        refit: see `reloo.refitter`.
        most: the largest number of refits.

    Raises:
        FitError, ToolchainError: a refit fails.
    """
    rows = influential(result)
    if not rows.size:
        return result
    points = posterior_points(design, draws, max_draws)
    done, failed, scores = [], [], []
    for position in rows[:most]:
        found = exact_row(design, int(result.scored[position]), refit, points)
        if found.reliable:
            done.append(position)
            scores.append((found.elpd, found.pit, 0.0))
        else:
            failed.append(result.all_rows[result.scored[position]])
    note = _refit_note(rows.size, len(done), failed, most)
    return _replaced(result, design, done, scores, EXACT, note)


def _refit_note(wanted: int, done: int, failed: Iterable[int], most: int) -> str:
    texts = [f"{done:,} of {wanted:,} rows with a high Pareto k were refitted exactly."]
    names = [str(row) for row in failed]
    if names:
        shown = ", ".join(names[:_LISTED]) + ("" if len(names) <= _LISTED else f" and {len(names) - _LISTED} more")
        texts.append(
            f"These rows keep their estimate, because their refits did not converge or are too noisy: {shown}."
        )
    if wanted > most:
        texts.append(
            f"The limit is {most:,} refits, worst rows first; with so many influential rows compare models by "
            "time-series cross-validation (diagnostics.time_series_selection) instead."
        )
    return " ".join(texts)


def _replaced(
    result: LooResult,
    design: ModelDesign,
    positions: list[np.int64],
    scores: list[tuple[float, float, float]],
    method: str,
    note: str,
) -> LooResult:
    """p_loo is the log density with the row minus that without it, and only the latter has changed."""
    where = np.array(positions, dtype=np.int64)
    elpd, pit, k = np.array(scores, dtype=np.float64).reshape(-1, 3).T
    p_loo = result.p_loo_pointwise[where] + result.elpd_pointwise[where] - elpd
    rows = RowScores(elpd, p_loo, k, pit, np.full(where.size, method))
    return rescored(result, design.matrix, where, rows, note)
