"""How often draws lie next to a finite boundary: whether the boundary, not the data, made the estimate.

A draw hits a boundary when it lies within `TOLERANCE` = 0.3 posterior standard deviations of it. The tolerance follows
the posterior, as boundaries at 0 have no scale of their own. For a normal posterior that the boundary cuts off, with m
the distance of the uncut mean from the boundary in uncut standard deviations, the share of hits is

    m      3     2     1.4   1     0.67  0     −1    −1.3  −2    −∞
    hits   0.2%  2.1%  5%    7.6%  10%   14%   19%   20%   22%   26%

so the page's 5 % says that the data hardly keep the coefficient from its boundary, 10 % that they put it next to it,
and 20 % that they put it beyond. (No fixed share of standard deviations can see more: the draws of a coefficient that
the data push against its boundary fall off like an exponential, and all exponentials look the same.)

The boundary at zero of a standard deviation (`noise_sd`, `sd_*`) is part of what it is, not a choice: it is shown,
marked `structural`, and not judged. Draws of `sd_*` next to zero say that the groups hardly differ, which is no defect.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dsam_assets.design.scaling import NOISE_SD
from dsam_assets.diagnostics.rows import row, worst_row
from dsam_assets.diagnostics.thresholds import THRESHOLDS, judge
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import GateResult, PolicyMode

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws

CHECK = "boundary_hit_fraction"
TOLERANCE = 0.3
COLUMNS = ("parameter", "side", "bound", "tolerance", "hit_frac", "structural", "status", "note")
_SIDES = ("lower", "upper")
_POINT = "a point estimate has no draws; optimisation_best says which parameters lie on a bound"


def boundary_hits(draws: Draws, prior_table: pd.DataFrame, mode: PolicyMode) -> pd.DataFrame:
    """Share of draws next to each finite boundary.

    Args:
        draws: the fit, in data units.
        prior_table: `parameter`, `lower` and `upper` in data units, as `design.priors.prior_table` makes it.
        mode: the policy that chooses the thresholds of `status`.

    Returns:
        One row per finite boundary: `parameter`, `side` (`lower`, `upper`), `bound` and `tolerance` in data units,
        `hit_frac` (NaN where there is none), `structural`, `status` (`skipped` where it is not judged), `note`.
    """
    samples, rows = draws.parameters, []
    for name, *bounds in prior_table[["parameter", *_SIDES]].itertuples(index=False):
        for side, bound in zip(_SIDES, bounds, strict=True):
            if not math.isfinite(bound):
                continue
            structural = side == "lower" and bound == 0 and (name == NOISE_SD or name in draws.group_sd)
            tolerance, share, note = _hits(samples[name].ravel(), bound, point=draws.is_point)
            skipped = structural or draws.is_point
            status = "skipped" if skipped else judge(share, THRESHOLDS[mode][CHECK])
            rows.append((name, side, bound, tolerance, share, structural, status, note))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"bound": "float64", "tolerance": "float64", "hit_frac": "float64", "structural": "bool"})


def _hits(sample: FloatArray, bound: float, *, point: bool) -> tuple[float, float, str]:
    """(tolerance, share of hits, why there is none) of the draws (S,) of one parameter."""
    if point:
        return math.nan, math.nan, _POINT
    if not np.isfinite(sample).all():
        return math.nan, math.nan, "draws are not finite"
    if sample.size < 2 or not np.ptp(sample) > 0:
        return math.nan, math.nan, "every draw is the same"
    tolerance = TOLERANCE * float(sample.std(ddof=1))
    return tolerance, float(np.mean(np.abs(sample - bound) <= tolerance)), ""


def boundary_gate(table: pd.DataFrame, mode: PolicyMode) -> GateResult:
    """p1: largest share of draws next to a boundary that somebody chose; `skipped` where there is none.

    Args:
        table: as `boundary_hits` makes it, under the same `mode`.
        mode: the policy that chooses the thresholds.
    """
    chosen = table[~table["structural"].astype(bool)]
    if chosen.empty:
        return _skipped("no parameter has a finite boundary (that of a standard deviation at zero apart)")
    if (chosen["note"] == _POINT).all():
        return _skipped(_POINT)
    columns = (chosen[name] for name in ("parameter", "side", "bound"))
    parameter_of = {f"{name}, {side} bound {bound:g}": name for name, side, bound in zip(*columns, strict=True)}
    values = chosen["hit_frac"].to_numpy(dtype=np.float64)
    label = f"Largest share of draws within {TOLERANCE:g} posterior sd of a boundary"
    gate = worst_row(CHECK, label, values, list(parameter_of), list(chosen["note"]), mode)
    return replace(gate, subject=str(parameter_of.get(gate.subject, gate.subject)))


def _skipped(reason: str) -> GateResult:
    return row(CHECK, "skipped", None, "does not apply", "model", f"Does not apply: {reason}.")
