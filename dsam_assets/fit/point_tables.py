"""Tables of an optimisation: every start, and the best one's parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dsam_assets.fit.point_model import PointModel
from dsam_assets.fit.point_shape import standard_deviations
from dsam_assets.fit.point_starts import End, Start

PREFIX = "estimate_"  # a parameter may be called `seed`
NOT_ASKED = "fit.optimise.hessian is false"
NOT_CURVED = "the log posterior does not curve downwards here"
ON_BOUND = "on its {} bound"
PARTS_ON_BOUND = "all its parts are on their bounds"


def runs_table(starts: Sequence[Start], best: Start, *, as_vector: bool) -> pd.DataFrame:
    """Every start, failed ones with their message and without numbers.

    Columns: `run` (from 1), `seed`, `converged`, `message`, `iterations`, `log_posterior` (comparable between these
    starts only), `log_posterior_gap` (what another Newton step would gain), `rmse` (model scale, data units),
    `is_best`; then the estimates in data units: with `as_vector` one column `estimate_<parameter>` each, else one row
    per start and parameter with the columns `parameter` and `estimate`.
    """
    names = next(tuple(start.end.estimates) for start in starts if start.end is not None)
    rows = []
    for start in starts:
        facts = _facts(start) | {"is_best": start.run == best.run}
        estimates = dict.fromkeys(names, np.nan) if start.end is None else start.end.estimates
        if as_vector:
            rows.append(facts | {PREFIX + name: value for name, value in estimates.items()})
        else:
            rows += [facts | {"parameter": name, "estimate": value} for name, value in estimates.items()]
    return pd.DataFrame(rows).astype({"iterations": "Int64"})


def _facts(start: Start) -> dict[str, object]:
    end = start.end
    return {
        "run": start.run,
        "seed": start.seed,
        "converged": end is not None and end.converged,
        "message": start.message,
        "iterations": None if end is None else end.iterations,
        "log_posterior": np.nan if end is None else end.log_posterior,
        "log_posterior_gap": np.nan if end is None else end.shape.gap,
        "rmse": np.nan if end is None else end.rmse,
    }


def best_table(model: PointModel, end: End, *, hessian: bool) -> pd.DataFrame:
    """Every parameter at the best start.

    Columns: `parameter`, `estimate` (data units), `sd` (with `hessian`: from the inverse negative Hessian of the log
    posterior in these parameters, given that those on a bound stay there), `at_bound` (`none`, `lower` or `upper`) and
    `note` (why there is no sd).
    """
    bounds = dict(zip((row.name for row in model.posterior.parameters), end.shape.at_bound, strict=True))
    sds = standard_deviations(end.shape, model.slopes()) if hessian else dict.fromkeys(end.estimates, np.nan)
    rows = []
    for name, estimate in end.estimates.items():
        at_bound = bounds.get(name, "none")
        note = NOT_ASKED if not hessian else _note(at_bound, end) if np.isnan(sds[name]) else ""
        rows.append({"parameter": name, "estimate": estimate, "sd": sds[name], "at_bound": at_bound, "note": note})
    return pd.DataFrame(rows)


def _note(at_bound: str, end: End) -> str:
    if end.shape.covariance is None:
        return NOT_CURVED
    return PARTS_ON_BOUND if at_bound == "none" else ON_BOUND.format(at_bound)
