"""What the model would predict for the rows it was fitted to: new observations, noise included.

    y_rep = μ + σ·z,  z ~ normal(0, 1), one per draw and row; on the KPI scale of a log response exp(y_rep)

Quantiles survive exp, so both scales rank rows alike. A point estimate has no draws to predict from, and no interval.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictor import draws_for, predictor_blocks
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import observed_to_kpi

PREDICTED = {"q025": 0.025, "q05": 0.05, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q95": 0.95, "q975": 0.975}
COVERAGE = "coverage_95"
# One stream of noise for all fits: a table must not depend on when it was made.
_STREAM = 20


def predictive_table(draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame) -> pd.DataFrame:
    """Posterior predictive quantiles by row, on the KPI scale.

    Args:
        draws: the posterior.
        matrix: the model.
        labels: columns that identify the rows of `matrix`, in its order.

    Returns:
        The labels, the observed KPI and the quantiles of `PREDICTED`; of a point estimate only the median is known.
    """
    joint = draws_for(draws, len(matrix.response))
    found = np.empty((len(PREDICTED), len(matrix.response)))
    for block, mean in predictor_blocks(joint, matrix):
        noise = np.random.default_rng([_STREAM, block.start]).standard_normal(mean.shape)
        new = mean if draws.is_point else mean + joint.noise_sd[:, np.newaxis] * noise
        found[:, block] = quantiles(new, list(PREDICTED.values()))
    if matrix.response_scale == "log":
        found = np.exp(found)
    observed = observed_to_kpi(matrix.response, matrix.response_scale)
    return labels.assign(observed=observed, **dict(zip(PREDICTED, found, strict=True)))


def coverage_rows(predictive: pd.DataFrame) -> pd.DataFrame:
    """Share of rows inside their central 95 % predictive interval, over all rows and by panel unit.

    Rows of the metric `coverage_95` as `fit_metrics` has them; one number, without quantiles over draws. Empty for a
    point estimate.
    """
    known = predictive[predictive["q025"].notna()]
    inside = known["observed"].between(known["q025"], known["q975"])
    parts = {"all": inside} if len(known) else {}
    if "group" in known:
        parts |= {str(name): inside[rows] for name, rows in known.groupby("group", sort=False).groups.items()}
    rows = [
        {"group": name, "metric": COVERAGE, "mean": part.mean(), "q05": np.nan, "q50": part.mean(), "q95": np.nan,
         "rows": len(part)}
        for name, part in parts.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)
