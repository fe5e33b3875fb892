"""What a comparison of runs comes to: the table, the decision matrix of the specification, and a recommendation.

The rules are those of the specification's page on comparing runs: a run that fails its diagnostics is not preferred for
its ELPD; among runs that ELPD cannot tell apart, diagnostics decide, then Pareto k, then the held-out error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dsam_assets.selection.compare import Ranking, RunEvidence, has_folds, high_k, rank_runs, same_folds, standard_error

CAVEAT = (
    "ELPD says how well a model predicts data like these; it does not show that its media effects are causal. Judge "
    "coefficients and fit plots before the choice is recorded."
)
_FACTS = (
    "market", "model_name", "model_type", "formula", "response", "response_scale", "status", "overall", "reliability",
    "converged", "waived",
)  # fmt: skip
_LOO = ("p_loo", "max_pareto_k", "n_k_gt_0_7")
_TSCV = ("status", "method", "folds_scored", "n_rows", "kpi_elpd", "rmse_kpi", "smape_kpi", "coverage_90")
FEWEST = 2
DTYPES = {
    **dict.fromkeys(("rank", "n_rows", "n_k_gt_0_7", "tscv_folds_scored", "tscv_n_rows"), "Int64"),
    **dict.fromkeys(("p_loo", "max_pareto_k"), "float64"),
    **dict.fromkeys(("tscv_kpi_elpd", "tscv_rmse_kpi", "tscv_smape_kpi", "tscv_coverage_90"), "float64"),
    "converged": "boolean",
}


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        table: `model_comparison`, one row per run, ranked ones first.
        matrix: the decision matrix: `criterion`, `weight`, and one column per run.
        ranking: the runs that could be ranked.
        recommended: label of the preferred run; empty when there is none.
        recommendation: why, in sentences.
        notes: what the reader must know.
    """

    table: pd.DataFrame
    matrix: pd.DataFrame
    ranking: Ranking
    recommended: str
    recommendation: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        shown = ["rank", "run", "kpi_elpd_loo", "elpd_diff", "se_diff", "n_k_gt_0_7", "overall", "reason"]
        parts = [self.table[shown].to_string(index=False, na_rep=""), self.recommendation, *self.notes]
        return "\n\n".join(part for part in parts if part)


def compare_evidence(runs: Sequence[RunEvidence], *, force: bool = False) -> Comparison:
    """Compare runs; raises `DataError` as `rank_runs`."""
    ranking = rank_runs(runs, force=force)
    others = [run for run in runs if run.unranked]
    ordered = [*ranking.runs, *others]
    recommended, why = recommend(ranking)
    rows = [_row(run, ranking, position, recommended) for position, run in enumerate(ordered)]
    table = pd.DataFrame(rows).astype(DTYPES)
    notes = (*ranking.notes, *_notes(ranking))
    return Comparison(table, decision_matrix(ordered, ranking), ranking, recommended, why, notes)


def _notes(ranking: Ranking) -> list[str]:
    several = [run for run in ranking.runs if has_folds(run)]
    notes = []
    if len(several) > 1 and not same_folds(several):
        notes.append("Time-series cross-validation used different folds, so its scores are not compared.")
    return [*notes, CAVEAT] if ranking.runs else notes


def _row(run: RunEvidence, ranking: Ranking, position: int, recommended: str) -> dict[str, Any]:
    ranked = not run.unranked
    total = float(ranking.pointwise[position].sum()) if ranked else math.nan
    difference, error = ranking.difference(run, ranking.runs[0]) if ranked and position else (0.0, 0.0)
    return {
        "rank": position + 1 if ranked else None,
        "run": run.run,
        "path": run.path,
        "recommended": run.run == recommended,
        "reason": run.unranked,
        **{name: run.facts.get(name) for name in _FACTS},
        "n_rows": ranking.pointwise.shape[1] if ranked else run.loo.get("n_rows"),
        "kpi_elpd_loo": total,
        "se_kpi_elpd_loo": standard_error(ranking.pointwise[position]) if ranked else math.nan,
        "elpd_diff": difference if ranked else math.nan,
        "se_diff": error if ranked else math.nan,
        **{name: run.loo.get(name) for name in _LOO},
        **{f"tscv_{name}": run.tscv.get(name) for name in _TSCV},
    }


def recommend(ranking: Ranking) -> tuple[str, str]:
    """The preferred run, if any, and why."""
    if len(ranking.runs) < FEWEST:
        return "", "Fewer than two runs can be ranked, so there is nothing to choose between."
    if not ranking.same_kpi:
        return "", "No run is recommended: the runs explain different values, so their ELPDs measure different things."
    sound = [run for run in ranking.runs if not run.fails]
    if not sound:
        return "", "No run can be recommended: every ranked run fails its diagnostics."
    leader = sound[0]
    passed_over = ranking.runs[: ranking.runs.index(leader)]
    rivals = [run for run in sound[1:] if not ranking.is_clear(leader, run)]
    chosen, decided_by = _tie_break([leader, *rivals])
    texts = [
        *(f"{run.run} has a higher ELPD, but fails its diagnostics, so it is not preferred." for run in passed_over),
        _lead(ranking, leader, sound),
        _decision(chosen, decided_by, rivals),
        _reliability(chosen),
    ]
    return chosen.run, " ".join(text for text in texts if text)


def _lead(ranking: Ranking, leader: RunEvidence, sound: Sequence[RunEvidence]) -> str:
    if len(sound) == 1:
        return f"{leader.run} is the only ranked run that does not fail its diagnostics."
    texts = []
    for run in sound[1:]:
        size, error = ranking.difference(leader, run)
        word = "clearly better than" if ranking.is_clear(leader, run) else "not clearly different from"
        texts.append(f"{word} {run.run} (ELPD difference {size:.1f}, standard error {error:.1f})")
    return f"{leader.run} is {'; '.join(texts)}."


def _tie_break(runs: Sequence[RunEvidence]) -> tuple[RunEvidence, str]:
    """The first criterion that tells some of the runs apart decides between those that are left."""
    left = list(runs)
    criteria: list[tuple[str, Callable[[RunEvidence], float]]] = [
        ("its diagnostics are better", lambda run: float(run.facts["overall"] != "pass") + bool(run.waived)),
        ("fewer of its rows have a high Pareto k", lambda run: float(high_k(run))),
    ]
    if same_folds(runs):
        criteria.append(("its held-out error is smaller", lambda run: float(run.tscv["rmse_kpi"])))
    for reason, cost in criteria:
        least = min(cost(run) for run in left)
        best = [run for run in left if cost(run) == least]
        if len(best) < len(left):
            return best[0], reason
    return left[0], ""


def _decision(chosen: RunEvidence, decided_by: str, rivals: Sequence[RunEvidence]) -> str:
    if not rivals:
        return f"{chosen.run} is recommended."
    if decided_by:
        return f"{chosen.run} is recommended because {decided_by}."
    return f"Nothing here decides between them; {chosen.run} has the highest ELPD. Prefer the more plausible one."


def _reliability(run: RunEvidence) -> str:
    waived = f"{run.run} does not fail only because of waivers: {run.waived}." if run.waived else ""
    count = high_k(run)
    if not count:
        return waived
    rows = f"{count:,} {'row has' if count == 1 else 'rows have'} a Pareto k above 0.7"
    approximate = f"In {run.run} {rows}, so its ELPD is approximate; time-series cross-validation does not rest on it."
    return f"{approximate} {waived}".rstrip()


def decision_matrix(runs: Sequence[RunEvidence], ranking: Ranking) -> pd.DataFrame:
    """The specification's decision matrix, one column per run."""
    rows: list[tuple[str, str, Callable[[RunEvidence], str]]] = [
        ("ELPD (higher is better)", "high", lambda run: _elpd_text(run, ranking)),
        ("Pareto-k reliability", "high", _k_text),
        ("Diagnostics overall status", "high", _status_text),
        ("TSCV holdout RMSE (KPI units)", "medium", _tscv_text),
        ("Coefficient plausibility", "medium", lambda run: "judgement"),
        ("Fit visual quality", "low", lambda run: "judgement"),
    ]
    columns = {run.run: [text(run) for _, _, text in rows] for run in runs}
    return pd.DataFrame({"criterion": [row[0] for row in rows], "weight": [row[1] for row in rows], **columns})


def _elpd_text(run: RunEvidence, ranking: Ranking) -> str:
    if run.unranked:
        return "not ranked"
    position = [each.run for each in ranking.runs].index(run.run)
    total = ranking.pointwise[position].sum()
    if position == 0:
        return f"{total:,.1f}"
    size, error = ranking.difference(run, ranking.runs[0])
    return f"{total:,.1f} ({size:+.1f} ± {error:.1f})"


def _k_text(run: RunEvidence) -> str:
    if run.loo.get("status") != "ok":
        return "not computed"
    return f"{high_k(run):,} of {run.loo['n_scored']:,} > 0.7"


def _status_text(run: RunEvidence) -> str:
    waived = ", waived" if run.waived else ""
    return f"{run.facts.get('overall') or 'not known'} ({run.facts.get('reliability') or 'not known'}{waived})"


def _tscv_text(run: RunEvidence) -> str:
    if has_folds(run):
        return f"{run.tscv['rmse_kpi']:,.4g}" if run.tscv["rmse_kpi"] < 1e4 else f"{run.tscv['rmse_kpi']:,.0f}"
    return str(run.tscv.get("status", "not run"))
