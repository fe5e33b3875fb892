"""A forecast as it is published: its tables, and the state of the evidence under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from dsam_assets.config.schema_allocation import ChannelSection
from dsam_assets.config.slices import AllocationSlice, PriorsSlice
from dsam_assets.data.findings import Finding
from dsam_assets.design.model_design import model_design
from dsam_assets.diagnostics.stamped import StampedTables
from dsam_assets.errors import DataError
from dsam_assets.fit.predictor import JointDraws
from dsam_assets.forecast.extrapolation import extrapolation_findings, extrapolation_table
from dsam_assets.forecast.future_data import FutureData
from dsam_assets.forecast.future_rows import FutureRows, future_rows
from dsam_assets.forecast.joined import ModelSource
from dsam_assets.forecast.plan_paths import PlanPaths, no_plan, plan_paths
from dsam_assets.forecast.predictive import Prediction, Summary, conversion, fit_seed, forecast_draws, predict
from dsam_assets.forecast.scores import score_table
from dsam_assets.forecast.totals import Totals, spend_change, spending_notes, summary_table
from dsam_assets.verdict import Overall, Reliability

if TYPE_CHECKING:
    from dsam_assets.fit.draws import Draws

NO_ALLOCATION = "the config asks for no budget plan (allocation.enabled: false)"
BY_ROW = ("forecast", "forecast_model_scale")  # too long for the JSON; they have files of their own


@dataclass(frozen=True)
class Forecast(StampedTables):
    """Tables of a forecast with their reliability; `tables` is empty when the config asks for none.

    They are `forecast` by row on the KPI scale, `forecast_model_scale` for a log response, `forecast_summary` with the
    totals, `forecast_extrapolation`, `forecast_plan` with a budget plan, and `forecast_scores` where the KPI is known.

    Attributes:
        settings: seed, draws, estimate, and how draws reached the KPI scale.
        notes: what a reader must know, in sentences.
        findings: predictors that leave the range of the fit.
        plan: `followed` when a plan's path is among the totals, else why not.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    plan: str = ""

    def document(self) -> dict[str, Any]:
        """Content of `forecast.json`: everything but the rows."""
        short = {name: _dates_as_text(frame) for name, frame in self.tables.items() if name not in BY_ROW}
        return {
            **replace(self, tables=short)._stamped(),
            **self.settings,
            "plan": self.plan,
            "notes": list(self.notes),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def _stamped(self) -> dict[str, Any]:
        return super().document()

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        stamp = super().facts()
        if not self.tables:
            return stamp
        found = {f"{row['path']}_{row['quantity']}": row for row in self._overall_totals()}
        base, scores = found["base_expected"], self.tables.get("forecast_scores")
        facts = {
            **stamp,
            "estimate": self.settings["estimate"],
            "periods": int(base["periods"]),
            "first_date": str(base["first_date"])[:10],
            "last_date": str(base["last_date"])[:10],
            "total": float(base["mean"]),
            **_interval("total", found["base_predicted"]),
            "predictors_beyond_the_fit": len({finding.subject for finding in self.findings}),
        }
        for rival in ("even", "base"):
            if f"plan_minus_{rival}_expected" in found:
                change = found[f"plan_minus_{rival}_expected"]
                facts |= {f"plan_over_{rival}": float(change["mean"]), **_interval(f"plan_over_{rival}", change)}
        if "forecast_plan" in self.tables:
            facts |= _known({"plan_spend_change": spend_change(self.tables["forecast_plan"])})
        if scores is not None:
            overall = scores.iloc[-1]
            facts |= {"scored_rows": int(overall["rows"]), "rmse": float(overall["rmse"])}
            facts |= _known({"coverage_90": overall["coverage_90"]})
        return facts

    def _overall_totals(self) -> list[dict[Any, Any]]:
        table = self.tables["forecast_summary"]
        return table[table["group"] == "all"].to_dict("records")


def _known(numbers: Mapping[str, Any]) -> dict[str, float]:
    """A point estimate has no intervals: facts are only what is known."""
    return {name: float(value) for name, value in numbers.items() if np.isfinite(value)}


def _interval(name: str, row: Mapping[Any, Any]) -> dict[str, float]:
    return _known({f"{name}_lower": row["q05"], f"{name}_upper": row["q95"]})


def _dates_as_text(frame: pd.DataFrame) -> pd.DataFrame:
    dates = frame.select_dtypes("datetime")
    return frame.assign(**{str(name): dates[name].dt.strftime("%Y-%m-%d") for name in dates})


class Verdict(Protocol):
    """What is read of the verdict on the fit."""

    @property
    def reliability(self) -> Reliability: ...
    @property
    def overall(self) -> Overall: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class PlanInput:
    """A budget plan to follow: its table `budget_allocation`, and the channels of its config."""

    table: pd.DataFrame
    channels: Sequence[ChannelSection]


def plan_input(plan: StampedTables, section: AllocationSlice) -> PlanInput | None:
    """The published plan; `None` when the config asks for none."""
    table, channels = plan.tables.get("budget_allocation"), section.allocation.channels
    if table is None:
        return None
    if (table["unit"] != "").any():
        # A plan of single groups: its rows are channels of a unit, named `TV (north)`.
        names = {channel.term: channel.name for channel in channels}
        table = table.assign(channel=table["term"].map(names), group=table["unit"])
    return PlanInput(table, channels)


def forecast_market(
    draws: Draws,
    source: ModelSource,
    priors: PriorsSlice,
    future: FutureData | None,
    report: Verdict,
    *,
    horizon: int | None = None,
    plan: PlanInput | None = None,
) -> Forecast:
    """Forecast the weeks ahead and stamp the result with the verdict.

    Args:
        draws: the posterior.
        source: the fitted model and its data.
        priors: the config's priors; they say how new groups are drawn.
        future: predictors of the weeks ahead; `None` when the config asks for no forecast.
        report: the verdict; `diagnostics.report.enforce` has let it through.
        horizon: periods per panel unit; `None` takes every future row.
        plan: the budget plan whose outcome is forecast as well.

    Raises:
        DataError: the future data cannot be used, or lead to no finite forecast.
    """
    if future is None:
        return Forecast({}, report.reliability, report.overall, report.reasons)
    rows, seed = future_rows(source, future, horizon), fit_seed(draws)
    design = model_design(source.matrix, priors) if rows.new else None
    joint = forecast_draws(draws, design, rows, seed=seed)
    paths = no_plan(NO_ALLOCATION) if plan is None else _plan_paths(source, rows, plan)
    matrices = {"base": rows.matrix, **paths.matrices}
    predictions = {
        name: predict(joint, matrix, rows.unit, len(rows.units), seed=seed) for name, matrix in matrices.items()
    }
    for name, each in predictions.items():
        _require_finite(name, each, future.where)
    stamp = {"reliability": report.reliability, "diagnostics_overall": report.overall}
    tables = _tables(rows, joint, predictions, paths, stamp)
    tables["forecast_extrapolation"] = extrapolation_table(source.matrix, matrices)
    settings = {
        "estimate": "point" if draws.is_point else "posterior",
        "draws": int(joint.noise_sd.size),
        "seed": seed,
        "conversion_method": conversion(joint, rows.matrix.response_scale),
        "future_data": Path(future.where).name,
        "horizon": horizon,
    }
    return Forecast(
        tables, report.reliability, report.overall, report.reasons, settings,
        (*rows.notes, *paths.notes, *spending_notes(tables)),
        extrapolation_findings(tables["forecast_extrapolation"]), paths.skipped or "followed",
    )  # fmt: skip


def _require_finite(path: str, prediction: Prediction, where: str) -> None:
    """A log response far beyond the data has no finite KPI, and no total either."""
    wild = np.flatnonzero(~np.isfinite(prediction.expected["mean"]))
    if wild.size or not np.isfinite(prediction.predicted_totals).all():
        raise DataError(
            "The forecast has no finite value: exp of the linear predictor overflows.",
            where=where,
            got=f"{wild.size or 1:,} of {prediction.expected['mean'].size:,} rows, path {path}",
            wanted="predictors near the range of the data",
            fix="Correct the future values, or shorten forecast.horizon.",
        )


def _plan_paths(source: ModelSource, rows: FutureRows, plan: PlanInput) -> PlanPaths:
    return plan_paths(source, rows, plan.table, plan.channels)


def _tables(
    rows: FutureRows,
    joint: JointDraws,
    predictions: Mapping[str, Prediction],
    paths: PlanPaths,
    stamp: Mapping[str, str],
) -> dict[str, pd.DataFrame]:
    base, method = predictions["base"], conversion(joint, rows.matrix.response_scale)
    labels = rows.labels()
    ahead = {"periods_ahead": rows.ahead, "observed": rows.observed}
    tables = {
        "forecast": labels.assign(
            **ahead, **_named(base.expected, base.predicted), conversion_method=method, reliability=stamp["reliability"]
        )
    }
    if base.expected_model:
        shown = {**ahead, "observed": rows.matrix.response}
        tables["forecast_model_scale"] = labels.assign(**shown, **_named(base.expected_model, base.predicted_model))
    totals = {name: Totals(each.expected_totals, each.predicted_totals) for name, each in predictions.items()}
    tables["forecast_summary"] = summary_table(rows, totals).assign(**stamp)
    scores = score_table(joint, rows, base.expected["mean"])
    if scores is not None:
        tables["forecast_scores"] = scores
    if paths.matrices:
        tables["forecast_plan"] = paths.channels
    return tables


def _named(expected: Summary, predicted: Summary) -> dict[str, Any]:
    return {
        **{f"expected_{name}": values for name, values in expected.items()},
        **{f"predicted_{name}": values for name, values in predicted.items()},
    }
