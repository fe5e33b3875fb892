"""The tables of time-series selection: `tscv_status`, `tscv_folds`, `tscv_summary` and `tscv_pointwise`.

Errors and coverage are over rows, so that a fold with more rows weighs more. Log predictive densities are sums. Their
standard error treats rows as independent; rows of one block share a fit and their weeks, so it is a lower limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from dsam_assets.scales import FloatArray, ResponseScale
from dsam_assets.selection.holdout_scores import RowScores
from dsam_assets.selection.time_folds import Fold, FoldKeys, FoldPlan

RELIABLE_K = 0.7
_SCORES = (
    "elpd", "se_elpd", "kpi_elpd", "se_kpi_elpd", "rmse", "smape", "rmse_kpi", "smape_kpi", "coverage_90",
    "max_pareto_k",
)  # fmt: skip
_SETTINGS = ("horizon_weeks", "stride_weeks", "min_train_weeks")
_COUNTS = ("folds_requested", "folds_possible", "folds_scored", "folds_not_converged", "n_rows")
SUMMARY_DTYPES: dict[str, str] = {
    **dict.fromkeys(("status", "reason", "method", "response_scale"), "object"),
    **dict.fromkeys((*_SETTINGS, *_COUNTS), "Int64"),
    **dict.fromkeys(("holdout_start", "holdout_end"), "datetime64[ns]"),
    **dict.fromkeys(_SCORES, "float64"),
    "notes": "object",
}


class SelectionKeys(FoldKeys, Protocol):
    """What is read of `diagnostics.time_series_selection`."""

    @property
    def enabled(self) -> bool: ...
    @property
    def method(self) -> str: ...


@dataclass(frozen=True)
class Convergence:
    """Whether a fold's chains agree; `message` says what does not."""

    converged: bool
    max_rhat: float | None
    min_ess_bulk: float | None
    divergences: int
    message: str = ""


@dataclass(frozen=True)
class FoldOutcome:
    """What became of one fold; without scores, `message` says why.

    Attributes:
        train_rows: rows that were fitted.
        left_out, new_groups: see `fold_models.FoldModel`.
    """

    fold: Fold
    train_rows: int
    scores: RowScores | None = None
    convergence: Convergence | None = None
    left_out: tuple[str, ...] = ()
    new_groups: tuple[str, ...] = ()
    response_scale: ResponseScale = "identity"
    message: str = ""

    @property
    def status(self) -> str:
        """`ok`, `not_converged` (scored all the same) or `error`."""
        if self.scores is None or self.convergence is None:
            return "error"
        return "ok" if self.convergence.converged else "not_converged"


def status_table(section: SelectionKeys) -> pd.DataFrame:
    """Whether it was asked for."""
    return pd.DataFrame({"enabled": [section.enabled], "method": [section.method], "folds": [section.n_folds]})


def skipped_table(section: SelectionKeys, reason: str) -> pd.DataFrame:
    """The row of `tscv_summary` when nothing was refitted: same columns, no scores, the reason."""
    row = {
        "status": "skipped",
        "reason": reason,
        "folds_possible": 0,
        "folds_scored": 0,
        "notes": "",
        **_facts(section),
    }
    return pd.DataFrame([row], columns=list(SUMMARY_DTYPES)).astype(SUMMARY_DTYPES)


def _facts(section: SelectionKeys) -> dict[str, Any]:
    settings = {name: getattr(section, name) for name in _SETTINGS}
    return {"method": section.method, "folds_requested": section.n_folds, **settings}


def summary_table(
    outcomes: Sequence[FoldOutcome], plan: FoldPlan, section: SelectionKeys, notes: Iterable[str] = ()
) -> pd.DataFrame:
    """One row over all folds that were scored."""
    scored = [outcome for outcome in outcomes if outcome.scores is not None]
    failed = len(outcomes) - len(scored)
    reasons = [plan.reason, f"{failed} of {len(outcomes)} folds could not be fitted." if failed else ""]
    statuses = [outcome.status for outcome in outcomes]
    row = {
        "status": "error" if not scored else "partial" if any(reasons) else "ok",
        "reason": " ".join(reason for reason in reasons if reason),
        "response_scale": scored[0].response_scale if scored else None,
        "folds_possible": len(plan.folds),
        "folds_scored": len(scored),
        "folds_not_converged": statuses.count("not_converged"),
        "n_rows": sum(outcome.fold.holdout.size for outcome in scored),
        "holdout_start": min((outcome.fold.holdout_start for outcome in scored), default=pd.NaT),
        "holdout_end": max((outcome.fold.holdout_end for outcome in scored), default=pd.NaT),
        **_facts(section),
        **_pooled_scores([outcome.scores for outcome in scored if outcome.scores is not None]),
        "notes": " ".join([*_fold_notes(scored), *notes]),
    }
    return pd.DataFrame([row], columns=list(SUMMARY_DTYPES)).astype(SUMMARY_DTYPES)


def _fold_notes(scored: Sequence[FoldOutcome]) -> list[str]:
    worse = [outcome for outcome in scored if outcome.status == "not_converged"]
    left_out = dict.fromkeys(term for outcome in scored for term in outcome.left_out)
    new = dict.fromkeys(group for outcome in scored for group in outcome.new_groups)
    weak = [outcome for outcome in scored if _largest([outcome.scores]) > RELIABLE_K]
    texts = {
        f"Folds that did not converge: {_numbers(worse)}.": worse,
        f"Left out of some fold, constant in its training rows: {', '.join(left_out)}.": left_out,
        f"Predicted as a new group in some fold: {', '.join(new)}.": new,
        f"Pareto k above {RELIABLE_K} in folds {_numbers(weak)}: weeks late in the block rest on few draws; shorten "
        "horizon_weeks.": weak,
    }
    return [text for text, found in texts.items() if found]


def _numbers(outcomes: Iterable[FoldOutcome]) -> str:
    return ", ".join(str(outcome.fold.number) for outcome in outcomes)


def folds_table(outcomes: Sequence[FoldOutcome]) -> pd.DataFrame:
    """One row per fold that the data allow, earliest first."""
    counts = dict.fromkeys(("train_weeks", "train_rows", "holdout_rows", "divergences"), "Int64")
    return pd.DataFrame([_fold_row(outcome) for outcome in outcomes]).astype(counts)


def _fold_row(outcome: FoldOutcome) -> dict[str, Any]:
    fold, found = outcome.fold, outcome.convergence
    return {
        "fold": fold.number,
        "train_start": fold.train_start,
        "train_end": fold.train_end,
        "train_weeks": fold.train_weeks,
        "train_rows": outcome.train_rows,
        "holdout_start": fold.holdout_start,
        "holdout_end": fold.holdout_end,
        "holdout_rows": fold.holdout.size,
        "status": outcome.status,
        "message": outcome.message or (found.message if found else ""),
        "left_out": ", ".join(outcome.left_out),
        "new_groups": ", ".join(outcome.new_groups),
        **_pooled_scores([] if outcome.scores is None else [outcome.scores]),
        "max_rhat": _number(found.max_rhat if found else None),
        "min_ess_bulk": _number(found.min_ess_bulk if found else None),
        "divergences": found.divergences if found else None,
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def pointwise_table(outcomes: Sequence[FoldOutcome], labels: pd.DataFrame) -> pd.DataFrame:
    """One row per held-out row of a scored fold, the nearest week first."""
    parts = [
        labels.iloc[outcome.fold.holdout]
        .reset_index(drop=True)
        .assign(
            fold=outcome.fold.number,
            weeks_ahead=outcome.fold.weeks_ahead,
            **{name: getattr(outcome.scores, name) for name in _ROW_SCORES},
        )
        for outcome in outcomes
        if outcome.scores is not None
    ]
    table = pd.concat(parts, ignore_index=True)
    first = [*labels.columns]
    return table[["fold", *first, "weeks_ahead", *_ROW_SCORES]]


_ROW_SCORES = (
    "observed", "predicted", "observed_kpi", "predicted_kpi", "elpd", "kpi_elpd", "pit", "covered", "pareto_k",
)  # fmt: skip


def _pooled_scores(parts: Sequence[RowScores]) -> dict[str, float]:
    """Scores over the rows of all parts; NaN without any."""
    if not parts:
        return dict.fromkeys(_SCORES, float("nan"))
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ROW_SCORES}
    return {
        "elpd": float(joined["elpd"].sum()),
        "se_elpd": _se_of_sum(joined["elpd"]),
        "kpi_elpd": float(joined["kpi_elpd"].sum()),
        "se_kpi_elpd": _se_of_sum(joined["kpi_elpd"]),
        "rmse": _rmse(joined["observed"], joined["predicted"]),
        "smape": _smape(joined["observed"], joined["predicted"]),
        "rmse_kpi": _rmse(joined["observed_kpi"], joined["predicted_kpi"]),
        "smape_kpi": _smape(joined["observed_kpi"], joined["predicted_kpi"]),
        "coverage_90": float(joined["covered"].mean()),
        "max_pareto_k": _largest(parts),
    }


def _largest(parts: Iterable[RowScores | None]) -> float:
    """Largest Pareto k; NaN when nothing was weighed."""
    found = np.concatenate([part.pareto_k for part in parts if part is not None])
    found = found[~np.isnan(found)]
    return float(found.max()) if found.size else float("nan")


def _se_of_sum(values: FloatArray) -> float:
    return float(np.sqrt(values.size) * values.std(ddof=1)) if values.size > 1 else float("nan")


def _rmse(observed: FloatArray, predicted: FloatArray) -> float:
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean((observed - predicted) ** 2)))


def _smape(observed: FloatArray, predicted: FloatArray) -> float:
    """Mean of 2|y − f| / (|y| + |f|); 0 where both are 0, 2 where f is infinite."""
    size = np.abs(observed) + np.abs(predicted)
    share = np.where(np.isinf(size), 2.0, 0.0)
    np.divide(2 * np.abs(observed - predicted), size, out=share, where=(size > 0) & np.isfinite(size))
    return float(share.mean())


def tscv_facts(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Key numbers of the stored tables."""
    facts: dict[str, Any] = {"enabled": bool(tables["tscv_status"]["enabled"].item())}
    if not facts["enabled"]:
        return facts
    row = tables["tscv_summary"].iloc[0]
    counts = {name: _whole(row[name]) for name in ("folds_requested", "folds_scored", "folds_not_converged")}
    reason = "" if pd.isna(row["reason"]) else str(row["reason"])
    numbers = {name: float(row[name]) for name in ("elpd", "rmse_kpi") if pd.notna(row[name])}
    return {**facts, "status": str(row["status"]), "reason": reason, **counts, **numbers}


def _whole(value: Any) -> int:
    return 0 if pd.isna(value) else int(value)
