"""Transform sensitivity: the mode under alternative formulas, beside that of the model's own formula.

Each scenario is fitted as the base is, by MAP, with the same data, settings, priors and boundaries. What an alternative
formula has no parameter for is left out there and said. So is what is in other units there: where one formula logs the
response and the other does not, priors do not carry over, and of the boundaries only signs do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.config.schema_model import BoundariesSection, FitSection, PriorsSection
from dsam_assets.config.slices import FormulaSlice, PriorsSlice
from dsam_assets.design.checks import require_usable
from dsam_assets.design.formula import Formula, parse_formula
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign, model_checks, model_design
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.errors import DesignError, DsamError, ToolchainError
from dsam_assets.fit.fitted import fit_metrics
from dsam_assets.fit.point import PointFit, fit_point, point_settings
from dsam_assets.fit.predictor import posterior_means, predictor
from dsam_assets.fit.refits import RefitInputs
from dsam_assets.fit.runner import StanRunner
from dsam_assets.scales import observed_to_kpi

BASE = "base"
STATUS = "transform_sensitivity_status"
UNITLESS = frozenset({0.0, np.inf, -np.inf})
SUMMARY, PARAMETERS = "transform_sensitivity_summary", "transform_sensitivity_parameters"


def sensitivity_tables(inputs: RefitInputs, runner: StanRunner) -> dict[str, pd.DataFrame]:
    """The tables that are stored: whether it was asked for and, if so, the results."""
    section = inputs.formula.transforms.sensitivity
    status = pd.DataFrame({"enabled": [section.enabled], "scenarios": [len(section.scenarios)]})
    return {STATUS: status} | (transform_sensitivity(inputs, runner) if section.enabled else {})


def sensitivity_facts(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Key numbers of the stored tables; `not_fitted` names the formulas without a converged mode."""
    status = tables[STATUS].iloc[0]
    facts = {"enabled": bool(status["enabled"]), "scenarios": int(status["scenarios"])}
    if not facts["enabled"]:
        return facts
    summary = tables[SUMMARY]
    return {**facts, "not_fitted": ", ".join(summary.loc[summary["status"] != "ok", "scenario"])}


def transform_sensitivity(inputs: RefitInputs, runner: StanRunner) -> dict[str, pd.DataFrame]:
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


def _scenario(inputs: RefitInputs, name: str, text: str, runner: StanRunner) -> tuple[dict[str, object], pd.DataFrame]:
    try:
        design, notes = scenario_design(inputs, text)
        settings = point_settings(inputs.fit.model_copy(update={"optimise": _with_hessian(inputs.fit)}))
        fit = fit_point(design, settings, runner)
    except ToolchainError:
        raise
    except DsamError as error:
        return _failed(" ".join(str(error).split())), NO_PARAMETERS
    return _row(fit, design.matrix, notes), fit.optimisation_best.assign(scenario=name)[list(NO_PARAMETERS.columns)]


def _with_hessian(fit: FitSection) -> Any:
    return fit.optimise.model_copy(update={"hessian": True})


def scenario_design(inputs: RefitInputs, text: str) -> tuple[ModelDesign, str]:
    """The design of one formula with the overrides that carry over, and a sentence about each kind that does not.

    Raises:
        DsamError: the formula does not fit the data.
        DesignError: its fit could not be compared with the base's: another response, or another class of model.
    """
    _require_comparable(inputs.formula, text)
    matrix = _matrix(inputs, text)
    section, notes = inputs.priors, []
    if matrix.response_scale != _formula(inputs.formula, inputs.formula.formula).response_scale:
        section, unlike = _signs_only(section)
        notes.append(_note("Given in the units of the model's own response", unlike))
    section, absent = _known_only(section, matrix)
    notes.append(_note("Not in this formula", absent))
    return model_design(matrix, section), " ".join(note for note in notes if note)


def _note(why: str, names: Sequence[str]) -> str:
    return f"{why}, so left out: {', '.join(dict.fromkeys(names))}." if names else ""


def _require_comparable(section: FormulaSlice, text: str) -> None:
    base, other = _formula(section, section.formula), _formula(section, text)
    if other.response_column != base.response_column:
        raise DesignError(
            "A scenario must explain the same response as the model.",
            got=other.response_column,
            wanted=f"{base.response_column}, logged or not",
            fix="Vary the transforms of the predictors, or log the response.",
        )
    if bool(other.bar_terms) != bool(base.bar_terms):
        raise DesignError(
            "A scenario must be of the model's class.",
            got="group terms" if other.bar_terms else "no group terms",
            wanted=f"{'group terms' if base.bar_terms else 'no group terms'}, as in model.formula",
            fix="Fit another class of model by a config of its own.",
        )


def _formula(section: FormulaSlice, text: str) -> Formula:
    return parse_formula(text, unsafe=section.security.allow_unsafe_formula)


def _matrix(inputs: RefitInputs, text: str) -> ModelMatrix:
    section = inputs.formula.model_copy(update={"formula": text})
    _, matrix = inputs.built(section)
    require_usable(model_checks(matrix))
    return matrix


def _signs_only(section: PriorsSlice) -> tuple[PriorsSlice, list[str]]:
    """Overrides without those that have units, and whose they were.

    A slope has the same sign whether the response is logged or not; an intercept has not.
    """
    bounds = section.boundaries.overrides
    signs = tuple(row for row in bounds if row.parameter != INTERCEPT and {row.lower, row.upper} <= UNITLESS)
    dropped = [*(row.parameter for row in section.priors.overrides), *(r.parameter for r in bounds if r not in signs)]
    update = {"priors": PriorsSection(), "boundaries": BoundariesSection(overrides=signs)}
    return section.model_copy(update=update), dropped


def _known_only(section: PriorsSlice, matrix: ModelMatrix) -> tuple[PriorsSlice, list[str]]:
    """Overrides of the model's own parameters, and the names of the others."""
    bare = section.model_copy(update={"priors": PriorsSection(), "boundaries": BoundariesSection()})
    known = {row.name for row in model_design(matrix, bare).parameters}
    priors, boundaries = section.priors.overrides, section.boundaries.overrides
    update = {
        "priors": PriorsSection(overrides=tuple(_of(priors, known))),
        "boundaries": BoundariesSection(overrides=tuple(_of(boundaries, known))),
    }
    named = [*(row.parameter for row in priors), *(row.parameter for row in boundaries)]
    return section.model_copy(update=update), [name for name in named if name not in known]


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
