"""Comparing runs: which model predicts the same rows best, and how sure that is.

Runs are ranked by the expected log predictive density of their KPI (PSIS-LOO, with the Jacobian of a log response, so
that log and identity models compare). The standard error of a difference is that of the paired rows, √n · sd of the
differences (Vehtari, Gelman and Gabry, 2017, section 5): models that err in the same weeks differ less than their own
standard errors suggest. That needs the same rows and the same observed KPI; anything else is refused, unless the caller
insists, and then only shared rows count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.errors import DataError
from dsam_assets.scales import FloatArray

SAME_KPI = 1e-9  # relative; a log response comes back from its logarithm
# Differences below 4 are small whatever their standard error says (Sivula, Magnusson, Matamoros and Vehtari, 2020).
SMALL, CLEAR = 4.0, 2.0
RELIABLE_K = 0.7
FORCE = "--force-different-data"


@dataclass(frozen=True)
class RunEvidence:
    """What one run folder says about its model.

    Attributes:
        run: its label; unique within a comparison.
        path: the folder.
        facts: market, model_name, status, overall, reliability, converged, waived, data_sha256, model_type, formula,
            response, response_scale; what is not known is missing. `overall` is of the day of the comparison: a run
            whose waivers have expired fails.
        loo: the row of `loo_summary`; empty when there is none.
        rows: row, date and group as far as known, `kpi_elpd` and `observed_kpi` (NaN when not known) of each scored
            row, and `pareto_k`; `None` when there is no pointwise table.
        tscv: the row of `tscv_summary`; empty when it was not asked for.
        gap: why the rows, or anything, could not be read, if so.
    """

    run: str
    path: str
    facts: Mapping[str, Any]
    loo: Mapping[str, Any] = field(default_factory=dict)
    rows: pd.DataFrame | None = None
    tscv: Mapping[str, Any] = field(default_factory=dict)
    gap: str = ""

    @property
    def unranked(self) -> str:
        """Why the run cannot be ranked; empty when it can."""
        if not self.loo:
            return self.gap or "loo_summary.csv is missing; set outputs.save_model_selection_csv: true"
        if self.loo["status"] != "ok":
            return f"PSIS-LOO was skipped: {self.loo['reason']}"
        if self.loo["n_scored"] < self.loo["n_rows"]:
            return f"PSIS-LOO scored a sample of {self.loo['n_scored']:,} of {self.loo['n_rows']:,} rows"
        if self.rows is None:
            return self.gap
        missing = int((~np.isfinite(self.rows["kpi_elpd"])).sum())
        return f"PSIS-LOO could not be computed for {missing:,} rows" if missing else ""

    @property
    def fails(self) -> bool:
        """Whether its diagnostics forbid to prefer it, whatever its ELPD. A waiver lets a decision go on; it does not
        make the density of draws that have not converged worth comparing."""
        unconverged = bool(self.waived) and self.facts.get("converged") is False
        known = self.facts.get("overall") in ("pass", "warn")
        return not known or self.facts.get("reliability") == "blocked" or unconverged

    @property
    def waived(self) -> str:
        """The failures that were waived when it was made, on one line; empty when there are none."""
        return str(self.facts.get("waived") or "")


def scored_rows(points: pd.DataFrame, observed: pd.DataFrame | None, *, log: bool) -> pd.DataFrame:
    """The rows of `RunEvidence`: `loo_pointwise` and `observed` brought together on the KPI scale.

    Args:
        points: `loo_pointwise`: row, date and group as far as known, elpd_loo, pareto_k.
        observed: `observed`: row and observed response on the model scale; needed for a log response.
        log: whether the response is modelled on the log scale.
    """
    values = np.full(len(points), np.nan)
    if observed is not None:
        values = points["row"].map(observed.set_index("row")["observed"]).to_numpy(dtype=float)
    keys = [name for name in ("row", "date", "group") if name in points]
    return points[[*keys, "pareto_k"]].assign(
        # the density of y = log(kpi) becomes that of kpi by the factor 1 / kpi
        kpi_elpd=points["elpd_loo"] - values if log else points["elpd_loo"],
        observed_kpi=np.exp(values) if log else values,
    )


@dataclass(frozen=True)
class Ranking:
    """Comparable runs, best first.

    Attributes:
        runs: the runs.
        pointwise: log predictive density on the KPI scale, shape (runs, shared rows).
        reliable: whether Pareto k vouches for it, same shape.
        same_kpi: whether all runs explain the same values; otherwise the order says nothing.
        notes: what the caller insisted on.
    """

    runs: tuple[RunEvidence, ...]
    pointwise: FloatArray
    reliable: NDArray[np.bool_]
    same_kpi: bool = True
    notes: tuple[str, ...] = ()

    def difference(self, run: RunEvidence, other: RunEvidence) -> tuple[float, float]:
        """ELPD of a run minus that of another, and its standard error over the paired rows."""
        return _sum_and_error(self.pointwise[self._place(run)] - self.pointwise[self._place(other)])

    def is_clear(self, run: RunEvidence, other: RunEvidence) -> bool:
        """Whether a run is better by more than noise: by above 4 and above twice the standard error, over all rows and
        over those alone whose densities are reliable in both runs."""
        mine, theirs = self._place(run), self._place(other)
        paired = self.pointwise[mine] - self.pointwise[theirs]
        sums = (_sum_and_error(paired), _sum_and_error(paired[self.reliable[mine] & self.reliable[theirs]]))
        return all(size > max(SMALL, CLEAR * error) for size, error in sums)

    def _place(self, run: RunEvidence) -> int:
        return [each.run for each in self.runs].index(run.run)


def _sum_and_error(values: FloatArray) -> tuple[float, float]:
    return float(values.sum()), standard_error(values)


def standard_error(values: FloatArray) -> float:
    """Of the sum of independent terms; NaN for fewer than two."""
    return float(np.sqrt(values.size) * values.std(ddof=1)) if values.size > 1 else float("nan")


def rank_runs(runs: Sequence[RunEvidence], *, force: bool = False) -> Ranking:
    """Rank the runs that can be ranked.

    Raises:
        DataError: they do not explain the same rows of the same KPI, and `force` is not set; or no row is shared.
    """
    able = [run for run in runs if not run.unranked]
    if not able:
        return Ranking((), np.empty((0, 0)), np.empty((0, 0), dtype=bool))
    keys = _key_columns(able)
    tables = [_keyed(run, keys) for run in able]
    shared = tables[0].index
    for table in tables[1:]:
        shared = shared.intersection(table.index)
    other_kpi = _other_kpi(able, tables, shared)
    problem = other_kpi or _other_rows(able, tables)
    if problem and not force:
        raise DataError(
            "The runs do not explain the same data, so their ELPDs cannot be compared.",
            got=problem,
            wanted="the same rows of the same KPI in every run",
            fix=f"Compare runs of one data file, or add {FORCE} to compare the shared rows all the same.",
        )
    if not len(shared):
        raise DataError("The runs have no rows in common.", where=", ".join(keys), fix="Compare runs of one market.")
    pointwise, k = (
        np.stack([table.loc[shared, name].to_numpy(dtype=np.float64) for table in tables])
        for name in ("kpi_elpd", "pareto_k")
    )
    order = np.argsort(-pointwise.sum(axis=1), kind="stable")
    notes = (f"The runs explain different data ({problem}); only the {len(shared):,} shared rows are compared.",)
    ordered = tuple(able[position] for position in order)
    return Ranking(ordered, pointwise[order], (k <= RELIABLE_K)[order], not other_kpi, notes if problem else ())


def same_data(first: RunEvidence, second: RunEvidence) -> bool:
    """Whether two runs with scored rows explain the same rows of the same KPI, so that their ELPDs compare."""
    runs = (first, second)
    keys = _key_columns(runs)
    tables = [_keyed(run, keys) for run in runs]
    if len(tables[0]) != len(tables[1]) or _other_rows(runs, tables):
        return False
    return not _other_kpi(runs, tables, tables[0].index)


def _key_columns(runs: Sequence[RunEvidence]) -> list[str]:
    """Columns that name a row in every run: date and group where they do, else the position in the file."""
    tables = [run.rows for run in runs if run.rows is not None]
    known = [name for name in ("date", "group") if all(name in table for table in tables)]
    unique = known and all(not table.duplicated(known).any() for table in tables)
    return known if unique else ["row"]


def _keyed(run: RunEvidence, keys: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(run.rows)
    if table.duplicated(keys).any():
        raise DataError("The run's scored rows are not unique.", where=f"{run.path}, loo_pointwise.csv", got=keys)
    return table.set_index(keys)


def _other_kpi(runs: Sequence[RunEvidence], tables: Sequence[pd.DataFrame], shared: pd.Index) -> str:
    """The first way in which a run explains other values than the first run in their shared rows; empty if none does.

    Values that were not stored are taken as equal when the data files are.
    """
    first, own = runs[0], tables[0]
    for run, table in zip(runs[1:], tables[1:], strict=True):
        names = [each.facts.get("response") for each in (first, run)]
        if all(names) and names[0] != names[1]:
            return f"{first.run} explains {names[0]}, {run.run} explains {names[1]}"
        mine, theirs = (each.loc[shared, "observed_kpi"].to_numpy(dtype=np.float64) for each in (own, table))
        known = np.isfinite(mine) & np.isfinite(theirs)
        apart = int((~np.isclose(mine, theirs, rtol=SAME_KPI, atol=0) & known).sum())
        if apart:
            return f"{first.run} and {run.run} have different values of {names[0] or 'the KPI'} in {apart:,} rows"
        if not known.all() and first.facts.get("data_sha256") != run.facts.get("data_sha256"):
            return f"{first.run} and {run.run} were made from different files, and observed.csv is missing"
    return ""


def _other_rows(runs: Sequence[RunEvidence], tables: Sequence[pd.DataFrame]) -> str:
    """The first run that has other rows than the first run, if any."""
    first, own = runs[0], tables[0]
    for run, table in zip(runs[1:], tables[1:], strict=True):
        both = len(own.index.intersection(table.index))
        if both < max(len(own), len(table)):
            return f"{first.run} has {len(own):,} rows, {run.run} has {len(table):,}, and {both:,} are the same"
    return ""


def high_k(run: RunEvidence) -> int:
    """Rows whose PSIS-LOO estimate is unreliable."""
    return int(run.loo["n_k_gt_0_7"])


def same_folds(runs: Sequence[RunEvidence]) -> bool:
    """Whether the runs were cross-validated over the same weeks and rows in the same way."""
    keys = ("method", "horizon_weeks", "stride_weeks", "folds_scored", "n_rows", "holdout_start", "holdout_end")
    scored = [run for run in runs if has_folds(run)]
    return len(scored) == len(runs) and len({tuple(str(run.tscv[key]) for key in keys) for run in scored}) == 1


def has_folds(run: RunEvidence) -> bool:
    """Whether time-series selection scored a fold of this run."""
    return run.tscv.get("status") in ("ok", "partial")
