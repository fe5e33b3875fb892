"""Leave-one-out predictive accuracy by PSIS (Vehtari, Gelman and Gabry, 2017), from draws and the model matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dsam_assets.diagnostics.convergence import ess_mean
from dsam_assets.fit.predictor import JointDraws, joint_draws, predictor
from dsam_assets.scales import FloatArray, ResponseScale
from dsam_assets.selection.psis import logsumexp, psis, tail_length

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

# Above this many rows a random sample of them is scored: the estimate is then as exact as anybody needs.
MAX_ROWS = 20_000
SAMPLED_ROWS = 5_000
_BLOCK_BYTES = 64 * 2**20
# How a row was scored; the values of `LooResult.method`.
PSIS, MOMENT_MATCH, EXACT = "psis", "moment_match", "exact"
# Upper limit of each Pareto-k band; the limit belongs to the band.
K_BANDS: tuple[tuple[str, float], ...] = (("good", 0.5), ("ok", 0.7), ("bad", 1.0), ("very_bad", float("inf")))


@dataclass(frozen=True)
class LooResult:
    """PSIS-LOO of one model. Sums are over all rows of the model, arrays over the rows that were scored.

    Attributes:
        elpd_loo: expected log pointwise predictive density on the model scale; higher is better.
        se_elpd_loo: its standard error; for a sample of rows it includes the sampling of rows.
        se_subsampling: the part of it that comes from scoring a sample of rows; 0 when all were scored.
        p_loo: effective number of parameters; looic: −2·elpd_loo.
        kpi_elpd_loo, se_kpi_elpd_loo: the same density on the KPI scale (Jacobian −log KPI per row for a log response),
            so that log and identity models of one KPI can be compared; equal to elpd_loo for an identity response.
        n_rows, n_scored, n_draws: rows of the model, rows scored, draws used.
        r_eff: relative efficiency of the draws that set the length of the smoothed tail.
        pareto_k, elpd_pointwise, p_loo_pointwise: shape (n_scored,); NaN where the log likelihood is not finite. Of a
            row that was refitted exactly k is 0: nothing was reweighted.
        pit: leave-one-out probability integral transform, P(new y_i ≤ y_i | the other rows), shape (n_scored,).
        method: how each row was scored, `psis`, `moment_match` or `exact`, shape (n_scored,).
        scored: positions of the scored rows in the model matrix, ascending.
        all_rows: position in the data frame of every row of the model matrix, shape (n_rows,).
        response_scale: scale of the model's response.
        scale: the scale of elpd_loo and of the pointwise arrays.
        pareto_k_warn: the threshold above which a row counts as influential.
        warnings: sentences for the reader.
        notes: those of them about rows that were scored again.
    """

    elpd_loo: float
    se_elpd_loo: float
    se_subsampling: float
    p_loo: float
    looic: float
    kpi_elpd_loo: float
    se_kpi_elpd_loo: float
    n_rows: int
    n_scored: int
    n_draws: int
    r_eff: float
    pareto_k: FloatArray
    elpd_pointwise: FloatArray
    p_loo_pointwise: FloatArray
    pit: FloatArray
    method: NDArray[np.str_]
    scored: NDArray[np.int64]
    all_rows: NDArray[np.int64]
    response_scale: ResponseScale
    pareto_k_warn: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    scale: Literal["model"] = "model"

    @property
    def k_counts(self) -> dict[str, int]:
        """Rows per Pareto-k band, and above the warning threshold."""
        bands = k_band(self.pareto_k)
        names = (*(name for name, _ in K_BANDS), "not_computed")
        counts = {name: int(np.count_nonzero(bands == name)) for name in names}
        return counts | {"above_warn": int(np.count_nonzero(self.pareto_k > self.pareto_k_warn))}


def psis_loo(
    draws: Draws,
    matrix: ModelMatrix,
    *,
    max_draws: int | None,
    seed: int,
    pareto_k_warn: float,
    r_eff: float | None = None,
    max_rows: int = MAX_ROWS,
    sampled_rows: int = SAMPLED_ROWS,
) -> LooResult:
    """Score every row by PSIS-LOO, or a simple random sample of rows when there are more than `max_rows`.

    Args:
        draws: the posterior.
        matrix: the model matrix; rows in blocks of at most 64 MiB of work, never draws × rows × terms.
        max_draws: use at most this many draws, evenly spaced over the chains; None for all.
        seed: seed of the sample of rows.
        pareto_k_warn: threshold for influential rows.
        r_eff: relative efficiency. By default the median over parameters of ESS(mean)/draws, at most 1: a row-wise ESS
            (as R's loo) would cost a Fourier transform per row to change only the length of the smoothed tail, and
            antithetic draws of the parameters do not make the ratios, which are not linear in them, antithetic.
        max_rows, sampled_rows: when and how many rows to sample.
    """
    joint = joint_draws(draws, max_draws)
    size = joint.noise_sd.size
    r_eff = _relative_efficiency(draws, size) if r_eff is None else r_eff
    scored = _scored_rows(len(matrix.response), max_rows, sampled_rows, seed)
    rows = _score(joint, matrix, scored, tail_length(size, r_eff))
    return _result(rows, matrix, scored, size, r_eff, pareto_k_warn)


def log_likelihood(joint: JointDraws, matrix: ModelMatrix, rows: NDArray[np.int64]) -> FloatArray:
    """Gaussian log density of the given rows under each draw, shape (rows, draws), model scale.

    That of a hierarchical model is given the groups' deviations.
    """
    return _log_density(standardised(joint, matrix, rows), joint.noise_sd)


def standardised(joint: JointDraws, matrix: ModelMatrix, rows: NDArray[np.int64]) -> FloatArray:
    """(y − μ)/σ of the given rows under each draw, shape (rows, draws), model scale."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw with noise_sd 0 gives NaN, which the gate reports
        z = (matrix.response[rows, np.newaxis] - predictor(joint, matrix, rows)) / joint.noise_sd
    return np.asarray(z, dtype=np.float64)


def _log_density(z: FloatArray, noise_sd: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-0.5 * z * z - np.log(noise_sd) - 0.5 * np.log(2 * np.pi), dtype=np.float64)


@dataclass(frozen=True)
class RowScores:
    """Scores of some rows, arrays of shape (rows,): as the attributes of `LooResult` with the same names."""

    elpd: FloatArray
    p_loo: FloatArray
    pareto_k: FloatArray
    pit: FloatArray
    method: NDArray[np.str_]


def _score(joint: JointDraws, matrix: ModelMatrix, scored: NDArray[np.int64], tail: int) -> RowScores:
    """Scores of the given rows by PSIS. With the normalised weights w of a row, PIT = Σ w Φ((y − μ)/σ): the predictive
    distribution function of each draw itself, without simulating from it."""
    from scipy.special import ndtr

    parts = []
    draws = joint.noise_sd.size
    size = _block_rows(draws, tail)
    for start in range(0, len(scored), size):
        rows = scored[start : start + size]
        z = standardised(joint, matrix, rows)
        density = _log_density(z, joint.noise_sd)
        weights, k = psis(-density, tail)
        elpd = logsumexp(weights + density)
        pit = np.clip(np.einsum("rs,rs->r", np.exp(weights), ndtr(z)), 0.0, 1.0)
        parts.append(np.stack([elpd, logsumexp(density) - np.log(draws) - elpd, k, pit]))
    elpd, p_loo, k, pit = np.concatenate(parts, axis=1) if parts else np.empty((4, 0))
    return RowScores(elpd, p_loo, k, pit, np.full(len(scored), PSIS, dtype="<U12"))


def rescored(
    result: LooResult, matrix: ModelMatrix, positions: NDArray[np.int64], scores: RowScores, note: str = ""
) -> LooResult:
    """The result with better scores for some rows.

    Args:
        result: of `psis_loo`, or already rescored.
        matrix: the model matrix that it is of.
        positions: which scored rows, as positions in `result.scored`.
        scores: theirs.
        note: a sentence for the reader.
    """

    def merged[T: np.generic](old: NDArray[T], new: NDArray[T]) -> NDArray[T]:
        copy = old.copy()
        copy[positions] = new
        return copy

    rows = RowScores(
        merged(result.elpd_pointwise, scores.elpd),
        merged(result.p_loo_pointwise, scores.p_loo),
        merged(result.pareto_k, scores.pareto_k),
        merged(result.pit, scores.pit),
        merged(result.method, scores.method),
    )
    notes = (*result.notes, *((note,) if note else ()))
    made = _result(rows, matrix, result.scored, result.n_draws, result.r_eff, result.pareto_k_warn)
    return replace(made, notes=notes, warnings=(*made.warnings, *notes))


def _block_rows(n_draws: int, tail: int) -> int:
    """Rows per block: about eight arrays of draws and two of tail × grid are alive at once."""
    per_row = 8 * (8 * n_draws + 2 * tail * (30 + int(np.sqrt(tail))))
    return max(1, _BLOCK_BYTES // per_row)


def _scored_rows(n_rows: int, max_rows: int, sampled_rows: int, seed: int) -> NDArray[np.int64]:
    if n_rows <= max_rows:
        return np.arange(n_rows, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(n_rows, size=sampled_rows, replace=False)).astype(np.int64)


def _relative_efficiency(draws: Draws, n_draws: int) -> float:
    """ESS per draw used; thinning drops redundant draws first, so the kept ones share the full ESS, up to 1 each."""
    sizes = ess_mean(draws)
    sizes = sizes[np.isfinite(sizes)]
    return min(1.0, float(np.median(sizes)) / n_draws) if sizes.size else 1.0


def _result(
    scores: RowScores,
    matrix: ModelMatrix,
    scored: NDArray[np.int64],
    n_draws: int,
    r_eff: float,
    pareto_k_warn: float,
) -> LooResult:
    n_rows, elpd = len(matrix.response), scores.elpd
    log_kpi = matrix.response if matrix.response_scale == "log" else np.zeros(n_rows)
    total, se_sub = _total(elpd, n_rows), _subsampling_error(elpd, n_rows)
    return LooResult(
        elpd_loo=total,
        se_elpd_loo=_standard_error(elpd, n_rows, se_sub),
        se_subsampling=se_sub,
        p_loo=_total(scores.p_loo, n_rows),
        looic=-2 * total,
        kpi_elpd_loo=total - float(log_kpi.sum()),
        # The Jacobian is known for every row, so sampling rows adds no error to it.
        se_kpi_elpd_loo=_standard_error(elpd - log_kpi[scored], n_rows, se_sub),
        n_rows=n_rows,
        n_scored=len(scored),
        n_draws=n_draws,
        r_eff=r_eff,
        pareto_k=scores.pareto_k,
        elpd_pointwise=elpd,
        p_loo_pointwise=scores.p_loo,
        pit=scores.pit,
        method=scores.method,
        scored=scored,
        all_rows=np.asarray(matrix.rows, dtype=np.int64),
        response_scale=matrix.response_scale,
        pareto_k_warn=pareto_k_warn,
        warnings=_warnings(scores.pareto_k, n_rows, n_draws, pareto_k_warn),
    )


def _total(values: FloatArray, n_rows: int) -> float:
    """Sum over all rows, estimated from the scored ones."""
    return float(values.sum() if len(values) == n_rows else n_rows * values.mean())


def _subsampling_error(values: FloatArray, n_rows: int) -> float:
    """Standard error of N·mean for a simple random sample without replacement (Cochran, 1977, theorem 2.2)."""
    n = len(values)
    return n_rows * _sd(values) * float(np.sqrt((1 - n / n_rows) / n)) if n < n_rows else 0.0


def _standard_error(values: FloatArray, n_rows: int, subsampling: float) -> float:
    """Standard error of a sum of N independent terms, plus that of scoring a sample (Magnusson et al., 2019)."""
    return float(np.hypot(np.sqrt(n_rows) * _sd(values), subsampling))


def _sd(values: FloatArray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _warnings(k: FloatArray, n_rows: int, n_draws: int, pareto_k_warn: float) -> tuple[str, ...]:
    texts = []
    if len(k) < n_rows:
        texts.append(
            f"Estimated from a random sample of {len(k):,} of {n_rows:,} rows; the standard error includes it."
        )
    above = int(np.count_nonzero(k > pareto_k_warn))
    if above:
        texts.append(f"{above:,} of {len(k):,} scored rows have an unreliable estimate (Pareto k > {pareto_k_warn:g}).")
    missing = int(np.count_nonzero(np.isnan(k)))
    if missing:
        texts.append(f"{missing:,} rows have a log likelihood that is not finite, so the sums are NaN.")
    # Vehtari et al. (2024), section 3.2.4: with few draws the estimate breaks down at a smaller k.
    reliable = 1 - 1 / np.log10(n_draws) if n_draws > 10 else 0.0
    if reliable < min(pareto_k_warn, 0.7):
        texts.append(f"With {n_draws:,} draws Pareto k above {reliable:.2f} is unreliable already; use more draws.")
    return tuple(texts)


def k_band(pareto_k: FloatArray) -> NDArray[np.str_]:
    """Name of the band of each k: good ≤ 0.5 < ok ≤ 0.7 < bad ≤ 1 < very_bad; `not_computed` for NaN."""
    names = np.array([name for name, _ in K_BANDS])
    position = np.searchsorted([limit for _, limit in K_BANDS], np.nan_to_num(pareto_k, nan=0.0, posinf=np.inf))
    return np.where(np.isnan(pareto_k), "not_computed", names[position])
