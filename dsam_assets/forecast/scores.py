"""How well a forecast did, where the KPI of its weeks is known by now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from dsam_assets.design.groups import GroupTerm
from dsam_assets.fit.predictor import JointDraws
from dsam_assets.fit.spread import has_spread
from dsam_assets.forecast.future_rows import FutureRows
from dsam_assets.forecast.joined import IntArray
from dsam_assets.forecast.predictive import LEVELS
from dsam_assets.forecast.timeline import ALL
from dsam_assets.scales import FloatArray
from dsam_assets.selection.fold_models import take_rows
from dsam_assets.selection.holdout_scores import RowScores, score_rows


def score_table(joint: JointDraws, rows: FutureRows, predicted: FloatArray) -> pd.DataFrame | None:
    """Coverage, error and log predictive density over all rows with a known KPI and by panel unit; `None` without any.

    A row is covered at 90 % when its predictive probability of a smaller value lies between 5 % and 95 %, which needs
    no simulated noise. Of a point estimate only errors are known.

    Args:
        joint: draws for the groups of the rows.
        rows: the rows that were forecast.
        predicted: mean of what was expected of them, KPI scale, shape (N,).
    """
    known = np.flatnonzero(np.isfinite(rows.matrix.response))
    if not known.size:
        return None
    matrix = take_rows(rows.matrix, known, tuple(_cut(group, known) for group in rows.matrix.groups))
    scores = score_rows(joint, matrix, np.zeros(known.size, dtype=np.intp), "blocked_cv")
    certain = not has_spread(joint.noise_sd.size)
    error = scores.observed_kpi - predicted[known]
    return pd.DataFrame([_row(label, scores, error, chosen, certain) for label, chosen in _parts(rows, known)])


def _cut(group: GroupTerm, known: IntArray) -> GroupTerm:
    return replace(group, values=group.values[known], codes=group.codes[known])


def _parts(rows: FutureRows, known: IntArray) -> Iterator[tuple[str, IntArray]]:
    if rows.matrix.groups:
        for code, label in enumerate(rows.units):
            chosen = np.flatnonzero(rows.unit[known] == code)
            if chosen.size:
                yield label, chosen
    yield ALL, np.arange(known.size)


def _row(label: str, scores: RowScores, errors: FloatArray, chosen: IntArray, certain: bool) -> dict[str, object]:
    pit, error, observed, nothing = scores.pit[chosen], errors[chosen], scores.observed_kpi[chosen], float("nan")
    covered = {
        f"coverage_{level}": nothing if certain else float(np.mean(np.abs(pit - 0.5) <= level / 200))
        for level in LEVELS
    }
    return {
        "group": label,
        "rows": int(chosen.size),
        **covered,
        "mean_error": float(error.mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "smape": _smape(observed, observed - error),
        "elpd": nothing if certain else float(scores.elpd[chosen].sum()),
        "kpi_elpd": nothing if certain else float(scores.kpi_elpd[chosen].sum()),
    }


def _smape(observed: FloatArray, predicted: FloatArray) -> float:
    size = np.abs(observed) + np.abs(predicted)
    return float(np.divide(2 * np.abs(observed - predicted), size, out=np.zeros_like(size), where=size > 0).mean())
