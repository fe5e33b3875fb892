"""Transform sensitivity: the mode under alternative formulas, beside that of the model's own formula.

Each scenario is fitted as the base is, by MAP, with the same data, settings, priors and boundaries. What an alternative
formula has no parameter for is left out there and said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.config.schema_data import DataSection
from dsam_assets.config.schema_model import BoundariesSection, FitSection, PriorsSection
from dsam_assets.config.slices import FormulaSlice, PriorsSlice
from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.additions import model_inputs
from dsam_assets.design.build import build_matrix
from dsam_assets.design.checks import require_usable
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign, model_checks, model_design
from dsam_assets.errors import DsamError, ToolchainError
from dsam_assets.fit.fitted import fit_metrics
from dsam_assets.fit.point import PointFit, fit_point, point_settings
from dsam_assets.fit.predictor import posterior_means, predictor
from dsam_assets.fit.runner import StanRunner
from dsam_assets.scales import observed_to_kpi

BASE = "base"
STATUS = "transform_sensitivity_status"
SUMMARY, PARAMETERS = "transform_sensitivity_summary", "transform_sensitivity_parameters"


@dataclass(frozen=True)
class SensitivityInputs:
    """What every scenario shares.

    Attributes:
        frame: the data.
        formula: the config's formula with its scenarios, `cre` and pooling.
        data, priors, fit: the config's sections; the fit's method is `optimise`.
        holidays: generated features, or `None`.
        pooling: labels of a pooled model, or `None`.
    """

    frame: pd.DataFrame
    formula: FormulaSlice
    data: DataSection
    priors: PriorsSlice
    fit: FitSection
    holidays: HolidayFeatures | None = None
    pooling: PoolingMap | None = None


def sensitivity_tables(inputs: SensitivityInputs, runner: StanRunner) -> dict[str, pd.DataFrame]:
    """The tables that are stored: whether it was asked for and, if so, the results."""
    section = inputs.formula.transforms.sensitivity
    status = pd.DataFrame({"enabled": [section.enabled], "scenarios": [len(section.scenarios)]})
    return {STATUS: status} | (transform_sensitivity(inputs, runner) if section.enabled else {})


def transform_sensitivity(inputs: SensitivityInputs, runner: StanRunner) -> dict[str, pd.DataFrame]:
    """Fit the base and every scenario; one that fails is a row with its message.

    Returns:
        `transform_sensitivity_summary`, one row per formula, and `transform_sensitivity_parameters`, one row per
        formula and parameter: the mode and an approximate standard deviation, in data units on the model scale.

    Raises:
        ToolchainError: Stan cannot be found or compiled.
    """
    section = inputs.formula.transforms.sensitivity
    formulas = {BASE: inputs.formula.formula, **{scenario.name: scenario.formula for scenario in section.scenarios}}
    summary, parameters = [], []
    for name, text in formulas.items():
        row, table = _scenario(inputs, name, text, runner)
        summary.append({"scenario": name, "formula": " ".join(text.split()), **row})
        parameters.append(table)
    found = [table for table in parameters if len(table)]
    together = pd.concat(found, ignore_index=True) if found else parameters[0]
    return {SUMMARY: pd.DataFrame(summary).astype({"rows": "Int64", "terms": "Int64"}), PARAMETERS: together}


NO_PARAMETERS = pd.DataFrame(
    {"scenario": [], "parameter": [], "estimate": [], "sd": [], "at_bound": [], "note": []}, dtype=object
).astype({"estimate": float, "sd": float})


def _scenario(
    inputs: SensitivityInputs, name: str, text: str, runner: StanRunner
) -> tuple[dict[str, object], pd.DataFrame]:
    try:
        matrix = _matrix(inputs, text)
        design, left_out = _design(matrix, inputs.priors)
        settings = point_settings(inputs.fit.model_copy(update={"optimise": _with_hessian(inputs.fit)}))
        fit = fit_point(design, settings, runner)
    except ToolchainError:
        raise
    except DsamError as error:
        return _failed(str(error)), NO_PARAMETERS
    notes = f"Not in this formula, so left out: {', '.join(left_out)}." if left_out else ""
    return _row(fit, matrix, notes), fit.optimisation_best.assign(scenario=name)[list(NO_PARAMETERS.columns)]


def _with_hessian(fit: FitSection) -> Any:
    return fit.optimise.model_copy(update={"hessian": True})


def _matrix(inputs: SensitivityInputs, text: str) -> ModelMatrix:
    section = inputs.formula.model_copy(update={"formula": text})
    date_var = inputs.data.date_var
    made = model_inputs(section, inputs.frame, inputs.holidays, date_var=date_var)
    matrix = build_matrix(
        made,
        date_var=date_var,
        na_action=inputs.data.na_action,
        pooling=inputs.pooling,
        min_waves=inputs.formula.pooling.min_waves,
    ).matrix
    require_usable(model_checks(matrix))
    return matrix


def _design(matrix: ModelMatrix, section: PriorsSlice) -> tuple[ModelDesign, tuple[str, ...]]:
    """The design with those overrides that fit it, and the names of the others."""
    bare = section.model_copy(update={"priors": PriorsSection(), "boundaries": BoundariesSection()})
    known = {row.name for row in model_design(matrix, bare).parameters}
    priors, boundaries = section.priors.overrides, section.boundaries.overrides
    fitting = section.model_copy(
        update={
            "priors": PriorsSection(overrides=tuple(_of(priors, known))),
            "boundaries": BoundariesSection(overrides=tuple(_of(boundaries, known))),
        }
    )
    named = [*(row.parameter for row in priors), *(row.parameter for row in boundaries)]
    left_out = [name for name in named if name not in known]
    return model_design(matrix, fitting), tuple(dict.fromkeys(left_out))


def _of(rows: Sequence[Any], known: set[str]) -> Iterator[Any]:
    return (row for row in rows if row.parameter in known)


def _row(fit: PointFit, matrix: ModelMatrix, notes: str) -> dict[str, object]:
    metrics = fit_metrics(fit.draws, matrix).query("group == 'all'").set_index("metric")["mean"]
    best = fit.optimisation_runs.query("is_best").iloc[0]
    return {
        "status": "ok" if bool(best["converged"]) else "not_converged",
        "message": " ".join(part for part in (notes, "" if best["converged"] else str(best["message"])) if part),
        "response_scale": matrix.response_scale,
        "rows": len(matrix.response),
        "terms": len(matrix.terms),
        "r2": metrics["r2"],
        "rmse": metrics["rmse"],
        "rmse_kpi": _rmse_kpi(fit, matrix),
        "smape": metrics["smape"],
    }


def _rmse_kpi(fit: PointFit, matrix: ModelMatrix) -> float:
    """Root mean squared error on the KPI scale, so that formulas with and without a log can be compared."""
    mean = predictor(posterior_means(fit.draws), matrix, slice(None))[:, 0]
    error = observed_to_kpi(matrix.response, matrix.response_scale) - observed_to_kpi(mean, matrix.response_scale)
    return float(np.sqrt((error**2).mean()))


def _failed(message: str) -> dict[str, object]:
    missing = dict.fromkeys(("r2", "rmse", "rmse_kpi", "smape"), np.nan)
    return {"status": "failed", "message": message, "response_scale": None, "rows": None, "terms": None, **missing}
