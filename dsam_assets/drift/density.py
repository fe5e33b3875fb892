"""How well two fits predict the rows that both modelled: the change of the log predictive density, row by row.

The density is PSIS-LOO's, on the KPI scale, so that a change of the response's scale does not look like a better fit.
Only rows with the same observed KPI count: of a revised response the two fits predict different things. The standard
error of the sum of differences d over n rows is √n · sd(d) (Vehtari, Gelman and Gabry, 2017, section 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from dsam_assets.drift.rows import RowMatch
    from dsam_assets.drift.snapshot import FitSnapshot

SAME_KPI = 1e-9
# Sums of differences below 4 are small whatever their standard error says (Sivula and others, 2020).
SMALL = 4.0
NAN = float("nan")


@dataclass(frozen=True)
class DensityChange:
    """ELPD of the rows that both fits scored, in nats on the KPI scale.

    Attributes:
        rows: how many.
        previous, now: sum over them under each fit.
        change: now − previous; negative when the new fit predicts them worse.
        se: its standard error.
        reason: why there is none; empty otherwise.
        applies: false when no fit of this kind has one (a point estimate).
    """

    rows: int = 0
    previous: float = NAN
    now: float = NAN
    change: float = NAN
    se: float = NAN
    reason: str = ""
    applies: bool = True

    @property
    def loss(self) -> float:
        """By how many standard errors the density fell beyond what is small whatever its error; 0 when it did not."""
        beyond = max(-self.change - SMALL, 0.0)
        return 0.0 if beyond == 0 else beyond / self.se if self.se > 0 else float("inf")


def density_change(previous: FitSnapshot, now: FitSnapshot, match: RowMatch) -> DensityChange:
    """Compare the two fits on the rows that both scored."""
    if previous.draws.is_point or now.draws.is_point:
        return DensityChange(reason="PSIS-LOO needs draws, and one of the fits is a point", applies=False)
    for name, fit in (("previous", previous), ("new", now)):
        if "loo_pointwise" not in fit.tables:
            return DensityChange(
                reason=f"the {name} fit has no PSIS-LOO: {fit.tables['loo_summary'].iloc[0]['reason']}"
            )
    new, old = _scored(now), _scored(previous)
    new.index = pd.Index(match.before(new.index.to_numpy()))
    both = new[new.index >= 0].join(old, how="inner", rsuffix="_previous")
    same = np.isclose(both["kpi"], both["kpi_previous"], rtol=SAME_KPI, atol=0)
    kept = both[same & np.isfinite(both["elpd"]) & np.isfinite(both["elpd_previous"])]
    if len(kept) < 2:
        return DensityChange(reason="fewer than two rows have the same KPI in both fits")
    differences = (kept["elpd"] - kept["elpd_previous"]).to_numpy(dtype=np.float64)
    return DensityChange(
        len(kept), float(kept["elpd_previous"].sum()), float(kept["elpd"].sum()), float(differences.sum()),
        float(np.sqrt(len(kept)) * differences.std(ddof=1)),
    )  # fmt: skip


def _scored(fit: FitSnapshot) -> pd.DataFrame:
    """Density and observed KPI of each scored row, by its position in the data."""
    points = fit.tables["loo_pointwise"]
    kpi = pd.Series(fit.observed_kpi, index=fit.matrix.rows).reindex(points["row"]).to_numpy()
    jacobian = np.log(kpi) if fit.matrix.response_scale == "log" else 0.0
    return pd.DataFrame({"elpd": points["elpd_loo"].to_numpy() - jacobian, "kpi": kpi}, index=points["row"].to_numpy())
